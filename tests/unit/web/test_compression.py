"""Tests of `restic_reporter.web.compression`."""

import gzip
import zlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.web.compression import Compressor

FAMILIES = st.lists(
    st.sampled_from([b"a 1", b"b 2\nb 3", b"", b"# HELP", b"\n# HELP c"]), max_size=6
)


def page(families: list[bytes]) -> bytes:
    """A page like that of the metrics."""
    return b"".join(b"# HELP x\n" + one + b"\n" for one in families)


class CompressorTests(SynchronousTestCase):
    """`Compressor`."""

    @given(st.lists(FAMILIES, max_size=4), st.binary())
    def test_any_pages(self, pages: list[list[bytes]], other: bytes) -> None:
        """Each page comes back as it was, whatever came before it."""
        compressor = Compressor()
        for body in (*map(page, pages), other, *map(page, reversed(pages))):
            self.assertEqual(gzip.decompress(compressor.compress(body)), body)

    def test_unchanged_pieces(self) -> None:
        """Only changed families are compressed again, and what is gone is forgotten."""
        compressor, made = Compressor(), list[int]()
        real = zlib.compressobj

        def counted(*arguments: Any) -> object:
            made.append(1)
            return real(*arguments)

        self.patch(zlib, "compressobj", counted)
        for families, new in (
            ([b"a 1", b"b 1", b"c 1"], 3),
            ([b"a 1", b"b 2", b"c 1"], 1),
            ([b"a 1", b"b 2", b"c 1"], 0),
            ([b"c 1"], 1),  # at the beginning now
            ([b"a 1", b"b 2"], 2),
        ):
            made.clear()
            compressor.compress(page(families))
            self.assertEqual(len(made), new, families)

    def test_one_member(self) -> None:
        """It is one member with checksum and length, which every client can read."""
        body = page([b"a 1" * 1000, b"b"])
        stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self.assertEqual(stream.decompress(Compressor().compress(body)), body)
        self.assertTrue(stream.eof)
        self.assertEqual(stream.unused_data, b"")
