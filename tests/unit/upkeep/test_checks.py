"""Tests of checks: `restic_reporter.upkeep.service`, ``queue`` and ``checks``."""

from attrs import evolve
from twisted.internet.defer import Deferred

from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.results import Result
from restic_reporter.plugin import BackendMaker
from restic_reporter.redaction.secret import Secret
from restic_reporter.upkeep.restic_check import CheckFailedError
from tests.doubles.upkeep_case import DAILY, DAY, HOUR, HOURLY, START, UpkeepCase


class ChecksTests(UpkeepCase):
    """Checks by schedule, and their results."""

    def test_due(self) -> None:
        """A check begins when it is due, not at the start; its result has the time of its end."""
        self.use(self.task("/a", HOURLY), self.task("/b"))
        self.pass_time(HOUR - 1)
        self.assertEqual(self.runs, [])
        self.pass_time(1)
        (run,) = self.runs
        self.assertEqual((run.url, run.subset), ("/a", "5%"))
        self.assertEqual((self.state.checks.label, self.state.checks.began), ("/a", START + HOUR))
        self.pass_time(60)
        self.assertIs(self.result("/a"), None)
        run.end.callback(None)
        self.assertEqual(self.result("/a"), Result("check", START + HOUR + 60, 0))
        self.assertIs(self.state.checks.label, None)
        self.assertIn("check of /a has found no errors in 60 s", self.logged())

    def test_errors_found(self) -> None:
        """A check that finds errors is a failed result with restic's exit status."""
        self.use(self.task("/a", HOURLY))
        self.pass_time(HOUR)
        found = ReadError(Reason.RESTIC, "restic check found errors: pack of sesame")
        self.runs[0].end.errback(CheckFailedError(found, 3))
        message = "restic check found errors: pack of ***"
        self.assertEqual(self.result("/a"), Result("check", START + HOUR, 3, message))
        self.assertIn(f"check of /a failed: {message} (restic)", self.logged())
        self.pass_time(HOUR)
        self.assertEqual(len(self.runs), 2)

    def test_not_done(self) -> None:
        """A check that cannot be done is a failed result, too; the exit status tells why."""
        self.use(self.task("/a", HOURLY))
        for reason, exit in ((Reason.EXEC, 127), (Reason.SECRET, 1), (Reason.TIMEOUT, 124)):
            self.pass_time(HOUR)
            self.runs[-1].end.errback(ReadError(reason, "why"))
            self.assertEqual(self.result("/a"), Result("check", self.now(), exit, "why"))
            self.assertIn(f"check of /a failed: why ({reason})", self.logged())

    def test_no_secrets(self) -> None:
        """Where the secrets cannot be looked up there is nothing to run."""
        self.use(self.task("/a", HOURLY))
        self.errors["/a"] = ReadError(Reason.SECRET, "no such document")
        self.pass_time(HOUR)
        self.assertEqual(self.runs, [])
        self.assertEqual(self.result("/a"), Result("check", START + HOUR, 1, "no such document"))

    def test_bug(self) -> None:
        """A bug is a failed result and logged, and the next checks are made."""
        self.use(self.task("/a", HOURLY), self.task("/b", HOURLY))
        self.pass_time(HOUR)
        self.runs[0].end.errback(ZeroDivisionError("sesame"))
        result = self.result("/a")
        assert result is not None
        self.assertEqual(result.message, "bug in restic-reporter or a plugin; see the log")
        self.assertIn("ZeroDivisionError: ***", self.logged())
        self.assertEqual(self.checked, ["/a", "/b"])

    def test_timeout(self) -> None:
        """A check is cancelled at its timeout."""
        self.use(self.task("/a", DAILY))
        self.pass_time(DAY + 2 * HOUR - 1)
        self.assertFalse(self.runs[0].cancelled)
        self.pass_time(1)
        self.assertTrue(self.runs[0].cancelled)
        message = "restic check: timed out after 7200.0 s"
        self.assertEqual(self.result("/a"), Result("check", self.now(), 124, message))

    def test_location(self) -> None:
        """Where only the listing tells the location, restic gets that; the listing is counted."""
        task = self.task("/a", HOURLY)
        self.backends["/a"].files[f"keys/{'1' * 64}"] = b""
        self.backends["/a"].location = Secret("/b")
        task = evolve(task, repository=evolve(task.repository, scheme="own"))
        self.makers["own"] = BackendMaker("own", ("own",), "no.where", locates=True)
        self.use(task)
        self.read(task)
        self.pass_time(HOUR)
        self.assertEqual(self.runs[0].location, "/b")
        self.assertEqual(self.state.statuses["/a"].meter.requests, {"list": 1})


