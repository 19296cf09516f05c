"""Tests of `restic_reporter.collection.result_book` and `restic_reporter.model.results`."""

from attrs import evolve

from restic_reporter.collection.result_book import ResultBook
from restic_reporter.model.results import Result, newest
from tests.doubles.collector_case import CollectorCase
from tests.doubles.repositories import NOW, World


class ResultBookTests(CollectorCase):
    """Results of jobs, as they come."""

    def setUp(self) -> None:
        super().setUp()
        self.told: list[str] = []
        self.book = ResultBook(self.collector.state, self.told.append)

    def known(self, label: str = "/0") -> list[tuple[str, float, int]]:
        """The results of a repository."""
        found = self.collector.state.results.get(label, {})
        return [(one.kind, one.time, one.exit) for one in found.values()]

    def test_newest_of_each_kind(self) -> None:
        """The newest of each kind stays, whatever the order; an older one is not told."""
        for kind, time, exit, taken in (
            ("check", NOW, 0, True),
            ("prune", NOW - 5, 1, True),
            ("check", NOW - 1, 1, False),
            ("check", NOW, 2, True),
            ("check", NOW + 1, 3, True),
        ):
            self.assertIs(self.book.add("/0", Result(kind, time, exit)), taken)
        self.assertEqual(self.known(), [("check", NOW + 1, 3), ("prune", NOW - 5, 1)])
        self.assertEqual(self.told, ["/0"] * 4)

    def test_last_success(self) -> None:
        """After a failure it is known when such a job succeeded last, in any order of arrival."""
        for time, exit, expected in (
            (NOW, 1, None),
            (NOW - 9, 0, NOW - 9),
            (NOW - 20, 0, NOW - 9),
            (NOW + 1, 0, NOW + 1),
            (NOW + 2, 1, NOW + 1),
            (NOW - 5, 1, NOW + 1),
        ):
            self.book.add("/0", Result("restore", time, exit))
            found = self.collector.state.results["/0"]["restore"]
            self.assertEqual(found.last_success, expected, (time, exit))
        self.assertEqual((found.time, found.exit), (NOW + 2, 1))
        self.assertEqual(len(self.told), 4)

    def test_read_or_not(self) -> None:
        """A repository that was never read has results; one that was read counts as changed."""
        self.assertTrue(self.book.add("/0", Result("check", NOW, 0)))
        self.worlds(1)
        self.collect()
        self.assertEqual(self.known(), [("check", NOW, 0)])
        before = self.status().revision
        self.book.add("/0", Result("check", NOW + 1, 0))
        self.assertGreater(self.status().revision, before)

    def test_removed(self) -> None:
        """Results of a repository that left the config go at the next collection."""
        self.worlds(2)
        self.collect()
        for label in ("/0", "/1"):
            self.book.add(label, Result("check", NOW, 0))
        self.use(World.make("/1"))
        self.assertEqual(len(self.known()), 1)
        self.collect()
        self.assertEqual((self.known("/0"), len(self.known("/1"))), ([], 1))

    def test_two_sources(self) -> None:
        """Of two collections of results the newer of each kind counts; else the second one."""
        first = {"check": Result("check", 2, 0), "copy": Result("copy", 1, 0)}
        second = {"check": Result("check", 1, 1), "copy": Result("copy", 1, 1)}
        found = newest(first, {**second, "prune": Result("prune", 5, 0)})
        copied = evolve(second["copy"], success_before=1)
        self.assertEqual(found, {"check": first["check"], "copy": copied, "prune": found["prune"]})
        self.assertEqual([one.success for one in found.values()], [True, False, True])
