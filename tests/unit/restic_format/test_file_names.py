"""Tests of `restic_reporter.restic_format.file_names`."""

import json
import os
import subprocess
import sys
from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.concurrency.cooperative import at_once
from restic_reporter.restic_format import file_names as listing
from restic_reporter.restic_format.file_names import (
    MANY_NAMES,
    ListedNames,
    ListingMemo,
    fingerprint,
    fingerprint_in_steps,
    is_file_name,
    parse_names,
    parse_names_in_slices,
)
from tests.doubles.programs import ROOT
from tests.doubles.repositories import name

A, B = "a" * 64, "0123456789abcdef" * 4


def in_slices(body: bytes) -> frozenset[str]:
    """All names of all slices."""
    return frozenset().union(*parse_names_in_slices(body))


class FileNameTests(SynchronousTestCase):
    """`is_file_name`."""

    def test_names(self) -> None:
        """64 hex digits in lower case are a name, nothing else."""
        self.assertTrue(is_file_name(A))
        for other in ("", A[1:], A + "a", A + "\n", A.upper(), "g" * 64, "٣" * 64, None, 5, [A]):
            self.assertFalse(is_file_name(other), other)


class NamesTests(SynchronousTestCase):
    """`parse_names` and `parse_names_in_slices`."""

    def test_versions(self) -> None:
        """Version 1 has names, version 2 maps with name and size."""
        for parse in (parse_names, in_slices):
            self.assertEqual(parse(json.dumps([A, B]).encode()), {A, B})
            body = json.dumps([{"name": A, "size": 5}, {"name": B, "size": 0}]).encode()
            self.assertEqual(parse(body), {A, B})
            self.assertEqual(parse(b"[]"), frozenset())

    def test_null(self) -> None:
        """Some servers write null for an empty folder."""
        self.assertEqual(parse_names(b"null"), frozenset())

    def test_foreign_names(self) -> None:
        """Uploads in progress and other foreign files are passed over; a name counts once."""
        body = json.dumps([A, A, "README", f"{B}.rest-server-temp1", "\ud800"]).encode()
        for parse in (parse_names, in_slices):
            self.assertEqual(parse(body), {A})

    def test_refused(self) -> None:
        """What is no listing is refused, also in its middle or at its end."""
        for body in (
            b"", b"<html>", b"{}", b'"x"', b"5", b"[5]", b"[null]", b"[[]]", b'[{"size": 5}]',
            b'[{"name": null}]', b'["a"', b'["a"] x', b"[" * 100_000, b"[" + b"1" * 5000 + b"]",
            b'["\xff',
        ):  # fmt: skip
            for parse in (parse_names, in_slices):
                self.assertRaises(ValueError, parse, body)

    def test_large(self) -> None:
        """A listing of many slices is given slice by slice, whole."""
        names = [f"{number:064x}" for number in range(20_000)]
        body = json.dumps([{"name": name, "size": 1} for name in names]).encode()
        slices = list(parse_names_in_slices(body))
        self.assertGreater(len(slices), 20)
        self.assertLess(max(map(len, slices)), 2000)
        self.assertEqual(frozenset().union(*slices), frozenset(names))

    @settings(deadline=None)
    @given(st.lists(st.sampled_from([A, B, "x", ""]) | st.text()), st.booleans())
    def test_both_alike(self, names: list[str], version_2: bool) -> None:
        """In slices or at once, a listing is the same."""
        body = json.dumps([{"name": name, "size": 1} for name in names] if version_2 else names)
        self.assertEqual(in_slices(body.encode()), parse_names(body.encode()))


