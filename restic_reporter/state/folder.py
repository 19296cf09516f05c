"""The folder of the state: made, locked, and what is damaged in it set aside."""

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from attrs import define

DATABASE = "state.db"
_LOCK = "lock"

# SQLite's own files beside the database.
_COMPANIONS = ("-wal", "-shm")


class HeldError(Exception):
    """Another process uses the folder; the message names it."""


@define(eq=False)
class StateFolder:
    """
    The folder at ``path``.

    It belongs to one process at a time; the lock ends with the process, however it ends.
    """

    path: Path
    _lock: int | None = None

    @property
    def database(self) -> Path:
        """Return the path of the database."""
        return self.path / DATABASE

    def take(self, uid: int | None = None, gid: int | None = None) -> None:
        """
        Make the folder, readable for its owner alone, and lock it.

        ``uid`` and ``gid`` are those that the process will change to.

        :raises HeldError: another process has locked it.
        :raises OSError: it cannot be made or written.
        """
        if self._lock is not None:
            return
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._close_to_others()
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        lock = os.open(self.path / _LOCK, flags, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(lock, 20).decode("ascii", "replace").strip()
            os.close(lock)
            by = f" (process {holder})" if holder else ""
            raise HeldError(
                f"{str(self.path)!r} is in use by another restic-reporter{by}"
            ) from None
        except OSError:
            os.close(lock)
            raise
        self._lock = lock
        if uid is not None or gid is not None:
            for place in (self.path, lock):
                os.chown(place, -1 if uid is None else uid, -1 if gid is None else gid)
        self.note_holder()

    def note_holder(self) -> None:
        """Write this process's number into the lock, for people; again after a fork."""
        if self._lock is not None:
            # On a full disk it stays empty.
            with suppress(OSError):
                os.ftruncate(self._lock, 0)
                os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Unlock it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _close_to_others(self) -> None:
        """Make the folder private, unless it has other files in it, whose readers need it."""
        if self.path.stat().st_mode & 0o077 and all(map(_is_ours, os.listdir(self.path))):
            # A volume of Kubernetes belongs to root, and is writable for the daemon's group. The
            # files in it are private all the same.
            with suppress(PermissionError):
                self.path.chmod(0o700)

    def create_database(self) -> None:
        """Create the database's file, if there is none, for its owner alone."""
        os.close(os.open(self.database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def set_aside(self, why: str) -> str:
        """Rename the database and its companions; return its new name."""
        stamp = time.strftime("%Y%m%dT%H%M%S")
        for number in range(1000):
            name = f"{DATABASE}.{why}-{stamp}" + (f".{number}" if number else "")
            if not os.path.lexists(self.path / name):
                break
        for suffix in ("", *_COMPANIONS):
            with suppress(FileNotFoundError):
                os.rename(f"{self.database}{suffix}", self.path / f"{name}{suffix}")
        return name


def _is_ours(name: str) -> bool:
    return name == _LOCK or name.startswith(DATABASE)
