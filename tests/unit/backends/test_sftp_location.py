"""Tests of what an ``sftp:`` repository and its options mean."""

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.backends.sftp.command import login_words, split_words
from restic_reporter.backends.sftp.location import SFTPLocation, parse_sftp
from restic_reporter.backends.sftp.settings import configure
from restic_reporter.model.settings import OwnKeys

OWN = (
    "-o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=15 -o ServerAliveCountMax=2"
    " -o ControlMaster=no -s sftp"
)


class LocationTests(SynchronousTestCase):
    """Both forms of a location."""

    def test_words(self) -> None:
        """It is split at the first colon, and the user from the host."""
        for repo, expected in (
            ("sftp:u@h:/srv/x", ("u", "h", "", "/srv/x")),
            ("sftp:h:x", ("", "h", "", "x")),
            ("sftp:h:", ("", "h", "", ".")),
            ("sftp:u@domain@h:x", ("u@domain", "h", "", "x")),
            ("sftp:a@b@c@d:x", ("a@b", "c@d", "", "x")),
            ("sftp:h:2222:x:y", ("", "h", "", "2222:x:y")),
            ("sftp:h://a//b/../c/", ("", "h", "", "/a/c")),
            ("sftp:h:./../x", ("", "h", "", "../x")),
            ("sftp:h:a%20?b", ("", "h", "", "a%20?b")),
            ("sftp::x", ("", "", "", "x")),
            ("sftp:h:x~", ("", "h", "", "x~")),
        ):
            self.assertEqual(parse_sftp(repo), SFTPLocation(*expected), repo)

    def test_url(self) -> None:
        """One slash begins a relative path, two an absolute one."""
        for repo, expected in (
            ("sftp://u@h:2222/x", ("u", "h", "2222", "x")),
            ("sftp://h//srv/x", ("", "h", "", "/srv/x")),
            ("sftp://[::1]:22/x", ("", "::1", "22", "x")),
            ("sftp://[fe80::1]//x", ("", "fe80::1", "", "/x")),
            ("sftp://u%40d@h/a%20b%3F", ("u@d", "h", "", "a b?")),
            ("sftp://h/%FF", ("", "h", "", "\udcff")),
            ("sftp://h/", ("", "h", "", ".")),
            ("sftp://h:/x", ("", "h", "", "x")),
            ("sftp:///x", ("", "", "", "x")),
        ):
            self.assertEqual(parse_sftp(repo), SFTPLocation(*expected), repo)

    def test_invalid(self) -> None:
        """What restic or ssh would misunderstand is refused, without a password in the message."""
        for repo, words in (
            ("sftp:host", "colon before the path"),
            ("sftp:u@h:~/x", "does not know '~'"),
            ("sftp:u@h:./~x", "does not know '~'"),
            ("sftp://h/~/x", "does not know '~'"),
            ("sftp://h", "slash before the path"),
            ("sftp://u:hush@h/x", "must not contain a password"),
            ("sftp://h:port/x", "invalid host or port"),
            ("sftp://::1/x", "invalid host or port"),
            ("sftp://h/x?y", "query; write '?' as %3F"),
            ("sftp://h/x#y", "fragment; write '#' as %23"),
            ("sftp://h/100%", "two hex digits"),
            ("sftp://h/%00", "NUL"),
        ):
            error = self.assertRaises(ValueError, parse_sftp, repo)
            self.assertIn(words, str(error), repo)
            self.assertNotIn("hush", str(error))


class WordsTests(SynchronousTestCase):
    """The command that logs in."""

    def words(self, repo: str, **options: str) -> str:
        """The words for ``repo``, as shown in tests."""
        named = {f"sftp.{name}": value for name, value in options.items()}
        return " ".join(login_words(parse_sftp(repo), named))

    def test_ssh(self) -> None:
        """Without options it is ssh, with the user's words before our own."""
        self.assertEqual(self.words("sftp:h:x"), f"ssh h {OWN}")
        self.assertEqual(self.words("sftp://u@h:22/x"), f"ssh h -p 22 -l u {OWN}")
        self.assertEqual(
            self.words("sftp:u@h:x", args="-i 'my key'"), f"ssh h -l u -i my key {OWN}"
        )

    def test_command(self) -> None:
        """A command of the user's is run as it is."""
        self.assertEqual(self.words("sftp:-h:x", command="my prog -x"), "my prog -x")
        self.assertEqual(self.words("sftp::x", command="prog"), "prog")

    def test_invalid(self) -> None:
        """ssh gets no host that it would take for an option, and no half quote."""
        for repo, options, key, words in (
            ("sftp:-oProxyCommand=x:x", {}, "repo", "'-oProxyCommand=x'"),
            ("sftp://-h/x", {}, "repo", "'-h'"),
            ("sftp:u@:x", {}, "repo", "host is missing"),
            ("sftp:h:~", {}, "repo", "'~'"),
            ("sftp:h:x", {"sftp.command": "'a"}, "options", "'sftp.command' has an unclosed"),
            ("sftp:h:x", {"sftp.args": ' "" '}, "options", "'sftp.args' has no words"),
            ("sftp:h:x", {"sftp.args": "a", "sftp.command": "b"}, "options", "exclude"),
        ):
            own = OwnKeys(repo, options=options)
            self.assertIs(configure(own), None)
            ((where, message),) = own.problems
            self.assertEqual(where, key)
            self.assertIn(words, message)

    def test_environment(self) -> None:
        """ssh sees what restic's ssh sees, without the other variables of the entry."""
        own = OwnKeys(
            "sftp:h:x",
            environs=(
                {"SSH_AUTH_SOCK": "/agent", "HOME": "/other", "AWS_SECRET_ACCESS_KEY": "hush"},
                {"HOME": "/root", "PATH": "/bin", "VAULT_TOKEN": "hush", "SSH_ASKPASS": "x"},
            ),
        )
        settings = configure(own)
        assert settings is not None
        self.assertEqual(
            settings.ssh_environment,
            {"SSH_AUTH_SOCK": "/agent", "HOME": "/other", "PATH": "/bin"},
        )


class SplitTests(SynchronousTestCase):
    """Words, split as restic does."""

    def test_words(self) -> None:
        """Quotes keep blanks together, and end a word; a backslash is a blank."""
        for text, words in (
            ("foo", ["foo"]),
            ("foo 'bar' baz", ["foo", "bar", "baz"]),
            ("'bar box' baz", ["bar box", "baz"]),
            ("\"bar 'box'\" baz", ["bar 'box'", "baz"]),
            ("a\t b\u00a0c", ["a", "b", "c"]),
            ("-oX='a b'c", ["-oX=", "a b", "c"]),
            ('\\"bar box', ['"bar', "box"]),
            ("a\\ b", ["a", "b"]),
        ):
            self.assertEqual(split_words(text), words, text)
