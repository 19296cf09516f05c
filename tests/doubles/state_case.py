"""Daemons and single runs that share a folder for their state, before a real rest-server."""

import contextlib
import json
import socket
from collections.abc import Iterator, Sequence
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.daemons import SCRIPT, Daemon, Labels, Metrics, run_script
from tests.doubles.programs import Folder
from tests.doubles.servers import EXAMPLE_PASSWORD, RestServer, copy_example

# About reading a repository; anything else that is labelled with its URL is about its content.
_OF_READS = ("backup_read_", "backup_storage_")

# What differs between the readers.
_OF_READERS = ("backup_repository_info", "backup_key_count", "backup_newest_key_")

# What a daemon logs before its first collection.
AT_ONCE, AFTERWARDS = "opens now", "opens afterwards"


def content(metrics: Metrics) -> dict[tuple[str, Labels], float]:
    """All that a page says about the content of repositories."""
    return {
        (name, labels): value
        for (name, labels), value in metrics.samples.items()
        if "url" in dict(labels) and not name.startswith(_OF_READS)
    }


def content_by_any_reader(metrics: Metrics) -> dict[tuple[str, Labels], float]:
    """The same, but for what only some readers know."""
    return {
        key: value for key, value in content(metrics).items() if not key[0].startswith(_OF_READERS)
    }


@contextlib.contextmanager
def held(server: RestServer) -> Iterator[None]:
    """Meanwhile the server accepts requests at its address, and answers none."""
    host, _, port = server.address.partition(":")
    server.stop()
    with socket.create_server((host, int(port))):
        yield
    server.start_again()


class StateCase(SynchronousTestCase):
    """A server with one repository, and a state folder that does not exist yet."""

    def setUp(self) -> None:
        """Start the server."""
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.server = RestServer(self.folder, self.folder.path / "data", arguments=("--log", "-"))
        self.repository = copy_example(self.server.path / "repo")
        self.url = self.server.url("repo")
        self.entry = {"repo": self.url, "password": EXAMPLE_PASSWORD}
        self.state = self.folder.path / "state"
        self.database = self.state / "state.db"

    def start(
        self,
        *options: str,
        entries: Any = None,
        prefix: Sequence[str] = (),
        **arguments: Any,
    ) -> Daemon:
        """A daemon with this state, just started; ``prefix`` is what its command begins with."""
        if prefix:
            arguments["command"] = (*prefix, *SCRIPT, "run")
        return Daemon(
            self.folder,
            [self.entry] if entries is None else entries,
            f"--state-dir={self.state}",
            *options,
            **{"restic": "/no/such/restic", **arguments},
        )

    def restarted(self, *options: str, opens: str = AT_ONCE, **arguments: Any) -> Daemon:
        """A daemon that serves, and has said when it would."""
        daemon = self.start(*options, **arguments)
        daemon.program.wait_for(opens)
        return daemon.serving()

    def remembered(self, *options: str, **arguments: Any) -> Metrics:
        """The page of a daemon that has read everything, and has been stopped."""
        daemon = self.start(*options, **arguments).serving()
        metrics = daemon.metrics()
        self.assertEqual(metrics.value("backup_job_error_count"), 0, daemon.program.output)
        daemon.stop()
        return metrics

    def single_run(self, *options: str) -> tuple[Metrics, str]:
        """What ``restic-reporter collect`` prints, and what it logs at level ``warn``."""
        self.folder.write("config.json", json.dumps([self.entry]), 0o600)
        command = "collect", "--config=config.json", "--reader=native", f"--state-dir={self.state}"
        done = run_script(self.folder.path, *command, *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return Metrics(done.stdout), done.stderr

    def requests(self, metrics: Metrics) -> dict[str, float]:
        """How many requests the daemon has sent for the repository, by operation."""
        series = metrics.series("backup_storage_requests_total", url=self.url)
        return {dict(labels)["operation"]: value for labels, value in series.items() if value}

    def assert_good(self, metrics: Metrics) -> None:
        """The repository was read well."""
        self.assertEqual(metrics.value("backup_read_success", url=self.url), 1)
        self.assertEqual(metrics.value("backup_read_error_count", url=self.url), 0)

    def assert_failed(self, metrics: Metrics, reason: str, times: int) -> None:
        """The latest read of the repository failed, as ``times`` of this process's reads did."""
        self.assertEqual(metrics.value("backup_read_success", url=self.url), 0)
        self.assertEqual(metrics.value("backup_read_error_count", url=self.url), 1)
        name = "backup_read_failures_total"
        self.assertEqual(metrics.value(name, url=self.url, reason=reason) or 0, times)
