"""Reads when the locks of a repository were made."""

import heapq

from attrs import define, field
from twisted.logger import Logger

from ...model.errors import ReadError, Reason
from ...restic_format.snapshot_json import parse_time
from .compression import parse, unpack
from .downloads import RepositoryFiles
from .encryption import Decryptor

_MAX_LOADS = 100
_MAX_KNOWN = 1000
_LIMIT = 2**16


@define
class KnownLocks:
    """Times (Unix seconds) of locks read before, by name; ``None`` for unreadable ones."""

    _log = Logger()

    times: dict[str, float | None] = field(factory=dict)

    def unread(self, listed: frozenset[str]) -> list[str]:
        """Forget locks that are not ``listed`` any more; return the names to read now."""
        for name in self.times.keys() - listed:
            del self.times[name]
        if len(self.times) >= _MAX_KNOWN:
            return []
        return heapq.nsmallest(_MAX_LOADS, listed - self.times.keys())

    async def read(self, names: list[str], files: RepositoryFiles, key: bytes) -> None:
        """Read some locks with the master ``key``; ignore unreadable ones."""
        decryptor = Decryptor(key)
        for name in names:
            try:
                content = await files.load(f"locks/{name}", _LIMIT)
                self.times[name] = _time(parse(unpack(decryptor.open(content), _LIMIT)))
            except (ReadError, ValueError) as error:
                # It may just have been released; an unreachable server fails the snapshots.
                if isinstance(error, ReadError) and error.reason is Reason.NOT_FOUND:
                    continue
                self._log.debug("cannot read lock {name}: {why}", name=name[:16], why=str(error))
                if isinstance(error, ValueError):
                    self.times[name] = None

    def known(self) -> tuple[float, ...]:
        """Return when the readable locks were made."""
        return tuple(sorted(time for time in self.times.values() if time is not None))


def _time(lock: object) -> float:
    time = lock.get("time") if isinstance(lock, dict) else None
    if not isinstance(time, str):
        raise ValueError("no time in it")
    return parse_time(time)
