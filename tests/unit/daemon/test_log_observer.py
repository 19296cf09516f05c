"""Tests of `restic_reporter.daemon.log_observer`."""

import io
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from twisted.application.app import ServerOptions
from twisted.logger import (
    ILogObserver,
    Logger,
    LogLevel,
    LogPublisher,
    textFileLogObserver,
)
from twisted.python import log as legacy_log
from twisted.python.syslog import SyslogObserver
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from restic_reporter.daemon.log_observer import (
    observer_factory,
    take_logger,
)
from restic_reporter.daemon.log_queue import LogQueue
from restic_reporter.redaction.masks import Masks
from restic_reporter.redaction.secret import Secret

LEVELS = ("debug", "info", "warn", "error")

MARKER = "hunter2marker"
REDACT = Masks.of([Secret(MARKER)]).redact


def make_observer() -> ILogObserver:
    """What --logger can name."""
    return textFileLogObserver(io.StringIO())


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

    def patch_stdout(self) -> Path:
        """Have the standard output be a file from now on."""
        path = Path(self.mktemp())
        stream = path.open("w")
        self.addCleanup(stream.close)
        self.patch(sys, "stdout", stream)
        return path

    def stdout(self, options: dict[str, Any], level: str = "info") -> str:
        """What is written to stdout."""
        path = self.patch_stdout()
        self.log(options, level)
        return path.read_text()

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
        for level in ("debug", "info"):
            path = self.patch_stdout()
            make = observer_factory({"nodaemon": True}, level)
            assert make is not None
            client = Logger("twisted.web._newclient", observer=LogPublisher(make()))
            client.info("Ignoring unexpected 103 response")
            client.warn("a warning")
            self.assertNotIn("unexpected 103", path.read_text())
            self.assertIn("a warning", path.read_text())

    def test_stdout(self) -> None:
        """In the foreground the log goes to stdout, each line with its time and level."""
        for options in (
            {"nodaemon": True},
            {"nodaemon": True, "logfile": "-"},
            {"debug": True},
        ):
            self.assertRegex(
                self.stdout(options), r"\A\d{4}-\d\d-\d\dT.*[+-]\d{4} \[info\] an event of info\n"
            )

    def test_journal(self) -> None:
        """systemd's journal gets the priority of each line, and no time: it has its own."""
        path = self.patch_stdout()
        status = path.stat()
        for stream, expected in (
            (f"{status.st_dev}:{status.st_ino}", "<6>[info] two\n<6>lines\n<4>[warn] one\n"),
            (f"{status.st_dev}:1", ""),
        ):
            self.patch(os, "environ", {"JOURNAL_STREAM": stream})
            make = observer_factory({"nodaemon": True}, "info")
            assert make is not None
            logger = Logger("x", observer=LogPublisher(make()))
            logger.info("two\nlines")
            logger.warn("one")
            if expected:
                self.assertEqual(path.read_text(), expected)
        self.assertRegex(path.read_text(), r"\n\d{4}-\d\d-\d\dT.* \[warn\] one\n\Z")

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
        self.assertIn("[info] an event of info", lines)
        self.assertFalse(any("an event of debug" in line for line in lines), lines)

    def test_secrets(self) -> None:
        """Whatever it writes to, what it writes has passed through the function given to it."""
        log = Path(self.mktemp()).absolute()
        lines: list[str] = []
        self.patch(SyslogObserver, "openlog", lambda *_: None)
        self.patch(SyslogObserver, "syslog", lambda *arguments: lines.append(arguments[-1]))
        stdout = self.patch_stdout()
        for options in ({"nodaemon": True}, {"logfile": str(log)}, {"syslog": True}):
            make = observer_factory(options, "info", REDACT)
            assert make is not None
            Logger("x", observer=LogPublisher(make())).info("the {word}", word=MARKER)
        for text in (stdout.read_text(), log.read_text(), "".join(lines)):
            self.assertIn("the ***", text)
            self.assertNotIn(MARKER, text)

    def test_odd_characters(self) -> None:
        """What UTF-8 does not have is escaped."""
        path = self.patch_stdout()
        make = observer_factory({"nodaemon": True}, "info")
        assert make is not None
        Logger("x", observer=LogPublisher(make())).info("{word}", word="\u2713 \udc80")
        self.assertIn("\u2713 \\udc80\n", path.read_text())

    def test_queue(self) -> None:
        """With a queue, lines go there, masked; not so with an observer of the user's own."""
        path = self.patch_stdout()
        queue = LogQueue()
        make = observer_factory({"nodaemon": True}, "info", REDACT, queue=queue)
        assert make is not None
        Logger("x", observer=LogPublisher(make())).info("the {word}", word=MARKER)
        self.assertEqual(path.read_text(), "")
        queue.finish()
        self.assertIn("the ***", path.read_text())
        stream = io.StringIO()
        own = partial(textFileLogObserver, stream)
        make = observer_factory({"nodaemon": True}, "info", REDACT, own, LogQueue())
        assert make is not None
        Logger("x", observer=LogPublisher(make())).info("the {word}", word=MARKER)
        self.assertIn("the ***", stream.getvalue())

    def test_left_to_twistd(self) -> None:
        """A log to nowhere is for twistd to complain of."""
        self.assertIsNone(observer_factory({"logfile": "-"}, "info"))


class OtherLoggerTests(SynchronousTestCase):
    """An observer by twistd's option --logger."""

    def log_to(self, logger: Callable[[], Any]) -> None:
        """Log events with the secret where ``logger`` makes the observer."""
        make = observer_factory({"logfile": "-"}, "info", REDACT, logger)
        assert make is not None
        ours = Logger("x", observer=LogPublisher(make()))
        ours.error("an {error}", error=MARKER)
        ours.debug("not this")

    def test_observer(self) -> None:
        """It gets the same, masked and of the right level, of whatever kind it is."""
        lines: list[str] = []
        self.log_to(lambda: lambda event: lines.append(legacy_log.textFromEventDict(event) or ""))
        self.assertEqual(lines, ["an ***"])
        stream = io.StringIO()
        self.log_to(lambda: textFileLogObserver(stream))
        self.assertTrue(stream.getvalue().endswith(" [error] an ***\n"), stream.getvalue())
        self.assertEqual(stream.getvalue().count("\n"), 1)

    def test_taken(self) -> None:
        """What twistd's option names is found, and twistd does without it."""
        options = ServerOptions()
        options["logger"] = f"{__name__}.make_observer"
        self.assertIs(take_logger(options), make_observer)
        options.postOptions()
        self.assertIsNone(options["logger"])

    def test_missing(self) -> None:
        """What cannot be found twistd complains of."""
        options = ServerOptions()
        options["logger"] = "no.such.thing"
        self.assertIsNone(take_logger(options))
        self.assertIn("no.such.thing", str(self.assertRaises(UsageError, options.postOptions)))

    def test_none(self) -> None:
        """Without the option there is nothing to take."""
        self.assertIsNone(take_logger({}))
        self.assertIsNone(take_logger(ServerOptions()))
