"""Tests of the metrics about the freshness of backup sets."""

from attrs import evolve

from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.freshness import Freshness, Limit, SetName
from restic_reporter.model.snapshots import Lock, Summary
from restic_reporter.schedule.cron import parse_cron
from tests.doubles.local_time import local_time
from tests.doubles.metrics_case import FreshnessCase
from tests.doubles.repositories import NOW, World, snapshot

HOUR, DAY = 3600.0, 86400.0
URL = {"url": "/p"}


class LimitTests(FreshnessCase):
    """Sets with a maximum age or a schedule."""

    def test_max_age(self) -> None:
        """A set is overdue from the moment that its newest is older than its own limit."""
        self.world.storage.snapshots = [
            snapshot(1, NOW - HOUR, "a"), snapshot(2, NOW - HOUR, "b"), snapshot(3, None, "c"),
        ]  # fmt: skip
        self.entry(freshness=Freshness(Limit(2 * HOUR), {SetName("b", "u"): Limit(3 * HOUR)}))
        self.collect()
        limits = {"a": 2 * HOUR, "b": 3 * HOUR, "c": 2 * HOUR}
        self.assertEqual(self.by_host("backup_set_max_age_seconds"), limits)
        for later, overdue in (
            (HOUR - 1, {"a": 0, "b": 0, "c": 1}),
            (HOUR, {"a": 0, "b": 0, "c": 1}),
            (HOUR + 1, {"a": 1, "b": 0, "c": 1}),
            (2 * HOUR + 1, {"a": 1, "b": 1, "c": 1}),
            (0, {"a": 0, "b": 0, "c": 1}),
        ):
            self.now = NOW + later
            self.assertEqual(self.by_host("backup_set_overdue"), overdue, later)
        self.assertNotIn("backup_set_due_timestamp_seconds", self.names())

    def test_schedule(self) -> None:
        """A scheduled set is overdue when a due time and its grace have passed."""
        limit = Limit(schedule=parse_cron("0 2 * * *"), grace=2 * HOUR)
        with local_time("UTC"):
            day = NOW - NOW % DAY
            self.now = day + 12 * HOUR
            made = [day + 2 * HOUR + 60 - DAY * each for each in (0, 1, 3)]
            self.world.storage.snapshots = [
                snapshot(number, time) for number, time in enumerate(made)
            ]
            self.entry(freshness=Freshness(limit))
            self.collect()
            due = day + DAY + 4 * HOUR
            self.assertEqual(self.values("backup_set_due_timestamp_seconds"), [due])
            self.assertEqual(self.values("backup_set_runs_due", window="30d"), [3])
            self.assertEqual(self.values("backup_set_runs_met", window="30d"), [2])
            for later, overdue in ((0, 0), (1, 1)):
                self.now = due + later
                self.assertEqual(self.values("backup_set_overdue"), [overdue])
            # Removed by a policy; still backups that were made, also the oldest.
            del self.world.storage.snapshots[1:]
            self.collect()
            self.assertEqual(self.values("backup_set_runs_due", window="30d"), [4])
            self.assertEqual(self.values("backup_set_runs_met", window="30d"), [2])

    def test_unreadable(self) -> None:
        """A set of a repository that cannot be read becomes overdue all the same."""
        self.entry(freshness=Freshness(Limit(DAY)))
        self.collect()
        self.assertEqual(self.values("backup_set_overdue"), [0])
        self.world.storage.list_error = ReadError(Reason.NETWORK, "refused")
        self.now += 2 * DAY
        self.collect()
        self.assertEqual(self.values("backup_set_overdue"), [1])

    def test_new_limit(self) -> None:
        """A changed limit shows from the next collection on, without another read."""
        self.entry(freshness=Freshness(Limit(DAY)))
        self.collect()
        self.entry(freshness=Freshness(Limit(DAY * 2)))
        self.assertEqual(self.values("backup_set_max_age_seconds"), [DAY])
        reads = self.world.reader.reads
        self.collect()
        self.assertEqual(self.values("backup_set_max_age_seconds"), [2 * DAY])
        self.assertEqual(self.world.reader.reads, reads)

    def test_no_limit(self) -> None:
        """Without a limit there are no metrics of limits."""
        self.collect()
        self.assertEqual(
            self.names()
            & {"backup_set_overdue", "backup_set_max_age_seconds", "backup_set_runs_due"},
            set(),
        )


