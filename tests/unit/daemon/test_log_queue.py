"""Tests of `restic_reporter.daemon.log_queue`."""

import os
import threading
from pathlib import Path

from twisted.logger import ILogObserver, LogEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from restic_reporter.daemon.log_queue import LogQueue

PATIENCE = 60.0
# The queue's bound in these tests, of which each event takes more than a hundredth.
LIMIT = 2**17


def event(text: str) -> LogEvent:
    """An event as it comes from where secrets are masked."""
    return {"log_text": text, "log_format": "{log_text}"}


class Gate:
    """An observer that lets no event through while it is closed."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.told = threading.Condition()
        self.open = threading.Event()
        self.open.set()
        self.waiting = threading.Event()

    def __call__(self, event: LogEvent) -> None:
        self.waiting.set()
        self.open.wait(PATIENCE)
        with self.told:
            self.texts.append(event["log_text"])
            self.told.notify_all()

    def latest_has(self, text: str) -> bool:
        """Wait until the latest event has ``text`` in it."""
        with self.told:
            return self.told.wait_for(lambda: text in "".join(self.texts[-1:]), PATIENCE)


class LogQueueTests(SynchronousTestCase):
    """`LogQueue` over an observer that can be held up."""

    def setUp(self) -> None:
        """The queue, which has not been started."""
        self.gate = Gate()
        self.addCleanup(self.gate.open.set)
        self.queue = LogQueue(self.gate, limit=LIMIT, retry=0.001)

    def put(self, *texts: str) -> None:
        """Log events."""
        for text in texts:
            self.queue(event(text))

    def held(self) -> None:
        """Start the queue, and hold it up within its first event."""
        self.gate.open.clear()
        self.queue.start()
        self.put("held")
        self.assertTrue(self.gate.waiting.wait(PATIENCE))

    def overflow(self) -> int:
        """Log events until some are dropped; how many were not."""
        for number in range(LIMIT):
            self.put(f"event {number}")
            if self.queue.dropped:
                return number
        raise AssertionError("none was dropped")

    def test_interface(self) -> None:
        """It is an observer."""
        self.assertTrue(verifyObject(ILogObserver, self.queue))

    def test_order(self) -> None:
        """Events wait for the start, and are handed on in their order."""
        self.put("a", "b")
        self.assertEqual(self.gate.texts, [])
        self.queue.start()
        self.put("c", "d")
        self.queue.finish(PATIENCE)
        self.assertEqual(self.gate.texts, ["a", "b", "c", "d"])
        self.assertEqual(self.queue.dropped, 0)

    def test_full(self) -> None:
        """While the observer hangs, events beyond the limit are dropped, and their lines
        counted; when it goes on, one of its own says so, where they are missing."""
        self.held()
        kept = self.overflow()
        self.assertLess(kept, LIMIT / 1024)
        self.put("one\ntwo\nthree", "four")
        self.assertEqual(self.queue.dropped, 5)
        self.gate.open.set()
        self.queue.finish(PATIENCE)
        self.put("later")
        notice = self.gate.texts[-2]
        self.assertRegex(notice, "^dropped 5 log lines: ")
        expected = ["held", *(f"event {number}" for number in range(kept)), notice, "later"]
        self.assertEqual(self.gate.texts, expected)

    def test_long_texts(self) -> None:
        """The limit is about memory: few long texts reach it."""
        self.held()
        self.put("\U0001f4be" * (LIMIT // 8), "\U0001f4be" * (LIMIT // 8))
        self.assertEqual(self.queue.dropped, 1)

    def test_full_again(self) -> None:
        """Each time it says only what is new; the count is that since the start."""
        for number in (1, 2):
            self.gate.open.clear()
            self.gate.waiting.clear()
            if number == 1:
                self.queue.start()
            self.put("held")
            self.assertTrue(self.gate.waiting.wait(PATIENCE))
            while self.queue.dropped < number:
                self.put("x")
            self.gate.open.set()
            self.assertTrue(self.gate.latest_has("dropped 1 "))
        self.assertEqual(self.queue.dropped, 2)

    def test_finish_is_bounded(self) -> None:
        """The end waits no longer than it is told, nor does any event after it."""
        self.held()
        self.queue.finish(0.001)
        self.put("later")
        self.assertEqual(self.gate.texts, [])

    def test_after_finish(self) -> None:
        """After the end has begun each event is written before the program goes on."""
        self.queue.start()
        self.queue.finish(PATIENCE)
        for text in ("a", "b", "c"):
            self.put(text)
            self.assertEqual(self.gate.texts[-1], text)

    def test_never_started(self) -> None:
        """What was logged before a start that failed is written at the end."""
        self.put("a", "b")
        self.queue.finish()
        self.assertEqual(self.gate.texts, ["a", "b"])

    def test_many_threads(self) -> None:
        """Events of several threads are all handed on."""

        def log() -> None:
            self.put(*map(str, range(10)))

        self.queue.start()
        threads = [threading.Thread(target=log) for _ in range(10)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        self.queue.finish(PATIENCE)
        self.assertEqual(sorted(self.gate.texts), sorted(10 * list(map(str, range(10)))))

    def test_observer_that_logs(self) -> None:
        """What is logged while an event is written, by a destructor for instance, comes too."""

        def observe(event: LogEvent) -> None:
            self.gate(event)
            if event["log_text"] == "a":
                self.put("b")

        self.queue.observer = observe
        self.queue.start()
        self.put("a")
        self.queue.finish(PATIENCE)
        self.assertEqual(self.gate.texts, ["a", "b"])

    def test_bug_of_an_observer(self) -> None:
        """An event that cannot be written at all is counted and said, and others come."""

        def observe(event: LogEvent) -> None:
            if event["log_text"] == "bad":
                raise ValueError("bad")
            self.gate(event)

        self.queue.observer = observe
        self.put("a", "bad", "b")
        self.queue.start()
        self.queue.finish(PATIENCE)
        self.assertEqual(self.gate.texts[:2], ["a", "b"])
        self.assertRegex(self.gate.texts[2], "^dropped 1 log line: ")

    def test_full_disk(self) -> None:
        """A write that fails is tried again until it succeeds; nothing is lost or doubled."""
        path = Path(self.mktemp())
        descriptor = os.open("/dev/full", os.O_WRONLY)
        self.addCleanup(os.close, descriptor)
        tries = 0

        def observe(event: LogEvent) -> None:
            nonlocal tries
            tries += 1
            if tries == 5:
                # Space again.
                good = os.open(path, os.O_WRONLY | os.O_CREAT)
                os.dup2(good, descriptor)
                os.close(good)
            os.write(descriptor, event["log_text"].encode())

        self.queue.observer = observe
        self.put("a\n", "b\n")
        self.queue.start()
        self.queue.finish(PATIENCE)
        self.assertEqual(path.read_text(), "a\nb\n")
        self.assertEqual((tries, self.queue.dropped), (6, 0))
