"""Tests of `restic_reporter.daemon.notify`: what systemd is told, over a real socket."""

import os
import socket
import time
from collections.abc import Mapping
from typing import cast

from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.collection.state import CollectionState
from restic_reporter.daemon.notify import STATUS_INTERVAL, Notifier, describe
from tests.doubles.notify_socket import NotifySocket
from tests.doubles.programs import Folder

WATCHDOG = {"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}


class NotifierTests(SynchronousTestCase):
    """`Notifier`."""

    def setUp(self) -> None:
        """systemd's socket, and a clock."""
        self.systemd = NotifySocket(f"@restic-reporter-{os.getpid()}-{id(self)}")
        self.addCleanup(self.systemd.close)
        self.clock = Clock()
        self.status = "starting"

    def started(self, environment: Mapping[str, str] | None = None) -> Notifier:
        """A notifier that has been started."""
        environ = {"NOTIFY_SOCKET": self.systemd.address, **(environment or {})}
        notifier = Notifier(self.clock, environ, lambda: self.status)
        self.assertEqual(environ, {})
        notifier.startService()
        self.addCleanup(notifier.stopService)
        return notifier

    def test_life(self) -> None:
        """It reports start, readiness, a reload and the stop, each at once."""
        notifier = self.started()
        self.assertEqual(self.systemd.waiting()[0], "STATUS=starting")
        self.status = "collecting"
        notifier.ready()
        self.assertEqual(self.systemd.waiting(), ["READY=1\nSTATUS=collecting"])
        notifier.reloading(True)
        (reloading,) = self.systemd.waiting()
        self.status = "waiting"
        notifier.reloading(False)
        self.assertEqual(self.systemd.waiting(), ["READY=1\nSTATUS=waiting"])
        notifier.stopService()
        self.assertEqual(self.systemd.waiting(), ["STOPPING=1\nSTATUS=stopping"])
        notifier.ready()
        self.clock.pump([STATUS_INTERVAL] * 3)
        self.assertEqual(self.systemd.waiting(), [])
        name, _, moment = reloading.partition("\n")
        self.assertEqual(name, "RELOADING=1")
        variable, _, microseconds = moment.partition("=")
        self.assertEqual(variable, "MONOTONIC_USEC")
        # systemd compares it with the time at which it sent the signal.
        self.assertLess(abs(int(microseconds) / 1e6 - time.monotonic()), 60)

    def test_status(self) -> None:
        """Only a changed status is sent, at most once a second."""
        self.started()
        self.systemd.waiting()
        self.clock.pump([STATUS_INTERVAL] * 3)
        self.assertEqual(self.systemd.waiting(), [])
        self.status = "collecting 1 of 2"
        self.assertEqual(self.systemd.waiting(), [])
        self.clock.advance(STATUS_INTERVAL)
        self.assertEqual(self.systemd.waiting(), ["STATUS=collecting 1 of 2"])

    def test_watchdog(self) -> None:
        """Signs of life come at half of the watchdog's time, and extend the start before READY."""
        notifier = self.started(WATCHDOG)
        self.assertIn("EXTEND_TIMEOUT_USEC=60000000", self.systemd.waiting())
        self.clock.advance(29)
        self.assertEqual(self.systemd.waiting(), [])
        self.clock.advance(1)
        self.assertEqual(self.systemd.waiting(), ["EXTEND_TIMEOUT_USEC=60000000"])
        notifier.ready()
        self.systemd.waiting()
        self.clock.advance(30)
        self.assertEqual(self.systemd.waiting(), ["WATCHDOG=1"])

    def test_no_watchdog(self) -> None:
        """Without a watchdog, or with another process's, there are signs of life in the start."""
        for environment in (
            {},
            {"WATCHDOG_USEC": "0"},
            {"WATCHDOG_USEC": "soon"},
            {"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getppid())},
        ):
            notifier = self.started(environment)
            self.assertIn("EXTEND_TIMEOUT_USEC=60000000", self.systemd.waiting())
            self.clock.advance(30)
            self.assertEqual(self.systemd.waiting(), ["EXTEND_TIMEOUT_USEC=60000000"])
            notifier.ready()
            self.systemd.waiting()
            self.clock.advance(120)
            self.assertEqual(self.systemd.waiting(), [])
            notifier.stopService()
            self.systemd.waiting()

    def test_reload_before_ready(self) -> None:
        """A reload during the start does not end the start."""
        notifier = self.started()
        self.systemd.waiting()
        notifier.reloading(True)
        notifier.reloading(False)
        self.assertEqual(self.systemd.waiting(), [])

    def test_path(self) -> None:
        """The socket may be a file."""
        folder = Folder()
        self.addCleanup(folder.close)
        systemd = NotifySocket(str(folder.path / "notify"))
        self.addCleanup(systemd.close)
        self.started({"NOTIFY_SOCKET": systemd.address}).ready()
        self.assertIn("READY=1\nSTATUS=starting", systemd.waiting())

    def test_without_systemd(self) -> None:
        """Without a socket, and with one of an unknown kind, nothing is sent or scheduled."""
        for address in ("", "vsock:2:1234"):
            notifier = self.started({"NOTIFY_SOCKET": address, **WATCHDOG})
            notifier.ready()
            notifier.reloading(True)
            notifier.stopService()
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_full_queue(self) -> None:
        """If systemd does not read, nothing blocks, and the changes of state arrive later."""
        notifier = self.started(WATCHDOG)
        notifier.ready()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filler:
            filler.setblocking(False)
            try:
                while True:
                    filler.sendto(b"X", b"\0" + self.systemd.address[1:].encode())
            except BlockingIOError:
                pass
        for _ in range(10):
            self.clock.advance(30)
        notifier.reloading(True)
        notifier.reloading(False)
        self.systemd.waiting()
        self.status = "waiting"
        self.clock.advance(STATUS_INTERVAL)
        self.assertEqual(
            [one.partition("\n")[0] for one in self.systemd.waiting()],
            ["RELOADING=1", "READY=1", "STATUS=waiting"],
        )

    def test_systemd_gone(self) -> None:
        """A socket that nobody serves causes one warning; it is tried again."""
        events: list[LogEvent] = []
        observer = cast(ILogObserver, events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        address = self.systemd.address
        self.systemd.close()
        notifier = self.started()
        notifier.ready()
        self.clock.pump([STATUS_INTERVAL] * 3)
        (warning,) = [one for one in events if "systemd" in str(one.get("log_format"))]
        self.assertEqual(warning["log_format"], "cannot notify systemd: {error}")
        self.systemd = NotifySocket(address)
        self.clock.advance(STATUS_INTERVAL)
        self.assertEqual(self.systemd.waiting(), ["READY=1\nSTATUS=starting", "STATUS=starting"])


class DescribeTests(SynchronousTestCase):
    """`describe`."""

    def setUp(self) -> None:
        """The state before the first collection."""
        self.state = CollectionState()

    def test_starting(self) -> None:
        """Before the first collection it starts."""
        self.assertEqual(describe(self.state, None), "starting")

    def test_collecting(self) -> None:
        """During a collection it is how far that is."""
        job = self.state.job
        job.running, job.due, job.left = True, 200, 188
        self.assertEqual(describe(self.state, 0), "collecting 12 of 200")

    def test_waiting(self) -> None:
        """Between collections it is the next one, with what is wrong."""
        due = time.mktime((2026, 7, 1, 2, 17, 0, 0, 0, -1))
        self.assertEqual(describe(self.state, due), "next collection at 2026-07-01 02:17")
        self.state.job.error_count = 3
        self.state.config.successful = False
        self.assertEqual(
            describe(self.state, due),
            "next collection at 2026-07-01 02:17; cannot read 3;"
            " config not reloaded, keeping the running one",
        )
