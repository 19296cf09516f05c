"""Decrypted files to JSON values, within limits."""

import sys
from collections.abc import Iterator
from typing import Any

from ...restic_format.json_members import decoder

if sys.version_info >= (3, 14):
    from compression.zstd import DecompressionParameter, ZstdDecompressor, ZstdError
else:
    from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError

# The first byte of a zstd-compressed file in a version 2 repository.
_COMPRESSED = 2

# Limits the decoder's memory, which the file sets. restic's frames need at most 8 MiB.
_WINDOW = {int(DecompressionParameter.window_log_max): 24}

# restic writes one frame. Each further one costs a copy of the rest.
_FRAMES = 16

# Bytes decompressed at a time.
_PIECE = 2**16

# The library has one type of error for everything.
_OVER_WINDOW = "too much memory"


class TooLargeError(ValueError):
    """The content has more bytes than allowed."""


class UnknownEncodingError(ValueError):
    """The content is neither plain JSON nor compressed the way restic does it."""


def unpack(content: bytes, limit: int) -> bytes:
    """Return the JSON text of a decrypted file; see `unpack_in_pieces`."""
    return b"".join(unpack_in_pieces(content, limit))


def unpack_in_pieces(content: bytes, limit: int) -> Iterator[bytes]:
    """
    Yield the JSON text of a decrypted file, decompressed if needed.

    Version 1 has no compression, but an upgraded repository contains both kinds of files.

    :raises TooLargeError: it has more than ``limit`` bytes.
    :raises UnknownEncodingError: it cannot be decompressed.
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
    Parse a JSON text, to the same values as `restic_reporter.restic_format.json_array`.

    :raises ValueError: it is not JSON, or nested too deeply.
    """
    try:
        # Keep bytes that are not UTF-8, so that names that differ only there stay distinct.
        return decoder.decode(text.decode("utf-8", "surrogateescape"))
    except RecursionError:
        raise ValueError("values nested too deeply") from None
