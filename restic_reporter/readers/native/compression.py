"""Decrypted files to JSON values, within bounds."""

import sys
from collections.abc import Iterator
from typing import Any

from ...restic_format.json_members import decoder

if sys.version_info >= (3, 14):
    from compression.zstd import DecompressionParameter, ZstdDecompressor, ZstdError
else:
    from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError

# How a file of a version 2 repository says that zstd follows.
_COMPRESSED = 2

# The decoder's own memory, which a file may ask for. restic's frames need 8 MiB at most.
_WINDOW = {int(DecompressionParameter.window_log_max): 24}

# restic writes one frame. Each further one costs a copy of what follows it.
_FRAMES = 16

# How much is decompressed at a time.
_PIECE = 2**16

# The library has one kind of error for all.
_OVER_WINDOW = "too much memory"


class TooLargeError(ValueError):
    """The content has more bytes than it may have."""


class UnknownEncodingError(ValueError):
    """The content is neither plain JSON nor compressed as restic does."""


def unpack(content: bytes, limit: int) -> bytes:
    """The JSON text in a decrypted file, as `unpack_in_pieces` gives it."""
    return b"".join(unpack_in_pieces(content, limit))


def unpack_in_pieces(content: bytes, limit: int) -> Iterator[bytes]:
    """
    The JSON text in a decrypted file, decompressed where it needs to be.

    Version 1 knows no compression; but a repository may be upgraded at any time, and what is
    in it then is of both kinds.

    :raises TooLargeError: it has more than ``limit`` bytes.
    :raises UnknownEncodingError: it is compressed and cannot be decompressed.
    """
    if content[:1] != bytes((_COMPRESSED,)):
        if len(content) > limit:
            raise TooLargeError(f"more than {limit} bytes")
        for start in range(0, len(content), _PIECE):
            yield content[start : start + _PIECE]
        return
    length = 0
    for piece in _decompressed(content[1:]):
        length += len(piece)
        if length > limit:
            raise TooLargeError(f"more than {limit} bytes when decompressed")
        yield piece


def _decompressed(data: bytes) -> Iterator[bytes]:
    frames = 0
    try:
        while data:
            frames += 1
            if frames > _FRAMES:
                raise UnknownEncodingError(f"more than {_FRAMES} compressed frames")
            frame = ZstdDecompressor(options=_WINDOW)
            while not frame.eof:
                piece = frame.decompress(data, _PIECE)
                data = b""
                if not piece and frame.needs_input:
                    raise UnknownEncodingError("truncated compressed content")
                yield piece
            data = frame.unused_data
    except ZstdError as error:
        if _OVER_WINDOW in str(error):
            raise TooLargeError("decompression needs too much memory") from None
        raise UnknownEncodingError("cannot decompress the content") from None


def parse(text: bytes) -> Any:
    """
    The value of a JSON text, as `restic_reporter.restic_format.json_array` would give it.

    :raises ValueError: it is not JSON, or too deep to be looked into.
    """
    try:
        # Bytes that are no UTF-8 survive, so that names that differ there alone stay two.
        return decoder.decode(text.decode("utf-8", "surrogateescape"))
    except RecursionError:
        raise ValueError("values nested too deeply") from None
