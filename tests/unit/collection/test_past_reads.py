"""Tests of what is kept of the latest reads, and of how many are left."""

from restic_reporter.collection.state import PastRead
from restic_reporter.model.errors import ReadError, Reason
from tests.doubles.collector_case import CollectorCase
from tests.doubles.repositories import NOW


class PastReadsTests(CollectorCase):
    """Tests for the past reads of a repository."""

    def test_outcomes(self) -> None:
        """Each read is kept, with the number of snapshots, or with reason and message."""
        (world,) = self.worlds(1)
        self.collect()
        waiting = world.hold()
        running = self.collector.collect()
        self.clock.advance(3)
        waiting[0].errback(ReadError(Reason.NETWORK, "refused for sesame"))
        self.successResultOf(running)
        self.assertEqual(
            list(self.status().reads),
            [
                PastRead(NOW, 0, 1),
                PastRead(NOW + 3, 3, 1, Reason.NETWORK, "refused for ***"),
            ],
        )

    def test_bug(self) -> None:
        """Of a bug only the reason is kept: its exception may hold secrets."""
        (world,) = self.worlds(1)
        world.storage.list_error = ValueError("sesame")
        self.collect()
        (read,) = self.status().reads
        self.assertEqual((read.reason, "sesame" in read.message), (Reason.INTERNAL, False))

    def test_bounded(self) -> None:
        """The latest 20 are kept, with a message cut to 400 characters, kept once."""
        (world,) = self.worlds(1)
        world.storage.list_error = ReadError(Reason.NETWORK, "x" * 5000)
        for _ in range(25):
            self.collect()
            self.clock.advance(1)
        reads = self.status().reads
        self.assertEqual([read.time for read in reads], [NOW + n for n in range(5, 25)])
        self.assertEqual({len(read.message) for read in reads}, {400})
        self.assertEqual(len({id(read.message) for read in reads}), 1)

    def test_left(self) -> None:
        """During a collection the job says how many repositories are left."""
        worlds = self.worlds(3)
        waiting = [world.hold() for world in worlds]
        running = self.collector.collect()
        self.assertEqual(self.job.left, 3)
        waiting[1][0].callback(None)
        self.assertEqual(self.job.left, 2)
        waiting[0][0].errback(ReadError(Reason.NETWORK, "refused"))
        self.assertEqual(self.job.left, 1)
        running.cancel()
        self.assertEqual((self.job.left, self.job.running), (0, False))
