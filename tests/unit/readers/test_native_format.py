"""Tests of the pure parts of `restic_reporter.readers.native`: from bytes to snapshots."""

import base64
import json
import os
import sys
import tracemalloc
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.readers.native import compression as unpacking
from restic_reporter.readers.native.compression import (
    TooLargeError,
    UnknownEncodingError,
    parse,
    unpack,
)
from restic_reporter.readers.native.encryption import DecryptionError, Decryptor
from restic_reporter.readers.native.key_file import MEMORY_LIMIT, open_key_file, parse_key_file
from restic_reporter.restic_format.json_members import Ambiguous
from tests.doubles.native_repositories import compressed, key_file, seal

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


KEY = bytes(range(64))


NAME = "ab" * 32


class SealTests(SynchronousTestCase):
    """Encryption and MAC."""

    @given(st.binary(max_size=200), st.binary(min_size=64, max_size=64))
    @settings(max_examples=50, deadline=None)
    def test_opens(self, content: bytes, key: bytes) -> None:
        """What was sealed is opened again, each file by itself."""
        decryptor = Decryptor(key)
        for _ in range(2):
            self.assertEqual(decryptor.open(seal(key, content)), content)

    def test_each_byte(self) -> None:
        """A changed byte, wherever it is, breaks the seal; so does a missing or an added one."""
        sealed = seal(KEY, b"content")
        for place in range(len(sealed)):
            broken = bytearray(sealed)
            broken[place] ^= 1
            self.assertRaises(DecryptionError, Decryptor(KEY).open, bytes(broken))
        for broken_file in (sealed[:-1], sealed + b"x", b"", sealed[:31], bytes(32)):
            self.assertRaises(DecryptionError, Decryptor(KEY).open, broken_file)

    def test_other_key(self) -> None:
        """A key that differs in what the MAC needs opens nothing."""
        sealed = seal(KEY, b"content")
        for place in (32, 63):
            key = bytearray(KEY)
            key[place] ^= 0x08
            self.assertRaises(DecryptionError, Decryptor(bytes(key)).open, sealed)


class UnpackTests(SynchronousTestCase):
    """Compression and its bounds."""

    def test_plain(self) -> None:
        """Text that is not marked as compressed stays as it is."""
        for text in (b"{}", b"[]", b"", b"anything"):
            self.assertEqual(unpack(text, 10), text)
        self.assertRaises(TooLargeError, unpack, b"{" * 11, 10)

    def test_compressed(self) -> None:
        """All frames count, as in restic; nothing at all is nothing."""
        self.assertEqual(unpack(compressed(b'{"a": 1}'), 100), b'{"a": 1}')
        self.assertEqual(unpack(b"\2" + zstd.compress(b"ab") + zstd.compress(b"cd"), 4), b"abcd")
        self.assertEqual(unpack(b"\2", 100), b"")

    def test_limit(self) -> None:
        """The limit holds for all frames together, to the byte."""
        self.assertEqual(len(unpack(compressed(bytes(100)), 100)), 100)
        self.assertRaises(TooLargeError, unpack, compressed(bytes(101)), 100)
        two = b"\2" + 2 * zstd.compress(bytes(51))
        self.assertRaises(TooLargeError, unpack, two, 101)

    def test_garbage(self) -> None:
        """A frame that is cut off, altered, or followed by something else."""
        frame = zstd.compress(os.urandom(100))
        for rest in (frame[:-1], frame[:3], b"\xff" * 20, frame + b"x", b"x" + frame):
            self.assertRaises(UnknownEncodingError, unpack, b"\2" + rest, 1000)

    def test_many_frames(self) -> None:
        """No more frames are looked at than restic could have written, however small they are."""
        frames: list[int] = []

        def counting(**options: Any) -> Any:
            frames.append(1)
            return zstd.ZstdDecompressor(**options)

        self.patch(unpacking, "ZstdDecompressor", counting)
        self.assertRaises(UnknownEncodingError, unpack, b"\2" + zstd.compress(b"") * 400_000, 100)
        self.assertLess(len(frames), 100)

    def bombs(self) -> list[bytes]:
        """Half a gigabyte in a few kilobytes: with its size told, without, and in many frames."""
        chunk = bytes(2**20)
        silent = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 20})
        parts = [silent.compress(chunk) for _ in range(512)] + [silent.flush()]
        return [zstd.compress(bytes(2**29)), b"".join(parts), 512 * zstd.compress(chunk)]

    def test_bombs(self) -> None:
        """A bomb is stopped at the limit, without the memory that it asks for."""
        for bomb in self.bombs():
            tracemalloc.start()
            try:
                self.assertRaises(TooLargeError, unpack, b"\2" + bomb, 2**22)
                _, most = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            self.assertLess(most, 32 * 2**20)

    def test_huge_window(self) -> None:
        """A frame that makes the decoder itself need much memory is too large."""
        compressor = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 27})
        frame = compressor.compress(os.urandom(2**12)) + compressor.flush()
        self.assertRaises(TooLargeError, unpack, b"\2" + frame, 2**22)


