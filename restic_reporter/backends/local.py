"""Repositories in folders of this machine, network mounts included."""

import errno
import os
import stat
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import TypeVar

from attrs import evolve, frozen
from zope.interface import implementer

from ..concurrency.daemon_threads import BusyError, KeyedThreads
from ..concurrency.deadline import Deadline, within
from ..interfaces import BackendTools, IBackend, IMeasurable
from ..model.errors import ReadError, Reason
from ..model.repository import Repository
from ..model.snapshots import Listing, Meter
from ..model.upkeep import Size
from ..restic_format.file_hash import check_content
from ..restic_format.file_names import is_file_name
from .pack_sum import PACK_FOLDERS, PackSum

T = TypeVar("T")

# About as many as in the longest listing allowed from a REST server.
NAMES_LIMIT = 170_000

# Seconds for one of the 256 folders with packs.
_FOLDER_TIMEOUT = 300.0

# Any other error counts as `Reason.NETWORK`: mounts fail with EIO, ESTALE or ENOTCONN when
# their server is unreachable.
_REASONS = {
    errno.EACCES: Reason.AUTH,
    errno.EPERM: Reason.AUTH,
    errno.ENOENT: Reason.NOT_FOUND,
    errno.ENOTDIR: Reason.NOT_FOUND,
    errno.ELOOP: Reason.NOT_FOUND,
    errno.ENAMETOOLONG: Reason.NOT_FOUND,
    errno.ETIMEDOUT: Reason.TIMEOUT,
}


def look_at(root: str, limit: int = NAMES_LIMIT) -> Listing:
    """
    List the repository at ``root``; may block for ever.

    :raises ReadError: it cannot be listed, or a folder has more than ``limit`` names.
    """
    config = _look_at_config(root)
    empty: frozenset[str] = frozenset()
    snapshots = _names(os.path.join(root, "snapshots"), limit)
    key_times, lock_times = dict[str, float](), dict[str, float]()
    keys = _names(os.path.join(root, "keys"), limit, key_times)
    locks, locks_error = None, None
    try:
        locks = _names(os.path.join(root, "locks"), limit, lock_times)
    except ReadError as error:
        locks_error = error
    if snapshots is None or locks is None or keys is None:
        # It may just have been unmounted.
        config = _look_at_config(root)
    if locks is None and locks_error is None:
        locks = empty
    return Listing(
        snapshots or empty,
        locks,
        keys or empty,
        config=config,
        locks_error=locks_error,
        lock_times=None if locks_error else tuple(sorted(lock_times.values())),
        key_times=key_times,
    )


def times_of(root: str, names: Collection[str]) -> dict[str, float]:
    """Return when these snapshots were written, in Unix seconds; may block for ever."""
    times = {}
    for name in names:
        # It may have vanished.
        with suppress(OSError):
            times[name] = os.stat(_encoded(os.path.join(root, "snapshots", name))).st_mtime
    return times


def packs_in(root: str, folder: str) -> PackSum:
    """
    Sum up the packs in a ``folder`` of the repository at ``root``; may block for ever.

    :raises ReadError: it cannot be listed.
    """
    packs, path = PackSum(), os.path.join(root, folder)
    try:
        with os.scandir(_encoded(path)) as entries:
            for entry in entries:
                # It may vanish meanwhile.
                with suppress(FileNotFoundError):
                    packs.add(entry.name.decode("ascii", "replace"), entry.stat().st_size)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _explained(path, error) from None
    return packs


