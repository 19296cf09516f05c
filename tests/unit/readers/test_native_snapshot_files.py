"""Tests of `restic_reporter.readers.native.snapshot_files`."""

import json
import string
import tracemalloc
from typing import Any

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.model.errors import Reason
from restic_reporter.model.labels import sanitise
from restic_reporter.model.snapshots import Snapshot
from restic_reporter.readers.native import snapshot_files as decoding
from restic_reporter.readers.native.snapshot_files import CONTENT_LIMIT, decode
from restic_reporter.restic_format.snapshot_json import TOO_LONG, parse_snapshot
from tests.doubles.native_repositories import compressed, name_of, seal, snapshot_json
from tests.doubles.repositories import count_sets

KEY = bytes(range(64))


NAME = "ab" * 32


TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=20)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


TIMES = st.one_of(
    st.from_regex(
        r"\A[0-9]{4}-[01][0-9]-[0-3][0-9]T[012][0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?"
        r"(Z|[+-][012][0-9]:[0-5][0-9])\Z",
        alphabet=string.printable,
    ),
    JSON,
)


SNAPSHOTS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("hostname", "username"), TEXT | JSON),
        "time": TIMES,
        **dict.fromkeys(("id", "tags", "summary", "paths", "other"), JSON),
    },
)


class DecodeTests(SynchronousTestCase):
    """Whole snapshot files."""

    @given(st.lists(st.tuples(SNAPSHOTS, st.booleans()), max_size=4))
    @settings(max_examples=100, deadline=None)
    def test_arbitrary(self, values: list[tuple[dict[str, Any], bool]]) -> None:
        """Any snapshot, compressed or not, comes out as the restic reader would see it."""
        files, expected = [], []
        for value, compress in values:
            text = json.dumps(value).encode()
            content = seal(KEY, compressed(text) if compress else text)
            name = name_of(content)
            files.append((name, content))
            expected.append(parse_snapshot({**json.loads(text), "id": name}))
        self.assertEqual([snapshot for _, snapshot in decode(files, KEY)], expected)

    def one(self, text: bytes, key: bytes = KEY) -> Any:
        """What comes of a file with this text."""
        [(_, outcome)] = decode([(NAME, seal(key, text))], KEY)
        return outcome

    def test_unusable(self) -> None:
        """Text that is no usable snapshot gives an invalid one with its name."""
        twice = b'{"time": "2025-01-01T00:00:00Z", "hostname": "h", "hostname": "h"}'
        for text in (b"", b"null", b"[]", b'"x"', b"{", b"[" * 50_000, b"NaN", twice, b"{}"):
            found = self.one(text)
            self.assertEqual((found.id, found.time), (NAME, None))
        self.assertEqual(self.one(b'{"time": NaN, "hostname": "h"}').time, None)

    def test_names_kept_of_unusable_time(self) -> None:
        """A time that cannot be leaves the snapshot with its set."""
        text = json.dumps(snapshot_json("0000-01-01T00:00:00Z", hostname="a")).encode()
        self.assertEqual(self.one(text), Snapshot(NAME, None, "a", "u", tree="0" * 64))

    def test_flaws(self) -> None:
        """A broken seal, too much content, and an unknown encoding are told apart."""
        for error, reason, message in (
            (self.one(b"{}", bytes(64)), Reason.PROTOCOL, "wrong MAC"),
            (self.one(b"\2nonsense"), Reason.PROTOCOL, "cannot decompress"),
            (self.one(compressed(bytes(CONTENT_LIMIT + 1))), Reason.TOO_LARGE, "more than"),
            (self.one(b" " * (CONTENT_LIMIT + 1)), Reason.TOO_LARGE, "more than"),
        ):
            self.assertIs(error.reason, reason)
            self.assertIn(message, error.message)
        self.assertIsInstance(self.one(b" " * CONTENT_LIMIT), Snapshot)

    def test_turns(self) -> None:
        """A thread is given back after some files that took long, at least after one."""
        sealed = seal(KEY, json.dumps(snapshot_json()).encode())
        files = [(name_of(sealed), sealed)] * 5
        self.assertEqual(len(decode(files, KEY)), 5)
        self.patch(decoding, "_TURN", -1.0)
        self.assertEqual(len(decode(files, KEY)), 1)

    def test_long(self) -> None:
        """A snapshot of many paths is like any other; one of many members or brackets is none."""
        paths = [f"/home/user/some/path/{number}" for number in range(200_000)]
        usual = self.one(json.dumps(snapshot_json()).encode())
        assert isinstance(usual, Snapshot)
        for value, expected in (
            (snapshot_json(paths=paths), evolve(usual, paths=TOO_LONG)),
            ({"excludes": paths, **snapshot_json()}, usual),
        ):
            text = json.dumps(value).encode()
            self.assertGreater(len(text), 5 * 2**20)
            for content in (text, compressed(text)):
                self.assertEqual(self.one(content), expected)
        invalid = Snapshot(NAME, None, None, "UNKNOWN")
        members = dict.fromkeys(map(str, range(500_000)), "")
        for text in (
            json.dumps(snapshot_json(**members)).encode(),
            b'{"a":[' + b"[]," * 10**6 + b"0]}",
            b"[]" * 2**21,
            b"[" * 2**22,
        ):
            sealed = seal(KEY, compressed(text))
            tracemalloc.start()
            try:
                [(_, outcome)] = decode([(NAME, sealed)], KEY)
                _, most = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            self.assertEqual(outcome, invalid)
            self.assertLess(most, 8 * 2**20)

    def test_names(self) -> None:
        """Odd names come out as sets that stay apart."""
        hosts = ["a\nb", 'a"b', "a\\b", "a\x00b", "a" * 10_000, "a" * 9_999 + "b", "", "\ud800"]
        files = []
        for host in hosts:
            content = seal(KEY, json.dumps(snapshot_json(hostname=host)).encode())
            files.append((name_of(content), content))
        found = [one for _, one in decode(files, KEY) if isinstance(one, Snapshot)]
        shown = [host if len(host) < 1000 else sanitise(host) for host in hosts]
        self.assertEqual([one.host for one in found], shown)
        self.assertEqual(len(count_sets(found, 2e9).sets), len(hosts))
