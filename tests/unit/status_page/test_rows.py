"""Tests of the rows of the status page: states, filter, order and pages."""

from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.concurrency.cooperative import at_once
from restic_reporter.model.freshness import Freshness, Limit, SetName
from restic_reporter.schedule.cron import parse_cron
from restic_reporter.status_page.fleet import Fleet, Standing
from restic_reporter.status_page.rows import State
from restic_reporter.status_page.selection import Selected, Selection
from restic_reporter.status_page.strip import Day, days_of, runs_of
from tests.doubles.local_time import local_time
from tests.doubles.repositories import NOW
from tests.doubles.statuses import DAY, backups, state_of, status

ONE_DAY = Freshness(Limit(max_age=DAY))


def standing(*statuses: Any, now: float = NOW) -> Standing:
    """The standing of these repositories."""
    return at_once(Fleet(state_of(statuses)).steps(now))


def states(*statuses: Any, now: float = NOW) -> dict[str, State]:
    """The state of each host."""
    found = standing(*statuses, now=now)
    return {row.host: state for row, state in zip(found.rows, found.states, strict=True)}


class StateTests(SynchronousTestCase):
    """Tests for the states of sets."""

    def test_limit(self) -> None:
        """A set is late just after its limit, and without a limit neither fine nor late."""
        one = status("/p", backups("old", 2), backups("new", 0.5), freshness=ONE_DAY)
        other = status("/q", backups("free", 100))
        self.assertEqual(
            states(one, other),
            {"old": State.LATE, "new": State.FINE, "free": State.UNLIMITED},
        )
        self.assertEqual(states(one, now=NOW + DAY / 2)["new"], State.FINE)
        self.assertEqual(states(one, now=NOW + DAY / 2 + 1)["new"], State.LATE)

    def test_learned(self) -> None:
        """Without a limit a learned age counts, as of the last good read, until one fails."""
        rhythm = evolve(backups("rhythm", 0.5), learned_max_age=DAY)
        limit = evolve(backups("limit", 2), learned_max_age=9 * DAY)
        retired = evolve(backups("old", 2), learned_max_age=DAY)
        freshness = Freshness(None, {SetName("limit"): Limit(DAY)}, frozenset([SetName("old")]))
        one = status("/p", rhythm, limit, retired, freshness=freshness)
        fleet = Fleet(state_of([one]))

        def shown(days: float) -> State:
            found = at_once(fleet.steps(NOW + days * DAY))
            states = dict(zip((row.host for row in found.rows), found.states, strict=True))
            self.assertEqual((states["limit"], states["old"]), (State.LATE, State.RETIRED))
            return states["rhythm"]

        rows = at_once(fleet.steps(NOW)).rows
        self.assertEqual(shown(9), State.FINE)
        for days, state in ((0.5, State.FINE), (0.6, State.LATE)):
            # A read that found nothing new.
            one.last_success = NOW + days * DAY
            fleet.prepare(one)
            self.assertEqual(shown(9), state, days)
        self.assertIs(at_once(fleet.steps(NOW)).rows, rows)
        one.success = False
        for days, state in ((0.5, State.UNREADABLE), (0.6, State.LATE)):
            self.assertEqual(shown(days), state, days)

    def test_no_valid_snapshot(self) -> None:
        """A set with a limit and no valid snapshot is late."""
        self.assertEqual(states(status("/p", backups("h"), freshness=ONE_DAY)), {"h": State.LATE})
        learned = evolve(backups("h"), learned_max_age=DAY)
        self.assertEqual(states(status("/p", learned)), {"h": State.UNLIMITED})

    def test_expected(self) -> None:
        """An expected set is absent unless it, or any set of its host, exists."""
        expected = {SetName(host): None for host in ("here", "gone")}
        expected |= {SetName("here", "nobody"): None, SetName("here", "root"): None}
        one = status("/p", backups("here", 1), freshness=Freshness(expected=expected))
        found = standing(one)
        absent = [
            (row.host, row.user)
            for row, state in zip(found.rows, found.states, strict=True)
            if state is State.ABSENT
        ]
        self.assertEqual(absent, [("gone", ""), ("here", "nobody")])

    def test_unreadable(self) -> None:
        """After a failed read sets are unreadable; what is known to be late or absent stays so."""
        freshness = Freshness(
            Limit(max_age=DAY), {SetName("gone"): None}, frozenset([SetName("retired")])
        )
        one = status(
            "/p",
            *(backups("old", 2), backups("new", 0.5), backups("retired", 99)),
            freshness=freshness,
            success=False,
        )
        self.assertEqual(
            states(one),
            {
                "old": State.LATE,
                "new": State.UNREADABLE,
                "retired": State.RETIRED,
                "gone": State.ABSENT,
            },
        )

    def test_never_read(self) -> None:
        """A repository that was never read has one row without a host; before, it has none."""
        self.assertEqual(states(status("/p", success=False)), {"": State.UNREADABLE})
        waiting = status("/p", success=None, freshness=Freshness(expected={SetName("a"): None}))
        self.assertEqual(states(waiting), {})
        self.assertEqual(standing(waiting).waiting, 1)

    def test_kept(self) -> None:
        """Rows follow a read, also a failed one, a new repository, and a removed one."""
        one = status("/p", backups("a", 2), freshness=ONE_DAY)
        state = state_of([one])
        fleet = Fleet(state)
        first = at_once(fleet.steps(NOW))
        self.assertIs(at_once(fleet.steps(NOW + 1)).rows, first.rows)
        one.content = status("/p", backups("b", 0)).content
        self.assertEqual([row.host for row in at_once(fleet.steps(NOW)).rows], ["b"])
        one.success = False
        self.assertEqual(at_once(fleet.steps(NOW)).states, [State.UNREADABLE])
        state.statuses["/q"] = status("/q", backups("c", 0))
        self.assertEqual([row.host for row in at_once(fleet.steps(NOW)).rows], ["b", "c"])
        steps = fleet.steps(NOW)
        next(steps)
        state.statuses["/r"] = status("/r", backups("d", 0))
        fleet.prepare(state.statuses["/r"])
        at_once(steps)
        self.assertEqual([row.host for row in at_once(fleet.steps(NOW)).rows], ["b", "c", "d"])
        del state.statuses["/p"], state.statuses["/r"]
        self.assertEqual([row.host for row in at_once(fleet.steps(NOW)).rows], ["c"])


