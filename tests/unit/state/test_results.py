"""Tests of results in the state: `restic_reporter.state.results` and the keeper's part."""

from restic_reporter.collection.result_book import ResultBook
from restic_reporter.model.results import Result
from restic_reporter.state.database import Database
from restic_reporter.state.records import Record
from tests.doubles.keeper_case import KeeperCase
from tests.doubles.repositories import NOW

from .test_database import DatabaseCase, record

DAY = 86400.0

CHECK, FAILED = Result("check", NOW, 0), Result("prune", NOW - 1.5, 12, "no space ü")


class RestoredResultsTests(KeeperCase):
    """Results of jobs over restarts."""

    def add(self, label: str, result: Result) -> None:
        """A result comes."""
        ResultBook(self.keeper._state, self.keeper.save_results).add(label, result)

    def results(self, label: str = "/0") -> set[Result]:
        """The results of a repository, as far as known."""
        return set(self.keeper._state.results.get(label, {}).values())

    def test_restart(self) -> None:
        """They are there after a restart, also of repositories that were never read."""
        self.worlds(2)
        self.collect({"/0"})
        for label in ("/0", "/1"):
            self.add(label, CHECK)
            self.add(label, FAILED)
        for _ in range(2):
            self.restart(30 * DAY)
            self.assertEqual(self.results(), set())
            self.restored()
            for label in ("/0", "/1"):
                self.assertEqual(self.results(label), {CHECK, FAILED})

    def test_soon(self) -> None:
        """They are written half a second later, without a collection."""
        self.worlds(1)
        self.add("/0", CHECK)
        self.write()
        other = Database(self.folder)
        self.addCleanup(other.close)
        other.open_to_read()
        self.assertEqual(other.results(["/0"]), {"/0": {"check": CHECK}})
        self.assertEqual((other.labels(), other.job()), (["/0"], {}))

    def test_fault(self) -> None:
        """What could not be written is tried again, with what has come since."""
        self.path.write_text("in the way")
        self.worlds(1)
        self.add("/0", CHECK)
        self.write()
        self.assertFalse(self.keeper.health.success)
        self.path.unlink()
        self.add("/0", FAILED)
        self.write(60)
        self.assertTrue(self.keeper.health.success)
        self.restart()
        self.restored()
        self.assertEqual(self.results(), {CHECK, FAILED})

    def test_back_in_config(self) -> None:
        """An entry that comes back has its results, and those that came before it was restored."""
        world, other = self.worlds(2)
        self.collect()
        self.add("/0", FAILED)
        self.add("/0", Result("check", NOW - DAY, 1))
        self.write()
        self.use(other)
        self.collect()
        self.assertEqual(self.results(), set())
        self.use(world, other)
        self.add("/0", CHECK)
        self.collect()
        self.assertEqual(self.results(), {CHECK, FAILED})

    def test_before_restoring(self) -> None:
        """A result that was written before the others were restored replaces only its kind."""
        self.worlds(1)
        self.add("/0", FAILED)
        self.restart()
        self.add("/0", CHECK)
        self.restart()
        self.restored()
        self.assertEqual(self.results(), {CHECK, FAILED})


class ResultTableTests(DatabaseCase):
    """Results in the database."""

    def test_old(self) -> None:
        """Results of 400 days ago go, unless their repository is still read, or newer ones came."""
        self.database.write(
            [record()],
            None,
            NOW,
            {
                "/p": {"check": CHECK},
                "/q": {"check": CHECK},
                "/r": {"check": CHECK, "copy": Result("copy", NOW + 9 * DAY, 0)},
            },
        )
        labels = ["/p", "/q", "/r", "/x"]
        self.reopen(NOW + 399 * DAY)
        self.assertEqual(list(self.database.results(labels)), ["/p", "/q", "/r"])
        head = {"url": "/p", "last_success": NOW + 399 * DAY}
        self.database.write([Record("/p", head)], None, NOW)
        self.reopen(NOW + 401 * DAY)
        self.assertEqual(list(self.database.results(labels)), ["/p", "/r"])

    def test_forget(self) -> None:
        """A repository is forgotten with its results."""
        self.database.write([record()], None, NOW, {"/p": {"check": CHECK}})
        self.database.forget("/p")
        self.assertEqual((self.database.labels(), self.database.results(["/p"])), ([], {}))
