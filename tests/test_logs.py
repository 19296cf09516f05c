"""Tests of `restic_reporter.logs`."""

import io
import sys
from pathlib import Path
from typing import Any

from twisted.logger import ILogObserver, Logger, LogLevel, LogPublisher
from twisted.python.syslog import SyslogObserver
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from restic_reporter.logs import observer_factory

LEVELS = ("debug", "info", "warn", "error")


class ObserverFactoryTests(SynchronousTestCase):
    """`observer_factory`."""

    def log(self, options: dict[str, Any], level: str = "info") -> None:
        """Log one event of each level to the observer for twistd's ``options``."""
        make = observer_factory(options, level)
        assert make is not None
        observer = make()
        self.assertTrue(verifyObject(ILogObserver, observer))
        logger = Logger("x", observer=LogPublisher(observer))
        for one in LogLevel.iterconstants():
            logger.emit(one, f"an event of {one.name}")

    def stdout(self, options: dict[str, Any], level: str = "info") -> str:
        """What is written to stdout."""
        self.patch(sys, "stdout", io.StringIO())
        self.log(options, level)
        written: str = sys.stdout.getvalue()  # type: ignore[union-attr]
        return written

    def test_levels(self) -> None:
        """Events of the level and above are written, those below are not."""
        order = [*LEVELS, "critical"]
        for position, level in enumerate(LEVELS):
            written = self.stdout({"nodaemon": True}, level)
            for other in order:
                self.assertEqual(
                    f"an event of {other}\n" in written, order.index(other) >= position
                )

    def test_informational_answers(self) -> None:
        """What Twisted tells of each 1xx answer, which a server may send without end, is not
        written at any level; its warnings are."""
        self.patch(sys, "stdout", io.StringIO())
        for level in ("debug", "info"):
            make = observer_factory({"nodaemon": True}, level)
            assert make is not None
            client = Logger("twisted.web._newclient", observer=LogPublisher(make()))
            client.info("Ignoring unexpected 103 response")
            client.warn("a warning")
            text: str = sys.stdout.getvalue()  # type: ignore[union-attr]
            self.assertNotIn("unexpected 103", text)
            self.assertIn("a warning", text)

    def test_stdout(self) -> None:
        """In the foreground the log goes to stdout, with a time and where it comes from."""
        for options in (
            {"nodaemon": True},
            {"nodaemon": True, "logfile": "-"},
            {"debug": True},
        ):
            self.assertRegex(self.stdout(options), r"\A\d{4}-\d\d-\d\dT.* \[x#info\] an event of i")

    def test_file(self) -> None:
        """A log file is written to, in the foreground too; and never stdout beside it."""
        for number, nodaemon in enumerate((True, False)):
            path = Path(self.mktemp()).absolute()
            path.mkdir()
            written = self.stdout({"logfile": str(path / str(number)), "nodaemon": nodaemon})
            self.assertEqual(written, "")
            content = (path / str(number)).read_text()
            self.assertIn("an event of info", content)
            self.assertNotIn("an event of debug", content)

    def test_default_file(self) -> None:
        """In the background without a log file it is twistd.log, as twistd has it."""
        log = Path("twistd.log").absolute()
        self.addCleanup(log.unlink, missing_ok=True)
        self.log({})
        self.assertIn("an event of info", log.read_text())

    def test_syslog(self) -> None:
        """The log goes to syslog where twistd is told so, under its prefix."""
        opened: list[str] = []
        lines: list[str] = []
        self.patch(SyslogObserver, "openlog", lambda _, prefix, *__: opened.append(prefix))
        self.patch(SyslogObserver, "syslog", lambda *arguments: lines.append(arguments[-1]))
        self.log({"syslog": True, "prefix": "reporter"})
        self.assertEqual(opened, ["reporter"])
        self.assertTrue(any("an event of info" in line for line in lines), lines)
        self.assertFalse(any("an event of debug" in line for line in lines), lines)

    def test_left_to_twistd(self) -> None:
        """Another observer by --logger, and a log to nowhere, are twistd's own matter."""
        self.assertIsNone(observer_factory({"logger": "x.y", "nodaemon": True}, "info"))
        self.assertIsNone(observer_factory({"logfile": "-"}, "info"))
