"""Lists a folder and reads a file, with several requests under way for slow lines."""

import stat
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from attrs import define, field, frozen
from twisted.conch.ssh.filetransfer import FXF_READ
from twisted.internet.defer import Deferred

from ...model.errors import ReadError, Reason
from ...restic_format.file_names import is_file_name
from .protocol import Attributes, EndOfFileError, Names, SFTPClient, StatusError

T = TypeVar("T")

# About as many as in the longest listing allowed from a REST server.
NAMES_LIMIT = 200_000

# Requests sent before the first of them is answered, doubled with each answer.
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
    """The file names in a folder; ``times`` are those when they were stored, if all are known."""

    names: frozenset[str]
    times: tuple[float, ...] | None
    size: int


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


async def list_folder(client: SFTPClient, path: str, limit: int = NAMES_LIMIT) -> Folder:
    """
    Return the names of 64 hex digits in the folder ``path``.

    :raises ReadError: ``not_found`` if it is missing, ``too_large`` if it has more than
        ``limit`` names of any kind.
    """
    times: dict[str, int | None] = {}
    count = size = 0
    with explained(path):
        folder = await _opened(client.openDirectory(encoded(path)))
        ahead, at_end = _Ahead(), False
        try:
            while True:
                while not at_end and ahead.has_room:
                    ahead.add(folder.read())
                if not ahead.waiting:
                    break
                try:
                    part = _expect(await ahead.next(), Names)
                except EndOfFileError:
                    at_end = True
                    continue
                size += part.size
                count += len(part.entries)
                if count > limit:
                    raise _too_large(path, limit, "names")
                if not part.entries:
                    raise ReadError(Reason.PROTOCOL, f"SFTP: {path!r}: answer without names")
                for encoded_name, attributes in part.entries:
                    name = encoded_name.decode("ascii", "replace")
                    if is_file_name(name) and not stat.S_ISDIR(attributes.permissions or 0):
                        times[name] = attributes.mtime
        finally:
            ahead.forget()
            _ignore(folder.close())
    known = tuple(sorted(float(time) for time in times.values() if time is not None))
    return Folder(frozenset(times), known if len(known) == len(times) else None, size)


async def read_file(client: SFTPClient, path: str, limit: int) -> bytes:
    """
    Return the content of the file ``path``.

    :raises ReadError: ``not_found`` if it is missing, ``too_large`` if it has more than
        ``limit`` bytes.
    """
    content = bytearray()
    with explained(path):
        file = await _opened(client.openFile(encoded(path), FXF_READ, {}))
        ahead = _Ahead()
        asked: deque[tuple[int, int]] = deque()
        position, at_end = 0, False

        def ask() -> None:
            nonlocal position
            length = min(_CHUNK, end - position)
            ahead.add(file.readChunk(position, length))
            asked.append((position, length))
            position += length

        try:
            end = limit + 1
            attributes = file.getAttrs()
            ask()
            size = _expect(await attributes, Attributes).size
            if size is not None:
                end = min(end, size)
                if size > limit:
                    raise _too_large(path, limit, "bytes")
            while True:
                while not at_end and ahead.has_room and position < end:
                    ask()
                if not ahead.waiting:
                    break
                offset, length = asked.popleft()
                try:
                    part = _expect(await ahead.next(), bytes)
                except EndOfFileError:
                    part = b""
                if len(part) > length:
                    raise ReadError(Reason.PROTOCOL, f"SFTP: {path!r}: answer is too long")
                if offset != len(content):
                    # After a short answer, what was asked ahead does not follow any more.
                    continue
                content += part
                if len(content) > limit:
                    raise _too_large(path, limit, "bytes")
                at_end = not part
                if len(part) < length:
                    position = len(content)
        finally:
            ahead.forget()
            _ignore(file.close())
    return bytes(content)


def encoded(path: str) -> bytes:
    """Encode ``path`` in UTF-8, as restic does."""
    return path.encode("utf-8", "surrogateescape")


def _too_large(path: str, limit: int, what: str) -> ReadError:
    return ReadError(Reason.TOO_LARGE, f"SFTP: {path!r}: more than {limit} {what}")


def _expect(answer: object, kind: type[T]) -> T:
    if not isinstance(answer, kind):
        raise ReadError(Reason.PROTOCOL, "SFTP: the server has answered another question")
    return answer


@define
class _Ahead:
    """Requests under way, in order."""

    waiting: "deque[Deferred[Any]]" = field(factory=deque)
    _most: int = _FIRST_AHEAD

    @property
    def has_room(self) -> bool:
        """Whether one more may be sent."""
        return len(self.waiting) < self._most

    def add(self, request: "Deferred[Any]") -> None:
        """Add one that was sent."""
        self.waiting.append(request)

    def next(self) -> "Deferred[Any]":
        """Return the answer of the oldest."""
        self._most = min(2 * self._most, _MOST_AHEAD)
        return self.waiting.popleft()

    def forget(self) -> None:
        """Ignore the answers of the rest."""
        for request in self.waiting:
            _ignore(request)


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
            _ignore(outcome.close())

    opening.addBoth(arrive)
    return await waiting


def _ignore(request: "Deferred[Any]") -> None:
    request.addErrback(lambda _: None)
