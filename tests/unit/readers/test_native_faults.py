"""Tests of the native reader with files that are not what they must be."""

import json
import os
import threading
import tracemalloc
from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from restic_reporter.concurrency.cpu_threads import WorkerThreads
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.readers.native import (
    NativeReader,
)
from restic_reporter.readers.native import (
    downloads as fetching,
)
from restic_reporter.readers.native import reader as module
from restic_reporter.readers.native import (
    snapshot_files as decoding,
)
from restic_reporter.readers.native.snapshot_files import CONTENT_LIMIT, FILE_LIMIT, decode
from restic_reporter.testing import memory_backend
from tests.doubles.native_case import NativeCase, reactor
from tests.doubles.native_repositories import SealedRepository, compressed, seal, snapshot_json


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
