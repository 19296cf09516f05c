"""Tests of `restic_reporter.daemon.log_observer`: what comes through its `RedactingObserver`."""

import gc
import io
import sys
import threading
import types
import warnings
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import (
    ILogObserver,
    LogBeginner,
    Logger,
    LogLevel,
    LogPublisher,
    globalLogPublisher,
    textFileLogObserver,
)
from twisted.python import log as legacy_log
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from restic_reporter.daemon.log_observer import (
    TEXT_LIMIT,
    RedactingObserver,
)
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.redaction.masks import Masks
from restic_reporter.redaction.secret import Secret

MARKER = "hunter2marker"
REDACT = Masks.of([Secret(MARKER)]).redact


def throw(message: str = f"no: {MARKER}") -> None:
    """Raise an exception that holds the secret."""
    raise RuntimeError(message)


def failure() -> Failure:
    """A failure with the secret, in a local variable too."""
    secret = MARKER
    try:
        throw(f"a {secret}")
    except RuntimeError:
        return Failure(captureVars=True)
    raise AssertionError


class RedactingObserverTests(SynchronousTestCase):
    """`RedactingObserver`."""

    def setUp(self) -> None:
        """A log publisher whose only observer keeps what it gets, beside the text of it."""
        self.events: list[Any] = []
        self.written = io.StringIO()
        publisher = LogPublisher()
        publisher.addObserver(self.events.append)  # type: ignore[arg-type]
        publisher.addObserver(textFileLogObserver(self.written))
        self.observer = RedactingObserver(publisher, REDACT)
        self.publisher = LogPublisher(self.observer)
        self.logger = Logger("x", observer=self.publisher)

    def assert_masked(self, *expected: str) -> str:
        """The text has ``expected`` and no secret, nor has any value of an event; the text."""
        text = self.written.getvalue()
        for part in ("***", *expected):
            self.assertIn(part, text)
        self.assertNotIn(MARKER, text)
        self.assertNotIn(MARKER, repr(self.events))
        return text

    def test_interface(self) -> None:
        """It is an observer."""
        self.assertTrue(verifyObject(ILogObserver, self.observer))

    def test_message(self) -> None:
        """A secret is masked in the values of an event, and in what it was written with."""
        self.logger.info("{value} and {other!r}", value=MARKER, other={"a": [MARKER]})
        self.logger.info(f"within {MARKER}")
        self.assert_masked(" [info] *** and {'a': ['***']}\n", "within ***")

    def test_url(self) -> None:
        """So is the password of any URL."""
        self.logger.warn("{url}", url="rest:http://me:other@h/")
        self.assertNotIn("other", self.written.getvalue())

    def test_failure(self) -> None:
        """So it is in a traceback, and nothing of the failure is handed on."""
        self.logger.failure("it broke", failure=failure())
        text = self.assert_masked("it broke", "Traceback", "RuntimeError: a ***")
        self.assertIn(" [critical] ", text)
        self.assertEqual([value for value in self.events[0].values() if callable(value)], [])

    def test_unformattable(self) -> None:
        """So it is where an event cannot be formatted, and all of it is written."""
        self.logger.info("{missing}", value=MARKER)
        self.assert_masked("Unable to format event")

    def test_no_text(self) -> None:
        """An event without a text stays one."""
        self.publisher({"log_level": LogLevel.info, "log_time": 0.0})
        self.assertEqual(self.written.getvalue(), "")

    def test_braces(self) -> None:
        """Braces in a text are written as they are."""
        self.logger.info("{value}", value="{x} {{y}}")
        self.assertIn("] {x} {{y}}\n", self.written.getvalue())

    def test_legacy(self) -> None:
        """So it is in events of Twisted's older kind, messages and errors."""
        log = legacy_log.LogPublisher(self.publisher, self.publisher)
        log.msg(f"a {MARKER}", system=f"the {MARKER}")
        log.msg(format="b %(value)s", value=MARKER)
        log.msg(why="c", isError=1, failure=failure())
        self.assert_masked(" [info] a ***", " [info] b ***", "RuntimeError: a ***")

    def test_long(self) -> None:
        """A text is cut, and no part of a secret is left where it is."""
        for size in range(TEXT_LIMIT - 3, TEXT_LIMIT + 3):
            self.logger.info("{value}", value="x" * size + MARKER + "y" * 10_000)
            self.logger.info("{value}", value=MARKER * 10_000 + "y" * size + MARKER)
        text = self.written.getvalue()
        self.assertNotIn(MARKER[:6], text)
        self.assertLess(max(map(len, text.splitlines())), TEXT_LIMIT + 100)

    def test_unseen_errors(self) -> None:
        """So it is in what nobody handled: of a Deferred, a thread, a destructor; in a warning,
        and in what is printed."""

        class Bad:
            def __del__(self) -> None:
                throw()

        stdio: Any = types.SimpleNamespace(stdout=io.StringIO(), stderr=io.StringIO())
        showing: Any = types.SimpleNamespace(showwarning=warnings.showwarning)
        publisher = LogPublisher()
        beginner = LogBeginner(publisher, io.StringIO(), stdio, showing)
        beginner.beginLoggingTo([self.observer])
        self.patch(sys, "stderr", stdio.stderr)
        showing.showwarning(UserWarning(MARKER), UserWarning, "file.py", 1)
        print(f"printed {MARKER}", file=stdio.stdout)
        thread = threading.Thread(target=throw)
        self.patch(threading, "excepthook", threading.__excepthook__)
        thread.start()
        thread.join()
        self.patch(sys, "unraisablehook", sys.__unraisablehook__)
        Bad()
        globalLogPublisher.addObserver(self.observer)
        self.addCleanup(globalLogPublisher.removeObserver, self.observer)
        Deferred.fromCoroutine(self.fail_unseen())
        gc.collect()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assert_masked(
            "UserWarning: ***",
            "printed ***",
            "Exception in thread",
            "Exception ignored",
            "Unhandled error in Deferred",
        )

    async def fail_unseen(self) -> None:
        """Fail, with nobody waiting."""
        throw()


