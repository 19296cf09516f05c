"""Tests of `restic_reporter.restic_format.snapshot_json`."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.model.snapshots import NO_SUMMARY, Snapshot, Summary
from restic_reporter.restic_format.json_array import JSONArrayParser
from restic_reporter.restic_format.json_members import SMALL
from restic_reporter.restic_format.snapshot_json import (
    MEMBERS,
    TOO_LONG,
    parse_snapshot,
    parse_time,
)

ID = "0123456789abcdef" * 4
TIME = "2023-11-14T22:13:20Z"
GOOD = {"id": ID, "time": TIME, "hostname": "h", "username": "u"}


def parse_text(text: str) -> Snapshot:
    """The one snapshot in a JSON array."""
    (value,) = JSONArrayParser().feed(text.encode())
    return parse_snapshot(value)


class ParseTimeTests(SynchronousTestCase):
    """`parse_time`."""

    def test_instants(self) -> None:
        """The offset counts: these are all one instant."""
        for text in (
            "2023-11-14T22:13:20Z",
            "2023-11-14T23:13:20+01:00",
            "2023-11-15T04:13:20+06:00",
            "2023-11-14T19:43:20-02:30",
            "2023-11-15T12:58:20+14:45",
            "2023-11-14T22:13:20.000000000Z",
        ):
            self.assertEqual(parse_time(text), 1_700_000_000)

    def test_fraction(self) -> None:
        """Up to nanoseconds are read."""
        self.assertAlmostEqual(parse_time("1970-01-01T00:00:01.123456789Z"), 1.123456789, 9)
        self.assertEqual(parse_time("1970-01-01T00:00:01.5Z"), 1.5)

    def test_ends_of_the_calendar(self) -> None:
        """The first and the last day are usable whatever the offset."""
        self.assertEqual(parse_time("0001-01-01T00:00:00+23:59"), -62135683140)
        self.assertEqual(parse_time("9999-12-31T23:59:59-23:59"), 253402387139)

    def test_refused(self) -> None:
        """What is no time, or none of the calendar, is refused."""
        for text in (
            "", "2023-11-14", "2023-11-14T22:13:20", "2023-11-14 22:13:20Z", "1700000000",
            "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "-001-01-01T00:00:00Z",
            "2023-02-30T00:00:00Z", "2023-13-01T00:00:00Z", "2023-11-14T24:00:00Z",
            "2023-11-14T22:13:60Z", "2023-11-14T22:13:20+24:00", "2023-11-14T22:13:20+01:60",
            "2023-11-14T22:13:20.Z", "2023-11-14T22:13:20.0123456789Z", "2023-11-14T22:13:20z",
            "2023-11-14T22:13:20Z\n", "٢٠٢٣-11-14T22:13:20Z",
        ):  # fmt: skip
            self.assertRaises(ValueError, parse_time, text)

    @settings(deadline=None)
    @given(
        st.datetimes(
            datetime(1, 1, 2),
            datetime(9999, 12, 30),
            timezones=st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m))),
        )
    )
    def test_same_as_datetime(self, moment: datetime) -> None:
        """Any time is the instant that `datetime` sees in it."""
        expected = (moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
        self.assertAlmostEqual(parse_time(moment.isoformat()), expected, 3)


class ParseSnapshotTests(SynchronousTestCase):
    """`parse_snapshot`."""

    def test_good(self) -> None:
        """A snapshot has id, time, host and user; unknown keys do not matter."""
        self.assertEqual(
            parse_snapshot({**GOOD, "short_id": "x"}), Snapshot(ID, 1_700_000_000, "h", "u")
        )

    def test_details(self) -> None:
        """Paths and tags are label values, in order; the summary has the statistics."""
        summary = {
            "backup_start": "2024-01-01T00:00:00Z", "backup_end": "2024-01-01T01:00:00.5+00:30",
            "total_bytes_processed": 7, "data_added": 5, "data_added_packed": 2,
            "files_new": 1, "files_changed": 2, "files_unmodified": 3,
        }  # fmt: skip
        value = {
            **GOOD, "paths": ["/x", "/a\n"], "tags": ["t", "s"], "summary": summary,
            "program_version": "restic 0.17.1",
        }  # fmt: skip
        self.assertEqual(
            parse_snapshot(value),
            Snapshot(
                ID, 1_700_000_000, "h", "u", "/a\ufffd,/x", "s,t", "restic 0.17.1",
                Summary(1800.5, 7, 5, 1, 2, 3), dated=True,
            ),
        )  # fmt: skip

    def test_origin(self) -> None:
        """Where it is from: the snapshot it was made from, and its tree, if they are valid ids."""
        found = parse_snapshot({**GOOD, "original": "a" * 64, "tree": "b" * 64})
        valid = Snapshot(ID, 1_700_000_000, "h", "u", original="a" * 64, tree="b" * 64)
        self.assertEqual(found, valid)
        strange: tuple[Any, ...] = (None, 5, [], "a", "z" * 64)
        for bad in strange:
            found = parse_snapshot({**GOOD, "original": bad, "tree": bad})
            self.assertEqual(found, Snapshot(ID, 1_700_000_000, "h", "u"))

    def test_dated(self) -> None:
        """A time counts as given by hand if it is more than an hour from the backup's begin."""
        for start, dated in (
            ("2023-11-14T23:13:20Z", False),
            ("2023-11-14T21:13:20Z", False),
            ("2023-11-15T00:13:20+01:00", False),
            ("2023-11-14T23:13:21Z", True),
            ("2023-11-14T21:13:19Z", True),
            ("nonsense", False),
        ):
            found = parse_snapshot({**GOOD, "summary": {"backup_start": start}})
            self.assertEqual((found.dated, found.summary), (dated, NO_SUMMARY), start)
        summary = {"backup_start": "2023-11-14T21:13:19Z"}
        unusable = {**GOOD, "time": "0000-01-01T00:00:00Z", "summary": summary}
        self.assertFalse(parse_snapshot(unusable).dated)

    def test_invalid_details(self) -> None:
        """Invalid details are left out, each by itself; the snapshot is valid."""
        summary = {
            "backup_start": "2024-01-01T00:00:00Z", "backup_end": "2023-01-01T00:00:00Z",
            "total_bytes_processed": -1, "data_added": 1.5, "files_new": True,
            "files_changed": 2**40, "files_unmodified": 3,
        }  # fmt: skip
        value = {**GOOD, "paths": 5, "tags": ["t", 5], "summary": summary, "program_version": []}
        self.assertEqual(
            parse_snapshot(value),
            Snapshot(
                ID, 1_700_000_000, "h", "u", tags="t", summary=Summary(unmodified_files=3),
                dated=True,
            ),
        )  # fmt: skip
        values: tuple[Any, ...] = (None, 5, [], {"backup_start": 5, "backup_end": None})
        for bad in values:
            self.assertEqual(parse_snapshot({**GOOD, "summary": bad}).summary, NO_SUMMARY)

    def test_many_paths(self) -> None:
        """Too long a list of paths is told apart from a short one."""
        paths = json.dumps(["/some/path"] * SMALL)
        text = f'[{{{json.dumps(GOOD)[1:-1]}, "paths": {paths}}}]'
        (value,) = JSONArrayParser(MEMBERS).feed(text.encode())
        self.assertEqual(parse_snapshot(value).paths, TOO_LONG)

    def test_no_user(self) -> None:
        """A snapshot without a user name, or with an empty one, is user UNKNOWN's."""
        without = {key: value for key, value in GOOD.items() if key != "username"}
        for value in (without, {**GOOD, "username": ""}):
            self.assertEqual(parse_snapshot(value), Snapshot(ID, 1_700_000_000, "h", "UNKNOWN"))

    def test_no_host(self) -> None:
        """An empty host name is a name."""
        self.assertEqual(parse_snapshot({**GOOD, "hostname": ""}).host, "")

    def test_unusable_time(self) -> None:
        """A snapshot with an unusable time is its set's, without a time."""
        times: tuple[Any, ...] = (
            None,
            5,
            [],
            "",
            "yesterday",
            "0000-01-01T00:00:00Z",
            "2023-11-14",
        )
        for time in times:
            self.assertEqual(parse_snapshot({**GOOD, "time": time}), Snapshot(ID, None, "h", "u"))

    def test_unusable_id(self) -> None:
        """A snapshot without a usable id is invalid: it cannot be told from others."""
        for identifier in (None, 5, "", "abc", ID.upper(), ID + "\n", [ID]):
            self.assertEqual(
                parse_snapshot({**GOOD, "id": identifier}), Snapshot(None, None, "h", "u")
            )

    def test_unusable_names(self) -> None:
        """A snapshot whose names are no strings belongs to no set."""
        unusable: tuple[dict[str, Any], ...] = (
            {"hostname": None},
            {"hostname": 5},
            {"username": []},
            {"username": None},
        )
        for names in unusable:
            self.assertEqual(parse_snapshot({**GOOD, **names}), Snapshot(ID, None, None, "UNKNOWN"))

    def test_no_map(self) -> None:
        """A value that is no map is an invalid snapshot of no set."""
        values: tuple[Any, ...] = (None, 5, "x", [], True, float("nan"))
        for value in values:
            self.assertEqual(parse_snapshot(value), Snapshot(None, None, None, "UNKNOWN"))

    def test_repeated_key(self) -> None:
        """A snapshot with a key given twice is invalid: which of the two would count?"""
        text = json.dumps(GOOD)[1:-1]
        self.assertEqual(
            parse_text(f'[{{"hostname": "x", {text}}}]'), Snapshot(ID, None, None, "UNKNOWN")
        )

    def test_half_surrogate(self) -> None:
        """A name with half a surrogate pair stays as it is, for the labels to deal with."""
        text = json.dumps({**GOOD, "hostname": "a\ud800"})
        self.assertEqual(parse_text(f"[{text}]").host, "a\ud800")

    def test_nan(self) -> None:
        """NaN as a time, which Python's JSON takes, is no time."""
        self.assertEqual(
            parse_text(f'[{{"id": "{ID}", "time": NaN, "hostname": "h"}}]'),
            Snapshot(ID, None, "h", "UNKNOWN"),
        )

    @settings(deadline=None)
    @given(
        st.dictionaries(
            st.sampled_from(["id", "time", "hostname", "username"]),
            st.recursive(
                st.none() | st.integers() | st.floats() | st.text() | st.sampled_from([ID, TIME]),
                lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
                max_leaves=4,
            ),
        )
    )
    def test_never_raises(self, value: Any) -> None:
        """Whatever a snapshot holds, it becomes a value that the counting can take."""
        snapshot = parse_snapshot(value)
        self.assertIsInstance(snapshot.user, str)
        self.assertTrue(snapshot.user)
        self.assertTrue(snapshot.time is None or snapshot.host is not None)
