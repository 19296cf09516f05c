"""Tests of `restic_reporter.restic_format.client_json`."""

import hashlib
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.model.snapshots import CLIENT_LABELS, Client
from restic_reporter.restic_format.json_members import Ambiguous
from restic_reporter.restic_format.snapshot_json import parse_snapshot

GOOD = {
    "id": "0" * 64,
    "time": "2026-01-02T03:04:05Z",
    "hostname": "h",
    "username": "u",
    "paths": ["/b", "/a"],
    "tags": ["z", "a"],
    "program_version": "restic 0.18.0",
}


class ClientTests(SynchronousTestCase):
    """The labels and folders of a snapshot."""

    def client(self, paths_shown: bool = True, **more: Any) -> Client:
        """What a snapshot with these values has."""
        found = parse_snapshot({**GOOD, **more}, paths_shown).client
        assert found is not None
        return found

    def labels(self, paths_shown: bool = True, **more: Any) -> dict[str, str]:
        """The labels by name."""
        labels = self.client(paths_shown, **more).labels
        return dict(zip(CLIENT_LABELS, labels, strict=True))

    def test_labels(self) -> None:
        """Paths and tags keep their order; the hash is of host, user and paths."""
        expected = {
            "client_hostname": "h",
            "client_username": "u",
            "client_version": "restic 0.18.0",
            "snapshot_hash": hashlib.sha256(b"hu/b,/a").hexdigest(),
            "snapshot_tag": "z",
            "snapshot_tags": "z,a",
            "snapshot_paths": "/b,/a",
        }
        self.assertEqual(self.labels(), expected)
        self.assertEqual(self.labels(False), {**expected, "snapshot_paths": ""})

    def test_missing(self) -> None:
        """What is missing or is no text is empty; so is the user, who is no UNKNOWN here."""
        found = self.labels(username="", tags=None, program_version=7, paths=["/b", 1, "/a"])
        self.assertEqual(found["client_username"], "")
        self.assertEqual(found["client_version"], "")
        self.assertEqual((found["snapshot_tag"], found["snapshot_tags"]), ("", ""))
        self.assertEqual(found["snapshot_hash"], hashlib.sha256(b"h/b,/a").hexdigest())

    def test_hostile(self) -> None:
        """Labels are sanitised; the hash is of the names as they are."""
        found = self.labels(hostname="a\nb\ud800", tags=["\x00"], paths=["/p" * 400])
        self.assertEqual(found["client_hostname"], "a\ufffdb\ufffd")
        self.assertEqual(found["snapshot_tag"], "\ufffd")
        self.assertLessEqual(len(found["snapshot_paths"]), 255)
        named = ("a\nb\ud800u" + "/p" * 400).encode("utf-8", "surrogatepass")
        self.assertEqual(found["snapshot_hash"], hashlib.sha256(named).hexdigest())

    def test_folders(self) -> None:
        """The counts of folders, each only if it is one."""
        counts = {"dirs_new": 1, "dirs_changed": 2, "dirs_unmodified": 3}
        self.assertEqual(self.client(summary=counts).folders, (1, 2, 3))
        bad: Any
        for bad in (-1, 2**32, True, "1", 1.0, None):
            found = self.client(summary={**counts, "dirs_changed": bad})
            self.assertEqual(found.folders, (1, None, 3))
        for bad in (None, [], Ambiguous(counts)):
            self.assertEqual(self.client(summary=bad).folders, (None, None, None))

    def test_not_wanted(self) -> None:
        """A snapshot has nothing of all this, unless it is wanted."""
        self.assertIsNone(parse_snapshot(GOOD).client)

    def test_unusable(self) -> None:
        """A snapshot with an invalid time has labels, one with invalid names has none."""
        self.assertEqual(self.labels(time="x"), self.labels())
        self.assertIsNone(parse_snapshot({**GOOD, "hostname": 1}, True).client)
