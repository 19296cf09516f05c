"""Tests of hostile and broken SFTP servers, and of logins that fail."""

import os
import signal
import time
from typing import Any
from unittest.mock import Mock

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.backends.sftp import SFTPBackend, connection
from restic_reporter.backends.sftp.connection import Connection, explain_end
from restic_reporter.backends.sftp.protocol import SFTPClient
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.processes.child import Exit
from tests.doubles.sftp_case import SFTPCase, sftp_repository


class ServerTests(SFTPCase):
    """Servers that answer nonsense."""

    async def test_malformed(self) -> None:
        """Each malformed answer fails the reads under way at once, with one clear error."""
        self.make()
        for fault in ("huge", "empty", "kind", "id", "cut", "count", "again"):
            backend = self.backend(fault)
            calls: list[Deferred[Any]] = [
                Deferred.fromCoroutine(backend.list(self.deadline(), self.meter)),
                Deferred.fromCoroutine(backend.load("config", 9, self.deadline(), self.meter)),
            ]
            for call in calls:
                await self.assert_error(call, Reason.PROTOCOL, "SFTP: invalid answer")
            self.assertIs(backend.login._connection, None)

    async def test_answer_to_another_question(self) -> None:
        """A success in place of names, a handle or content is an error."""
        self.make()
        backend = self.backend("done")
        for call in (
            backend.list(self.deadline(), self.meter),
            backend.load("config", 9, self.deadline(), self.meter),
        ):
            await self.assert_error(call, Reason.PROTOCOL)

    async def test_login_prints(self) -> None:
        """Text before the session is shown, as the user's own shell may print it."""
        for text in ("Welcome to host\x1b[31m!\n", "x" * 100_000):
            message = await self.assert_error(
                self.backend(f"banner={text}").list(self.deadline(), self.meter),
                Reason.PROTOCOL,
                f"prints something that is not SFTP, which must be silent: '{text[:15]}",
            )
            self.assertNotIn("\x1b", message)
            self.assertLess(len(message), 200)

    async def test_bug(self) -> None:
        """A bug of ours in the middle of an answer leaves no read waiting."""
        self.make()
        backend = self.backend()
        await backend.list(self.deadline(), self.meter)
        self.connections[0].client._answer = Mock(side_effect=ZeroDivisionError)  # type: ignore[method-assign]
        await self.assert_error(backend.list(self.deadline(), self.meter), Reason.INTERNAL)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        await backend.list(self.deadline(), self.meter)

    async def test_old_version(self) -> None:
        """Versions before 3 are too old."""
        await self.assert_error(
            self.backend("version=2").list(self.deadline(), self.meter),
            Reason.PROTOCOL,
            "version 2",
        )

    async def test_status_in_latin_1(self) -> None:
        """A message that is not UTF-8 is an answer like any other."""
        self.make()
        backend = self.backend("latin")
        (self.path / "keys" / ("b" * 64)).mkdir()
        await self.assert_error(
            backend.load(f"keys/{'b' * 64}", 10**6, self.deadline(), self.meter),
            Reason.UNAVAILABLE,
            "the server failed: gr\ufffd\ufffder [31m",
        )

    async def test_dies(self) -> None:
        """When ssh ends, the reads under way fail, and the next one logs in again."""
        self.make()
        backend = self.backend("die=5")
        works: list[Deferred[Any]] = [
            Deferred.fromCoroutine(backend.list(self.deadline(), self.meter)) for _ in range(3)
        ]
        for work in works:
            await self.assert_error(
                work, Reason.NETWORK, "lost the connection with exit status 255: Connection reset"
            )
        content = await backend.load("config", 9, self.deadline(), self.meter)
        self.assertEqual(content, b"config")
        self.assertEqual(len(self.logged("login")), 2)

    async def test_killed(self) -> None:
        """The same when somebody kills it between two reads."""
        self.make()
        backend = self.backend()
        await backend.list(self.deadline(), self.meter)
        lost = backend.login._connection
        assert lost is not None
        os.kill(self.last_pid(), signal.SIGKILL)
        await lost.closed()
        await backend.list(self.deadline(), self.meter)
        self.assertEqual(len(self.logged("login")), 2)

    async def test_silence(self) -> None:
        """ssh is killed where nothing at all was answered for some time, not at a deadline."""
        self.make()
        self.make()
        # Logging in is part of the deadline, and takes long on a busy machine.
        self.patch(connection, "SILENCE_LIMIT", 6.0)
        backend = self.backend("mute")
        await self.assert_error(backend.list(self.deadline(4.0), self.meter), Reason.TIMEOUT)
        self.assertIsNot(backend.login._connection, None)
        await self.assert_error(
            backend.list(self.deadline(), self.meter),
            Reason.TIMEOUT,
            "has answered nothing for 6 s",
        )
        self.assertEqual(len(self.logged("login")), 1)


