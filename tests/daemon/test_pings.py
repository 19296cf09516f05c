"""The whole daemon with ``ping_url``, before services on real sockets."""

import json
import signal
import socket
import time
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.certificates import Authority
from tests.doubles.daemons import Daemon, run_script
from tests.doubles.ping_service import Ping, PingService
from tests.doubles.programs import Folder
from tests.doubles.servers import EXAMPLE_PASSWORD, copy_example

TOKEN = "6d0c7f3e-s3cret-token"
PATH = f"/ping/{TOKEN}?token=pa%20rt"


class PingsCase(SynchronousTestCase):
    """A repository whose snapshots are old, and a service."""

    def setUp(self) -> None:
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.path = copy_example(self.folder.path / "repo")
        self.service = self.serve()

    def serve(self, *arguments: Any) -> PingService:
        """Another service."""
        service = PingService(*arguments)
        self.addCleanup(service.close)
        return service

    def entry(self, **more: Any) -> dict[str, Any]:
        """The repository's entry; its sets are fresh."""
        return {
            "repo": str(self.path),
            "password": EXAMPLE_PASSWORD,
            "max_age": "99y",
            "ping_url": self.service.url(PATH),
            **more,
        }

    def start(self, *entries: dict[str, Any], **options: Any) -> Daemon:
        """A daemon."""
        return Daemon(
            *(self.folder, list(entries), "--reader=native", "--log-level=debug"),
            restic="/no/such/restic",
            **options,
        )


class DaemonTests(PingsCase):
    """A daemon, its reloads and its stop."""

    def failed(self, service: PingService, path: str = f"/ping/{TOKEN}/fail?token=pa%20rt") -> str:
        """The reason why the service was told of a failure."""
        ping = service.ping()
        self.assertEqual((ping.method, ping.path), ("POST", path))
        return ping.body

    def test_states(self) -> None:
        """Each collection sends what is so then; a reload counts from the next one on."""
        daemon = self.start(self.entry()).serving()
        good = Ping("GET", PATH)
        self.assertEqual(self.service.ping(), good)
        daemon.configure([self.entry(max_age="1h")])
        daemon.reload()
        daemon.collect()
        reason = self.failed(self.service)
        self.assertRegex(reason.splitlines()[0], r"^\S+ \S+: late, newest backup .* 20\d\d, ")
        other = self.serve()
        missing = self.entry(expect=[{"host": "db-9"}], ping_url=other.url("/other"))
        daemon.configure([missing])
        daemon.reload()
        daemon.collect()
        self.assertEqual(self.failed(other, "/other/fail"), "db-9: expected, but has no snapshots")
        config = self.path / "config"
        config.rename(self.folder.path / "away")
        daemon.configure([self.entry()])
        daemon.reload()
        daemon.collect()
        self.assertRegex(self.failed(self.service), rf"^cannot read {self.path}: .* \(not_found\)$")
        (self.folder.path / "away").rename(config)
        daemon.collect()
        self.assertEqual(self.service.ping(), good)
        daemon.configure([self.entry(), {**self.entry(), "repo": f"local:{self.path}"}])
        daemon.reload()
        daemon.collect()
        self.assertEqual([self.service.ping(), self.service.ping()], [good, good])
        self.assertEqual(daemon.stop(), -signal.SIGINT)
        self.assertEqual(self.service.all() + other.all(), [])

    def test_without_limits(self) -> None:
        """Sets that are old are not fresh, though nothing limits their age."""
        entry = self.entry()
        del entry["max_age"]
        self.start(entry).serving()
        self.assertIn("more than 3 days old, newest backup", self.failed(self.service))

    def test_hanging(self) -> None:
        """A service that hangs holds up neither collections nor the stop."""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            url = f"http://127.0.0.1:{listening.getsockname()[1]}/{TOKEN}"
            daemon = self.start(self.entry(ping_url=url)).serving()
            connection, _ = listening.accept()
            with connection:
                daemon.collect()
                begun = time.monotonic()
                self.assertEqual(daemon.stop(), -signal.SIGINT)
                self.assertLess(time.monotonic() - begun, 8)
        self.assertNotIn("cannot send the ping", daemon.program.output)
        self.assertNotIn("stopping: timed out", daemon.program.output)

    def test_secret(self) -> None:
        """The URL shows nowhere: not in the log, and on no page."""
        self.service.status = 404
        daemon = self.start(self.entry(max_age="1h")).serving()
        self.failed(self.service)
        daemon.program.wait_for(
            r"cannot send the ping of \S+: ping_url: not found \(status 404\) \(not_found\)"
        )
        daemon.collect()
        self.failed(self.service)
        self.service.status = 200
        daemon.collect()
        daemon.program.wait_for(r"the ping of \S+ was sent again")
        daemon.configure([self.entry(ping_url=f"ftp://h/{TOKEN}")])
        daemon.reload()
        for page in ("/metrics", "/", "/repositories", f"/repository?url={self.path}"):
            self.assertNotIn(TOKEN, daemon.get(page))
        daemon.stop()
        self.assertNotIn(TOKEN, daemon.program.output)
        self.assertEqual(daemon.program.output.count("cannot send the ping"), 1)

    def test_https(self) -> None:
        """A service with TLS is believed if its certificate can be trusted."""
        authority = Authority.make()
        certificate = self.folder.path / "service.pem"
        certificate.write_bytes(authority.issue())
        trusted = self.folder.path / "ca.pem"
        trusted.write_bytes(authority.pem)
        self.service = self.serve(certificate)
        daemon = self.start(self.entry(), environment={"SSL_CERT_FILE": str(trusted)})
        daemon.serving()
        self.assertEqual(self.service.ping(), Ping("GET", PATH))
        daemon.stop()
        daemon = self.start(self.entry()).serving()
        daemon.program.wait_for(r"cannot send the ping of .* \(tls\)")
        self.assertEqual(self.service.all(), [])


class CommandTests(PingsCase):
    """Commands, which ping nobody."""

    def run_command(self, *arguments: str, status: int = 0, entries: Any = ()) -> str:
        """What ``restic-reporter`` prints."""
        self.folder.write("config.json", json.dumps([self.entry(), *entries]), 0o600)
        done = run_script(self.folder.path, *arguments, "--config=config.json")
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertNotIn(TOKEN, done.stdout + done.stderr)
        return done.stdout

    def test_commands(self) -> None:
        """``check-config`` masks it; a single run does not use it."""
        self.assertIn('"ping_url": "***"', self.run_command("check-config"))
        with socket.create_server(("127.0.0.1", 0)) as listening:
            # So that it does not end at once.
            hanging = f"rest:http://127.0.0.1:{listening.getsockname()[1]}/"
            entries = [{"repo": hanging, "password": "x", "timeout": 1}]
            for command in (["check-config", "--connect"], ["collect"]):
                self.run_command(*command, "--reader=native", status=3, entries=entries)
        self.assertEqual(self.service.all(), [])