class QueueTests(UpkeepCase):
    """One check at a time."""

    def test_one_at_a_time(self) -> None:
        """Others wait, each once, whatever they are due."""
        self.use(*(self.task(url, HOURLY) for url in ("/a", "/b", "/c")))
        self.pass_time(HOUR)
        self.assertEqual(self.checked, ["/a"])
        self.assertEqual(list(self.state.checks.waiting), ["/b", "/c"])
        self.runs[0].end.callback(None)
        self.assertEqual(self.checked, ["/a", "/b"])
        self.pass_time(HOUR)
        # /b is running, and is not due again before it ends.
        self.assertEqual(list(self.state.checks.waiting), ["/c", "/a"])
        self.assertIn("check of /b skipped: the last one is still running", self.logged())
        for number in range(1, 4):
            self.runs[number].end.callback(None)
        self.assertEqual(self.checked, ["/a", "/b", "/c", "/a"])
        self.assertEqual(list(self.state.checks.waiting), [])

    def test_many_at_once(self) -> None:
        """Thousands that end at once do not pile up on the stack."""
        urls = [f"/{number:04}" for number in range(3000)]
        self.use(*(self.task(url, HOURLY) for url in urls))
        self.errors.update(dict.fromkeys(urls, ReadError(Reason.SECRET, "no")))
        self.pass_time(HOUR)
        self.assertEqual(len(self.state.results), 3000)

    def test_stop(self) -> None:
        """At the stop the running check is cancelled without a result, and no other begins."""
        self.use(self.task("/a", HOURLY), self.task("/b", HOURLY))
        self.pass_time(HOUR)
        self.successResultOf(self.service.stopService())
        self.assertTrue(self.runs[0].cancelled)
        self.assertEqual((self.state.results, self.state.checks.waiting), ({}, {}))
        self.pass_time(DAY)
        self.assertEqual(self.checked, ["/a"])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertNotIn("failed", self.logged())

    def test_stop_waits(self) -> None:
        """The stop waits for the end of a check that takes its time to end."""
        self.use(self.task("/a", HOURLY))
        self.pass_time(HOUR)
        self.lingers = Deferred()
        stopped = self.service.stopService()
        self.assertNoResult(stopped)
        self.lingers.callback(None)
        self.successResultOf(stopped)


class ReloadTests(UpkeepCase):
    """Another config during a check."""

    def test_removed(self) -> None:
        """A check that runs goes on; one that waits for a removed entry is dropped."""
        self.use(*(self.task(url, HOURLY) for url in ("/a", "/b", "/c")))
        self.pass_time(HOUR)
        self.use(self.task("/c", HOURLY), self.task("/b"))
        self.runs[0].end.callback(None)
        self.assertEqual(self.checked, ["/a", "/c"])
        self.runs[1].end.callback(None)
        self.pass_time(DAY)
        self.assertNotIn("/b", self.checked)
        self.assertEqual(self.checked.count("/a"), 1)

    def test_changed(self) -> None:
        """The next check is by the new entry."""
        task = self.task("/a", HOURLY)
        self.use(task)
        self.pass_time(HOUR)
        check = task.repository.upkeep.check
        assert check is not None
        upkeep = evolve(task.repository.upkeep, check=evolve(check, read_data_subset="1/2"))
        self.use(evolve(task, repository=evolve(task.repository, upkeep=upkeep)))
        self.assertFalse(self.runs[0].cancelled)
        self.runs[0].end.callback(None)
        self.pass_time(HOUR)
        self.assertEqual([one.subset for one in self.runs], ["5%", "1/2"])