class ListedNamesTests(SynchronousTestCase):
    """`ListedNames`."""

    def setUp(self) -> None:
        self.memo = ListingMemo()
        self.parsed = 0
        parse = listing.parse_names

        def counted(body: bytes) -> frozenset[str]:
            self.parsed += 1
            return parse(body)

        self.patch(listing, "parse_names", counted)

    def names(self, *numbers: int) -> ListedNames:
        """A list of these names as it came."""
        return ListedNames(json.dumps([f"{one:064x}" for one in numbers]).encode(), self.memo)

    def test_unchanged(self) -> None:
        """The same list is not parsed again to tell that it is the same, and how long."""
        first = self.names(1, 2)
        for _ in range(3):
            again = self.names(1, 2)
            self.assertEqual(fingerprint(again), fingerprint(first))
            self.assertEqual((len(again), bool(again)), (2, True))
        self.assertEqual(self.parsed, 1)
        self.assertEqual(frozenset(again), {f"{1:064x}", f"{2:064x}"})
        self.assertEqual(self.parsed, 2)

    def test_changed(self) -> None:
        """Another list is another one, and the same names in another order are the same."""
        first = self.names(1, 2)
        self.assertNotEqual(fingerprint(self.names(1, 3)), fingerprint(first))
        self.assertNotEqual(fingerprint(self.names(1)), fingerprint(first))
        self.assertEqual(fingerprint(self.names(2, 1)), fingerprint(first))
        self.assertEqual(fingerprint(frozenset(first)), fingerprint(first))
        self.assertFalse(self.names())

    def test_a_set(self) -> None:
        """It is a set like any other."""
        for _ in range(2):
            names = self.names(1, 2)
            self.assertEqual(names & {f"{1:064x}", "x"}, {f"{1:064x}"})
            self.assertEqual(names - {f"{1:064x}"}, frozenset({f"{2:064x}"}))
            self.assertIn(f"{2:064x}", names)
            self.assertNotIn("x", names)

    def test_no_list(self) -> None:
        """What is no list is found out at once, each time."""
        for _ in range(2):
            self.assertRaises(ValueError, ListedNames, b"{}", self.memo)


class FingerprintTests(SynchronousTestCase):
    """`fingerprint`."""

    def test_same_set(self) -> None:
        """Equal sets have one fingerprint, in whatever order they were made."""
        names = [name(number) for number in range(100)]
        self.assertEqual(fingerprint(frozenset(names)), fingerprint(frozenset(reversed(names))))
        self.assertNotEqual(fingerprint(frozenset(names)), fingerprint(frozenset(names[1:])))
        self.assertNotEqual(
            fingerprint(frozenset(names[1:])), fingerprint(frozenset([*names[2:], name(200)]))
        )

    def test_after_a_restart(self) -> None:
        """It is the same in another process, whose strings hash differently."""
        program = (
            "from restic_reporter.restic_format.file_names import *;"
            "from restic_reporter.concurrency.cooperative import at_once;"
            "few, many = (frozenset(f'{n:064x}' for n in range(n)) for n in (100, 20000));"
            "print(fingerprint(few), at_once(fingerprint_in_steps(many)))"
        )
        shown = {
            subprocess.run(
                [sys.executable, "-c", program],
                env={**os.environ, "PYTHONHASHSEED": seed},
                cwd=ROOT,
                capture_output=True,
                check=True,
            ).stdout
            for seed in ("1", "2")
        }
        self.assertEqual(len(shown), 1)

    def test_many_in_steps(self) -> None:
        """Many names are digested in short steps, to what few would be."""
        names = [f"{number:064x}" for number in range(MANY_NAMES + 1)]
        whole = len(names), sha256("".join(names).encode()).hexdigest()
        steps = fingerprint_in_steps(frozenset(names))
        self.assertEqual(at_once(steps), whole)
        self.assertGreater(sum(1 for _ in fingerprint_in_steps(frozenset(names))), 8)
        few = frozenset(names[:100])
        self.assertEqual(at_once(fingerprint_in_steps(few)), fingerprint(few))

    def test_many_at_once(self) -> None:
        """Without steps many names have a value that is equal for equal sets in this process."""
        names = [f"{number:064x}" for number in range(MANY_NAMES + 1)]
        again = frozenset(reversed(names))
        self.assertEqual(fingerprint(frozenset(names)), fingerprint(again))
        self.assertNotEqual(fingerprint(again), fingerprint(again - {names[7]} | {"a" * 64}))
