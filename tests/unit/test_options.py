"""Tests of `restic_reporter.tap`: what is said of a wrong command line."""

from twisted.scripts.twistd import ServerOptions  # type: ignore[attr-defined]
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter import tap


class WrongOptionTests(SynchronousTestCase):
    """Each mistake in the options is one line."""

    def said(self, *arguments: str) -> str:
        """The line with which the process ends; status 1, as it is a text."""
        # They would stay for the other tests.
        self.patch(tap, "hold_signals", lambda: ())
        options = tap.Options()
        options.parent = ServerOptions()
        ended = self.assertRaises(SystemExit, options.parseOptions, arguments)
        self.assertIsInstance(ended.code, str)
        line = str(ended.code)
        self.assertNotIn("\n", line)
        self.assertTrue(line.startswith("restic-reporter: "), line)
        return line.removeprefix("restic-reporter: ")

    def test_options_of_twistd(self) -> None:
        """An option of twistd behind the command: where it goes."""
        for option, value, arguments in (
            ("-n", "", ("-n",)),
            ("-n", "", ("-no",)),
            ("--nodaemon", "", ("--nodaemon",)),
            ("--pidfile", " …", ("--config=c", "--pidfile=/secret")),
            ("-l", " …", ("-l", "x")),
        ):
            self.assertEqual(
                self.said(*arguments),
                f"{option} is an option of twistd and goes before the command:"
                f" twistd {option}{value} restic-reporter",
            )

    def test_unknown(self) -> None:
        """An unknown option is named with the nearest known one, if one is near."""
        for arguments, line in (
            (("--confg=sesame",), "unknown option '--confg'; did you mean '--config'?"),
            (("--concurency", "2"), "unknown option '--concurency'; did you mean '--concurrency'?"),
            (("--xyzzy=sesame",), "unknown option '--xyzzy'; see --help"),
            (("-z",), "unknown option '-z'; see --help"),
        ):
            self.assertEqual(self.said(*arguments), line)

    def test_values(self) -> None:
        """An option without its value, or with one that it does not take, is named."""
        self.assertEqual(self.said("--bind"), "option --bind requires argument; see --help")
        self.assertIn("option --help must not have an argument", self.said("--help=1"))

    def test_unquoted_cron(self) -> None:
        """An expression that the shell has split, and its stars replaced, needs quotes."""
        mend = "--cron: the expression must be quoted: --cron '0 0 * * *'"
        for arguments in (
            ("--cron", "0", "0", "*", "*", "*"),
            ("--cron=0", "0", "config.json", "x", "config.json", "x"),
        ):
            self.assertEqual(self.said(*arguments, "--bind=:0"), mend)

    def test_stray_argument(self) -> None:
        """An argument that belongs to no option is named."""
        for arguments in (("http://u:sesame@h/",), ("--cron", "0 0 * * *", "http://u:sesame@h/")):
            self.assertEqual(
                self.said(*arguments), "unexpected argument 'http://u:***@h/'; see --help"
            )

    def test_numbers(self) -> None:
        """A value that is no such number is named, with what is wanted."""
        self.assertEqual(
            self.said("--concurrency=0"),
            "--concurrency: invalid value '0'; must be a whole number greater than 0",
        )
        self.assertEqual(
            self.said("--timeout=nan"),
            "--timeout: invalid value 'nan'; must be a number of seconds greater than 0,"
            " at most a year",
        )

    def test_bind(self) -> None:
        """A port or a host alone is no address."""
        self.assertEqual(
            self.said("--bind=9121"), "--bind: invalid address '9121'; did you mean ':9121'?"
        )
        self.assertEqual(
            self.said("--bind", "localhost"),
            "--bind: invalid address 'localhost'; did you mean 'localhost:9121'?",
        )
