"""Speaks SFTP version 3: Conch's client, made safe against the server."""

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from attrs import frozen
from twisted.conch.ssh import filetransfer
from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from ...model.errors import ReadError, Reason

# OpenSSH's own limit for a packet, with room for its header.
PACKET_LIMIT = 2**18 + 2**10

# In one packet, as parsing them blocks the reactor. restic's names fill a packet with fewer.
_MOST_NAMES = 4096

_UNSIGNED, _LONG, _TWO = struct.Struct("!L"), struct.Struct("!Q"), struct.Struct("!2L")

_SHOWN = 40


class Attributes(NamedTuple):
    """What a server says about a file; each is ``None`` if it does not say it."""

    size: int | None = None
    permissions: int | None = None
    mtime: int | None = None


@frozen(slots=True)
class Names:
    """A part of a folder, from a packet of ``size`` bytes."""

    entries: list[tuple[bytes, Attributes]]
    size: int


class StatusError(Exception):
    """The server refuses a request, with a ``code`` of SFTP's."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class EndOfFileError(StatusError):
    """There is no more."""


class SFTPClient(filetransfer.FileTransferClient):
    """
    Conch's client, with its faults mended.

    It logs nothing for each packet, limits what it holds, and reads large packets without
    copying their rest for each item. A malformed packet, or one that nobody asked for, ends
    the connection: `dataReceived` raises `ReadError`. So no request waits for ever on a broken
    answer; one without any answer needs a deadline. Requests fail with `StatusError`,
    `EndOfFileError`, or the `ReadError` with which the connection was lost.

    ``ready`` fires when the server has answered the first packet. ``sent`` and ``heard`` are
    called for each request and for each piece from the server.
    """

    def __init__(self, sent: Callable[[], object], heard: Callable[[], object]) -> None:
        super().__init__()
        self.ready: Deferred[None] = Deferred()
        self._sent, self._heard = sent, heard
        self._lost: ReadError | None = None

    @property
    def waits(self) -> bool:
        """Whether a request has not been answered yet."""
        return bool(self.openRequests)

    def dataReceived(self, data: bytes) -> None:
        """Handle the complete packets; raise a `ReadError` for a malformed one."""
        self._heard()
        buffer = self.buf + data
        position = 0
        while len(buffer) - position >= 5:
            length, kind = struct.unpack_from("!LB", buffer, position)
            if not 0 < length <= PACKET_LIMIT:
                raise self._malformed(f"a packet of {length} bytes", buffer[position:])
            end = position + 4 + length
            if len(buffer) < end:
                break
            self._handle(kind, buffer[position + 5 : end])
            position = end
        self.buf = buffer[position:]

    def _handle(self, kind: int, packet: bytes) -> None:
        name = self.packetTypes.get(kind, "")
        known = name in _ANSWERS and (name == "VERSION") != self.ready.called
        if not known:
            raise self._malformed(f"a packet of type {kind}", packet)
        try:
            getattr(self, f"packet_{name}")(packet)
        except (KeyError, struct.error) as error:
            kind_of_error = "an unknown request" if isinstance(error, KeyError) else "no sense"
            raise self._malformed(f"{name} with {kind_of_error}", packet) from None

    def _malformed(self, what: str, data: bytes) -> ReadError:
        if self.ready.called:
            return ReadError(Reason.PROTOCOL, f"SFTP: invalid answer from the server: {what}")
        shown = data[:_SHOWN].decode("ascii", "replace").encode("ascii", "backslashreplace")
        return ReadError(
            Reason.PROTOCOL,
            "SFTP: the login prints something that is not SFTP, which must be silent:"
            f" {shown.decode()!r}",
        )

    def packet_VERSION(self, packet: bytes) -> None:
        """Note that the session has begun."""
        (version,) = _UNSIGNED.unpack_from(packet)
        if version < 3:
            raise ReadError(Reason.PROTOCOL, f"SFTP: version {version} of the server is too old")
        self.ready.callback(None)

    def packet_STATUS(self, packet: bytes) -> None:
        """Answer a request with an error, or with ``None`` for success."""
        (code,) = _UNSIGNED.unpack_from(packet, 4)
        if code == filetransfer.FX_OK:
            self._answer(packet, None)
        elif code == filetransfer.FX_EOF:
            self._answer(packet, Failure(EndOfFileError(code, "")))
        else:
            # Old servers send no message.
            message, _ = _parse_bytes(packet, 8) if len(packet) > 8 else (b"", 0)
            self._answer(packet, Failure(StatusError(code, message.decode("utf-8", "replace"))))

    def packet_HANDLE(self, packet: bytes) -> None:
        """Answer a request with a handle."""
        self._answer(packet, _parse_bytes(packet, 4)[0])

    def packet_DATA(self, packet: bytes) -> None:
        """Answer a request with a part of a file."""
        self._answer(packet, _parse_bytes(packet, 4)[0])

    def packet_NAME(self, packet: bytes) -> None:
        """Answer a request with `Names`."""
        self._answer(packet, Names(_parse_names(packet, 4), len(packet)))

    def packet_ATTRS(self, packet: bytes) -> None:
        """Answer a request with `Attributes`."""
        self._answer(packet, _parse_attributes(packet, 4)[0])

    def _answer(self, packet: bytes, answer: object) -> None:
        (number,) = _UNSIGNED.unpack_from(packet)
        self.openRequests.pop(number).callback(answer)

    def _sendRequest(self, kind: int, data: bytes) -> "Deferred[Any]":
        if self._lost is not None:
            return fail(ReadError(self._lost.reason, self._lost.message))
        self._sent()
        sent: Deferred[Any] = super()._sendRequest(kind, data)
        return sent

    def _cbOpenHandle(self, handle: object, kind: type, name: bytes) -> Any:
        if not isinstance(handle, bytes):
            raise ReadError(Reason.PROTOCOL, "SFTP: the server has opened nothing")
        return super()._cbOpenHandle(handle, kind, name)

    def lose(self, error: ReadError) -> None:
        """Fail all requests, and all that will be made, as the connection is lost."""
        self._lost = error
        # No cycle stays: see `daemon.garbage`.
        self._sent = self._heard = lambda: None
        waiting = list(self.openRequests.values())
        self.openRequests.clear()
        if not self.ready.called:
            waiting.append(self.ready)
        for one in waiting:
            one.errback(Failure(ReadError(error.reason, error.message)))


_ANSWERS = frozenset(("VERSION", "STATUS", "HANDLE", "DATA", "NAME", "ATTRS"))


def _parse_names(packet: bytes, position: int) -> list[tuple[bytes, Attributes]]:
    (count,) = _UNSIGNED.unpack_from(packet, position)
    if count > _MOST_NAMES:
        raise struct.error
    entries, position = [], position + 4
    for _ in range(count):
        name, position = _parse_bytes(packet, position)
        _, position = _parse_bytes(packet, position)
        attributes, position = _parse_attributes(packet, position)
        entries.append((name, attributes))
    return entries


def _parse_bytes(packet: bytes, position: int) -> tuple[bytes, int]:
    (length,) = _UNSIGNED.unpack_from(packet, position)
    end = position + 4 + length
    if end > len(packet):
        raise struct.error
    return packet[position + 4 : end], end


def _parse_attributes(packet: bytes, position: int) -> tuple[Attributes, int]:
    (flags,) = _UNSIGNED.unpack_from(packet, position)
    position += 4
    size = permissions = mtime = None
    if flags & filetransfer.FILEXFER_ATTR_SIZE:
        (size,) = _LONG.unpack_from(packet, position)
        position += 8
    if flags & filetransfer.FILEXFER_ATTR_OWNERGROUP:
        position += 8
    if flags & filetransfer.FILEXFER_ATTR_PERMISSIONS:
        (permissions,) = _UNSIGNED.unpack_from(packet, position)
        position += 4
    if flags & filetransfer.FILEXFER_ATTR_ACMODTIME:
        _, mtime = _TWO.unpack_from(packet, position)
        position += 8
    if flags & filetransfer.FILEXFER_ATTR_EXTENDED:
        (count,) = _UNSIGNED.unpack_from(packet, position)
        position += 4
        for _ in range(2 * count):
            _, position = _parse_bytes(packet, position)
    return Attributes(size, permissions, mtime), position
