"""Tests of `restic_reporter.state.packing`."""

import struct
import sys
import zlib
from array import array

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.concurrency.cooperative import at_once
from restic_reporter.model.backup_sets import with_history
from restic_reporter.model.columns import DEFAULT_SHAPE, Shape
from restic_reporter.model.snapshot_table import SnapshotTable
from restic_reporter.model.snapshots import (
    CLIENT_LABELS,
    BackupSet,
    Client,
    Content,
    Snapshot,
    Summary,
)
from restic_reporter.state.packing import (
    DamagedError,
    pack,
    rows_of,
    seal,
    unpack,
    unpack_table,
    unseal,
)
from tests.doubles.repositories import NOW, name

WHOLE = st.none() | st.integers(0, 2**31)
SUMMARIES = st.builds(
    Summary, st.none() | st.floats(0, 1e6), WHOLE, WHOLE, WHOLE, WHOLE, WHOLE
)  # fmt: skip
NAMES = st.text(st.characters(), max_size=5)
SNAPSHOTS = st.lists(
    st.builds(
        Snapshot,
        st.just(""),
        st.none() | st.floats(NOW - 1e8, NOW + 1e5),
        st.none() | NAMES | st.just("\ud800"),
        NAMES,
        NAMES,
        NAMES,
        NAMES,
        SUMMARIES,
        client=st.builds(
            Client,
            st.tuples(*[st.sampled_from("ab")] * len(CLIENT_LABELS)),
            st.tuples(WHOLE, WHOLE, WHOLE),
        ),
    ),
    max_size=20,
)
GROUPS = st.sampled_from([(), ("paths",), ("paths", "tags")])
SHAPES = st.builds(Shape, GROUPS, client_paths=st.none() | st.booleans())


def table_of(some: list[Snapshot], shape: Shape = DEFAULT_SHAPE) -> SnapshotTable:
    """A table of these snapshots, which get ids."""
    table = SnapshotTable(shape)
    rows = [
        evolve(
            Snapshot(name(number), *(getattr(one, field) for field in FIELDS)), client=one.client
        )
        for number, one in enumerate(some)
    ]
    table.add(rows, ())
    # As it is after a successful read.
    table.confirm(frozenset())
    return table


FIELDS = ("time", "host", "user", "paths", "tags", "program_version", "summary")


class PackTests(SynchronousTestCase):
    """`pack` and `unpack`."""

    @given(SNAPSHOTS, SNAPSHOTS, SHAPES)
    @settings(max_examples=100, deadline=None)
    def test_all_comes_back(
        self, some: list[Snapshot], removed: list[Snapshot], shape: Shape
    ) -> None:
        """Content, histories and table are the same afterwards."""
        before = at_once(table_of(removed, shape).content(NOW, ()))
        before = at_once(with_history(before, None, NOW))
        table = table_of(some, shape)
        content = at_once(with_history(at_once(table.content(NOW, ())), before, NOW))
        found, packed = unpack(pack(content, table.columns()))
        self.assertEqual(found, content)
        self.assertEqual(repr(unpack_table(packed)), repr(table))  # an unusable time is NaN
        self.assertEqual(rows_of(packed), len(table))

    def test_unchanged_by_later_work(self) -> None:
        """Snapshots that are added after `columns` are not in them."""
        table = table_of([Snapshot("", NOW, "h", "u")])
        columns = table.columns()
        table.add([Snapshot(name(7), NOW, "i", "u", "p", "t", "v")], ())
        content = Content(1, 0, 0, (), 0, None)
        (_, packed) = unpack(pack(content, columns))
        self.assertEqual(unpack_table(packed), table_of([Snapshot("", NOW, "h", "u")]))

    def test_nameless_sets(self) -> None:
        """A table whose sets have only hashes for names is not kept: they hold for a process."""
        table = SnapshotTable()
        table.add([Snapshot(name(n), NOW, f"h{n}", "u") for n in range(4001)], ())
        self.assertIsNone(table.columns())
        content = Content(1, 0, 0, (BackupSet("h", "u", 1, NOW, NOW),), 0, None)
        found, packed = unpack(pack(content, None))
        self.assertEqual((found, packed, rows_of(packed)), (content, b"", 0))

    def test_size(self) -> None:
        """A snapshot with statistics takes less than 80 bytes, most of them its id and sizes."""
        some = [
            Snapshot(
                "", NOW - 86400.0 * n + n % 7919, f"h{n % 5}", "root", "", "daily", "restic 0.18",
                Summary(n * 0.7919, n * 7919**2, n * 7919, n % 71, n % 31, n * 17),
            )
            for n in range(100)
        ]  # fmt: skip
        table = table_of(some)
        content = at_once(with_history(at_once(table.content(NOW, ())), None, NOW))
        self.assertLess(len(pack(content, table.columns())), 80 * 100)

    def test_other_release(self) -> None:
        """What another release has packed in its own way is no reason to end."""
        packed = pack(Content(1, 0, 0, (), 0, None), None)
        text = zlib.decompress(packed[8:]).replace(b'"snapshots"', b'"snapshotz"')
        other = zlib.compress(text)
        for one in (struct.pack("<II", len(other), 0) + other, b"", packed[:20], b"x" * 40):
            with self.assertRaises(DamagedError):
                unpack(one)

    def test_byte_order(self) -> None:
        """Numbers are little-endian, whatever the machine's order."""
        content = Content(
            1, 0, 0, (BackupSet("h", "u", 1, NOW, NOW, history=array("I", [1, 2**31])),), 0, None
        )
        table = table_of([Snapshot("", NOW, "h", "u")] * 3)
        usual = pack(content, table.columns())
        foreign = "big" if sys.byteorder == "little" else "little"
        self.patch(sys, "byteorder", foreign)
        self.assertNotEqual(pack(content, table.columns()), usual)
        found, packed = unpack(pack(content, table.columns()))
        self.assertEqual((found, unpack_table(packed)), (content, table))


class SealTests(SynchronousTestCase):
    """`seal` and `unseal`."""

    def test_flipped_bits(self) -> None:
        """No flipped bit, no lost byte and no other key goes unnoticed."""
        sealed = seal(5, b"some text")
        self.assertEqual(unseal(5, sealed), b"some text")
        for bit in range(8 * len(sealed)):
            flipped = bytearray(sealed)
            flipped[bit // 8] ^= 1 << bit % 8
            self.assertRaises(DamagedError, unseal, 5, bytes(flipped))
        for length in range(len(sealed)):
            self.assertRaises(DamagedError, unseal, 5, sealed[:length])
        self.assertRaises(DamagedError, unseal, 6, sealed)
