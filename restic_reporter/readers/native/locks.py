"""Reads when and by whom the locks of a repository were made."""

import heapq

from attrs import define, field
from twisted.logger import Logger

from ...model.errors import ReadError, Reason
from ...model.labels import sanitise
from ...model.snapshots import Lock
from ...restic_format.snapshot_json import parse_time
from .compression import parse, unpack
from .downloads import RepositoryFiles
from .encryption import Decryptor

_MAX_LOADS = 100
_MAX_KNOWN = 1000
_LIMIT = 2**16

# Process numbers of Linux end at 2**22, those of Windows at 2**32.
_MAX_PROCESS = 2**32


@define
class KnownLocks:
    """Locks read before, by name; ``None`` for unreadable ones."""

    _log = Logger()

    _locks: dict[str, Lock | None] = field(factory=dict)

    def unread(self, listed: frozenset[str]) -> list[str]:
        """Forget locks that are not ``listed`` any more; return the names to read now."""
        for name in self._locks.keys() - listed:
            del self._locks[name]
        if len(self._locks) >= _MAX_KNOWN:
            return []
        return heapq.nsmallest(_MAX_LOADS, listed - self._locks.keys())

    async def read(self, names: list[str], files: RepositoryFiles, key: bytes) -> None:
        """Read some locks with the master ``key``; ignore unreadable ones."""
        decryptor = Decryptor(key)
        for name in names:
            try:
                content = await files.load(f"locks/{name}", _LIMIT)
                self._locks[name] = _lock(parse(unpack(decryptor.open(content), _LIMIT)))
            except (ReadError, ValueError) as error:
                # It may just have been released; an unreachable server fails the snapshots.
                if isinstance(error, ReadError) and error.reason is Reason.NOT_FOUND:
                    continue
                self._log.debug("cannot read lock {name}: {why}", name=name[:16], why=str(error))
                if isinstance(error, ValueError):
                    self._locks[name] = None

    def known(self) -> tuple[Lock, ...]:
        """Return the readable locks, the oldest first."""
        readable = (lock for lock in self._locks.values() if lock is not None)
        return tuple(sorted(readable, key=lambda lock: lock.time))


def _lock(value: object) -> Lock:
    if not isinstance(value, dict) or not isinstance(value.get("time"), str):
        raise ValueError("no time in it")
    host, user, process = (value.get(name) for name in ("hostname", "username", "pid"))
    return Lock(
        parse_time(value["time"]),
        sanitise(host) if isinstance(host, str) else "",
        sanitise(user) if isinstance(user, str) else "",
        process if type(process) is int and 0 < process < _MAX_PROCESS else 0,
        value.get("exclusive") is True,
    )