FLEET = standing(
    status(
        "/web",
        backups("alpha", 3, processed_bytes=5, duration=1.0),
        backups("beta", 9, processed_bytes=7),
        backups("gamma", 0.1),
        backups("Zeta", 50),
        freshness=Freshness(
            Limit(max_age=DAY), {SetName("omega"): None}, frozenset([SetName("Zeta")])
        ),
    ),
    status("/db", backups("delta", 1, 2, user="postgres", processed_bytes=6)),
    status("/broken", backups("epsilon", 1), success=False),
)


def select(**arguments: str) -> Selected:
    """The rows of a URL with these arguments."""
    return at_once(Selection.of(arguments).select(FLEET))


def hosts(**arguments: str) -> list[str]:
    """The hosts of these rows."""
    return [row.host for row, _ in select(**arguments).rows]


class SelectionTests(SynchronousTestCase):
    """Tests for filters, order and pages."""

    def test_worst_first(self) -> None:
        """By default the worst is first, among the late ones the longest overdue."""
        worst = ["beta", "alpha", "omega", "epsilon", "delta", "gamma"]
        self.assertEqual(hosts(), worst)
        self.assertEqual(hosts(state="all"), [*worst, "Zeta"])
        self.assertEqual(hosts(sort="-state", state="all")[-1], "beta")

    def test_state(self) -> None:
        """Only sets of one state; an unknown state counts as none."""
        self.assertEqual(hosts(state="late"), ["beta", "alpha"])
        self.assertEqual(hosts(state="retired"), ["Zeta"])
        self.assertEqual(hosts(state="<b>"), hosts())

    def test_text(self) -> None:
        """All words must occur, in any case, in host, user, repository or tags."""
        self.assertEqual(hosts(q="  WEB  alp "), ["alpha"])
        self.assertEqual(hosts(q="postgres"), ["delta"])
        self.assertEqual(hosts(q="daily", state="late"), ["beta", "alpha"])
        self.assertEqual(hosts(q="alpha postgres"), [])
        self.assertEqual(hosts(repository="/db"), ["delta"])

    def test_sort(self) -> None:
        """By any column in both directions; rows without a value are last, retired ones too."""
        self.assertEqual(hosts(sort="host")[:2], ["alpha", "beta"])
        self.assertEqual(hosts(sort="-host", state="all")[0], "omega")
        self.assertEqual(hosts(sort="-host", state="all")[-1], "Zeta")
        self.assertEqual(hosts(sort="size")[:3], ["alpha", "delta", "beta"])
        self.assertEqual(hosts(sort="-size")[:3], ["beta", "delta", "alpha"])
        self.assertEqual(hosts(sort="-age")[0], "beta")
        self.assertEqual(hosts(sort="age")[0], "gamma")
        self.assertEqual(hosts(sort="-age")[-1], "omega")
        self.assertEqual(hosts(sort="-snapshots")[0], "delta")
        self.assertEqual(hosts(sort="password"), hosts())

    def test_pages(self) -> None:
        """100 rows a page; a number beyond the last gives the last, an invalid one the first."""
        many = standing(status("/p", *(backups(f"h{n:03}", 1) for n in range(250))))

        def page(number: str) -> tuple[int, int, str]:
            found = at_once(Selection.of({"page": number, "sort": "host"}).select(many))
            return found.page, len(found.rows), found.rows[0][0].host

        self.assertEqual(page("2"), (2, 100, "h100"))
        for beyond in ("4", "9" * 5000):
            self.assertEqual(page(beyond), (3, 50, "h200"))
        for invalid in ("", "0", "-1", "x", "²", "1.5"):
            self.assertEqual(page(invalid), (1, 100, "h000"))

    def test_link(self) -> None:
        """A link keeps the rest of the selection, and says nothing that is usual."""
        selection = Selection.of({"q": "a&b <c>", "state": "late", "page": "3"})
        self.assertEqual(selection.link(page=1), "./?q=a%26b+%3Cc%3E&state=late")
        self.assertEqual(selection.link(q="", state="", page=1), "./")
        self.assertEqual(Selection.of({"sort": "-age"}).link(page=2), "./?sort=-age&page=2")


