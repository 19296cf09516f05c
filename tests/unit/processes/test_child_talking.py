"""Tests of a child process that somebody talks to."""

from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.processes.child import Exit, start_child
from tests.doubles.child_case import PATH
from tests.doubles.child_programs import DEAF_FAMILY, Output, Watch, python, shell


class TalkingTests(TestCase):
    """A child whose stdin stays open."""

    async def test_answers(self) -> None:
        """It gets what is written, however much, until it is stopped."""
        output = Output()
        child = start_child(reactor, ["cat"], PATH, output.feed)
        child.write(b"hello\n")
        self.assertEqual(await output.line, "hello")
        child.stop()
        await child.ended()
        self.assertEqual(child.result(), Exit(None, 2, ""))
        child.write(b"nobody reads this")

    async def test_ends_by_itself(self) -> None:
        """One that ends or closes its stdin does not mind what is written."""
        for program in ("exit 3", "exec <&-; echo closed; exec sleep 0.1; exit 3"):
            output = Output()
            child = start_child(reactor, shell(program), PATH, output.feed)
            child.write(b"x" * 2**20)
            await child.ended()
            child.write(b"x")
            self.assertIn(child.result().code, (0, 3))

    async def test_failed(self) -> None:
        """It is killed, deaf or not, with all that it has started, for a reason of the talker's."""
        output = Output()
        child = start_child(reactor, python(DEAF_FAMILY), PATH, output.feed)
        family = [Watch(self, int(one)) for one in (await output.line).split()]
        error = ReadError(Reason.PROTOCOL, "nonsense")
        child.fail(error)
        await child.ended()
        self.assertIs(self.assertRaises(ReadError, child.result), error)
        self.assertEqual([one.gone(0) for one in family], [True, True, True])

    async def test_missing(self) -> None:
        """A program that is not there cannot be run."""
        child = start_child(reactor, ["/nonexistent/ssh"], PATH, lambda _: None)
        await child.ended()
        error: Any = self.assertRaises(ReadError, child.result)
        self.assertEqual(error.reason, Reason.EXEC)
