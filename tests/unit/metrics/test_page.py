"""Tests of `restic_reporter.metrics.page`."""

import re

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from restic_reporter.concurrency.cooperative import at_once
from restic_reporter.metrics.timed_lines import DAY, days_age
from restic_reporter.model.errors import ReadError, Reason
from tests.doubles.metrics_case import PageCase
from tests.doubles.repositories import NOW, World, repository, snapshot

READ = {"backup_read_error_count", "backup_read_success", "backup_read_duration_seconds"}


class MetricsPageTests(PageCase):
    """`MetricsPage`."""

    def test_six(self) -> None:
        """The six metrics have their values and exactly their labels."""
        self.world.storage.snapshots = [
            snapshot(1, NOW - 3 * DAY, "a"), snapshot(2, NOW - DAY, "b", "v"),
            snapshot(3, NOW - 2 * DAY, "b", "v"),
        ]  # fmt: skip
        self.collect()
        found = {(one.name, *sorted(one.labels.items())): one.value for one in self.samples()}
        url = ("url", "/p")
        a, b = (("host", "a"), url, ("user", "u")), (("host", "b"), url, ("user", "v"))
        for key, value in {
            ("backup_job_last_success_unixtime",): NOW,
            ("backup_job_error_count",): 0,
            ("backup_read_error_count", url): 0,
            ("backup_snapshot_count", url): 3,
            ("backup_newest_timestamp", *a): NOW - 3 * DAY,
            ("backup_newest_timestamp", *b): NOW - DAY,
            ("backup_days_age", *a): 3,
            ("backup_days_age", *b): 1,
            ("backup_set_snapshot_count", *b): 2,
            ("backup_oldest_timestamp_seconds", *b): NOW - 2 * DAY,
        }.items():
            self.assertEqual(found[key], value, key)

    def test_others(self) -> None:
        """What is ours beyond the six has its values."""
        self.next_due = NOW + 60
        self.collector.state.config.success_time = NOW - 9
        self.collector.state.job.skipped = 2
        self.world.storage.locks = 1
        self.world.storage.snapshots += [snapshot(8, None), snapshot(9, NOW + 9999)]
        self.collect()
        for name, value in {
            "backup_read_success": 1,
            "backup_read_last_success_timestamp_seconds": NOW,
            "backup_read_duration_seconds": 0,
            "backup_lock_count": 1,
            "backup_future_snapshot_count": 1,
            "backup_invalid_snapshot_count": 1,
            "backup_series_dropped": 0,
            "backup_storage_requests_total": 1,
            "backup_storage_received_bytes_total": 100,
            "backup_job_running": 0,
            "backup_job_duration_seconds": 0,
            "backup_job_next_timestamp_seconds": NOW + 60,
            "backup_job_skipped_total": 2,
            "backup_config_last_reload_successful": 1,
            "backup_config_last_reload_success_timestamp_seconds": NOW - 9,
        }.items():
            self.assertEqual(self.values(name), [value], name)
        self.assertEqual(
            self.values("backup_repository_info", backend="memory", reader="memory"), [1]
        )
        self.assertEqual(self.values("restic_reporter_build_info", shard="0/1"), [1])

    def test_before_the_first_collection(self) -> None:
        """Before the end of the first collection there is no repository's metric."""
        self.assertEqual(self.names(), set())
        self.assertEqual(self.values("backup_job_last_success_unixtime"), [])

    def test_running(self) -> None:
        """A collection under way shows."""
        waiting = self.world.hold()
        running = self.collector.collect()
        self.assertEqual(self.values("backup_job_running"), [1])
        self.assertEqual(self.names(), set())
        waiting[0].callback(None)
        self.successResultOf(running)
        self.assertEqual(self.values("backup_job_running"), [0])

    def test_never_read(self) -> None:
        """A repository that was never read well has only what speaks of the read."""
        self.world.storage.list_error = ReadError(Reason.TLS, "expired")
        self.collect()
        self.assertEqual(self.names(), READ | {"backup_read_failures_total"})
        self.assertEqual(self.values("backup_read_error_count", url="/p"), [1])
        self.assertEqual(self.values("backup_read_success", url="/p"), [0])
        self.assertEqual(self.values("backup_read_failures_total", url="/p", reason="tls"), [1])

    def test_last_good_values(self) -> None:
        """After a failed read the last good values stay, and their age goes on growing."""
        self.collect()
        content = {
            (one.name, str(one.labels)): one.value
            for one in self.samples()
            if one.labels.get("url") == "/p" and one.name not in READ
            and not one.name.startswith("backup_storage")
        }  # fmt: skip
        self.world.storage.list_error = ReadError(Reason.NETWORK, "refused")
        self.now += 5 * DAY
        self.collect()
        after = {(one.name, str(one.labels)): one.value for one in self.samples()}
        for key, value in content.items():
            self.assertEqual(after[key], 5 if key[0] == "backup_days_age" else value, key)
        self.assertEqual(self.values("backup_read_error_count"), [1])
        self.assertEqual(self.values("backup_job_error_count"), [1])

    def test_age_at_the_scrape(self) -> None:
        """The age is that of the scrape's time, to the second, without a collection."""
        self.world.storage.snapshots = [snapshot(1, NOW - 10, "a"), snapshot(2, NOW - 500, "b")]
        self.collect()
        for moment, a, b in (
            (NOW, 0, 0),
            (NOW - 500 + DAY - 1, 0, 0),
            (NOW - 500 + DAY, 0, 1),
            (NOW - 10 + DAY - 1, 0, 1),
            (NOW - 10 + DAY, 1, 1),
            (NOW + 100 * DAY, 100, 100),
            (NOW + DAY, 1, 1),  # the clock is set back
            (NOW - 10 * DAY, 0, 0),
        ):
            self.now = moment
            self.assertEqual(self.values("backup_days_age", host="a"), [a], moment)
            self.assertEqual(self.values("backup_days_age", host="b"), [b], moment)

    @settings(max_examples=50, deadline=None)
    @given(
        st.lists(st.floats(NOW - 3 * DAY, NOW), min_size=1, max_size=4, unique=True),
        st.lists(st.floats(NOW - DAY, NOW + 9 * DAY), max_size=10),
    )
    def test_any_ages(self, times: list[float], scrapes: list[float]) -> None:
        """Whenever the page is asked for, each age is that of this time."""
        self.setUp()  # snapshots of one name never change, but those of two examples do
        world = World.make("/q")
        world.storage.snapshots = [
            snapshot(number, time, f"h{number}") for number, time in enumerate(times)
        ]
        self.use(world)
        self.collect()
        for self.now in scrapes:
            for number, time in enumerate(times):
                self.assertEqual(
                    self.values("backup_days_age", host=f"h{number}"), [days_age(time, self.now)]
                )

    def test_set_without_newest(self) -> None:
        """A set without a usable snapshot has a count, but no newest, oldest or age."""
        self.world.storage.snapshots = [snapshot(1, None)]
        self.collect()
        self.assertEqual(self.values("backup_set_snapshot_count"), [1])
        for name in ("newest_timestamp", "oldest_timestamp_seconds", "days_age"):
            self.assertEqual(self.values(f"backup_{name}"), [])

    def test_hostile_names(self) -> None:
        """No name that a repository holds breaks the page in either format, or hides another."""
        hosts = [
            "", "a\nb", "a\tb", 'a"b', "a\\b", "\ud800", "x" * 10_000, "x" * 9_999 + "y", "\x00",
            '",url="other"} 1\n', "\u2028", "# EOF", "{}",
        ]  # fmt: skip
        self.world.storage.snapshots = [
            snapshot(number, NOW - number, host) for number, host in enumerate(hosts)
        ]
        self.collect()
        for openmetrics in (False, True):
            found = [
                one for one in self.samples(openmetrics) if one.name == "backup_newest_timestamp"
            ]
            self.assertEqual(len({one.labels["host"] for one in found}), len(hosts))
            self.assertEqual(
                {one.value for one in found}, {NOW - number for number in range(len(hosts))}
            )
            self.assertEqual({one.labels["url"] for one in found}, {"/p"})

    def test_hostile_label(self) -> None:
        """A repository's own text is escaped like any other."""
        url = 'local:/a"b\\c'
        self.world.task = evolve(self.world.task, repository=repository(url))
        self.use(self.world)
        self.collect()
        self.assertEqual(self.values("backup_snapshot_count", url=url), [2])

    def test_formats_agree(self) -> None:
        """Both formats have the same samples."""
        self.world.storage.list_error = ReadError(Reason.TLS, "expired")
        self.collect()
        self.world.storage.list_error = None
        self.collect()
        both = [
            {
                (one.name, str(one.labels)): one.value
                for one in self.samples(openmetrics)
                if not one.name.startswith("process_")
            }
            for openmetrics in (False, True)
        ]
        self.assertEqual(*both)
        self.assertGreater(len(both[0]), 20)

    def test_no_series_twice(self) -> None:
        """No series stands twice on the page."""
        self.use(self.world, World.make("/q", snapshots=3))
        self.collect()
        found = [(one.name, str(sorted(one.labels.items()))) for one in self.samples()]
        self.assertEqual(len(found), len(set(found)))

    def test_process(self) -> None:
        """The process's own metrics are there in both formats."""
        for openmetrics in (False, True):
            names = {one.name for one in self.samples(openmetrics)}
            self.assertIn("process_resident_memory_bytes", names)
            self.assertIn("process_cpu_seconds_total", names)

    def test_bad_reload(self) -> None:
        """A config that could not be loaded shows."""
        self.collector.state.config.successful = False
        self.assertEqual(self.values("backup_config_last_reload_successful"), [0])

    def test_reactor_lag(self) -> None:
        """The reactor's lag is asked for at each page."""
        lags = [0.25, 0.0]
        self.page.reactor_lag = lambda: lags.pop(0)
        name = "restic_reporter_reactor_lag_seconds"
        self.assertEqual([self.values(name), self.values(name)], [[0.25], [0.0]])


