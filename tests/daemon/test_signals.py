"""The whole daemon and its signals, its port, its log file and its end."""

import http.client
import json
import os
import signal
import socket
import sys
import threading
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.daemons import Daemon
from tests.doubles.programs import Folder, processes
from tests.doubles.servers import EXAMPLE_PASSWORD, RestServer, copy_example
from tests.doubles.tools import tool


def answers(where: tuple[str, int]) -> bool:
    """Whether a new connection there is answered."""
    try:
        with socket.create_connection(where) as connection:
            connection.sendall(b"GET /-/ready HTTP/1.0\r\n\r\n")
            return bool(connection.recv(1))
    except ConnectionError:
        return False


class DaemonTestCase(SynchronousTestCase):
    """A folder with a repository, and a restic that can be held."""

    def setUp(self) -> None:
        """The folder, the repository, the wrapper."""
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        copy_example(self.folder.path / "repo")
        self.entry = {"repo": "repo", "password": EXAMPLE_PASSWORD}
        self.gate = self.folder.path / "gate"
        os.mkfifo(self.gate)
        self.started = self.folder.path / "started"
        os.mkfifo(self.started)
        # It says that it has started, and goes on when the gate is opened.
        self.held_restic = str(
            self.folder.write(
                "held-restic",
                "#!/bin/sh\n"
                f"echo $$ > {self.started}\n"
                f"read line < {self.gate}\n"
                f'exec {tool("restic-0.18")} "$@"\n',
                0o755,
            )
        )

    def wait_for_restic(self) -> int:
        """Wait until a held restic has started; its process id."""
        return int(self.started.read_text())

    def open_gate(self) -> None:
        """Let the held restic go on."""
        self.gate.write_text("go\n")


class ReloadTests(DaemonTestCase):
    """HUP."""

    def test_good_and_bad(self) -> None:
        """A good config counts from the next collection on; a bad one changes nothing."""
        daemon = Daemon(self.folder, [self.entry]).serving()
        copy_example(self.folder.path / "other")
        first = daemon.metrics()
        loaded = first.value("backup_config_last_reload_success_timestamp_seconds")
        daemon.configure([{**self.entry, "repo": "other"}])
        daemon.reload()
        reloaded = daemon.metrics()
        name = "backup_snapshot_count"
        self.assertEqual(reloaded.series(name), first.series(name))
        self.assertNotEqual(
            reloaded.value("backup_config_last_reload_success_timestamp_seconds"), loaded
        )
        daemon.collect()
        collected = daemon.metrics()
        self.assertEqual(set(collected.series("backup_snapshot_count")), {(("url", "other"),)})
        self.assertEqual(collected.names(url="repo"), set())
        for bad in ('[{"repo": "x",}]', [{"repo": "other"}], [{"repo": "y", "passwort": "x"}]):
            daemon.configure(bad)
            daemon.reload()
            metrics = daemon.metrics()
            self.assertEqual(metrics.value("backup_config_last_reload_successful"), 0)
            daemon.collect()
            self.assertEqual(daemon.metrics().value("backup_read_error_count", url="other"), 0)
        self.assertIn("config.json: line 1, column", daemon.program.output)
        self.assertIn("entry 1: unknown key 'passwort'; did you mean", daemon.program.output)
        daemon.configure([self.entry])
        daemon.reload()
        self.assertEqual(daemon.metrics().value("backup_config_last_reload_successful"), 1)

    def test_changed_password_is_used(self) -> None:
        """A reloaded entry with another password is read again though its listing is the same."""
        server = RestServer(self.folder, self.folder.path)
        entry = {"repo": server.url("repo"), "password": EXAMPLE_PASSWORD}
        daemon = Daemon(self.folder, [entry]).serving()
        daemon.configure([{**entry, "password": "mistaken"}])
        daemon.reload()
        daemon.collect()
        metrics = daemon.metrics()
        self.assertEqual(metrics.value("backup_read_error_count", url=entry["repo"]), 1)
        self.assertIsNotNone(metrics.value("backup_snapshot_count", url=entry["repo"]))

    def test_during_a_collection(self) -> None:
        """A run ends with the config that it began with."""
        daemon = Daemon(self.folder, [self.entry], restic=self.held_restic)
        self.wait_for_restic()
        daemon.configure([])
        daemon.reload()
        self.open_gate()
        daemon.serving()
        self.assertIsNotNone(daemon.metrics().value("backup_snapshot_count", url="repo"))
        daemon.collect()
        self.assertEqual(daemon.metrics().series("backup_snapshot_count"), {})


class CollectNowTests(DaemonTestCase):
    """USR1."""

    def test_starts_a_collection(self) -> None:
        """It collects once more; with --logfile too, where twistd would rotate its log."""
        log = self.folder.path / "some.log"
        daemon = Daemon(
            self.folder,
            [self.entry],
            twistd_options=("-n", f"--logfile={log}"),
            restic=self.held_restic,
        )
        self.wait_for_restic()
        self.open_gate()
        self.folder.follow(log).wait_for("listening on")
        # Something that restic is needed for.
        min(Path(self.folder.path, "repo", "snapshots").iterdir()).unlink()
        daemon.program.signal(signal.SIGUSR1)
        self.wait_for_restic()
        self.open_gate()
        daemon.stop()
        self.assertEqual(list(self.folder.path.glob("some.log.*")), [])
        self.assertIn("collecting all repositories now", log.read_text())

    def test_during_a_run(self) -> None:
        """While a collection runs, the first one included, a hundred of them start no other."""
        daemon = Daemon(self.folder, [self.entry], restic=self.held_restic)
        self.wait_for_restic()
        for _ in range(100):
            daemon.program.signal(signal.SIGUSR1)
        daemon.program.wait_for("already running")
        self.open_gate()
        daemon.serving()
        self.assertEqual(daemon.program.output.count("collected 1 repository in"), 1)
        metrics = daemon.metrics()
        self.assertEqual(metrics.value("backup_job_skipped_total"), 0)
        self.assertEqual(metrics.value("backup_job_running"), 0)


