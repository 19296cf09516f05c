"""Tests of `restic_reporter.daemon.twisted_events`."""

import os
import re
from io import StringIO
from types import SimpleNamespace
from typing import Any

from twisted.application.app import AppLogger, ServerOptions
from twisted.application.service import Application
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.internet.unix import Port
from twisted.logger import (
    ILogObserver,
    LogBeginner,
    Logger,
    LogLevel,
    LogPublisher,
    formatEvent,
    globalLogPublisher,
)
from twisted.python import log as legacy_log
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from restic_reporter import __version__
from restic_reporter.daemon.twisted_events import PlainEvents
from twisted import logger


class PlainEventsTests(SynchronousTestCase):
    """`PlainEvents`."""

    def setUp(self) -> None:
        """One whose observer keeps the texts and namespaces."""
        self.seen: list[tuple[str, str]] = []
        kept = LogPublisher()
        kept.addObserver(self.keep)  # type: ignore[arg-type]
        self.plain = PlainEvents(kept)

    def keep(self, event: Any) -> None:
        """Take note of an event."""
        self.seen.append((event["log_namespace"].partition(".")[0], formatEvent(event)))

    def test_interface(self) -> None:
        """It is an observer."""
        self.assertTrue(verifyObject(ILogObserver, self.plain))

    def test_start(self) -> None:
        """Of what twistd says at start one line is left, in our words and with our version."""
        globalLogPublisher.addObserver(self.plain)
        self.addCleanup(globalLogPublisher.removeObserver, self.plain)
        nowhere = SimpleNamespace(stdout=StringIO(), stderr=StringIO(), showwarning=None)
        beginner = LogBeginner(LogPublisher(), nowhere.stderr, nowhere, nowhere)
        self.patch(logger, "globalLogBeginner", beginner)
        AppLogger(ServerOptions()).start(Application("any"))
        ((namespace, text),) = self.seen
        self.assertEqual(namespace, "restic_reporter")
        version = re.escape(__version__)
        self.assertRegex(
            text, rf"^starting restic-reporter {version} \(Twisted [\d.]+, Python [\d.]+\)$"
        )

    def test_port(self) -> None:
        """What Twisted says of the port of the web server is left out."""

        class BoundedSite(Factory):
            noisy = False

        globalLogPublisher.addObserver(self.plain)
        self.addCleanup(globalLogPublisher.removeObserver, self.plain)
        clock = MemoryReactorClock()
        port = Port(os.path.relpath(self.mktemp()), BoundedSite(), reactor=clock)
        port.startListening()
        stopped = port.stopListening()
        clock.advance(0)
        self.successResultOf(stopped)
        log = legacy_log.LogPublisher(LogPublisher(self.plain), LogPublisher(self.plain))
        for text in ("BoundedSite (TLS) starting on 9121", "(TCP Port 9121 Closed)"):
            log.msg(text)
        self.assertEqual(self.seen, [])

    def test_others(self) -> None:
        """All else stays as it is, of Twisted and of plugins, at every level."""
        log = legacy_log.LogPublisher(LogPublisher(self.plain), LogPublisher(self.plain))
        log.msg("Other starting on 9121")
        log.msg("an error", isError=1)
        for level in LogLevel.iterconstants():
            Logger("twisted.x", observer=self.plain).emit(level, "a {word}", word=level.name)
        Logger("plugin", observer=self.plain).info("Main loop terminated.")
        self.assertEqual(
            self.seen,
            [
                ("log_legacy", "Other starting on 9121"),
                ("log_legacy", "an error"),
                *(("twisted", f"a {one.name}") for one in LogLevel.iterconstants()),
                ("plugin", "Main loop terminated."),
            ],
        )
