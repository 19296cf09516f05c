"""Tests of `restic_reporter.collection.collector`."""

from attrs import evolve
from twisted.internet.defer import CancelledError

from restic_reporter.model.errors import ReadError, Reason
from tests.doubles.collector_case import CollectorCase
from tests.doubles.repositories import NOW, snapshot


class CollectTests(CollectorCase):
    """One collection after another."""

    def test_good(self) -> None:
        """A good read gives content, a time and a duration, and the job's are noted too."""
        (world,) = self.worlds(1)
        waiting = world.hold()
        running = self.collector.collect()
        self.assertTrue(self.job.running)
        self.clock.advance(7)
        waiting[0].callback(None)
        self.successResultOf(running)
        status = self.status()
        assert status.content is not None
        self.assertEqual(status.content.snapshot_count, 1)
        self.assertEqual((status.success, status.last_success, status.duration), (True, NOW + 7, 7))
        job = self.job
        self.assertEqual(
            (job.running, job.last_success, job.duration, job.error_count), (False, NOW + 7, 7, 0)
        )
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_repository(self) -> None:
        """Collections of nothing end at once, and leave the way free for the next."""
        self.collect()
        self.collect()
        self.assertFalse(self.job.running)
        self.assertEqual(self.job.last_success, NOW)
        self.worlds(1)
        self.collect()
        self.assertTrue(self.status().success)

    def test_no_overlap(self) -> None:
        """A second collection at one time is refused; after the end it is not."""
        (world,) = self.worlds(1)
        waiting = world.hold()
        running = self.collector.collect()
        self.assertRaises(RuntimeError, self.collector.collect)
        waiting[0].callback(None)
        self.successResultOf(running)
        self.collector.collect()
        self.assertEqual(len(waiting), 2)
        waiting[1].callback(None)

    def test_failure_keeps_content(self) -> None:
        """After a failed read the last good values stay; what speaks of the read changes."""
        (world,) = self.worlds(1)
        self.collect()
        before = evolve(self.status())
        self.clock.advance(100)
        world.storage.list_error = ReadError(Reason.NETWORK, "refused")
        self.collect()
        self.collect()
        status = self.status()
        self.assertIs(status.content, before.content)
        self.assertEqual(status.last_success, NOW)
        self.assertEqual((status.success, status.failures), (False, {Reason.NETWORK: 2}))
        self.assertGreater(status.revision, before.revision)
        job = self.job
        self.assertEqual((job.error_count, job.last_success), (1, NOW + 100))
        self.assertIn("cannot read /0: refused (network)", self.logged())

    def test_recovery(self) -> None:
        """A repository that is well again is well again; its failures stay counted."""
        (world,) = self.worlds(1)
        world.storage.list_error = ReadError(Reason.TLS, "expired")
        self.collect()
        self.assertIsNone(self.status().content)
        self.assertIsNone(self.status().last_success)
        world.storage.list_error = None
        self.collect()
        self.assertEqual((self.status().success, self.status().failures), (True, {Reason.TLS: 1}))
        self.assertEqual(self.job.error_count, 0)

    def test_others_unaffected(self) -> None:
        """One that fails does not keep the others from being read."""
        worlds = self.worlds(3)
        worlds[1].storage.read_error = ReadError(Reason.AUTH, "wrong password")
        self.collect()
        self.assertEqual(
            [self.status(f"/{index}").success for index in range(3)], [True, False, True]
        )

    def test_internal(self) -> None:
        """A bug in a backend or a reader is that repository's failure, with a traceback."""
        worlds = self.worlds(3)
        worlds[0].storage.list_error = ZeroDivisionError("bug: sesame")
        worlds[1].storage.read_error = KeyError("bug")
        self.collect()
        self.assertEqual(self.status("/0").failures, {Reason.INTERNAL: 1})
        self.assertEqual(self.status("/1").failures, {Reason.INTERNAL: 1})
        self.assertTrue(self.status("/2").success)
        self.assertIn("ZeroDivisionError: bug: ***", self.logged())
        self.assertIn("in list", self.logged())
        self.assertIn("KeyError: 'bug'", self.logged())
        self.assertNotIn("sesame", self.logged())

    def test_stray_cancellation(self) -> None:
        """A backend that cancels work of its own and lets it show has a bug, no more."""
        worlds = self.worlds(2)
        worlds[0].storage.list_error = CancelledError()
        self.collect()
        self.assertEqual(self.status("/0").failures, {Reason.INTERNAL: 1})
        self.assertTrue(self.status("/1").success)
        self.assertEqual(self.job.last_success, NOW)
        self.assertIn("CancelledError", self.logged())

    def test_no_secret_in_the_log(self) -> None:
        """An error that repeats a secret is logged without it."""
        (world,) = self.worlds(1)
        world.storage.list_error = ReadError(Reason.AUTH, "sesame at http://u:open@h/ refused")
        self.collect()
        self.assertIn("*** at http://u:***@h/ refused (auth)", self.logged())
        self.assertNotIn("sesame", self.logged())

    def test_unchanged(self) -> None:
        """An unchanged listing asks no reader."""
        (world,) = self.worlds(1)
        self.collect()
        self.collect()
        self.assertEqual((world.backend.listings, world.reader.reads), (2, 1))

    def test_dropped_sets(self) -> None:
        """Sets beyond the limit are told in the log."""
        (world,) = self.worlds(1)
        world.storage.snapshots = [snapshot(n, host=f"h{n}") for n in range(1003)]
        self.collect()
        self.assertIn("no series for 3 of 1003 backup sets of /0: limit exceeded", self.logged())

    def test_on_read(self) -> None:
        """Each status is handed out right after it has changed, whether well read or not."""
        worlds = self.worlds(2)
        worlds[1].storage.list_error = ReadError(Reason.TLS, "expired")
        seen: list[tuple[str, bool | None]] = []
        self.collector.on_read = lambda status: seen.append(
            (status.task.repository.url, status.success)
        )
        self.collect()
        self.assertEqual(seen, [("/0", True), ("/1", False)])

    def test_bug_in_on_read(self) -> None:
        """A bug in who is told of a read keeps no other repository from being read."""
        self.make(1)
        self.worlds(2)
        self.collector.on_read = lambda status: [][status.revision]
        self.collect()
        self.assertTrue(self.status("/1").success)
        self.assertEqual(len(self.flushLoggedErrors(IndexError)), 2)
