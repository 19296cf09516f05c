"""Lists a folder and reads a file, with several requests under way for slow lines."""

import stat
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from attrs import frozen
from twisted.conch.ssh.filetransfer import FXF_READ
from twisted.internet.defer import Deferred

from ...model.errors import ReadError, Reason
from ...restic_format.file_names import is_file_name
from .protocol import Attributes, EndOfFileError, Names, SFTPClient, StatusError

T = TypeVar("T")

# About as many as in the longest listing allowed from a REST server.
NAMES_LIMIT = 200_000

# Requests sent before the first of them is answered: at first, and later.
_FIRST_AHEAD, _MOST_AHEAD = 2, 8

# Every server reads that much at once.
_CHUNK = 2**15

_REASONS = {
    2: Reason.NOT_FOUND,
    3: Reason.AUTH,
    4: Reason.UNAVAILABLE,
    6: Reason.NETWORK,
    7: Reason.NETWORK,
}
_MEANINGS = {
    2: "no such file or folder",
    3: "permission denied",
    4: "the server failed",
}

_MESSAGE_LIMIT = 200


@frozen
class Folder:
    """
    The files in a folder, from answers of ``size`` bytes.

    ``times`` are when they were stored, by name, in Unix seconds; ``None`` where the server does
    not say it.
    """

    times: Mapping[str, int | None]
    size: int

    @property
    def names(self) -> frozenset[str]:
        """Return the names."""
        return frozenset(self.times)

    async def times_of(self, names: Collection[str]) -> dict[str, float]:
        """Return when these files were stored, as far as known."""
        times = ((name, self.times.get(name)) for name in names)
        return {name: float(time) for name, time in times if time is not None}


@contextmanager
def explained(path: str) -> Iterator[None]:
    """Turn a server's refusal about ``path`` into a `ReadError`."""
    try:
        yield
    except StatusError as error:
        reason = _REASONS.get(error.code, Reason.PROTOCOL)
        said = _MEANINGS.get(error.code, f"status {error.code}")
        text = " ".join("".join(c if c.isprintable() else " " for c in str(error)).split())
        if error.code not in (2, 3) and text:
            said += f": {text[:_MESSAGE_LIMIT]}"
        raise ReadError(reason, f"SFTP: {path!r}: {said}") from None


async def look_at(client: SFTPClient, path: str) -> Attributes:
    """
    Return the attributes of the file ``path``.

    :raises ReadError: ``not_found`` if it is missing.
    """
    with explained(path):
        attributes = await client.getAttrs(encoded(path), followLinks=1)
        return _expect(attributes, Attributes)


async def list_folder(client: SFTPClient, path: str) -> Folder:
    """
    Return the names of 64 hex digits in the folder ``path``.

    :raises ReadError: ``not_found`` if it is missing, ``too_large`` if it has more than
        `NAMES_LIMIT` names of any kind.
    """
    times: dict[str, int | None] = {}

    def take(name: str, attributes: Attributes) -> None:
        times[name] = attributes.mtime

    return Folder(times, await read_folder(client, path, take))


async def read_folder(
    client: SFTPClient, path: str, take: Callable[[str, Attributes], object]
) -> int:
    """
    Call ``take`` for each name of 64 hex digits in the folder ``path``.

    :return: the bytes of all answers.
    :raises ReadError: as `list_folder`.
    """
    count = size = 0
    with explained(path):
        folder = await _opened(client.openDirectory(encoded(path)))
        ahead, at_end, batch = _FIRST_AHEAD, False, list[Deferred[Any]]()
        try:
            while not at_end:
                batch = [folder.read() for _ in range(ahead)]
                ahead = min(2 * ahead, _MOST_AHEAD)
                for request in batch:
                    try:
                        part = _expect(await request, Names)
                    except EndOfFileError:
                        at_end = True
                        continue
                    size += part.size
                    count += len(part.entries)
                    if count > NAMES_LIMIT:
                        raise _too_large(path, NAMES_LIMIT, "names")
                    if not part.entries:
                        raise ReadError(Reason.PROTOCOL, f"SFTP: {path!r}: answer without names")
                    _take_names(part, take)
        finally:
            _forget(*batch, folder.close())
    return size


def _take_names(part: Names, take: Callable[[str, Attributes], object]) -> None:
    for encoded_name, attributes in part.entries:
        name = encoded_name.decode("ascii", "replace")
        if is_file_name(name) and not stat.S_ISDIR(attributes.permissions or 0):
            take(name, attributes)


async def read_file(client: SFTPClient, path: str, limit: int) -> bytes:
    """
    Return the content of the file ``path``.

    :raises ReadError: ``not_found`` if it is missing, ``too_large`` if it has more than
        ``limit`` bytes.
    """
    content = bytearray()
    with explained(path):
        file = await _opened(client.openFile(encoded(path), FXF_READ, {}))
        end = limit + 1
        batch = [file.readChunk(0, min(_CHUNK, end))]
        ahead, at_end, attributes = _FIRST_AHEAD, False, file.getAttrs()
        try:
            size = _expect(await attributes, Attributes).size
            if size is not None and size > limit:
                raise _too_large(path, limit, "bytes")
            while batch:
                asked = len(content)
                for request in batch:
                    length = min(_CHUNK, end - asked)
                    part = await _part(request)
                    if len(part) > length:
                        raise ReadError(Reason.PROTOCOL, f"SFTP: {path!r}: answer is too long")
                    # After a short answer, the others do not follow.
                    if asked == len(content):
                        content += part
                        at_end = not part
                    asked += length
                if len(content) > limit:
                    raise _too_large(path, limit, "bytes")
                end = end if size is None else size
                starts = range(len(content), 0 if at_end else end, _CHUNK)[:ahead]
                batch = [file.readChunk(start, min(_CHUNK, end - start)) for start in starts]
                ahead = min(2 * ahead, _MOST_AHEAD)
        finally:
            _forget(*batch, attributes, file.close())
    return bytes(content)


async def _part(request: "Deferred[Any]") -> bytes:
    try:
        return _expect(await request, bytes)
    except EndOfFileError:
        return b""


def encoded(path: str) -> bytes:
    """Encode ``path`` in UTF-8, as restic does."""
    return path.encode("utf-8", "surrogateescape")


def _too_large(path: str, limit: int, what: str) -> ReadError:
    return ReadError(Reason.TOO_LARGE, f"SFTP: {path!r}: more than {limit} {what}")


def _expect(answer: object, kind: type[T]) -> T:
    if not isinstance(answer, kind):
        raise ReadError(Reason.PROTOCOL, "SFTP: the server has answered another question")
    return answer


async def _opened(opening: "Deferred[Any]") -> Any:
    """
    Return the opened folder or file.

    When this is cancelled, it is closed as soon as the server has opened it: servers limit
    how many are open.
    """
    waiting: Deferred[Any] = Deferred()

    def arrive(outcome: Any) -> None:
        if not waiting.called:
            waiting.callback(outcome)
        elif hasattr(outcome, "close"):
            _forget(outcome.close())

    opening.addBoth(arrive)
    return await waiting


def _forget(*requests: "Deferred[Any]") -> None:
    """Ignore the answers."""
    for request in requests:
        request.addErrback(lambda _: None)
