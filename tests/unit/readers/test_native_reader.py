"""Tests of `restic_reporter.readers.native`: reads, faults, and what is kept between them."""

import os
from typing import Any

from twisted.internet.defer import Deferred

from restic_reporter.concurrency.deadline import Deadline, sleep
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.snapshots import Listing, Lock
from restic_reporter.readers.native import (
    downloads as fetching,
)
from restic_reporter.readers.native import (
    locks,
)
from restic_reporter.readers.native import reader as module
from restic_reporter.readers.native.unlock import Opening
from restic_reporter.testing import read_request
from tests.doubles.native_case import Kept, NativeCase, reactor
from tests.doubles.native_repositories import SealedRepository, compressed, seal, snapshot_json
from tests.doubles.repositories import name, repository


class ReadTests(NativeCase):
    """What is read, and how often."""

    async def test_without_backend(self) -> None:
        """It says so where nothing lists the repository."""
        deadline = Deadline.after(reactor, 10)
        request = read_request(repository(), deadline)
        reading = Deferred.fromCoroutine(self.reader.read(request))
        error: Any = await self.assertFailure(reading, ReadError)
        self.assertEqual(error.reason, Reason.INTERNAL)

    async def test_content(self) -> None:
        """Sets, counts and times, of plain and of compressed files, in either version."""
        for version in (1, 2):
            self.memory = Kept()
            source = SealedRepository.made(version=version)
            source.add_snapshot(snapshot_json("2025-01-01T00:00:00+01:00", hostname="a"))
            source.add_snapshot(snapshot_json("2026-01-01T00:00:00Z", hostname="a"), compress=True)
            source.add_snapshot(snapshot_json("2099-01-01T00:00:00Z", username=""))
            result = await self.read(source)
            self.assertEqual(result.ids, source.names("snapshots"))
            self.assertEqual((result.nameless, result.unreadable), (0, frozenset()))
            content = result.content
            self.assertEqual((content.snapshot_count, content.future_count), (3, 1))
            self.assertEqual(
                [(one.host, one.user, one.oldest, one.newest) for one in content.sets],
                [("a", "u", 1735686000.0, 1767225600.0), ("h", "UNKNOWN", None, None)],
            )

    async def test_each_file_once(self) -> None:
        """A snapshot is fetched at the read that first sees it and never again."""
        source = SealedRepository.made(20)
        first = await self.read(source)
        self.assertEqual(len(source.loaded("snapshots")), 20)
        gone = sorted(first.ids)[0]
        del source.files[f"snapshots/{gone}"]
        added = source.add_snapshot(snapshot_json(hostname="new"))
        second = await self.read(source)
        self.assertEqual(source.loaded("snapshots"), [added])
        self.assertEqual(second.ids, first.ids - {gone} | {added})
        self.assertEqual([one.snapshot_count for one in second.content.sets], [19, 1])
        fresh = self.memory
        self.memory = Kept()
        self.assertEqual(await self.read(source), second)
        self.memory = fresh

    async def test_future_comes(self) -> None:
        """A read without anything new counts anew, as time goes on."""
        source = SealedRepository.made()
        source.add_snapshot(snapshot_json("2030-01-01T00:00:00Z"))
        self.assertEqual((await self.read(source)).content.future_count, 1)
        source.loads.clear()
        self.assertEqual((await self.read(source, now=2e9)).content.future_count, 0)
        self.assertEqual(source.loads, [])

    async def test_many(self) -> None:
        """Many snapshots are compared and counted in a thread, to the same result."""
        source = SealedRepository.made(300)
        expected = await self.read(source)
        self.patch(module, "_MANY", 10)
        for _ in range(2):
            self.assertEqual(await self.read(source), expected)
            self.memory = Kept()

    async def test_side_by_side(self) -> None:
        """No more files are asked for at one time than the backend says it can give."""

        async def wait(path: str) -> None:
            await sleep(reactor, 0)

        for number, most in ((1, 1), (3, 3), (100, fetching.PARALLEL)):
            self.memory = Kept()
            source = SealedRepository.made(20, concurrent_loads=number, waiting=wait)
            await self.read(source)
            self.assertEqual(source.most_at_once, most)

    async def test_overlap(self) -> None:
        """Snapshots arrive while the key is derived, up to a bounded amount."""
        source = SealedRepository.made()
        for _ in range(20):
            source.add_snapshot({"paths": [os.urandom(5000).hex()]})
        self.patch(fetching, "HELD_LIMIT", 50_000)
        loaded_before: list[int] = []
        derive = self._derive

        def watch(*arguments: Any) -> bytes | None:
            loaded_before.append(len([one for one in source.loads if "snap" in one]))
            return derive(*arguments)

        self.patch(Opening, "_derive", _in_line(watch))
        result = await self.read(source)
        self.assertEqual(result.content.snapshot_count, 20)
        # Five fill the bound; each of the four downloads may have begun one more.
        self.assertTrue(4 <= loaded_before[0] <= 9, loaded_before)

    async def test_other_repository(self) -> None:
        """A repository that was made anew at the same place is opened anew."""
        old, new = SealedRepository.made(2), SealedRepository.made(3)
        await self.read(old)
        self.derivations()
        result = await self.read(new)
        self.assertEqual(result.ids, new.names("snapshots"))
        self.assertEqual(result.content.snapshot_count, 3)
        self.assertEqual(len(self.derivations()), 1)

    async def test_known_are_kept_first(self) -> None:
        """The sets shown so far are kept where there are too many."""
        source = SealedRepository.made()
        for number in range(1100):
            source.add_snapshot(snapshot_json(hostname=f"h{number:04}"))
        source.add_snapshot(snapshot_json(hostname="z"))
        result = await self.read(source, known=frozenset({("z", "u")}))
        self.assertEqual(result.content.dropped_sets, 101)
        self.assertIn("z", {one.host for one in result.content.sets})


