"""Tests of a metrics page that is made in turns."""

from prometheus_client.parser import text_string_to_metric_families as parse_text
from twisted.internet.defer import Deferred

from restic_reporter.concurrency import cooperative as turns
from tests.doubles.metrics_case import PageCase
from tests.doubles.repositories import TurnClock, World, snapshot


class TurnsTests(PageCase):
    """`MetricsPage.steps`, in turns."""

    def setUp(self) -> None:
        super().setUp()
        self.worlds = [World.make(f"/{number}", snapshots=2) for number in range(150)]
        self.use(*self.worlds)
        self.collect()
        self.patch(turns, "TURN", -1.0)
        self.turns = TurnClock()

    def finish(self, rendering: "Deferred[bytes]") -> dict[tuple[str, str], float]:
        """Give it turns until it has ended: the samples of its page."""
        passed = 0
        while not rendering.called:
            self.turns.advance(1)
            passed += 1
        self.assertGreater(passed, 5)
        page = self.successResultOf(rendering).decode()
        return {
            (one.name, str(one.labels)): one.value
            for family in parse_text(page)
            for one in family.samples
            if not one.name.startswith("process_")
        }

    def render(self) -> "Deferred[bytes]":
        """The page in the making."""
        return Deferred.fromCoroutine(turns.in_turns(self.turns, self.page.steps(False)))

    def test_added_meanwhile(self) -> None:
        """Repositories that a collection adds or takes away meanwhile do not break the page."""
        for passed in (1, 3):
            rendering = self.render()
            self.turns.advance(passed)
            added = [World.make(f"/{number}", snapshots=1) for number in range(100, 400)]
            waiting = added[0].hold()
            for world in added:
                world.backend.waiting = added[0].backend.waiting
            self.use(*added)
            collection = self.collector.collect()
            self.assertIn(("backup_job_running", "{}"), self.finish(rendering))
            while waiting:
                waiting.pop().callback(None)
            self.successResultOf(collection)

    def test_same_page(self) -> None:
        """The page is the one that is made at once, and others have had their turns."""
        rendering = self.render()
        self.assertNoResult(rendering)
        at_once = {
            (one.name, str(one.labels)): one.value
            for one in self.samples()
            if not one.name.startswith("process_")
        }
        self.assertEqual(self.finish(rendering), at_once)
        self.assertGreater(len(at_once), 150 * 10)

    def test_change_meanwhile(self) -> None:
        """Whatever changes while it is made, each repository is as it was at one moment."""
        rendering = self.render()

        def change(number: int) -> None:
            for world in self.worlds:
                world.storage.snapshots = [*world.storage.snapshots, snapshot(number)]
            self.collect()

        for number in range(10, 16):
            change(number)
            self.turns.advance(1)
        page = self.finish(rendering)
        for number in range(150):
            url = f"/{number}"
            counts = {
                value
                for (name, labels), value in page.items()
                if name in ("backup_snapshot_count", "backup_set_snapshot_count")
                and f"'{url}'" in labels
            }
            self.assertEqual(len(counts), 1, url)

    def test_gone_meanwhile(self) -> None:
        """Repositories that leave and come while it is made do it no harm."""
        rendering = self.render()
        self.turns.advance(1)
        self.use(*self.worlds[:50], World.make("/new"))
        self.collect()
        page = self.finish(rendering)
        urls = {labels for name, labels in page if name == "backup_snapshot_count"}
        self.assertIn("{'url': '/1'}", urls)
        self.assertNotIn("{'url': '/149'}", urls)