class StopTests(DaemonTestCase):
    """INT and TERM."""

    def assert_clean(self, daemon: Daemon, number: int) -> None:
        """It has ended by that signal, without a traceback, a child or a lock."""
        self.assertEqual(daemon.program.end(), -number)
        self.assertNotIn("Traceback", daemon.program.output)
        self.assertNotIn("Unhandled", daemon.program.output)
        self.assertEqual(list(processes(str(self.folder.path))), [])
        self.assertEqual(list(Path(self.folder.path, "repo", "locks").iterdir()), [])

    def test_idle(self) -> None:
        """An idle daemon ends at once."""
        for number in (signal.SIGINT, signal.SIGTERM):
            daemon = Daemon(self.folder, [self.entry]).serving()
            daemon.program.signal(number)
            self.assert_clean(daemon, number)

    def test_started_in_the_background(self) -> None:
        """INT stops a daemon too that a script has started with "&", which ignores INT then."""
        twistd = Path(sys.executable).with_name("twistd")
        ignoring = self.folder.write(
            "twistd", f'#!/bin/sh\ntrap "" INT\nexec {twistd} "$@"\n', 0o755
        )
        daemon = Daemon(self.folder, [self.entry], twistd=str(ignoring)).serving()
        daemon.program.signal(signal.SIGINT)
        daemon.program.wait_for("Received SIGINT")
        self.assert_clean(daemon, signal.SIGINT)

    def test_while_restic_runs(self) -> None:
        """A child of the first collection is interrupted, and nothing of it is left; INT may
        come twice."""
        for number in (signal.SIGINT, signal.SIGTERM):
            daemon = Daemon(self.folder, [self.entry], restic=self.held_restic)
            self.wait_for_restic()
            daemon.program.signal(number)
            daemon.program.signal(number)
            self.assert_clean(daemon, number)

    def test_while_a_stubborn_restic_runs(self) -> None:
        """A child that ignores every signal is killed, with its own children, within 10 s."""
        stubborn = self.folder.write(
            "stubborn-restic",
            '#!/bin/sh\ntrap "" INT TERM HUP\nsleep 1000 &\n'
            f"echo $$ > {self.started}\nwait\nwait\n",
            0o755,
        )
        daemon = Daemon(self.folder, [self.entry], restic=str(stubborn))
        self.wait_for_restic()
        daemon.program.signal(signal.SIGTERM)
        daemon.program.process.wait(10)
        self.assert_clean(daemon, signal.SIGTERM)

    def test_during_a_scrape(self) -> None:
        """A scrape in flight is answered in full, whichever signal comes, and no new one is."""
        listed = [
            {"id": f"{n:064x}", "time": "2026-01-01T00:00:00Z", "hostname": f"{n:0200}"}
            for n in range(1000)
        ]
        answer = self.folder.write("answer.json", json.dumps(listed))
        prolix = self.folder.write("prolix-restic", f"#!/bin/sh\nexec cat {answer}\n", 0o755)
        entries = [{"repo": f"swift:host:/{n}", "password": "x"} for n in range(12)]
        for number in (signal.SIGINT, signal.SIGTERM):
            daemon = Daemon(self.folder, entries, restic=str(prolix)).serving()
            host, _, port = daemon.address.partition(":")
            with socket.create_connection((host, int(port))) as connection:
                connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
                response = http.client.HTTPResponse(connection)
                response.begin()
                length = int(response.getheader("Content-Length", "0"))
                # More than the kernel takes from a process for a client that does not read.
                self.assertGreater(length, 10 * 2**20)
                daemon.program.signal(number)
                daemon.program.wait_for("Received SIG")
                # What it does next, with an answer to one client or another before.
                while answers((host, int(port))):
                    pass
                self.assertIsNone(daemon.program.process.poll())
                self.assertEqual(len(response.read()), length)
            self.assert_clean(daemon, number)


class PortTests(DaemonTestCase):
    """The address of the web server."""

    def test_in_use(self) -> None:
        """A port in use ends the start with status 1 and one message, before any collection."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            daemon = Daemon(self.folder, [self.entry], f"--bind=127.0.0.1:{port}")
            self.assertEqual(daemon.program.end(), 1)
            self.assertEqual(
                daemon.program.output,
                f"restic-reporter: --bind: cannot listen on '127.0.0.1:{port}':"
                " Address already in use\n",
            )

    def test_refuses_until_collected(self) -> None:
        """Connections are refused until the first collection has ended."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        daemon = Daemon(
            self.folder, [self.entry], f"--bind=127.0.0.1:{port}", restic=self.held_restic
        )
        self.wait_for_restic()
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        # It is taken all the same.
        other = Daemon(self.folder, [self.entry], f"--bind=127.0.0.1:{port}")
        opening = threading.Thread(target=self.open_gate)
        opening.start()
        daemon.serving()
        opening.join()
        self.assertEqual(daemon.get("/-/healthy"), "OK\n")
        self.assertEqual(other.program.end(), 1)
        self.assertIn("cannot listen on", other.program.output)
        self.assertNotIn("Traceback", other.program.output)
