"""Tests of how repositories share a login."""

import gc
import os
import signal
import weakref
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater

from restic_reporter.backends.sftp import login
from restic_reporter.model.errors import Reason
from restic_reporter.model.snapshots import Meter
from tests.doubles.sftp_case import SFTPCase, reactor


class SharingTests(SFTPCase):
    """Who logs in, and when."""

    async def test_one_login(self) -> None:
        """Twenty repositories of one login share one ssh, side by side and in turn."""
        names = [f"repository-{number}" for number in range(20)]
        for name in names:
            self.make(name=name)
        backends = [self.backend(name=name) for name in names]
        meters = [Meter() for _ in names]
        for _ in range(2):
            listings = [
                Deferred.fromCoroutine(backend.list(self.deadline(), meter))
                for backend, meter in zip(backends, meters, strict=True)
            ]
            for listing in listings:
                self.assertEqual(len((await listing).keys or ()), 1)
        self.assertEqual(len(self.logged("login")), 1)
        self.assertEqual(sum(meter.requests.get("auth", 0) for meter in meters), 1)

    async def test_other_words(self) -> None:
        """Another command, or another environment of ssh, is another login."""
        self.make()
        for backend in (
            self.backend(),
            self.backend("another"),
            self.backend(env={"SSH_AUTH_SOCK": "/x"}),
            self.backend(env={"OTHER": "x"}),
        ):
            await backend.list(self.deadline(), self.meter)
        self.assertEqual(len(self.logged("login")), 3)

    async def test_environment(self) -> None:
        """ssh sees no variable that it does not need."""
        self.make()
        backend = self.backend("environment", env={"SSH_AUTH_SOCK": "/x", "AWS_SECRET": "hush"})
        await backend.list(self.deadline(), self.meter)
        (line,) = self.logged("environment")
        self.assertIn("SSH_AUTH_SOCK", line)
        self.assertIn("PATH", line)
        self.assertNotIn("AWS_SECRET", line)

    async def test_at_most_eight(self) -> None:
        """At most eight log in at once; when one fails, the next begins."""
        waiting: list[Deferred[Any]] = [
            Deferred.fromCoroutine(
                self.backend("deaf", str(number)).list(self.deadline(), self.meter)
            )
            for number in range(10)
        ]
        self.assertEqual(len(self.connections), 8)
        waiting[0].cancel()
        self.failureResultOf(waiting[0], CancelledError)
        self.assertEqual(len(self.connections), 9)
        for one in waiting[1:]:
            one.cancel()
            self.failureResultOf(one, CancelledError)
        self.assertEqual(len(self.connections), 10)

    async def test_idle(self) -> None:
        """Without a user ssh ends soon; the next user logs in again."""
        self.patch(login, "IDLE_TIME", 0.0)
        self.make()
        backend = self.backend()
        for number in range(1, 3):
            await backend.list(self.deadline(), self.meter)
            await self.connections[-1].closed()
            self.assertEqual(len(self.logged("login")), number)
            self.assertFalse(Path(f"/proc/{self.last_pid()}/cwd").exists())

    async def test_freed(self) -> None:
        """Its end frees it at once: those set apart are in no collection of garbage."""
        gc.disable()
        self.addCleanup(gc.enable)
        self.patch(login, "IDLE_TIME", 0.0)
        self.make()
        await self.backend().list(self.deadline(), self.meter)
        await self.connections[-1].closed()
        await deferLater(reactor, 0)
        end = weakref.ref(self.connections.pop())
        self.assertIsNone(end())

    async def test_cancelled_login(self) -> None:
        """A login goes on as long as somebody waits for it."""
        self.make()
        first, second = (
            Deferred.fromCoroutine(self.backend().list(self.deadline(), self.meter))
            for _ in range(2)
        )
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertEqual((await second).snapshots, set())
        self.assertEqual(len(self.logged("login")), 1)

    async def test_deadline_of_one(self) -> None:
        """A read that ends at its deadline does not disturb the others."""
        self.make()
        backend = self.backend()
        await backend.list(self.deadline(), self.meter)
        os.kill(self.last_pid(), signal.SIGSTOP)
        other = Deferred.fromCoroutine(backend.list(self.deadline(), self.meter))
        await self.assert_error(backend.list(self.deadline(0.05), self.meter), Reason.TIMEOUT)
        self.assertNoResult(other)
        os.kill(self.last_pid(), signal.SIGCONT)
        await other
        self.assertEqual(len(self.logged("login")), 1)


class RefusalTests(SFTPCase):
    """Logins that the server refuses."""

    async def test_not_again(self) -> None:
        """After a refusal none of the login's repositories tries again for some time."""
        backends = [self.backend("refuse", name=str(number)) for number in range(20)]
        calls: list[Deferred[Any]] = [
            Deferred.fromCoroutine(one.list(self.deadline(), self.meter)) for one in backends[:10]
        ]
        for call in calls:
            await self.assert_error(call, Reason.AUTH, "u@h: Permission denied (publickey).")
        for backend in backends[10:]:
            await self.assert_error(
                backend.list(self.deadline(), self.meter), Reason.AUTH, "Permission denied"
            )
        self.assertEqual(len(self.logged("login")), 1)
        self.assertEqual(self.meter.requests["auth"], 1)

    async def test_after_some_time(self) -> None:
        """Then it is tried once more; also at once after a reload of the config."""
        backend = self.backend("refuse")
        for _ in range(2):
            await self.assert_error(backend.list(self.deadline(), self.meter), Reason.AUTH)
        self.assertEqual(len(self.logged("login")), 1)
        self.tools = evolve(self.tools, shared={})
        self.patch(login, "REFUSAL_TIME", 0.0)
        backend = self.backend("refuse")
        for logins in (2, 3):
            await self.assert_error(backend.list(self.deadline(), self.meter), Reason.AUTH)
            self.assertEqual(len(self.logged("login")), logins)

    async def test_other_failures(self) -> None:
        """A server that cannot be reached is tried again each time, unless that takes long."""
        backend = self.backend("stderr=Connection refused")
        for slow, logins in ((1000.0, 1), (0.0, 2), (0.0, 2)):
            self.patch(login, "SLOW_LOGIN", slow)
            await self.assert_error(
                backend.list(self.deadline(), self.meter), Reason.NETWORK, "Connection refused"
            )
            self.assertEqual(len(self.logged("login")), logins)