class LoginFailureTests(SFTPCase):
    """Programs that do not log in."""

    async def test_reasons(self) -> None:
        """ssh's message decides, not what a banner says."""
        for text, reason in (
            ("ssh: Could not resolve hostname h: Name or service not known", Reason.NETWORK),
            ("ssh: connect to host h port 22: Connection refused", Reason.NETWORK),
            ("Host key verification failed.", Reason.AUTH),
            ("Permission denied (x)?\nConnection closed by 1.2.3.4 port 22", Reason.NETWORK),
            ("subsystem request failed on channel 0", Reason.PROTOCOL),
            ("something else\n", Reason.NETWORK),
        ):
            last = text.strip().splitlines()[-1]
            await self.assert_error(
                self.backend(f"stderr={text}").list(self.deadline(), self.meter),
                reason,
                "failed with exit status 255: " + last,
            )

    async def test_no_program(self) -> None:
        """A program that is missing cannot be run."""
        backend = SFTPBackend.make(sftp_repository("x", "/nonexistent/ssh"), self.tools)
        await self.assert_error(
            backend.list(self.deadline(), self.meter), Reason.EXEC, "cannot run '/nonexistent/ssh'"
        )

    async def test_deaf(self) -> None:
        """A login without an answer ends at the deadline, and the program with it."""
        backend = self.backend("deaf")
        await self.assert_error(backend.list(self.deadline(0.5), self.meter), Reason.TIMEOUT)
        self.assertIs(backend.login._connection, None)

    def test_explanation(self) -> None:
        """The message is one printable line of limited length."""
        error = explain_end("ssh", Exit(None, 9, "a\x1b[31m\n" + "x" * 1000 + "\n\n"), True)
        self.assertEqual(error.reason, Reason.NETWORK)
        self.assertEqual(
            error.message, "SFTP: 'ssh' lost the connection with signal 9: " + "x" * 300
        )
        self.assertIn("no error message", explain_end("ssh", Exit(0, None, ""), False).message)


class ClientTests(SynchronousTestCase):
    """The client by itself."""

    def setUp(self) -> None:
        self.client = SFTPClient(lambda: None, lambda: None)

        self.client.makeConnection(StringTransport())
        self.client.dataReceived(b"\0\0\0\5\2\0\0\0\3")

    def answer(self, names: int, entry: bytes) -> None:
        """Give the largest packet with so many names in it."""
        packet = b"\0\0\0\0" + names.to_bytes(4, "big") + entry * names
        self.client.dataReceived((len(packet) + 1).to_bytes(4, "big") + b"\x68" + packet)

    def test_many_names(self) -> None:
        """One packet has no more names than can be read without blocking the reactor."""
        waiting = self.client.openDirectory(b"x")
        waiting.addErrback(lambda _: None)
        before = time.process_time()
        for names in (4097, 21_000):
            with self.assertRaises(ReadError):
                self.answer(names, bytes(12))
        self.assertLess(time.process_time() - before, 0.5)
        self.assertNoResult(waiting)
        self.answer(4096, bytes(12))

    def test_many_attributes(self) -> None:
        """Nor do its attributes take longer than their bytes."""
        waiting = self.client.getAttrs(b"x")
        before = time.process_time()
        packet = b"\0\0\0\0\x80\0\0\0\xff\xff\xff\xff" + bytes(2**18)
        with self.assertRaises(ReadError):
            self.client.dataReceived((len(packet) + 1).to_bytes(4, "big") + b"\x69" + packet)
        self.assertLess(time.process_time() - before, 0.5)
        self.assertNoResult(waiting)

    def test_nothing_logged(self) -> None:
        """No event for each packet."""
        events: list[Any] = []
        observer: Any = events.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.client.getAttrs(b"x")
        self.client.dataReceived(b"\0\0\0\x09\x69\0\0\0\0\0\0\0\0")
        self.assertEqual(events, [])

    def test_lost(self) -> None:
        """Requests fail when the connection is lost, and after that."""
        waiting = self.client.getAttrs(b"x")
        self.client.lose(ReadError(Reason.NETWORK, "gone"))
        for one in (waiting, self.client.getAttrs(b"y")):
            self.assertEqual(self.failureResultOf(one, ReadError).value.message, "gone")


class SilenceTests(SynchronousTestCase):
    """The watch over a session."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.failures: list[ReadError] = []
        connection: Any = Connection(self.clock, ["ssh"], lambda _: None)
        connection._child = child = Mock()
        child.fail = self.failures.append
        self.client = connection.client
        self.client.makeConnection(StringTransport())
        connection._begin_watch()

    def test_login(self) -> None:
        """A login that says nothing is ended."""
        self.clock.advance(29)
        self.assertEqual(self.failures, [])
        self.clock.advance(1)
        (error,) = self.failures
        self.assertEqual(error.reason, Reason.TIMEOUT)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_session(self) -> None:
        """The time counts from the last answer, or from the first request after a pause."""
        self.client.dataReceived(b"\0\0\0\5\2\0\0\0\3")
        self.clock.advance(25)
        self.client.getAttrs(b"x")
        self.clock.pump([20, 9])
        self.client.dataReceived(b"\0\0\0\x09\x69\0\0\0\0\0\0\0\0")
        self.clock.pump([1000])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        for _ in range(2):
            self.client.getAttrs(b"x")
            self.clock.advance(10)
        # A part of an answer is a sign of life too.
        self.client.dataReceived(b"\0")
        self.clock.advance(29)
        self.assertEqual(self.failures, [])
        self.clock.advance(1)
        self.assertEqual(len(self.failures), 1)
