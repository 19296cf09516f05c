"""Tests of the `IBackend` contract, which each backend must pass."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from ..concurrency.deadline import Deadline
from ..interfaces import IBackend, IMeasurable
from ..model.errors import ReadError, Reason
from ..model.snapshots import Meter
from ..model.upkeep import Size
from .threads import all_threads_back

if TYPE_CHECKING:
    from twisted.trial.unittest import TestCase as _Base
else:
    _Base = object

# Seconds; a test that takes longer hangs.
TIMEOUT = 30.0

LIMIT = 2**20

# All byte values, in more than one read of a socket or a file.
CONTENT = bytes(range(256)) * 1024


def file_name(content: bytes) -> str:
    """Return restic's name for a file with this content."""
    return sha256(content).hexdigest()


class BackendContractTests(_Base):
    """
    Tests of one backend, for a class like ``class MyTests(BackendContractTests, TestCase)``.

    Each test begins without a repository and creates one by `put`. A backend's own tests must
    implement the methods that raise `NotImplementedError`.
    """

    timeout = TIMEOUT

    # Secrets that no error message may contain.
    secrets: Sequence[str] = ()

    def make_backend(self) -> IBackend:
        """Return the backend; called at least once for each test."""
        raise NotImplementedError

    def put(self, path: str, content: bytes) -> None:
        """Write the file ``path`` (like ``keys/0123…``) and create its folder."""
        raise NotImplementedError

    def remove(self, path: str) -> None:
        """Remove the file ``path``."""
        raise NotImplementedError

    def hold(self) -> None:
        """
        Let the storage send no response from now on.

        Not needed for a storage whose responses take at least one turn of the reactor.
        """

    async def settle(self) -> None:
        """
        Wait for the end of work that cannot be cancelled.

        By default this waits for the threads of `BackendTools.threads`.
        """
        await all_threads_back()

    # A backend's own tests need nothing from here on.

    def _repository(self, *paths: str) -> IBackend:
        """Create a repository with a config, a key, and empty files at ``paths``."""
        for path in ("config", f"keys/{file_name(b'key')}", *paths):
            self.put(path, {"config": b"config"}.get(path, b"key" if "keys" in path else b""))
        self.meter = Meter()
        return self.make_backend()

    def _deadline(self) -> Deadline:
        clock: Any = reactor
        return Deadline.after(clock, TIMEOUT)

    async def _load(self, backend: IBackend, path: str, limit: int = LIMIT) -> bytes:
        return await backend.load(path, limit, self._deadline(), self.meter)

    async def _assert_fails(self, work: Awaitable[Any], *reasons: Reason) -> None:
        try:
            await work
        except ReadError as error:
            self.assertIn(error.reason, reasons, error.message)
            for secret in self.secrets:
                self.assertNotIn(secret, error.message)
        else:
            self.fail(f"must fail with {' or '.join(reasons)}")

    def _calls(self, backend: IBackend) -> Iterator[Callable[[Deadline], Awaitable[Any]]]:
        """Yield a call of each method."""
        yield lambda deadline: backend.list(deadline, Meter())
        yield lambda deadline: backend.list_keys(deadline, Meter())
        yield lambda deadline: backend.load("config", LIMIT, deadline, Meter())
        measurable: Any = backend
        if IMeasurable.providedBy(backend):
            yield lambda deadline: measurable.measure(deadline, Meter())

    def test_interface(self) -> None:
        """It is an `IBackend` and allows at least one load."""
        backend = self.make_backend()
        self.assertTrue(verifyObject(IBackend, backend))
        self.assertGreaterEqual(backend.concurrent_loads, 1)
        for secret in self.secrets:
            self.assertNotIn(secret, f"{backend!r} {backend}")

    async def test_list(self) -> None:
        """A listing has the current snapshots, locks and keys."""
        snapshots, locks = ({letter * 64 for letter in letters} for letters in ("abc", "de"))
        backend = self._repository(
            *(f"snapshots/{one}" for one in snapshots), *(f"locks/{one}" for one in locks)
        )
        listing = await backend.list(self._deadline(), self.meter)
        self.assertEqual(set(listing.snapshots), snapshots)
        self.assertEqual(len(listing.snapshots), 3)
        self.assertIn(listing.locks, (None, locks))
        self.assertIn(listing.keys, (None, {file_name(b"key")}))
        self.assertIs(listing.locks_error, None)
        self.remove(f"snapshots/{'a' * 64}")
        self.put(f"snapshots/{'f' * 64}", b"")
        self.remove(f"locks/{'d' * 64}")
        listing = await backend.list(self._deadline(), self.meter)
        self.assertEqual(set(listing.snapshots), {letter * 64 for letter in "bcf"})
        self.assertIn(listing.locks, (None, {"e" * 64}))

    async def test_empty(self) -> None:
        """A repository without snapshots and locks is empty, with or without their folders."""
        backend = self._repository()
        for _ in range(2):
            listing = await backend.list(self._deadline(), self.meter)
            self.assertEqual(set(listing.snapshots), set())
            self.assertIn(listing.locks, (None, frozenset()))
            self.assertIs(listing.locks_error, None)
            for path in (f"snapshots/{'a' * 64}", f"locks/{'b' * 64}"):
                self.put(path, b"")
                self.remove(path)

    async def test_missing(self) -> None:
        """Without a repository, each call fails as ``not_found``; no result is empty."""
        self.meter = Meter()
        for call in self._calls(self.make_backend()):
            await self._assert_fails(call(self._deadline()), Reason.NOT_FOUND)

    async def test_foreign_names(self) -> None:
        """Names that are not 64 hex digits in lower case are ignored, in each folder."""
        foreign = ("1" * 63, "1" * 65, "A" * 64, "g" * 64, f"{'1' * 64}-tmp-123", "x", "ü" * 32)
        backend = self._repository(
            *(f"{folder}/{one}" for folder in ("snapshots", "locks", "keys") for one in foreign),
            f"snapshots/{'a' * 64}",
            f"locks/{'b' * 64}",
        )
        listing = await backend.list(self._deadline(), self.meter)
        self.assertEqual(set(listing.snapshots), {"a" * 64})
        self.assertIn(listing.locks, (None, {"b" * 64}))
        keys = await backend.list_keys(self._deadline(), self.meter)
        self.assertEqual(keys, {file_name(b"key")})
        self.assertIn(listing.keys, (None, keys))

    async def test_list_keys(self) -> None:
        """The keys are the current ones."""
        backend = self._repository()
        other = file_name(b"another key")
        self.put(f"keys/{other}", b"another key")
        keys = await backend.list_keys(self._deadline(), self.meter)
        self.assertEqual(keys, {file_name(b"key"), other})
        self.remove(f"keys/{other}")
        keys = await backend.list_keys(self._deadline(), self.meter)
        self.assertEqual(keys, {file_name(b"key")})

    async def test_load(self) -> None:
        """A file is loaded completely, also an empty one, and one as large as the limit."""
        backend = self._repository()
        for folder, content in (("keys", b"key"), ("snapshots", CONTENT), ("snapshots", b"")):
            path = f"{folder}/{file_name(content)}"
            self.put(path, content)
            self.assertEqual(await self._load(backend, path, len(content)), content)
        self.put(f"locks/{'a' * 64}", CONTENT)
        self.assertEqual(await self._load(backend, f"locks/{'a' * 64}"), CONTENT)
        self.assertEqual(await self._load(backend, "config", 6), b"config")

    async def test_load_missing(self) -> None:
        """A missing file is ``not_found``, with or without its folder."""
        backend = self._repository(f"locks/{'b' * 64}")
        for folder in ("snapshots", "keys", "locks"):
            await self._assert_fails(self._load(backend, f"{folder}/{'a' * 64}"), Reason.NOT_FOUND)

    async def test_load_too_large(self) -> None:
        """A file larger than the limit is ``too_large``."""
        backend = self._repository()
        path = f"snapshots/{file_name(CONTENT)}"
        self.put(path, CONTENT)
        for limit in (0, 1, len(CONTENT) - 1):
            await self._assert_fails(self._load(backend, path, limit), Reason.TOO_LARGE)
        await self._assert_fails(self._load(backend, "config", 5), Reason.TOO_LARGE)

    async def test_load_altered(self) -> None:
        """A file whose content does not match its name is ``protocol``; its bytes are counted."""
        backend, size = self._repository(), 0
        for folder in ("snapshots", "keys"):
            path = f"{folder}/{file_name(CONTENT)}"
            for content in (CONTENT[:-1], CONTENT + b"\n", b"", CONTENT[:-1] + b"x"):
                self.put(path, content)
                await self._assert_fails(self._load(backend, path), Reason.PROTOCOL)
                size += len(content)
        self.assertEqual(self.meter.received_bytes["load"], size)

    async def test_concurrent_loads(self) -> None:
        """As many parallel loads as it allows succeed."""
        backend = self._repository()
        contents = [b"%d" % number * 1000 for number in range(backend.concurrent_loads)]
        for content in contents:
            self.put(f"snapshots/{file_name(content)}", content)
        loads = [
            Deferred.fromCoroutine(self._load(backend, f"snapshots/{file_name(content)}"))
            for content in contents
        ]
        self.assertEqual(await gatherResults(loads, consumeErrors=True), contents)

    async def test_meter(self) -> None:
        """Each listing and load counts at least one request; loads count the bytes."""
        backend = self._repository(f"snapshots/{'a' * 64}")
        await backend.list(self._deadline(), self.meter)
        listed = self.meter.requests.get("list", 0)
        self.assertGreaterEqual(listed, 1)
        self.assertNotIn("load", self.meter.requests)
        await backend.list_keys(self._deadline(), self.meter)
        self.assertGreater(self.meter.requests["list"], listed)
        await self._load(backend, "config")
        await self._load(backend, f"keys/{file_name(b'key')}")
        self.assertEqual(self.meter.requests["load"], 2)
        self.assertEqual(self.meter.received_bytes["load"], len(b"config") + len(b"key"))

    async def test_measure(self) -> None:
        """If it is an `IMeasurable`, it counts the packs, and nothing else, with their sizes."""
        backend: Any = self._repository(f"snapshots/{'a' * 64}", f"data/ab/{'ab' * 32}-tmp-123")
        if not IMeasurable.providedBy(backend):
            return
        verifyObject(IMeasurable, backend)
        self.assertEqual(await backend.measure(self._deadline(), self.meter), Size(0, 0))
        requests = self.meter.requests["list"]
        sizes = {"00" * 32: 1000, "ab" * 32: 1, "abcd" * 16: len(CONTENT), "ff" * 32: 0}
        for name, size in sizes.items():
            self.put(f"data/{name[:2]}/{name}", CONTENT[:size])
        expected = Size(sum(sizes.values()), len(sizes))
        self.assertEqual(await backend.measure(self._deadline(), self.meter), expected)
        self.assertGreater(self.meter.requests["list"], requests)
        self.assertNotIn("load", self.meter.requests)

    async def test_deadline(self) -> None:
        """A call that exceeds its deadline is ``timeout`` and leaves no timer."""
        backend = self._repository()
        await backend.list(self._deadline(), self.meter)
        self.hold()
        for call in self._calls(backend):
            clock = Clock()
            work: Deferred[Any] = _started(call(Deadline.after(clock, 5)))
            self.assertNoResult(work)
            clock.advance(5)
            await self._assert_fails(work, Reason.TIMEOUT)
            self.assertEqual(clock.getDelayedCalls(), [])
            await self.settle()

    async def test_cancelled(self) -> None:
        """A cancelled call ends at once, leaves no timer, and does not affect later calls."""
        backend = self._repository()
        await backend.list(self._deadline(), self.meter)
        self.hold()
        for call in self._calls(backend):
            clock = Clock()
            work: Deferred[Any] = _started(call(Deadline.after(clock, 5)))
            self.assertNoResult(work)
            work.cancel()
            self.failureResultOf(work, CancelledError)
            self.assertEqual(clock.getDelayedCalls(), [])
            await self.settle()


def _started(call: Awaitable[Any]) -> "Deferred[Any]":
    """Start ``call``, which is an ``async def`` or a Deferred."""

    async def wait() -> Any:
        return await call

    return Deferred.fromCoroutine(wait())
