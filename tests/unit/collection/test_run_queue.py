"""Tests of `restic_reporter.collection.run_queue`."""

from twisted.internet.defer import CancelledError, Deferred

from restic_reporter.collection.run_queue import DEFAULT, Runs
from restic_reporter.schedule.cron import parse_cron
from tests.doubles.collector_case import CollectorCase
from tests.doubles.repositories import World

HOURLY = parse_cron("0 * * * *")


class RunsTests(CollectorCase):
    """Runs over three repositories, of which the last has a schedule of its own."""

    def setUp(self) -> None:
        super().setUp()
        self.all = self.worlds(3)
        self.runs = Runs(self.collector)
        self.runs.set_schedules(("/0", "/1", "/2"), {"/2": HOURLY})

    def listings(self) -> list[int]:
        """How often each repository has been looked at."""
        return [world.backend.listings for world in self.all]

    def hold(self, world: World) -> "list[Deferred[None]]":
        """The next look at this one ends when a Deferred in the list fires."""
        waiting = world.hold()
        self.assertEqual(waiting, [])
        return waiting

    def test_collect_all(self) -> None:
        """All are collected, those with schedules of their own too."""
        self.assertTrue(self.runs.collect_all())
        self.assertEqual(self.listings(), [1, 1, 1])
        self.successResultOf(self.runs.ended())

    def test_collect_one(self) -> None:
        """One is collected by its label, whatever its schedule; it is no collection of all."""
        self.runs.collect_all()
        before = self.collector.state.job.last_success
        self.clock.advance(60)
        for label in ("/1", "/2"):
            self.assertTrue(self.runs.collect_one(label))
        self.assertEqual(self.listings(), [1, 2, 2])
        self.assertEqual(self.collector.state.job.last_success, before)
        self.assertTrue(self.runs.knows("/2"))
        self.assertFalse(self.runs.knows("/3"))

    def test_one_at_a_time(self) -> None:
        """One is not collected while a run is under way; what is due then waits for its end."""
        self.runs.collect_all()
        waiting = self.hold(self.all[0])
        self.assertTrue(self.runs.collect_one("/0"))
        self.assertFalse(self.runs.collect_one("/1"))
        self.assertFalse(self.runs.collect_all())
        self.runs.due(frozenset({DEFAULT}))
        self.assertEqual(self.collector.state.job.skipped, 0)
        waiting.pop().callback(None)
        self.assertEqual(self.listings(), [3, 2, 1])

    def test_not_twice_at_one_time(self) -> None:
        """While a run is under way another one is not started, and nothing is counted."""
        waiting = self.hold(self.all[0])
        self.assertTrue(self.runs.collect_all())
        self.assertFalse(self.runs.collect_all())
        ended = self.runs.ended()
        self.assertNoResult(ended)
        waiting[0].callback(None)
        self.successResultOf(ended)
        self.assertEqual(self.listings(), [1, 1, 1])
        self.assertEqual(self.collector.state.job.skipped, 0)
        self.assertTrue(self.runs.collect_all())

    def test_cancelled_wait(self) -> None:
        """Cancelling a wait for the end leaves the run, and other waits, alone."""
        waiting = self.hold(self.all[0])
        self.runs.collect_all()
        cancelled, other = self.runs.ended(), self.runs.ended()
        cancelled.cancel()
        self.failureResultOf(cancelled, CancelledError)
        waiting[0].callback(None)
        self.successResultOf(other)
        self.assertTrue(self.runs.collect_all())

    def test_due(self) -> None:
        """The default schedule is that of all that have none of their own."""
        self.runs.collect_all()
        self.runs.due(frozenset({DEFAULT}))
        self.assertEqual(self.listings(), [2, 2, 1])
        self.runs.due(frozenset({"/2"}))
        self.assertEqual(self.listings(), [2, 2, 2])
        self.runs.due(frozenset({DEFAULT, "/2"}))
        self.assertEqual(self.listings(), [3, 3, 3])

    def test_complete(self) -> None:
        """Only the default schedule's runs count as a collection of all repositories."""
        self.runs.collect_all()
        before = self.collector.state.job.last_success
        self.clock.advance(60)
        self.runs.due(frozenset({"/2"}))
        self.assertEqual(self.collector.state.job.last_success, before)
        self.runs.due(frozenset({DEFAULT}))
        self.assertNotEqual(self.collector.state.job.last_success, before)

    def test_complete_without_default(self) -> None:
        """Where all have schedules of their own, each run counts."""
        self.runs.set_schedules(("/0", "/1", "/2"), dict.fromkeys(("/0", "/1", "/2"), HOURLY))
        self.runs.collect_all()
        before = self.collector.state.job.last_success
        self.clock.advance(60)
        self.runs.due(frozenset({"/1"}))
        self.assertNotEqual(self.collector.state.job.last_success, before)

    def test_skipped(self) -> None:
        """What is due while it is being collected is skipped and counted."""
        waiting = self.hold(self.all[0])
        self.runs.collect_all()
        self.runs.due(frozenset({DEFAULT, "/2"}))
        self.runs.due(frozenset({"/2"}))
        self.assertEqual(self.collector.state.job.skipped, 2)
        waiting[0].callback(None)
        self.assertEqual(self.listings(), [1, 1, 1])

    def test_not_lost_to_another(self) -> None:
        """A daily run that is due while an hourly one is at work comes right after it."""
        self.runs.collect_all()
        waiting = self.hold(self.all[2])
        self.runs.due(frozenset({"/2"}))
        self.runs.due(frozenset({DEFAULT, "/2"}))
        self.assertEqual(self.listings(), [1, 1, 2])
        self.assertEqual(self.collector.state.job.skipped, 1)
        waiting[0].callback(None)
        self.assertEqual(self.listings(), [2, 2, 2])

    def test_unread_ones_come_along(self) -> None:
        """A repository that no run has read yet does not wait for its own schedule."""
        self.runs.due(frozenset({"/2"}))
        self.assertEqual(self.listings(), [1, 1, 1])

    def test_stop(self) -> None:
        """A stop ends the run, what waited for its end, and all that is to come."""
        waiting = self.hold(self.all[0])
        self.runs.due(frozenset({"/2"}))
        self.runs.due(frozenset({DEFAULT}))
        ended = self.runs.ended()
        self.successResultOf(self.runs.stop())
        self.successResultOf(ended)
        self.assertEqual(len(waiting), 1)
        self.assertFalse(self.runs.collect_all())
        self.assertFalse(self.runs.collect_one("/0"))
        self.runs.due(frozenset({DEFAULT}))
        self.assertEqual(len(waiting), 1)

    def test_nothing_to_collect(self) -> None:
        """Without repositories a run ends at once, and the next one can start."""
        self.use()
        self.runs.set_schedules((), {})
        self.assertTrue(self.runs.collect_all())
        self.assertTrue(self.runs.collect_all())
        self.successResultOf(self.runs.stop())