class ExpectedTests(FreshnessCase):
    """Sets that must exist, and sets that are retired."""

    def test_expected(self) -> None:
        """An expected set exists or not; any user will do where none is named."""
        names = (SetName("h"), SetName("h", "u"), SetName("h", "v"), SetName("never"))
        self.entry(freshness=Freshness(expected=dict.fromkeys(names)))
        self.collect()
        found = {
            (one.labels["host"], one.labels["user"]): one.value
            for one in self.samples()
            if one.name == "backup_set_expected"
        }
        self.assertEqual(found, {("h", ""): 1, ("h", "u"): 1, ("h", "v"): 0, ("never", ""): 0})

    def test_flood(self) -> None:
        """A flood of other sets does not hide an expected one."""
        self.world.storage.snapshots = [
            *(snapshot(number, host=f"a{number}") for number in range(1900)),
            snapshot(9999, host="z"),
        ]
        self.entry(freshness=Freshness(expected={SetName("z"): None}))
        self.collect()
        self.assertEqual(self.values("backup_set_expected"), [1])
        self.assertEqual(len(self.values("backup_newest_timestamp", host="z")), 1)

    def test_retired(self) -> None:
        """A retired set has one metric, and still counts in its repository."""
        self.world.storage.snapshots = [snapshot(1, host="a"), snapshot(2, host="old")]
        self.entry(
            freshness=Freshness(Limit(1.0), retired=frozenset({SetName("old")})),
            group_by=("tags",),
        )
        self.collect()
        names = {one.name for one in self.samples() if one.labels.get("host") == "old"}
        self.assertEqual(names, {"backup_set_retired"})
        self.assertEqual(self.by_host("backup_set_retired"), {"old": 1})
        self.assertEqual(self.values("backup_snapshot_count"), [2])


class DetailsTests(FreshnessCase):
    """The newest snapshot, retained days and groups."""

    def test_newest(self) -> None:
        """The newest snapshot's statistics and names are shown; missing ones are not."""
        newest = evolve(
            snapshot(2, NOW - 5),
            tags="a,b",
            program_version="restic 0.17.3",
            summary=Summary(1.5, 10, 20, 1, None, 3),
        )
        self.world.storage.snapshots = [snapshot(1, NOW - 50), newest]
        self.collect()
        for name, value in {
            "backup_newest_duration_seconds": 1.5,
            "backup_newest_processed_bytes": 10,
            "backup_newest_added_bytes": 20,
        }.items():
            self.assertEqual(self.values(name, host="h", user="u", **URL), [value], name)
        files = {
            one.labels["state"]: one.value
            for one in self.samples()
            if one.name == "backup_newest_files"
        }
        self.assertEqual(files, {"new": 1, "unmodified": 3})
        info = {"id": newest.id or "", "program_version": "restic 0.17.3", "tags": "a,b"}
        self.assertEqual(self.values("backup_newest_info", host="h", **info), [1])
        self.world.storage.snapshots.append(snapshot(3, NOW - 4))
        self.collect()
        self.assertEqual(self.values("backup_newest_duration_seconds"), [])
        self.assertEqual(self.values("backup_newest_info", program_version="", tags=""), [1])

    def test_retained_days(self) -> None:
        """Days leave the windows at midnight, without another collection."""
        with local_time("Asia/Tokyo"):
            self.world.storage.snapshots = [
                snapshot(number, NOW - days * DAY)
                for number, days in enumerate((0, 0, 1, 6, 7, 29, 364, 365))
            ]
            self.collect()
            for days, expected in ((0, [3, 5, 6]), (1, [2, 4, 5]), (400, [0, 0, 0])):
                self.now = NOW + days * DAY
                found = [
                    self.values("backup_set_retained_days", window=window)
                    for window in ("7d", "30d", "365d")
                ]
                self.assertEqual(found, [[count] for count in expected], days)

    def test_groups(self) -> None:
        """Groups are shown where the entry asks for them, from the next collection on."""
        one, other = snapshot(1, NOW - 5), snapshot(2, NOW - 9)
        self.world.storage.snapshots = [evolve(one, paths="/a"), evolve(other, paths="/b")]
        self.collect()
        self.assertNotIn("backup_group_snapshot_count", self.names())
        self.entry(group_by=("paths",))
        self.collect()
        for paths, newest in (("/a", NOW - 5), ("/b", NOW - 9)):
            labels = {"host": "h", "user": "u", "paths": paths, "tags": ""}
            self.assertEqual(self.values("backup_group_snapshot_count", **labels), [1])
            found = self.values("backup_group_newest_timestamp_seconds", **labels)
            self.assertEqual(found, [newest])
        self.entry(group_by=())
        self.collect()
        self.assertNotIn("backup_group_snapshot_count", self.names())

    def test_stale_locks(self) -> None:
        """A lock is stale half an hour after it was made."""
        self.collect()
        self.assertEqual(self.values("backup_stale_lock_count"), [0])
        self.world.storage.locks = 2
        self.collect()
        self.assertNotIn("backup_stale_lock_count", self.names())
        self.world.reader.locks = (Lock(NOW - 1800.5), Lock(NOW - 5))
        self.world.reader.incremental = True
        self.world.storage.locks = 3
        self.collect()
        self.assertEqual(self.values("backup_stale_lock_count"), [1])
        self.now += 1796
        self.assertEqual(self.values("backup_stale_lock_count"), [2])


class SeveralTests(FreshnessCase):
    """Several repositories."""

    def test_no_duplicates(self) -> None:
        """No series is there twice, whatever the entries ask for."""
        other = World.make("/q", snapshots=3)
        self.entry(
            freshness=Freshness(Limit(DAY), {SetName("h"): None, SetName("h", "u"): None}),
            group_by=("paths", "tags"),
        )
        self.use(self.world, other)
        self.collect()
        series = [(one.name, tuple(sorted(one.labels.items()))) for one in self.samples()]
        self.assertEqual(len(series), len(set(series)))