class ParseTests(SynchronousTestCase):
    """JSON."""

    def test_hostile(self) -> None:
        """Text that cannot be parsed is a ``ValueError``, whatever Python calls it."""
        for text in (b"", b"{", b"[" * 100_000, b'{"a":' * 100_000, b"1" * 5000, b"nonsense"):
            self.assertRaises(ValueError, parse, text)

    def test_duplicates(self) -> None:
        """An object with a doubled key is marked, at any depth."""
        value = parse(b'{"a": {"b": 1, "b": 2}}')
        self.assertNotIsInstance(value, Ambiguous)
        self.assertIsInstance(value["a"], Ambiguous)

    def test_invalid_utf8(self) -> None:
        """Two names that differ only in bytes that are no UTF-8 stay two."""
        self.assertNotEqual(parse(b'"\xff"'), parse(b'"\xfe"'))


class KeyFileTests(SynchronousTestCase):
    """Key files."""

    def test_opens(self) -> None:
        """The master key comes out with the right password, with a wrong one nothing."""
        master = os.urandom(64)
        found = parse_key_file(NAME, key_file(master, "pässword", n=16, r=2, p=3))
        self.assertEqual(open_key_file(found, "pässword".encode()), master)
        self.assertIsNone(open_key_file(found, b"password"))
        self.assertNotIn("salt", repr(found))

    def test_broken(self) -> None:
        """Anything that is no key file is refused, without a derivation."""
        for content in (
            b"",
            b"null",
            b"[]",
            b"{}",
            b"[" * 10_000,
            key_file(KEY, kdf="argon2"),
            key_file(KEY, salt=None),
            key_file(KEY, salt="!"),
            key_file(KEY, salt=base64.b64encode(bytes(63)).decode()),
            key_file(KEY, data=None),
            key_file(KEY, data={}),
            key_file(KEY)[:-1],
        ):
            self.assertRaises(ValueError, parse_key_file, NAME, content)

    def test_parameters(self) -> None:
        """Impossible and costly parameters are refused; those that restic may pick are not."""
        for n, r, p in (
            *((0, 1, 1), (1, 1, 1), (3, 1, 1), (-2, 1, 1), (2, 0, 1), (2, 1, 0), (2, -1, 1)),
            *((2.0, 1, 1), (True, 1, 1), ("2", 1, 1), (None, 1, 1), (2, 1, True)),
            *((2**22, 8, 1), (2**15, 8, 100), (2**63, 8, 1), (10**400, 1, 1), (2, 2**30, 1)),
            *((2, 1, 2**22), (2, 2**22, 1), (2**9000, 2**9000, 2**9000)),
        ):
            content = json.dumps({**json.loads(key_file(KEY)), "N": n, "r": r, "p": p}).encode()
            self.assertRaises(ValueError, parse_key_file, NAME, content)
        for n, r, p in (
            (2**15, 8, 1),
            (2**15, 8, 5),
            (2**15, 8, 40),
            (2**16, 8, 10),
            (2**17, 8, 1),
        ):
            content = json.dumps({**json.loads(key_file(KEY)), "N": n, "r": r, "p": p}).encode()
            found = parse_key_file(NAME, content)
            self.assertLessEqual(found.memory, MEMORY_LIMIT)

    def test_rank(self) -> None:
        """The usual goes before the costly, then the older before the younger."""
        contents = [
            key_file(KEY, N=2**20, r=1, created="2020"),
            key_file(KEY, created="2022"),
            key_file(KEY, created="2021"),
            key_file(KEY, created=None),
        ]
        ranked = sorted((parse_key_file(NAME, one) for one in contents), key=lambda one: one.rank)
        self.assertEqual([one.created for one in ranked], ["", "2021", "2022", "2020"])

    def test_no_key_inside(self) -> None:
        """The right password for something that is no master key is an error."""
        whole = {"k": base64.b64encode(bytes([1] * 16)).decode()}
        insides: list[Any] = [
            [],
            {"mac": None},
            {"mac": {}, "encrypt": ""},
            {"mac": whole, "encrypt": base64.b64encode(bytes([1] * 32)).decode()},
            {
                "mac": {**whole, "r": whole["k"]},
                "encrypt": base64.b64encode(bytes(32)).decode(),
            },
        ]
        for inside in insides:
            found = parse_key_file(NAME, key_file(KEY, "p", inside=inside))
            self.assertRaises(ValueError, open_key_file, found, b"p")