class OneRunTests(PageCase):
    """The page of a run that no daemon makes."""

    def test_without_a_daemon(self) -> None:
        """It has the same lines, but for those that only a daemon has."""
        self.next_due = NOW + 3600
        self.collector.state.config.success_time = NOW
        self.collect()
        self.page.reactor_lag = lambda: 0.1
        self.page.vault_token_expiry = lambda: NOW
        whole = at_once(self.page.steps(openmetrics=False)).decode().splitlines()
        self.page.one_run = True
        lines = at_once(self.page.steps(openmetrics=False)).decode().splitlines()
        self.assertEqual([one for one in whole if one in lines], lines)
        gone = {re.split("[ {]", one)[0] for one in whole if one not in lines and one[0] != "#"}
        self.assertEqual(
            {one for one in gone if not one.startswith(("process_", "python_"))},
            {
                "backup_job_running",
                "backup_job_next_timestamp_seconds",
                "backup_job_skipped_total",
                "backup_vault_token_expiry_timestamp_seconds",
                "backup_config_last_reload_successful",
                "backup_config_last_reload_success_timestamp_seconds",
                "restic_reporter_reactor_lag_seconds",
                "restic_reporter_log_lines_dropped_total",
            },
        )
        self.assertFalse(any("process_" in one for one in lines))
