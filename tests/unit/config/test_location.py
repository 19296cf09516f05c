"""Tests of `restic_reporter.config.location`."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.backends.rest_settings import Rest, parse_rest, with_credentials
from restic_reporter.config.location import absolute, scheme_of
from restic_reporter.model.schemes import RESTIC_SCHEMES


class SchemeTests(SynchronousTestCase):
    """`scheme_of`."""

    def test_schemes_of_restic(self) -> None:
        """Every scheme that restic knows is seen before the first colon."""
        for scheme in RESTIC_SCHEMES:
            self.assertEqual(scheme_of(f"{scheme}:x:y"), scheme)

    def test_paths(self) -> None:
        """A path without a scheme is local, also with a colon in it where it begins like one."""
        for path in ("/p", "p", "./a:b", "../a:b", "/a:b", "local:/p"):
            self.assertEqual(scheme_of(path), "local")

    def test_plugins(self) -> None:
        """A plugin's scheme counts like restic's own."""
        self.assertEqual(scheme_of("mine:x", ("mine",)), "mine")
        self.assertRaises(ValueError, scheme_of, "mine:x")

    def test_broken_plugin(self) -> None:
        """With a broken plugin an unknown scheme may be its own, unless it cannot be one."""
        self.assertEqual(scheme_of("my+own-1.0:x", (), broken=True), "my+own-1.0")
        self.assertEqual(scheme_of("rest:x", (), broken=True), "rest")
        self.assertEqual(scheme_of("./a:b", (), broken=True), "local")
        for text in ("My:x", "a b:x", "1:x", ":x"):
            self.assertRaises(ValueError, scheme_of, text, (), broken=True)

    def test_http(self) -> None:
        """The scheme of a URL is refused with its mend, unless a plugin serves it."""
        for scheme in ("http", "https"):
            error = self.assertRaises(ValueError, scheme_of, f"{scheme}://h/", (), broken=True)
            self.assertEqual(
                str(error), f"unknown scheme {scheme!r}; did you mean 'rest:{scheme}://…'?"
            )
            self.assertEqual(scheme_of(f"{scheme}://h/", (scheme,)), scheme)

    def test_unknown_scheme(self) -> None:
        """An unknown scheme is named with its likely mend, and no password."""
        known = "azure, b2, gs, local, mine, rclone, rest, s3, sftp, swift"
        for repo, said in (
            ("https://u:sesame@h/p", "'https'; did you mean 'rest:https://…'?"),
            ("http://h:8000", "'http'; did you mean 'rest:http://…'?"),
            ("HTTPS://h/p", "'HTTPS'; did you mean 'rest:https://…'?"),
            ("REST:https://u:sesame@h/", "'REST'; did you mean 'rest:…'?"),
            ("B2:bucket:path", "'B2'; did you mean 'b2:…'?"),
            ("S3:h/b", "'S3'; did you mean 's3:…'?"),
            ("Mine:x", "'Mine'; did you mean 'mine:…'?"),
            ("resd:http://u:sesame@h/", "'resd'; did you mean 'rest:…'?"),
            ("nas:/srv/backup", "'nas'; did you mean 'sftp:nas:/srv/backup'?"),
            ("me@nas.local:/srv", "'me@nas.local'; did you mean 'sftp:me@nas.local:/srv'?"),
            ("backups/10:30", "'backups/10'; did you mean 'local:backups/10:30'?"),
            ("ftp://u:sesame@h/", "'ftp'; did you mean 'sftp:…'?"),
            ("what://u:sesame@h/", f"'what'; known schemes: {known}"),
            ("nas:/u:sesame@h/", f"'nas'; known schemes: {known}"),
            ("a/u:sesame@h/", f"'a/u'; known schemes: {known}"),
            (":x", f"''; known schemes: {known}"),
        ):
            error = self.assertRaises(ValueError, scheme_of, repo, ("mine",))
            self.assertEqual(str(error), f"unknown scheme {said}")

    def test_characters(self) -> None:
        """Control characters, half surrogates and blanks at the ends are refused."""
        for text in ("/a\nb", "/a\x00", "/a\x7f", "/a\ud800", " /a", "/a ", "rest:http://h/\t"):
            self.assertRaises(ValueError, scheme_of, text)


class AbsoluteTests(SynchronousTestCase):
    """`absolute`."""

    def test_local(self) -> None:
        """A relative local path begins in the config's folder; an absolute one stays."""
        self.assertEqual(absolute("p/q", "local", "/d"), "local:/d/p/q")
        self.assertEqual(absolute("local:p", "local", "/d"), "local:/d/p")
        self.assertEqual(absolute("/p", "local", "/d"), "local:/p")

    def test_others(self) -> None:
        """Any other scheme stays as it is written."""
        self.assertEqual(absolute("sftp:h:p", "sftp", "/d"), "sftp:h:p")