def read_file(root: str, path: str, limit: int) -> bytes:
    """
    Read the file ``path`` of the repository at ``root``; may block for ever.

    :raises ReadError: it cannot be read, or has more than ``limit`` bytes.
    """
    whole = os.path.join(root, path)
    try:
        # Do not wait for a FIFO in its place.
        descriptor = os.open(_encoded(whole), os.O_RDONLY | os.O_NONBLOCK)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ReadError(Reason.PROTOCOL, f"{whole!r}: not a regular file")
            with open(descriptor, "rb", closefd=False) as file:
                # The file may grow meanwhile.
                content = b"" if status.st_size > limit else file.read(limit + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _explained(whole, error) from None
    if max(status.st_size, len(content)) > limit:
        raise ReadError(Reason.TOO_LARGE, f"{whole!r}: more than {limit} bytes")
    return content


def _look_at_config(root: str) -> tuple[int, ...]:
    """Fail if there is no config file; return a value that changes with it."""
    path = os.path.join(root, "config")
    try:
        status = os.stat(_encoded(path))
    except OSError as error:
        raise _explained(path, error) from None
    return status.st_size, status.st_mtime_ns, status.st_ino


def _names(path: str, limit: int, times: dict[str, float] | None = None) -> frozenset[str] | None:
    """
    Return restic's file names in a folder, ``None`` if the folder is missing.

    ``times`` gets when they were last written.
    """
    names = set()
    try:
        with os.scandir(_encoded(path)) as entries:
            for number, entry in enumerate(entries):
                if number >= limit:
                    raise ReadError(Reason.TOO_LARGE, f"{path!r}: more than {limit} names")
                name = entry.name.decode("ascii", "replace")
                if is_file_name(name) and not _is_folder(entry):
                    names.add(name)
                    if times is not None:
                        # It may vanish meanwhile.
                        with suppress(OSError):
                            times[name] = entry.stat().st_mtime
    except FileNotFoundError as error:
        if os.path.islink(_encoded(path)):
            raise _explained(path, error) from None
        return None
    except NotADirectoryError:
        raise ReadError(Reason.PROTOCOL, f"{path!r}: not a folder") from None
    except OSError as error:
        raise _explained(path, error) from None
    return frozenset(names)


def _is_folder(entry: os.DirEntry[bytes]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # The name exists; the reader finds out whether the file can be read.
        return False


def _encoded(path: str) -> bytes:
    """Encode ``path`` in UTF-8, as restic does, independent of the daemon's locale."""
    return path.encode("utf-8", "surrogateescape")


def _explained(path: str, error: OSError) -> ReadError:
    reason = _REASONS.get(error.errno or 0, Reason.NETWORK)
    return ReadError(reason, f"{path!r}: {error.strerror or type(error).__name__}")


@implementer(IBackend, IMeasurable)
@frozen
class LocalBackend:
    """
    The repository at the absolute path ``root``.

    ``label`` separates its calls in ``threads`` from those of all others, also of another
    entry with the same path. ``look`` and ``read`` run in these threads.
    """

    root: str
    label: str
    threads: KeyedThreads
    look: Callable[[str], Listing] = look_at
    read: Callable[[str, str, int], bytes] = read_file
    # One thread for each repository, even if many hang.
    concurrent_loads: int = 1

    @classmethod
    def make(cls, repository: Repository, tools: BackendTools) -> "LocalBackend":
        """Return the backend for ``repository``, whose scheme is ``local``."""
        path = repository.location.reveal().removeprefix("local:")
        # Like restic, resolve ".." in the text, not through symlinks.
        return cls(os.path.normpath(path), repository.url, tools.threads)

    async def list(self, deadline: Deadline, meter: Meter) -> Listing:
        """List the names in ``snapshots/``, ``locks/`` and ``keys/``."""
        meter.count_request("list")
        listing = await self._call(deadline, self.look, self.root)

        async def stored_times(names: Collection[str]) -> Mapping[str, float]:
            return await self._call(deadline, times_of, self.root, names)

        return evolve(listing, stored_times=stored_times)

    async def list_keys(self, deadline: Deadline, meter: Meter) -> frozenset[str]:
        """List the names in ``keys/``."""
        return (await self.list(deadline, meter)).keys or frozenset()

    async def load(self, path: str, limit: int, deadline: Deadline, meter: Meter) -> bytes:
        """Load one file of the repository."""
        meter.count_request("load")
        content = await self._call(deadline, self.read, self.root, path, limit)
        meter.count_bytes("load", len(content))
        return check_content(path, content)

    async def measure(self, deadline: Deadline, meter: Meter) -> Size:
        """Sum up the packs, folder by folder."""
        # With threads of its own, as a read of the snapshots may be running.
        other, packs = evolve(self, label=f"{self.label}\0packs"), PackSum()
        for folder in PACK_FOLDERS:
            meter.count_request("list")
            # Others wait, so a dead mount must not use up all the time.
            limit = deadline.sooner(_FOLDER_TIMEOUT)
            found = await other._call(limit, packs_in, self.root, folder)
            packs.bytes += found.bytes
            packs.packs += found.packs
        if not packs.packs:
            await other._call(deadline, _look_at_config, self.root)
        return packs.size()

    async def _call(self, deadline: Deadline, function: Callable[..., T], *arguments: object) -> T:
        async def in_thread() -> T:
            try:
                result = self.threads.run((type(self), self.label), function, *arguments)
            except BusyError:
                message = f"an earlier read of {self.root!r} still hangs"
                raise ReadError(Reason.TIMEOUT, message) from None
            except RuntimeError as error:
                raise ReadError(Reason.NETWORK, f"{self.root!r}: {error}") from None
            return await result

        return await within(deadline, in_thread(), f"reading {self.root!r}")
