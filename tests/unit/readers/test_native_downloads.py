"""Tests of `restic_reporter.readers.native.downloads`: what waits is bounded."""

from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.readers.native import downloads as fetching
from restic_reporter.readers.native.downloads import Fetched, Fetching


class FetchingTests(SynchronousTestCase):
    """How much is downloaded ahead, and handed over together."""

    def setUp(self) -> None:
        self.patch(fetching, "HELD_LIMIT", 100_000)
        self.loads = 0

    async def content(self, name: str) -> bytes:
        """A file."""
        self.loads += 1
        return bytes(10_000)

    async def missing(self, name: str) -> bytes:
        """A file that has gone."""
        self.loads += 1
        raise ReadError(Reason.NOT_FOUND, f"{name}: not there")

    async def all_of(self, fetching: Fetching) -> Sequence[list[Fetched]]:
        """Every batch."""
        batches = []
        while some := await fetching.batch():
            batches.append(some)
        return batches

    def test_bytes(self) -> None:
        """A batch is bounded in bytes, not only in number; nothing is lost."""
        work = Fetching(self.content, 4)
        work.start(map(str, range(100)))
        self.assertLessEqual(self.loads, 14)
        batches = self.successResultOf(self.all_of(work))
        self.assertLessEqual(max(map(len, batches)), 5)
        self.assertEqual(sorted(int(name) for some in batches for name, _ in some), [*range(100)])

    def test_errors(self) -> None:
        """Files that are not there take room too."""
        work = Fetching(self.missing, 4)
        work.start(map(str, range(10_000)))
        self.assertLess(self.loads, 1000)
        batches = self.successResultOf(self.all_of(work))
        self.assertEqual(sum(map(len, batches)), 10_000)
