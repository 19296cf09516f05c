"""Tests of `restic_reporter.restic_format.file_hash`."""

from hashlib import sha256

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.restic_format.file_hash import check_content

CONTENT = b"some key"
NAME = sha256(CONTENT).hexdigest()


class CheckContentTests(SynchronousTestCase):
    """`check_content`."""

    def test_whole(self) -> None:
        """What has the hash that its name says comes back as it is."""
        for path, content in (
            (f"keys/{NAME}", CONTENT),
            (f"snapshots/{NAME}", CONTENT),
            (f"keys/{sha256(b'').hexdigest()}", b""),
        ):
            self.assertEqual(check_content(path, content), content)

    def test_altered(self) -> None:
        """Keys and snapshots that are cut short, longer, altered or empty are refused by name."""
        for folder in ("keys", "snapshots"):
            for content in (CONTENT[:-1], CONTENT + b"\n", b"same key", b""):
                path = f"{folder}/{NAME}"
                error = self.assertRaises(ReadError, check_content, path, content)
                self.assertEqual(error.reason, Reason.PROTOCOL)
                self.assertIn(path, error.message)

    def test_without_hash(self) -> None:
        """The config has no hash for a name, and the content of locks may change."""
        for path in ("config", f"locks/{NAME}"):
            self.assertEqual(check_content(path, b"anything"), b"anything")
