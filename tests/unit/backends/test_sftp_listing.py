"""Tests of listings and loads over SFTP."""

import os
import signal
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from restic_reporter.backends.sftp import requests
from restic_reporter.model.errors import Reason
from tests.doubles.sftp_case import SFTPCase


class ListingTests(SFTPCase):
    """What is listed, and with how many requests."""

    async def test_few(self) -> None:
        """A small repository takes three round trips, each folder two names requests."""
        self.make(f"snapshots/{'b' * 64}", f"locks/{'c' * 64}")
        backend = self.backend()
        listing = await backend.list(self.deadline(), self.meter)
        self.assertEqual(listing.snapshots, {"b" * 64})
        self.assertEqual(listing.locks, {"c" * 64})
        self.assertEqual(listing.keys, {"a" * 64})
        await self.settled(backend)
        self.assertEqual(len(self.logged("opendir")), 3)
        self.assertEqual(len(self.logged("readdir")), 3 * 2)
        self.assertEqual(len(self.logged("close")), 3)
        self.assertEqual(self.meter.requests, {"list": 1, "auth": 1})
        self.assertGreater(self.meter.received_bytes["list"], 4 * 64)

    async def test_many(self) -> None:
        """Long folders arrive complete, with at most eight requests ahead."""
        names = {f"{number:064x}" for number in range(1000)}
        self.make(*(f"snapshots/{one}" for one in names))
        listing = await self.backend("page=7").list(self.deadline(), self.meter)
        self.assertEqual(listing.snapshots, names)
        # 144 answers and the end, asked for by 2, 4 and then 8 at once; the other folders by 2.
        self.assertEqual(len(self.logged("readdir")), 2 + 4 + 18 * 8 + 2)

    async def test_times_of_locks(self) -> None:
        """The locks' times are those of the files, in order."""
        self.make(f"locks/{'c' * 64}", f"locks/{'d' * 64}", "locks/other")
        os.utime(self.path / "locks" / ("c" * 64), (1, 1_700_000_002))
        os.utime(self.path / "locks" / ("d" * 64), (1, 1_700_000_001))
        listing = await self.backend().list(self.deadline(), self.meter)
        self.assertEqual(listing.lock_times, (1_700_000_001.0, 1_700_000_002.0))

    async def test_times_of_keys(self) -> None:
        """The keys' times are those of the files, by name."""
        self.make(f"keys/{'c' * 64}")
        os.utime(self.path / "keys" / ("c" * 64), (1, 1_700_000_002))
        listing = await self.backend().list(self.deadline(), self.meter)
        self.assertEqual((listing.key_times or {})["c" * 64], 1_700_000_002.0)
        self.assertEqual((listing.key_times or {}).keys(), listing.keys)

    async def test_stored_times(self) -> None:
        """The snapshots' times are those of the files, if the server tells them."""
        self.make(f"snapshots/{'c' * 64}", f"snapshots/{'d' * 64}")
        os.utime(self.path / "snapshots" / ("c" * 64), (1, 1_700_000_002))
        for program, times in (("", {"c" * 64: 1_700_000_002.0}), ("bare", {})):
            backend = self.backend(program) if program else self.backend()
            listing = await backend.list(self.deadline(), self.meter)
            assert listing.stored_times is not None
            self.assertEqual(await listing.stored_times(["c" * 64, "e" * 64]), times)

    async def test_without_attributes(self) -> None:
        """A server need not give any; then the times and the config's token are unknown."""
        self.make(f"locks/{'c' * 64}", f"snapshots/{'b' * 64}")
        (self.path / "keys" / ("a" * 64)).write_bytes(b"key")
        backend = self.backend("bare")
        listing = await backend.list(self.deadline(), self.meter)
        self.assertEqual(listing.snapshots, {"b" * 64})
        self.assertEqual(
            (listing.lock_times, listing.key_times, listing.config), (None, None, None)
        )
        self.assertEqual(await backend.load("config", 6, self.deadline(), self.meter), b"config")
        await self.assert_error(
            backend.load("config", 5, self.deadline(), self.meter), Reason.TOO_LARGE
        )

    async def test_config(self) -> None:
        """The token of the config changes with the file, and only then."""
        self.make()
        backend = self.backend()
        first = (await backend.list(self.deadline(), self.meter)).config
        self.assertEqual((await backend.list(self.deadline(), self.meter)).config, first)
        (self.path / "config").write_bytes(b"another one")
        self.assertNotEqual((await backend.list(self.deadline(), self.meter)).config, first)

    async def test_folders_in_place_of_files(self) -> None:
        """A folder is no snapshot."""
        self.make(f"snapshots/{'b' * 64}/x", f"snapshots/{'c' * 64}")
        listing = await self.backend().list(self.deadline(), self.meter)
        self.assertEqual(listing.snapshots, {"c" * 64})

    async def test_no_repository(self) -> None:
        """Without keys or config there is no repository; a file for a folder is none either."""
        self.path.mkdir()
        backend = self.backend()
        for path in ("config", "keys"):
            await self.assert_error(
                backend.list(self.deadline(), self.meter),
                Reason.NOT_FOUND,
                "no such file or folder",
            )
            (self.path / path).write_bytes(b"")
        await self.assert_error(backend.list(self.deadline(), self.meter), Reason.NOT_FOUND, "keys")

    async def test_unmounted(self) -> None:
        """A folder that is missing as the storage goes at that moment is not empty."""
        for folder in ("snapshots", "locks"):
            self.make(f"snapshots/{'b' * 64}", f"locks/{'c' * 64}")
            await self.assert_error(
                self.backend(f"unmounted={folder}").list(self.deadline(), self.meter),
                Reason.NOT_FOUND,
                "config",
            )

    async def test_denied(self) -> None:
        """A folder that this user may not read is an error; of the locks, only theirs."""
        self.make(f"snapshots/{'b' * 64}")
        for folder in ("keys", "snapshots"):
            (self.path / "locks").mkdir(exist_ok=True)
            await self.assert_error(
                self.backend(f"deny={folder}").list(self.deadline(), self.meter),
                Reason.AUTH,
                f"{folder}': permission denied",
            )
        listing = await self.backend("deny=locks").list(self.deadline(), self.meter)
        assert listing.locks_error is not None
        self.assertEqual(listing.locks_error.reason, Reason.AUTH)
        self.assertEqual((listing.locks, listing.lock_times), (None, None))
        self.assertEqual(listing.snapshots, {"b" * 64})

    async def test_too_many_names(self) -> None:
        """A folder without end is given up, and the connection stays usable."""
        self.make()
        self.patch(requests, "NAMES_LIMIT", 5000)
        for _ in range(2):
            await self.assert_error(
                self.backend("endless").list_keys(self.deadline(), self.meter), Reason.TOO_LARGE
            )
        self.assertEqual(len(self.logged("login")), 1)


