"""Repositories in the newest of several copies of a folder: ``snapdir:COPIES:PATH``."""

import os
from collections.abc import Callable
from itertools import islice
from typing import TypeVar

from attrs import frozen
from zope.interface import implementer

from restic_reporter.concurrency.daemon_threads import BusyError, KeyedThreads
from restic_reporter.concurrency.deadline import Deadline, within
from restic_reporter.interfaces import BackendTools, IBackend
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.repository import Repository
from restic_reporter.model.settings import BackendSettings, OwnKeys
from restic_reporter.model.snapshots import Listing, Meter
from restic_reporter.redaction.secret import Secret
from restic_reporter.restic_format.file_hash import check_content
from restic_reporter.restic_format.file_names import is_file_name

T = TypeVar("T")

# More than any repository has. Without a limit a folder could fill the daemon's memory.
MAX_NAMES = 200_000


@frozen(kw_only=True)
class Settings(BackendSettings):
    """The folder of the copies, the repository's path in each, and the prefix of their names."""

    copies: str
    path: str
    prefix: str


def configure(own: OwnKeys) -> Settings | None:
    """The settings of one entry."""
    _, copies, path = (*own.repo.split(":", 2), "", "")[:3]
    if not copies.startswith("/") or not path or path.startswith("/"):
        own.problem("repo", "must look like snapdir:/folder/of/copies:path/of/repository")
        return None
    return Settings(copies=copies, path=path, prefix=own.values.get("snapdir_prefix", ""))


@implementer(IBackend)
@frozen
class Backend:
    """The repository at ``path`` within the newest of the folders in ``copies``."""

    copies: str
    path: str
    prefix: str
    threads: KeyedThreads
    concurrent_loads: int = 1

    @classmethod
    def make(cls, repository: Repository, tools: BackendTools) -> "Backend":
        """The backend for ``repository``, whose scheme is ``snapdir``."""
        settings = repository.settings
        assert isinstance(settings, Settings)
        return cls(settings.copies, settings.path, settings.prefix, tools.threads)

    async def list(self, deadline: Deadline, meter: Meter) -> Listing:
        """What the newest copy holds."""
        meter.count_request("list")
        look = self._in_thread(list_newest, self.copies, self.path, self.prefix)
        return await within(deadline, look, f"listing {self.copies!r}")

    async def list_keys(self, deadline: Deadline, meter: Meter) -> frozenset[str]:
        """The keys in the newest copy."""
        return (await self.list(deadline, meter)).keys or frozenset()

    async def load(self, path: str, limit: int, deadline: Deadline, meter: Meter) -> bytes:
        """One file of the newest copy."""
        meter.count_request("load")
        look = self._in_thread(load_newest, self.copies, self.path, self.prefix, path, limit)
        content = await within(deadline, look, f"loading {path}")
        meter.count_bytes("load", len(content))
        return check_content(path, content)

    async def _in_thread(self, function: Callable[..., T], *arguments: object) -> T:
        try:
            return await self.threads.run((self.copies, self.path), function, *arguments)
        except BusyError:
            problem = f"an earlier look into {self.copies!r} still hangs"
            raise ReadError(Reason.TIMEOUT, problem) from None
        except PermissionError as error:
            raise ReadError(Reason.AUTH, f"{error.filename!r}: {error.strerror}") from None
        except FileNotFoundError as error:
            raise ReadError(Reason.NOT_FOUND, f"{error.filename!r}: {error.strerror}") from None
        except OSError as error:
            raise ReadError(Reason.UNAVAILABLE, f"{error.filename!r}: {error.strerror}") from None


def newest(copies: str, path: str, prefix: str) -> str:
    """The folder of the repository in the last copy, by name, that has one."""
    named = [copy for copy in names_in(copies) if copy.startswith(prefix)]
    for copy in sorted(named, reverse=True):
        folder = os.path.join(copies, copy, path)
        try:
            os.stat(os.path.join(folder, "config"))
        except (FileNotFoundError, NotADirectoryError):
            continue
        return folder
    raise ReadError(Reason.NOT_FOUND, f"no copy in {copies!r} has a repository at {path!r}")


def list_newest(copies: str, path: str, prefix: str) -> Listing:
    """What the newest copy holds, and where it is; blocks."""
    folder = newest(copies, path, prefix)
    return Listing(
        snapshots=files_in(f"{folder}/snapshots"),
        locks=files_in(f"{folder}/locks"),
        keys=files_in(f"{folder}/keys"),
        location=Secret(f"local:{folder}"),
    )


def load_newest(copies: str, path: str, prefix: str, name: str, limit: int) -> bytes:
    """A file of the newest copy; blocks."""
    with open(os.path.join(newest(copies, path, prefix), name), "rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ReadError(Reason.TOO_LARGE, f"{name}: more than {limit} bytes")
    return content


def files_in(folder: str) -> frozenset[str]:
    """The names in ``folder`` that restic gives; a folder that is not there counts as empty."""
    try:
        return frozenset(filter(is_file_name, names_in(folder)))
    except FileNotFoundError:
        return frozenset()


def names_in(folder: str) -> list[str]:
    """All names in ``folder``."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in islice(entries, MAX_NAMES + 1)]
    if len(names) > MAX_NAMES:
        raise ReadError(Reason.TOO_LARGE, f"{folder!r}: more than {MAX_NAMES} names")
    return names