def _in_line(function: Any) -> Any:
    async def derive(self: Any, one: Any) -> Any:
        # As long as a derivation takes the reactor goes on.
        for _ in range(20):
            await sleep(reactor, 0)
        return function(one, self._password)

    return derive


class LockTests(NativeCase):
    """When the oldest lock was made."""

    async def test_oldest(self) -> None:
        """The oldest of the locks that are there now; each is read once."""
        source = SealedRepository.made(1)
        self.assertEqual((await self.read(source)).lock_times, ())
        old = source.add_lock("2025-01-01T00:00:00Z")
        source.add_lock("2026-01-01T00:00:00.5+01:00")
        self.assertEqual((await self.read(source)).lock_times, (1735689600.0, 1767222000.5))
        self.assertEqual(len(source.loaded("locks")), 2)
        del source.files[f"locks/{old}"]
        self.assertEqual((await self.read(source)).lock_times, (1767222000.5,))
        self.assertEqual(source.loaded("locks"), [])

    async def test_holder(self) -> None:
        """Who holds a lock is told, as far as it says so in a usable way."""
        source = SealedRepository.made(1)
        source.add_lock(
            "2025-01-01T00:00:00Z",
            exclusive=True,
            hostname="web-1",
            username="root\n",
            pid=4711,
        )
        source.add_lock(
            "2025-01-01T00:00:01Z", exclusive=1, hostname=["x"], username=None, pid=2**40
        )
        source.add_lock("2025-01-01T00:00:02Z", exclusive="true", pid=True)
        time = 1735689600.0
        self.assertEqual(
            (await self.read(source)).locks,
            (
                Lock(time, "web-1", "root\ufffd", 4711, exclusive=True),
                Lock(time + 1),
                Lock(time + 2),
            ),
        )

    async def test_unusable(self) -> None:
        """Locks that are broken, vanish or cannot be had are passed over."""
        source = SealedRepository.made(1)
        master = source.master
        for text in (b"null", b"{}", b'{"time": 1}', b'{"time": "x"}', compressed(bytes(10**6))):
            source.add("locks", seal(master, text))
        source.add("locks", b"planted")
        source.failures[f"locks/{name(1)}"] = ReadError(Reason.NETWORK, "broken")
        good = source.add_lock("2025-01-01T00:00:00Z")
        listed = source.names("locks") | {name(1), name(2)}
        listing = Listing(source.names("snapshots"), listed)
        self.assertEqual((await self.read(source, listing=listing)).lock_times, (1735689600.0,))
        source.loaded("locks")
        # What could be told about the others will not change.
        await self.read(source, listing=listing)
        self.assertEqual(set(source.loaded("locks")), {name(1), name(2)})
        self.assertTrue(good)

    async def test_many(self) -> None:
        """Of many locks a bounded number is read at a time, and kept."""
        self.patch(locks, "_MAX_LOADS", 3)
        self.patch(locks, "_MAX_KNOWN", 5)
        source = SealedRepository.made(1)
        for number in range(20):
            source.add_lock(f"2025-01-01T00:00:{number:02}Z")
        numbers = []
        for _ in range(4):
            await self.read(source)
            numbers.append(len(source.loaded("locks")))
        self.assertEqual(numbers, [3, 3, 0, 0])

    async def test_unknown(self) -> None:
        """Nothing is told where the backend does not list locks."""
        source = SealedRepository.made(1)
        source.add_lock("2025-01-01T00:00:00Z")
        listing = Listing(source.names("snapshots"))
        self.assertEqual((await self.read(source, listing=listing)).lock_times, ())