class LoadTests(SFTPCase):
    """Files."""

    async def test_requests(self) -> None:
        """A small file takes one read, a large one several at a time."""
        self.make()
        backend = self.backend()
        await backend.load("config", 2**20, self.deadline(), self.meter)
        await self.settled(backend)
        self.assertEqual(
            [len(self.logged(word)) for word in ("open", "fstat", "read", "close")], [1, 1, 1, 1]
        )
        content = bytes(range(256)) * 4000
        (self.path / "config").write_bytes(content)
        self.assertEqual(await backend.load("config", 2**20, self.deadline(), self.meter), content)
        self.assertEqual(len(self.logged("read")), 1 + 32)

    async def test_short_answers(self) -> None:
        """A server that gives less than asked still gives the whole file."""
        self.make()
        content = bytes(range(256)) * 400
        (self.path / "config").write_bytes(content)
        for faults in (("short=10000",), ("short=10000", "bare")):
            loaded = await self.backend(*faults).load("config", 2**20, self.deadline(), self.meter)
            self.assertEqual(loaded, content)

    async def test_long_answers(self) -> None:
        """One that gives more than asked is not believed."""
        self.make()
        await self.assert_error(
            self.backend("long=40000").load("config", 2**20, self.deadline(), self.meter),
            Reason.PROTOCOL,
            "too long",
        )

    async def test_cancelled_while_opening(self) -> None:
        """What the server opens after that is closed, as servers limit how many are open."""
        self.make()
        backend = self.backend()
        await backend.list(self.deadline(), self.meter)
        await self.settled(backend)
        closed = len(self.logged("close"))
        os.kill(self.last_pid(), signal.SIGSTOP)
        calls: list[Deferred[Any]] = [
            Deferred.fromCoroutine(backend.load("config", 9, self.deadline(), self.meter)),
            Deferred.fromCoroutine(backend.list_keys(self.deadline(), self.meter)),
        ]
        for call in calls:
            call.cancel()
            self.failureResultOf(call, CancelledError)
        os.kill(self.last_pid(), signal.SIGCONT)
        # Their closes are sent with the answers, so before the second question.
        await self.settled(backend)
        await self.settled(backend)
        self.assertEqual(len(self.logged("close")), closed + 2)
        self.assertEqual(len(self.logged("login")), 1)
