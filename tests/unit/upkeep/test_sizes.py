"""Tests of `restic_reporter.upkeep.sizes` and `restic_reporter.upkeep.ability`."""

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from restic_reporter.collection.state import Measured, RepositoryStatus
from restic_reporter.interfaces import IMeasurable
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.settings import BackendSettings
from restic_reporter.model.upkeep import Size
from restic_reporter.plugin import BackendMaker
from restic_reporter.upkeep.ability import can_check, upkeep_warnings
from tests.doubles.repositories import name
from tests.doubles.upkeep_case import DAILY, DAY, HOUR, HOURLY, START, UpkeepCase


class SizesTests(UpkeepCase):
    """Sizes by schedule."""

    def status(self, url: str) -> RepositoryStatus:
        """What is known of a repository."""
        return self.state.statuses[url]

    def fill(self, url: str, *sizes: int) -> None:
        """Let a repository have packs of these sizes."""
        packs = {f"data/00/{name(number)}": b"x" * size for number, size in enumerate(sizes)}
        self.backends[url].files = {"config": b"", **packs}

    def test_due(self) -> None:
        """The size is listed when it is due, counted, and told."""
        task = self.task("/a", size=HOURLY)
        self.assertTrue(verifyObject(IMeasurable, task.backend))
        self.use(task, self.task("/b"))
        self.read(task)
        self.fill("/a", 10, 500)
        self.pass_time(HOUR - 1)
        self.assertEqual((self.status("/a").size, self.told), (None, []))
        self.pass_time(1)
        self.assertEqual(self.status("/a").size, Measured(Size(510, 2), START + HOUR))
        self.assertEqual(self.status("/a").meter.requests, {"list": 1})
        self.assertEqual((self.told, self.status("/a").revision), (["/a"], 1))
        self.assertIn("size of /a: 510 bytes in 2 packs", self.logged())

    def test_failure(self) -> None:
        """After a failure the last size stays; the log has the reason."""
        task = self.task("/a", size=HOURLY)
        self.use(task)
        self.read(task)
        self.fill("/a", 7)
        self.pass_time(HOUR)
        known = self.status("/a").size
        self.backends["/a"].failures["data/"] = ReadError(Reason.NETWORK, "sesame is closed")
        self.pass_time(HOUR)
        self.assertEqual(self.status("/a").size, known)
        self.assertEqual(self.status("/a").meter.requests, {"list": 2})
        self.assertIn(
            "size of /a not known, keeping the last one: *** is closed (network)", self.logged()
        )
        self.errors["/a"] = ReadError(Reason.SECRET, "no such document")
        self.pass_time(HOUR)
        self.assertIn("no such document (secret)", self.logged())

    def test_before_the_first_read(self) -> None:
        """A size that is known before the repository was ever read is shown with its status."""
        task = self.task("/a", size=HOURLY)
        waiting: Deferred[None] = Deferred()
        self.use(task)
        self.backends["/a"].waiting = lambda _: waiting
        self.pass_time(HOUR)
        self.read(task)
        waiting.callback(None)
        self.assertEqual(self.status("/a").size, Measured(Size(0, 0), START + HOUR))
        self.state.statuses.clear()
        self.pass_time(HOUR)
        self.assertEqual(self.told, ["/a"])

    def test_one_at_a_time(self) -> None:
        """One is listed at a time, for an hour at most, beside a check."""
        tasks = [self.task(url, DAILY, DAILY) for url in ("/a", "/b")]
        self.use(*tasks)
        self.read(*tasks)
        self.backends["/a"].waiting = lambda _: Deferred()
        self.pass_time(DAY)
        self.assertEqual(self.checked, ["/a"])
        self.pass_time(HOUR - 1)
        self.assertEqual(self.told, [])
        self.pass_time(1)
        self.assertEqual(self.told, ["/a", "/b"])
        self.assertIs(self.status("/a").size, None)
        self.assertIn("timed out after 3600.0 s (timeout)", self.logged())

    def test_stop(self) -> None:
        """At the stop the listing ends."""
        self.use(self.task("/a", size=HOURLY))
        self.backends["/a"].waiting = lambda _: Deferred()
        self.pass_time(HOUR)
        self.successResultOf(self.service.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertNotIn("not known", self.logged())


class AbilityTests(UpkeepCase):
    """Repositories that cannot be checked or measured."""

    def test_warnings(self) -> None:
        """Keys that are ignored are named at load, each backend once."""
        tasks: dict[str, Any] = {url: self.task(url, DAILY, DAILY) for url in ("/a", "/b", "/c")}
        self.assertEqual(list(upkeep_warnings(tasks, {})), [])
        for url in ("/b", "/c"):
            one = tasks[url]
            settings = BackendSettings(restic_reads=False)
            entry = evolve(one.repository, settings=settings)
            tasks[url] = evolve(one, repository=entry, backend=None)
        self.assertEqual(
            list(upkeep_warnings(tasks, {})),
            [
                "check: ignored for 2 repositories of the backend 'memory',"
                " which restic cannot read",
                "size_cron: ignored for 2 repositories of the backend 'memory',"
                " which cannot list its packs",
            ],
        )
        self.use(*tasks.values())
        self.read(*tasks.values())
        self.pass_time(DAY)
        self.assertEqual((self.checked, self.told), (["/a"], ["/a"]))
        self.runs[0].end.callback(None)
        self.assertEqual(self.checked, ["/a"])

    def test_schemes(self) -> None:
        """restic can check what it can reach; of other schemes, what a listing locates."""
        task = self.task("/a", DAILY)

        def made(scheme: str, locates: bool = False, **more: Any) -> bool:
            entry = evolve(task.repository, scheme=scheme, **more)
            makers = {"own": BackendMaker("own", ("own",), "no.where", locates)}
            return can_check(evolve(task, repository=entry), makers)

        proxied = BackendSettings(restic_reads=False)
        self.assertTrue(made("rclone"))
        self.assertFalse(made("own"))
        self.assertTrue(made("own", locates=True))
        self.assertFalse(made("b2", settings=proxied))
        self.assertTrue(made("b2", settings=proxied, reader="restic"))