class StripTests(SynchronousTestCase):
    """Tests for the days of a set."""

    def setUp(self) -> None:
        self.enterContext(local_time("UTC"))

    def test_days(self) -> None:
        """The last day is today; days with a snapshot are marked."""
        row = standing(status("/p", backups("a", 0, 2, 29, 30))).rows[0]
        days = days_of(row, NOW)
        self.assertEqual(len(days), 30)
        marked = [29 - place for place, day in enumerate(days) if day is Day.BACKUP]
        self.assertEqual(marked, [29, 2, 0])
        self.assertNotIn(Day.MISSED, days)

    def test_missed(self) -> None:
        """Days of due times that no backup met are marked, none before the oldest backup."""
        daily = Freshness(Limit(schedule=parse_cron("0 20 * * *"), grace=4 * 3600))
        one = status("/p", backups("a", 0, 1, 3, 4), freshness=daily)
        days = days_of(standing(one).rows[0], NOW)
        self.assertEqual([29 - place for place, day in enumerate(days) if day is Day.MISSED], [2])

    def test_removed(self) -> None:
        """A backup counts as made although its snapshot was removed since."""
        daily = Freshness(Limit(schedule=parse_cron("0 20 * * *"), grace=4 * 3600))
        thinned = evolve(backups("a", 0), history=backups("a", 0, 1, 3, 4).history)
        row = standing(status("/p", thinned, freshness=daily)).rows[0]
        days = days_of(row, NOW)
        self.assertEqual([days[29 - age] for age in (0, 1, 3, 4)], [Day.BACKUP] * 4)
        self.assertEqual([29 - place for place, day in enumerate(days) if day is Day.MISSED], [2])
        self.assertEqual(runs_of(row, NOW), (3, 2))

    def test_runs(self) -> None:
        """Due backups are counted by a schedule, up to the newest while it cannot be read."""
        daily = Freshness(Limit(schedule=parse_cron("0 20 * * *"), grace=4 * 3600))
        for freshness, success, runs in (
            (daily, True, (4, 3)),
            (daily, False, (2, 2)),
            (ONE_DAY, True, None),
            (Freshness(), True, None),
        ):
            one = status("/p", backups("a", 2, 3, 4, 5), freshness=freshness, success=success)
            self.assertEqual(runs_of(standing(one).rows[0], NOW), runs)

    def test_absent(self) -> None:
        """An absent set has no days."""
        one = status("/p", freshness=Freshness(expected={SetName("a"): None}))
        row = standing(one).rows[0]
        self.assertEqual((days_of(row, NOW), runs_of(row, NOW)), ((), None))
