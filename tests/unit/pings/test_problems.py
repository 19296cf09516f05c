"""Tests of `restic_reporter.pings.problems`."""

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.freshness import Freshness, Limit, SetName
from restic_reporter.pings.problems import problems_text
from tests.doubles.local_time import local_time
from tests.doubles.repositories import NOW
from tests.doubles.statuses import DAY, backups, status

ONE_DAY = Freshness(Limit(max_age=DAY))


class ProblemsTests(SynchronousTestCase):
    """`problems_text`."""

    def setUp(self) -> None:
        """As in London in winter."""
        self.enterContext(local_time("UTC"))

    def test_fresh(self) -> None:
        """Nothing is wrong with sets within their limits, and with retired ones."""
        rhythm = evolve(backups("rhythm", 5), learned_max_age=9 * DAY)
        freshness = Freshness(
            expected={SetName("limit"): Limit(max_age=DAY), SetName("any", "root"): None},
            retired=frozenset({SetName("old")}),
        )
        one = status(
            "/p",
            *(rhythm, backups("limit", 0.5), backups("any", 2.9), backups("old", 99)),
            freshness=freshness,
        )
        self.assertEqual(problems_text(one, NOW), "")

    def test_problems(self) -> None:
        """Sets that are late, missing, too old without a limit, or without a usable snapshot."""
        freshness = Freshness(
            expected={SetName("limit"): Limit(max_age=DAY), SetName("db", "postgres"): None}
        )
        one = status(
            "/p",
            backups("limit", 2),
            evolve(backups("rhythm", 5), learned_max_age=4 * DAY),
            backups("any", 3.1),
            evolve(backups("future"), snapshot_count=1),
            backups("good", 0.1),
            freshness=freshness,
        )
        self.assertEqual(
            problems_text(one, NOW).splitlines(),
            [
                "limit root: late, newest backup Sun 12 Nov 2023, 22:13 UTC",
                "rhythm root: late, newest backup Thu 09 Nov 2023, 22:13 UTC",
                "any root: more than 3 days old, newest backup Sat 11 Nov 2023, 19:49 UTC",
                "future root: no usable snapshot",
                "db postgres: expected, but has no snapshots",
            ],
        )
        limited = status("/p", evolve(backups("future"), snapshot_count=1), freshness=ONE_DAY)
        self.assertEqual(problems_text(limited, NOW), "future root: no usable snapshot")

    def test_unreadable(self) -> None:
        """A failed read comes first; sets that are late by what is known follow."""
        one = status("/p", backups("old", 2), backups("new", 0.5), success=False, freshness=ONE_DAY)
        one.error = ReadError(Reason.NETWORK, "connection refused")
        self.assertEqual(
            problems_text(one, NOW).splitlines(),
            [
                "cannot read /p: connection refused (network)",
                "old root: late, newest backup Sun 12 Nov 2023, 22:13 UTC",
            ],
        )
        never = status("/p", success=False, freshness=Freshness(expected={SetName("db"): None}))
        never.error = one.error
        self.assertEqual(problems_text(never, NOW), "cannot read /p: connection refused (network)")

    def test_empty(self) -> None:
        """A repository without snapshots is not fresh."""
        self.assertEqual(problems_text(status("/p"), NOW), "/p: no snapshots")

    def test_many(self) -> None:
        """Of many problems some are named."""
        sets = [backups(f"h{number}", 2) for number in range(100)]
        lines = problems_text(status("/p", *sets, freshness=ONE_DAY), NOW).splitlines()
        self.assertEqual((len(lines), lines[-1]), (21, "and 80 more"))
