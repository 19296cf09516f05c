"""Tests of `restic_reporter.concurrency.cooperative`."""

from collections.abc import Generator

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.concurrency import cooperative as turns
from restic_reporter.concurrency.cooperative import at_once, in_turns
from tests.doubles.repositories import TurnClock


class TurnsTests(SynchronousTestCase):
    """Both ways to run steps."""

    def setUp(self) -> None:
        self.done: list[int] = []
        self.clock = TurnClock()

    def steps(self) -> Generator[None, None, str]:
        """Ten of them."""
        for number in range(10):
            self.done.append(number)
            yield
        return "result"

    def broken(self) -> Generator[None, None, str]:
        """One that fails."""
        yield
        raise ZeroDivisionError

    def test_at_once(self) -> None:
        """All steps are run; what they return or raise comes back."""
        self.assertEqual(at_once(self.steps()), "result")
        self.assertEqual(len(self.done), 10)
        self.assertRaises(ZeroDivisionError, at_once, self.broken())

    def test_short(self) -> None:
        """What is done within a turn needs no other."""
        self.patch(turns, "TURN", float("inf"))
        running = Deferred.fromCoroutine(in_turns(self.clock, self.steps()))
        self.assertEqual(self.successResultOf(running), "result")

    def test_long(self) -> None:
        """What takes longer waits for its next turn; an error in one comes back."""
        self.patch(turns, "TURN", -1.0)
        running = Deferred.fromCoroutine(in_turns(self.clock, self.steps()))
        for number in range(1, 11):
            self.assertEqual(len(self.done), number)
            self.assertNoResult(running)
            self.clock.advance(1)
        self.assertEqual(self.successResultOf(running), "result")
        failing = Deferred.fromCoroutine(in_turns(self.clock, self.broken()))
        self.assertNoResult(failing)
        self.clock.advance(1)
        self.failureResultOf(failing, ZeroDivisionError)

    def test_given_up(self) -> None:
        """Cancelled, it takes no more turns."""
        self.patch(turns, "TURN", -1.0)
        running = Deferred.fromCoroutine(in_turns(self.clock, self.steps()))
        running.cancel()
        self.failureResultOf(running)
        self.assertEqual((self.clock.getDelayedCalls(), self.done), ([], [0]))