class RestTests(SynchronousTestCase):
    """`parse_rest`."""

    def base(self, url: str) -> str:
        """The base of the repository at ``url``."""
        return parse_rest(f"rest:{url}").base

    def test_slashes(self) -> None:
        """With or without a slash at the end it is the same folder."""
        self.assertEqual(self.base("http://h:8000"), "http://h:8000/")
        self.assertEqual(self.base("http://h:8000/"), "http://h:8000/")
        self.assertEqual(self.base("http://h:8000/a/b"), "http://h:8000/a/b/")
        self.assertEqual(self.base("https://h/a/b/"), "https://h/a/b/")

    def test_ipv6(self) -> None:
        """An IPv6 address keeps its brackets."""
        self.assertEqual(self.base("http://[::1]:8000/x"), "http://[::1]:8000/x/")
        self.assertEqual(self.base("http://u:p@[2001:db8::1]/"), "http://[2001:db8::1]/")

    def test_path_is_encoded(self) -> None:
        """Blanks and other letters in the path are encoded, what is encoded stays."""
        self.assertEqual(self.base("http://h/a b/ü/%2F"), "http://h/a%20b/%C3%BC/%2F/")

    def test_credentials(self) -> None:
        """Credentials are taken out and decoded; name and password part at the first colon."""
        self.assertEqual(
            parse_rest("rest:http://us%3Aer:p%40s%2Fs:w@h/"),
            Rest("http://h/", None, "us:er", "p@s/s:w"),
        )
        self.assertEqual(
            parse_rest("rest:http://me@example.com:a@b@h/"),
            Rest("http://h/", None, "me@example.com", "a@b"),
        )
        self.assertEqual(parse_rest("rest:http://user@h/"), Rest("http://h/", None, "user", None))
        self.assertEqual(parse_rest("rest:http://user:@h/"), Rest("http://h/", None, "user", ""))

    def test_unix_socket(self) -> None:
        """A server at a Unix socket is given by the socket's path, a colon, and the folder."""
        self.assertEqual(
            parse_rest("rest:http+unix:///run/rest.sock:/a/b"),
            Rest("http://localhost/a/b/", "/run/rest.sock", None, None),
        )
        self.assertEqual(
            parse_rest("rest:http+unix://u:p@/run/a%20b:"),
            Rest("http://localhost/", "/run/a b", "u", "p"),
        )

    def test_refused(self) -> None:
        """What restic would not take, or nobody could reach, is refused and not repeated."""
        marker = "sesame"
        for url in (
            f"ftp://u:{marker}@h/",
            f"//u:{marker}@h/",
            f"u:{marker}@h/",
            f"http://u:{marker}@/",
            f"http://u:{marker}@h:0/",
            f"http://u:{marker}@h:65536/",
            f"http://u:{marker}@h:port/",
            f"http://u:{marker}@::1:80/",
            f"http://u:{marker}@[::1/",
            f"http://u:x/{marker}@h/",
            f"http://u:{marker}@h/?x",
            f"http://u:{marker}@h/#x",
            f"http://u:{marker}?@h/",
            f"http://u:{marker}#@h/",
            f"http://u:{marker}^@h/",
            f"http://u:{marker}ü@h/",
            f"http://u:{marker}%zz@h/",
            f"http://u:{marker}%ff@h/",
            f"http://u:{marker}@h/%zz",
            f"http://u:{marker}@ho st/",
            f"http+unix://u:{marker}@/run/rest.sock",
            f"http+unix://u:{marker}@",
        ):
            error = self.assertRaises(ValueError, parse_rest, f"rest:{url}")
            self.assertNotIn(marker, str(error), url)
            self.assertNotIsInstance(error, UnicodeError)

    @settings(deadline=None)
    @given(st.text(), st.text())
    def test_with_credentials(self, username: str, password: str) -> None:
        """Any name and password come out of the URL that they were put in."""
        username = username.encode("utf-8", "replace").decode().replace(":", "")
        password = password.encode("utf-8", "replace").decode()
        for repo, base in (
            ("rest:https://[::1]:8/a", "https://[::1]:8/a/"),
            ("rest:http+unix:///s:/a", "http://localhost/a/"),
        ):
            parsed = parse_rest(with_credentials(repo, username, password))
            self.assertEqual(
                (parsed.base, parsed.username, parsed.password), (base, username, password)
            )
