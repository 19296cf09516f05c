"""The whole daemon when it cannot start: status 1, one message, no traceback."""

import json
import signal
from socket import create_server
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.daemons import Daemon
from tests.doubles.programs import Folder, serves, wait_until
from tests.doubles.servers import EXAMPLE, EXAMPLE_PASSWORD

ENTRY = {"repo": str(EXAMPLE), "password": EXAMPLE_PASSWORD}


class StartTests(SynchronousTestCase):
    """Bad options, bad configs, bad surroundings."""

    def setUp(self) -> None:
        """A folder."""
        self.folder = Folder()
        self.addCleanup(self.folder.close)

    def assert_refused(
        self,
        *expected: str,
        options: tuple[str, ...] = (),
        config: Any = (ENTRY,),
        environment: dict[str, str] | None = None,
    ) -> str:
        """It ends with status 1 and says ``expected``, and nothing of Python's; its output."""
        daemon = Daemon(self.folder, config, *options, environment=environment)
        self.assertEqual(daemon.program.end(), 1, daemon.program.output)
        self.assertNotIn("Traceback", daemon.program.output)
        for text in expected:
            self.assertIn(text, daemon.program.output)
        return daemon.program.output

    def test_options(self) -> None:
        """A bad value ends the start with one line that names the option."""
        for option, value in (
            ("bind", "nonsense"),
            ("bind", "127.0.0.1:65536"),
            ("bind", "no.such.host.invalid:9121"),
            ("cron", "0 0 30 2 *"),
            ("cron", "0 0 * * * *"),
            ("reader", "borg"),
            ("shard", "1/1"),
            ("cache-dir", ""),
            ("concurrency", "0"),
            ("concurrency", "many"),
            ("timeout", "-1"),
            ("timeout", "nan"),
            ("log-level", "loud"),
        ):
            output = self.assert_refused(f"--{option}: ", options=(f"--{option}={value}",))
            self.assertEqual(output.count("\n"), 1, output)

    def test_unknown_option(self) -> None:
        """An unknown option is named in one line, without twistd's usage."""
        output = self.assert_refused("'--no-such-option'", options=("--no-such-option=1",))
        self.assertEqual(output.count("\n"), 1, output)

    def test_option_of_twistd(self) -> None:
        """One of twistd's own options behind the command: one line says where it goes."""
        output = self.assert_refused("twistd -n restic-reporter", options=("-n",))
        self.assertEqual(output.count("\n"), 1, output)

    def test_time_zone(self) -> None:
        """A time zone that nobody knows is named: ages and schedules would be wrong silently."""
        self.assert_refused("TZ", "Mars/Base", environment={"TZ": "Mars/Base"})

    def test_no_time_zone_files(self) -> None:
        """A good name is refused on a machine without time zone files, where it means UTC."""
        self.assert_refused(
            "'Europe/Berlin'", "tzdata", environment={"TZ": "Europe/Berlin", "TZDIR": "/nowhere"}
        )

    def test_config_that_is_not_there(self) -> None:
        """A config that cannot be read is named, as it was written."""
        self.assert_refused("missing.json: cannot be read", options=("--config=missing.json",))

    def test_syntax_error(self) -> None:
        """A syntax error has a line, a column, and the hint about a trailing comma."""
        text = '[\n  {\n    "repo": "/x",\n    "password": "hidden",\n  }\n]\n'
        output = self.assert_refused(
            "config.json: line ",
            ", column ",
            "(a trailing comma: remove the one at the end of line 4)",
            config=text,
        )
        self.assertNotIn("hidden", output)

    def test_every_problem_at_once(self) -> None:
        """All problems of all entries come in one go, and no secret with them."""
        output = self.assert_refused(
            "entry 1: unknown key 'pasword'; did you mean 'password'?",
            "entry 1: the repository's password is missing",
            "entry 2: password and password_file: only one of them may be given",
            "entry 3: password_file: cannot read '/no/such/file': No such file or directory",
            "entry 4: repo: duplicates entry 3",
            "entry 5: timeout: must be a number of seconds",
            "entry 5: cron: ",
            "entry 6: max_age: must be a duration such as",
            "entry 7: must be a map",
            config=[
                {"repo": "/1", "pasword": "hidden"},
                {"repo": "/2", "password": "hidden", "password_file": "x"},
                {"repo": "/3", "password_file": "/no/such/file"},
                {"repo": "/3", "password": "hidden"},
                {"repo": "/5", "password": "hidden", "timeout": "1", "cron": "0 0 30 2 *"},
                {"repo": "/6", "password": "hidden", "max_age": 26},
                "hidden",
                {"repo": "/8", "disabled": True, "max_age": "1d"},
            ],
        )
        self.assertNotIn("hidden", output)
        self.assertNotIn("entry 8", output)

    def test_nothing_enabled(self) -> None:
        """Without an enabled repository the daemon warns and serves."""
        daemon = Daemon(self.folder, [{**ENTRY, "disabled": True}])
        daemon.program.wait_for("no repository is enabled")
        metrics = daemon.serving().metrics()
        self.assertEqual(metrics.series("backup_read_error_count"), {})
        self.assertIsNotNone(metrics.value("backup_job_last_success_unixtime"))

    def test_open_config(self) -> None:
        """A config with a password that every user can read is warned of at start and at HUP."""
        self.folder.write("open.json", json.dumps([ENTRY]), 0o644)
        daemon = Daemon(self.folder, [], "--config=open.json")
        warning = r"\[warn\] open.json: is readable by every user .* \(entry 1: password\)"
        daemon.program.wait_for(warning)
        daemon.serving().program.signal(signal.SIGHUP)
        daemon.program.wait_for(warning)

    def test_no_restic(self) -> None:
        """Without the program of --restic the warning and the failed read name it."""
        entry = {**ENTRY, "reader": "restic"}
        # A folder on PATH that may not be looked into would make it "Permission denied".
        environment = {"PATH": "/usr/bin:/bin"}
        daemon = Daemon(self.folder, [entry], "--restic=nosuch", environment=environment)
        daemon.program.wait_for("cannot find the program 'nosuch'; repositories that need it")
        daemon.program.wait_for("cannot run 'nosuch': No such file or directory")
        metrics = daemon.serving().metrics()
        url = str(EXAMPLE)
        self.assertEqual(
            metrics.value("backup_read_failures_total", url=url, reason="exec"), 1, metrics.page
        )

    def test_yaml(self) -> None:
        """A config whose name ends in .yaml is YAML; levels below --log-level are not logged."""
        text = f"- repo: {EXAMPLE}  # ours\n  password: {EXAMPLE_PASSWORD}\n"
        self.folder.write("c.yaml", text, 0o600)
        with create_server(("127.0.0.1", 0)) as free:
            address = f"127.0.0.1:{free.getsockname()[1]}"
        options = ("--config=c.yaml", "--log-level=warn", f"--bind={address}")
        daemon = Daemon(self.folder, [], *options)
        wait_until(lambda: serves(address))
        daemon.address = address
        self.assertEqual(daemon.metrics().value("backup_snapshot_count", url=str(EXAMPLE)), 62)
        self.assertEqual(daemon.stop(), -2)
        self.assertEqual(daemon.program.output, "")

    def test_daemonized(self) -> None:
        """Without -n too a port in use is said on the terminal, and leaves no pidfile."""
        with create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            daemon = Daemon(self.folder, [ENTRY], f"--bind=127.0.0.1:{port}", twistd_options=())
            self.assertEqual(daemon.program.end(), 1)
        self.assertIn("Address already in use", daemon.program.output)
        self.assertEqual(list(self.folder.path.glob("*.pid")), [])

    def test_socket_of_systemd(self) -> None:
        """If systemd has passed a socket, and so taken the port, the error has its address."""
        with create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            daemon = Daemon(
                self.folder,
                [ENTRY],
                f"--bind=127.0.0.1:{port}",
                environment={"LISTEN_FDNAMES": "restic-reporter.socket"},
            )
            self.assertEqual(daemon.program.end(), 1)
        self.assertIn(
            "Address already in use; did you mean the socket of systemd,"
            " 'systemd:domain=INET6:index=0'?",
            daemon.program.output,
        )
