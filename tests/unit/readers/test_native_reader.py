"""Tests of `restic_reporter.readers.native`: reads, faults, and what is kept between them."""

import json
import os
import threading
import tracemalloc
from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from restic_reporter.concurrency.cpu_threads import WorkerThreads
from restic_reporter.concurrency.deadline import Deadline, sleep
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.snapshots import Listing
from restic_reporter.readers.native import (
    NativeReader,
    locks,
)
from restic_reporter.readers.native import (
    downloads as fetching,
)
from restic_reporter.readers.native import reader as module
from restic_reporter.readers.native import (
    snapshot_files as decoding,
)
from restic_reporter.readers.native.snapshot_files import CONTENT_LIMIT, FILE_LIMIT, decode
from restic_reporter.readers.native.unlock import Opening
from restic_reporter.testing import memory_backend, read_request
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


class FaultTests(NativeCase):
    """Files that are not what they must be."""

    async def test_corrupt(self) -> None:
        """A snapshot file with a flipped bit, cut short or empty is unreadable, and named."""
        source = SealedRepository.made(5)
        bad: list[str] = []
        for change in (lambda c: bytes([c[0] ^ 1]) + c[1:], lambda c: c[:-7], lambda c: b""):
            one = source.add_snapshot(snapshot_json(hostname=f"bad {len(bad)}"))
            source.files[f"snapshots/{one}"] = change(source.files[f"snapshots/{one}"])
            bad.append(one)
        for read in range(2):
            result = await self.read(source)
            self.assertEqual(result.unreadable, set(bad))
            self.assertEqual(result.ids, source.names("snapshots") - set(bad))
            self.assertEqual(result.content.snapshot_count, 5)
            # Only these are asked for again, and the key is not derived again.
            self.assertEqual(len(source.loaded("snapshots")), 8 if read == 0 else 3)
        self.assertEqual(len(self.derivations()), 1)
        for one in bad:
            self.assertTrue(any(one[:16] in line for line in self.lines))

    async def test_right_name_wrong_seal(self) -> None:
        """A file whose name is right and whose MAC is not is unreadable, at each read."""
        source = SealedRepository.made(1)
        first = source.add("snapshots", seal(os.urandom(64), json.dumps(snapshot_json()).encode()))
        self.assertEqual((await self.read(source)).unreadable, {first})
        second = source.add("snapshots", b"planted")
        self.assertEqual((await self.read(source)).unreadable, {first, second})
        self.assertEqual(len(self.derivations()), 1)

    async def test_backend_that_checks_nothing(self) -> None:
        """The MAC alone is enough to find an altered file."""
        source = SealedRepository.made(1)
        [path] = [path for path in source.files if path.startswith("snapshots/")]
        content = bytearray(source.files[path])
        content[20] ^= 1
        source.files[path] = bytes(content)
        self.patch(memory_backend, "check_content", lambda path, content: content)
        self.assertEqual((await self.read(source)).unreadable, {path.partition("/")[2]})

    async def test_invalid(self) -> None:
        """What is sealed well and is no snapshot counts as invalid, and is not read again."""
        source = SealedRepository.made(1)
        twice = b'{"hostname":"h","hostname":"h","time":"2025-01-01T00:00:00Z"}'
        for text in (b"null", b"{", b"[" * 100_000, b'{"time":NaN}', twice, b"", b"\xff"):
            source.add_snapshot(text)
        result = await self.read(source)
        self.assertEqual(result.ids, source.names("snapshots"))
        self.assertEqual((result.content.snapshot_count, result.content.invalid_count), (8, 7))
        source.loads.clear()
        self.assertEqual(await self.read(source), result)
        self.assertEqual(source.loads, [])

    async def test_too_large(self) -> None:
        """A file beyond the limit and a bomb are ``too_large``; the others are kept."""
        source = SealedRepository.made(3)
        huge = source.add("snapshots", bytes(FILE_LIMIT + 1))
        message = await self.assert_fails(source, Reason.TOO_LARGE)
        self.assertIn(huge[:8], message)
        del source.files[f"snapshots/{huge}"]
        source.loaded("snapshots")
        for size in (CONTENT_LIMIT + 1, 2**28):
            content = seal(source.master, compressed(bytes(size)))
            bomb = source.add("snapshots", content)
            tracemalloc.start()
            try:
                message = await self.assert_fails(source, Reason.TOO_LARGE)
                _, most = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            self.assertIn(bomb[:8], message)
            self.assertLess(most, 40 * 2**20)
            self.assertEqual(source.loaded("snapshots"), [bomb])
            del source.files[f"snapshots/{bomb}"]
        self.assertEqual((await self.read(source)).content.snapshot_count, 3)

    async def test_largest(self) -> None:
        """A snapshot of the largest size is read."""
        source = SealedRepository.made()
        text = json.dumps(snapshot_json()).encode()
        source.add_snapshot(text + b" " * (CONTENT_LIMIT - len(text)))
        self.assertEqual((await self.read(source)).content.invalid_count, 0)

    async def test_few_are_small(self) -> None:
        """However few and small the files are, the reactor decodes little of what they hold."""
        source = SealedRepository.made()
        for number in range(8):
            text = b'{"n":%d,"a":[' % number + b"[]," * 2**18 + b"0]}"
            source.add_snapshot(text, compress=True)
        decoded = 0

        def count(pieces: Iterable[bytes], wanted: Any) -> Any:
            nonlocal decoded
            for piece in pieces:
                if threading.current_thread() is threading.main_thread():
                    decoded += len(piece)
            raise ValueError

        self.patch(decoding, "parse_members", count)
        self.assertEqual((await self.read(source)).content.invalid_count, 8)
        self.assertLess(decoded, 2**16)

    async def test_server_fails(self) -> None:
        """A server that fails in the middle is that failure; what was read until then is kept."""
        source = SealedRepository.made(30, concurrent_loads=1)
        names = sorted(source.names("snapshots"))
        reason = Reason.NETWORK
        source.failures[f"snapshots/{names[7]}"] = ReadError(reason, "broken")
        await self.assert_fails(source, reason)
        read = len(source.loaded("snapshots")) - 1
        source.failures.clear()
        self.assertEqual((await self.read(source)).content.snapshot_count, 30)
        self.assertEqual(len(source.loaded("snapshots")), 30 - read)

    async def test_bug_in_backend(self) -> None:
        """An exception nobody expected comes out as it is."""
        source = SealedRepository.made(3)
        for one in source.names("snapshots"):
            source.failures[f"snapshots/{one}"] = ZeroDivisionError()
        await self.assertFailure(self.read(source), ZeroDivisionError)

    async def test_cancelled(self) -> None:
        """A cancelled read ends its downloads and keeps what it had."""
        self.reader = NativeReader(reactor, {}, WorkerThreads(reactor, 1))
        self.addCleanup(self.reader.workers.stop)
        source = SealedRepository.made(1, concurrent_loads=4)
        await self.read(source)
        for number in range(fetching.BATCH + 20):
            source.add_snapshot(snapshot_json(hostname=str(number)))
        source.loads.clear()
        begun, decoded = 0, Deferred[None]()

        async def wait(path: str) -> None:
            nonlocal begun
            # The config is one of them.
            if len(source.loads) > fetching.BATCH + 1:
                begun += 1
                await Deferred()

        def tell(*arguments: Any) -> Any:
            reactor.callFromThread(decoded.callback, None)
            return decode(*arguments)

        self.patch(module, "decode", tell)
        source.waiting = wait
        reading = self.read(source)
        await decoded
        # The only thread is free again once its last result has come back.
        await self.reader.workers.run(int)
        reading.cancel()
        await self.assertFailure(reading, CancelledError)
        self.assertEqual((begun, source.at_once), (4, 0))
        source.waiting = None
        self.patch(module, "decode", decode)
        source.loads.clear()
        await self.read(source)
        self.assertEqual(len(source.loaded("snapshots")), 20)


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