class OwnEventTests(SynchronousTestCase):
    """`RedactingObserver`, with events of our own modules; the passwords are words."""

    def setUp(self) -> None:
        """A logger of ours whose observer keeps the texts."""
        self.texts: list[str] = []
        observer = LogPublisher()
        observer.addObserver(lambda event: self.texts.append(event["log_text"]))  # type: ignore[arg-type]
        words = Masks.of(map(Secret, ["repositories", "read", "1234", "auth", MARKER]))
        self.publisher = LogPublisher(RedactingObserver(observer, words.redact))
        self.logger = Logger("restic_reporter.some.module.Class", observer=self.publisher)

    def test_words(self) -> None:
        """The words of the message stay, and so do numbers and reasons; texts are masked."""
        self.logger.info(
            "read {count} repositories, {seconds:.1f} ({reason}): {said}, {said!r}",
            count=1234,
            seconds=2.0,
            reason=Reason.AUTH,
            said="cannot read 'repositories' already",
        )
        said = "cannot *** '***' already"
        self.assertEqual(self.texts, [f'read 1234 repositories, 2.0 (auth): {said}, "{said}"'])

    def test_others(self) -> None:
        """In the events of others all words are masked, whatever their names begin with."""
        for name in ("x", "restic_reporter_plugin", "twisted.web", "stdout"):
            Logger(name, observer=self.publisher).info("cannot read: {said}", said="read")
        self.assertEqual(self.texts, ["cannot ***: ***"] * 4)

    def test_values(self) -> None:
        """Secrets are masked in whatever a value is, however it is shown, and in parts of it."""

        class Shown:
            inner = MARKER

            def __repr__(self) -> str:
                return f"<{MARKER}>"

            def __format__(self, spec: str) -> str:
                return f"{spec}:{MARKER}"

        values = [
            Shown(),
            [Shown()],
            {"a": {MARKER: [MARKER]}},
            failure(),
            failure().value,
            MARKER.encode(),
            ReadError(Reason.AUTH, MARKER),
            "http://me:other@host/",
        ]
        for value in values:
            self.logger.warn("{value} {value!r} {value!s} {value!a:>40}", value=value)
        self.logger.warn("{value:.9} {value!r:.9} {value:{width}}", value=MARKER, width=20)
        self.logger.warn(
            "{value.inner} {list[0]} {map[a]}", value=values[0], list=[MARKER], map={"a": MARKER}
        )
        text = "\n".join(self.texts)
        self.assertEqual(len(self.texts), len(values) + 2)
        self.assertNotIn("Unable to format", text)
        for part in (MARKER[:6], "other"):
            self.assertNotIn(part, text)

    def test_failure(self) -> None:
        """A traceback is masked, beside the words of the message."""
        self.logger.failure("cannot read {url}", failure=failure(), url="/read")
        (text,) = self.texts
        self.assertTrue(text.startswith("cannot read /***\nTraceback"), text)
        self.assertTrue(text.rstrip().endswith("RuntimeError: a ***"), text)
        self.assertNotIn(MARKER, text)

    def test_unformattable(self) -> None:
        """Where a message cannot be formatted, all of it is masked."""

        class Broken:
            secret = MARKER

            def __format__(self, spec: str) -> str:
                raise ValueError(MARKER)

        self.logger.info("read {missing}", value=MARKER)
        self.logger.info("read {value}", value=Broken(), other=MARKER)
        self.logger.info("read {}", value=MARKER)
        self.publisher(
            {
                "log_namespace": "restic_reporter",
                "log_level": LogLevel.info,
                "log_format": None,
                "log_time": 0.0,
            }
        )
        self.assertEqual(len(self.texts), 4)
        for text in self.texts[:3]:
            self.assertIn("Unable to format event", text)
            self.assertNotIn(MARKER, text)
        self.assertEqual(self.texts[3], "")

    def test_long(self) -> None:
        """Values are cut, and no part of a secret is left there; the whole text is cut too."""
        for size in range(TEXT_LIMIT - 3, TEXT_LIMIT + 3):
            self.logger.info("{a} {a}", a="x" * size + f" {MARKER}" + "y" * 10_000)
        for text in self.texts:
            self.assertNotIn(MARKER[:6], text)
            self.assertLess(len(text), TEXT_LIMIT + 10)
