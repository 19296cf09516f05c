"""Tests of `restic_reporter.daemon.descriptors`, and of a daemon that has few."""

import resource
import socket
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.daemon.descriptors import connections_for, raise_limit
from tests.doubles.daemons import Daemon
from tests.doubles.programs import Folder
from tests.doubles.servers import EXAMPLE_PASSWORD, copy_example


class LimitTests(SynchronousTestCase):
    """How many there are, and for whom."""

    def test_raised(self) -> None:
        """The soft limit becomes the hard one, within reason."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
        limit = raise_limit()
        self.assertEqual(resource.getrlimit(resource.RLIMIT_NOFILE), (limit, hard))
        self.assertEqual(limit, 2**16 if hard == resource.RLIM_INFINITY else min(hard, 2**16))
        self.assertEqual(raise_limit(), limit)

    def test_connections(self) -> None:
        """Readers go before clients, and both have some however few there are."""
        for limit, concurrency, expected in (
            (65_536, 8, 512),
            (1024, 8, 512),
            (1024, 32, 170),
            (256, 8, 42),
            (64, 8, 10),
            (1, 8, 1),
        ):
            self.assertEqual(connections_for(limit, concurrency, 512), expected)


class FewDescriptorsTests(SynchronousTestCase):
    """A daemon that may open 64 files."""

    def test_idle_clients(self) -> None:
        """Clients that connect and say nothing leave it enough to read with, and to answer."""
        folder = Folder()
        self.addCleanup(folder.close)
        copy_example(folder.path / "repo")
        twistd = Path(sys.executable).with_name("twistd")
        wrapper = folder.write("few", f'#!/bin/sh\nulimit -n 64\nexec {twistd} "$@"\n', 0o755)
        config = [{"repo": "repo", "password": EXAMPLE_PASSWORD}]
        daemon = Daemon(folder, config, twistd=str(wrapper)).serving()
        self.assertIn("only 10 clients can be connected", daemon.program.output)
        for _ in range(100):
            host, _, port = daemon.address.rpartition(":")
            client = socket.create_connection((host, int(port)))
            self.addCleanup(client.close)
        for _ in range(3):
            daemon.collect()
            self.assertEqual(daemon.metrics().value("backup_read_error_count", url="repo"), 0)
