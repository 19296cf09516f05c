"""Tests of `restic_reporter.tap`: what is said of a wrong command line."""

import os
from pathlib import Path

from twisted.scripts.twistd import ServerOptions  # type: ignore[attr-defined]
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter import tap
from restic_reporter.config.environment import EnvironmentConfig
from restic_reporter.model.compat import Compat
from restic_reporter.schedule.cron import parse_cron
from restic_reporter.schedule.interval import Interval
from restic_reporter.web.listener import parse_address


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


class EnvironmentTests(SynchronousTestCase):
    """Options from the environment, where it names a repository and there is no config file."""

    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(folder)

    def parsed(self, *arguments: str, **environ: str) -> tap.Options:
        """The options with this environment."""
        self.patch(os, "environ", {"RESTIC_REPOSITORY": "/p", **environ})
        options = tap.Options()
        options.parseOptions(arguments)
        return options

    def refused(self, **environ: str) -> str:
        """The line with which the process ends."""
        return str(self.assertRaises(SystemExit, self.parsed, **environ).code)

    def test_used(self) -> None:
        """Its values are those of options that are not given."""
        options = self.parsed(
            LISTEN_PORT="8001", REFRESH_INTERVAL="60", LOG_LEVEL="DEBUG", RESTIC_CACHE_DIR="/c"
        )
        self.assertIsInstance(options["config"], EnvironmentConfig)
        self.assertEqual(options["bind"], parse_address(":8001"))
        self.assertEqual(options["cron"], Interval(60, 0))
        self.assertEqual(options["log-level"], "debug")
        self.assertEqual(options["cache-dir"], "/c")

    def test_options_win(self) -> None:
        """A given option stays, also with the value that it has by default."""
        every = {"LISTEN_PORT": "8001", "REFRESH_INTERVAL": "60", "LOG_LEVEL": "DEBUG"}
        options = self.parsed("--bind=:9121", "--cron=0 0 * * *", "--log-level=info", **every)
        self.assertEqual(options["bind"], parse_address(":9121"))
        self.assertEqual(options["cron"], parse_cron("0 0 * * *"))
        self.assertEqual(options["log-level"], "info")

    def test_unused(self) -> None:
        """With a config file, named or not, or without a repository it changes nothing."""
        every = {"LISTEN_PORT": "8001", "REFRESH_INTERVAL": "x", "LOG_LEVEL": "loud"}
        for arguments, environ, kind in (
            (("--config=config.json",), {}, str),
            (("--config=other",), {}, str),
            ((), {"RESTIC_REPOSITORY": ""}, EnvironmentConfig),
        ):
            options = self.parsed(*arguments, **every, **environ)
            self.assertEqual(options["bind"], parse_address(":9121"))
            self.assertIsInstance(options["config"], kind)
        Path("config.json").symlink_to("nowhere")
        self.assertEqual(self.parsed(**every)["config"], "config.json")

    def test_wrong(self) -> None:
        """A wrong value is told by the name of its variable."""
        for name, value, end in (
            ("LISTEN_PORT", "x", "LISTEN_ADDRESS and LISTEN_PORT: invalid address ':x'"),
            ("REFRESH_INTERVAL", "1h", "REFRESH_INTERVAL: invalid value '1h'; must be a whole"),
            ("LOG_LEVEL", "loud", "LOG_LEVEL: invalid value 'loud'; must be one of debug,"),
        ):
            line = self.refused(**{name: value})
            self.assertTrue(line.startswith(f"restic-reporter: {end}"), line)

    def test_compat(self) -> None:
        """Only one exporter's metrics can be had; a repository alone needs no label."""
        self.assertIsNone(self.parsed()["compat"])
        given = "--compat=restic-exporter"
        self.assertEqual(self.parsed(given)["compat"], Compat(paths=False, url=False))
        options = self.parsed(given, "--config=c", INCLUDE_PATHS="1")
        self.assertEqual(options["compat"], Compat(paths=True, url=True))
        self.assertIn(
            "--compat: invalid value 'x'; must be one of restic-exporter",
            str(self.assertRaises(SystemExit, self.parsed, "--compat=x").code),
        )


class OriginalFlagTests(SynchronousTestCase):
    """The command line of the original restic-reporter, which is Go's."""

    def test_dashes(self) -> None:
        """Its flags may begin with one dash or two."""
        for dash in ("-", "--"):
            options = tap.Options()
            options.parseOptions(
                (
                    *(f"{dash}bind=:1", f"{dash}config", "c", f"{dash}cron", "1 2 * * *"),
                    *(f"{dash}no-vault", f"{dash}no-discover-vault"),
                )
            )
            self.assertEqual(options["bind"], parse_address(":1"))
            self.assertEqual(options["config"], "c")
            self.assertEqual(options["cron"], parse_cron("1 2 * * *"))
            self.assertTrue(options["no-vault"])

    def test_short(self) -> None:
        """Short options stay."""
        options = tap.Options()
        options.parseOptions(["-b", ":1", "-cc.json"])
        self.assertEqual(options["bind"], parse_address(":1"))
        self.assertEqual(options["config"], "c.json")
