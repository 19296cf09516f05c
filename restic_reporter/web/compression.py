"""Compresses pages as gzip, and pages of which little has changed in little time. Pure."""

import struct
import zlib

from attrs import define, field

# The fastest level.
_LEVEL = 1

# What begins a metric family: most families do not change between two scrapes.
_BETWEEN = b"\n# HELP "

_RAW_DEFLATE = -zlib.MAX_WBITS
_HEADER = b"\x1f\x8b\x08" + bytes(5) + b"\x04\xff"
_LAST_BLOCK = b"\x03\x00"


@define
class Compressor:
    """
    Compresses versions of one page.

    Pieces that were in the previous version are not compressed again: each ends with a full
    flush, so that it does not depend on those before. May be used by several threads.
    """

    _kept: dict[tuple[bytes, int, int], bytes] = field(factory=dict, init=False)

    def compress(self, body: bytes) -> bytes:
        """Return ``body`` as gzip."""
        before, kept = self._kept, dict[tuple[bytes, int, int], bytes]()
        parts = [_HEADER]
        between = b""
        for piece in body.split(_BETWEEN):
            # Python's hash is keyed at each start, so pieces cannot be made to collide.
            key = between, len(piece), hash(piece)
            kept[key] = before.get(key) or _compressed(between + piece)
            parts.append(kept[key])
            between = _BETWEEN
        self._kept = kept
        parts += (_LAST_BLOCK, struct.pack("<II", zlib.crc32(body), len(body) & 0xFFFFFFFF))
        return b"".join(parts)


def _compressed(piece: bytes) -> bytes:
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW_DEFLATE)
    return compressor.compress(piece) + compressor.flush(zlib.Z_FULL_FLUSH)
