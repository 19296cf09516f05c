"""Tests of `restic_reporter.commands.result_table` and `restic_reporter.commands.screen`."""

import io
from collections.abc import Sequence

from attrs import evolve
from rich.console import Console
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.collection.state import RepositoryStatus
from restic_reporter.commands.result_table import COLUMNS, Column, print_result, rows
from restic_reporter.commands.screen import bar, plain
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.model.freshness import Freshness, Limit, SetName
from restic_reporter.model.snapshots import BackupSet, Content
from restic_reporter.schedule.cron import parse_cron
from tests.doubles.repositories import NOW, World

HOUR, DAY = 3600, 86400


def content(*sets: BackupSet, dropped: int = 0) -> Content:
    """What a repository holds."""
    return Content(sum(one.snapshot_count for one in sets), 0, 0, sets, dropped, None)


def backup_set(host: str, age: float | None, user: str = "root") -> BackupSet:
    """One whose newest snapshot is so many seconds old."""
    newest = None if age is None else NOW - age
    return BackupSet(host, user, 2, newest, newest)


def status(
    url: str, of_content: Content | None = None, error: ReadError | None = None
) -> RepositoryStatus:
    """What is known of a repository after one read."""
    known = RepositoryStatus(World.make(url).task)
    known.content, known.error, known.success = of_content, error, error is None
    return known


class ResultTests(SynchronousTestCase):
    """What is printed of a collection."""

    def printed(
        self,
        *statuses: RepositoryStatus,
        width: int = 100,
        columns: Sequence[Column] = COLUMNS,
    ) -> list[str]:
        """The lines, as on a terminal of this width; ``sesame`` is a secret."""
        text = io.StringIO()
        console = Console(file=text, width=width, markup=False, highlight=False)
        print_result(console, statuses, NOW, lambda text: text.replace("sesame", "***"), columns)
        return [line.rstrip() for line in text.getvalue().splitlines()]

    def test_limits(self) -> None:
        """Late and absent sets come first; limits are shown as in the config."""
        known = status("/p", content(backup_set("late", HOUR), backup_set("fine", 9 * DAY)))
        freshness = Freshness(
            Limit(schedule=parse_cron("0 2 * * *"), grace=400 * DAY),
            {SetName("late"): Limit(1800.0), SetName("never"): None},
        )
        task = known.task
        known.task = evolve(task, repository=evolve(task.repository, freshness=freshness))
        lines = [line.split() for line in self.printed(known)[2:5]]
        self.assertEqual(lines[0][:7], ["late", "1", "h", "30", "min", "late", "root"])
        self.assertEqual(lines[1][:3], ["absent", "no", "snapshots"])
        self.assertEqual(lines[2][:9], ["fine", "9", "days", "0", "2", "*", "*", "*", "fine"])

    def test_order(self) -> None:
        """Sets without a valid snapshot come first, then the oldest."""
        found = rows(
            [
                status("/a", content(backup_set("new", HOUR), backup_set("old", 9 * DAY))),
                status("/empty", content()),
                status("/b", content(backup_set("torn", None), backup_set("mid", 2 * DAY))),
                status("/never", error=ReadError(Reason.AUTH, "no")),
            ],
            NOW,
        )
        self.assertEqual(
            [(row.url, row.host) for row in found],
            [("/b", "torn"), ("/empty", ""), ("/a", "old"), ("/b", "mid"), ("/a", "new")],
        )

    def test_lines(self) -> None:
        """What could not be read comes first, with its reason; totals come last."""
        lines = self.printed(
            status("/good", content(backup_set("web", 2 * DAY + 3 * HOUR))),
            status("/bad", error=ReadError(Reason.TLS, "certificate of sesame expired")),
            status("/empty", content()),
        )
        self.assertEqual(
            lines[:4],
            ["Could not be read:", "  /bad", "      tls: certificate of *** expired", ""],
        )
        self.assertEqual(
            lines[4].split(), ["State", "Age", "Limit", "Host", "User", "Snapshots", "Repository"]
        )
        self.assertEqual(lines[6].split()[:4], ["no", "limit", "no", "snapshots"])
        self.assertEqual(
            lines[7].split(),
            ["no", "limit", "2", "days", "3", "h", "-", "web", "root", "2", "/good"],
        )
        self.assertEqual(lines[-1], "repositories: 3; could not be read: 1; backup sets: 1")

    def test_all_well(self) -> None:
        """Where everything was read, nothing is said of errors."""
        (only,) = self.printed()
        self.assertEqual(only, "repositories: 0; could not be read: 0; backup sets: 0")
        self.assertNotIn("Could", self.printed(status("/p", content(backup_set("a", 1))))[0])

    def test_dropped(self) -> None:
        """Sets beyond the limit are told."""
        lines = self.printed(status("/p", content(backup_set("a", 1), dropped=7)))
        self.assertIn("/p: 7 backup sets are beyond the limit and not shown", lines)

    def test_narrow(self) -> None:
        """On a narrow terminal nothing is lost; a failed repository's name stays in one piece."""
        url = "rest:https://backup.example.com:8000/a/long/path"
        lines = self.printed(
            status(url, error=ReadError(Reason.AUTH, "x" * 70)),
            status("/p", content(backup_set("z" * 40, DAY))),
            width=40,
        )
        self.assertIn(f"  {url}", lines)
        # One more is in the server's name.
        self.assertEqual("".join(lines).count("x"), 70 + 1)
        self.assertEqual("".join(lines).count("z"), 40)

    def test_hostile_names(self) -> None:
        """A host's name cannot move the cursor, change colours or break lines."""
        name = "\x1b[2J[red]evil\u202e\nx"
        text = "\n".join(
            self.printed(
                status("/p", content(backup_set(name, 1))),
                status("/q", error=ReadError(Reason.AUTH, name)),
            )
        )
        self.assertNotIn("\x1b", text)
        self.assertNotIn("\u202e", text)
        self.assertEqual(text.count("\N{REPLACEMENT CHARACTER}[2J[red]evil"), 2)

    def test_more_columns(self) -> None:
        """Another column is one value."""
        column = Column("Other", lambda row, now: f"other of {row.url}")
        lines = self.printed(status("/p", content(backup_set("a", 1))), columns=[*COLUMNS, column])
        self.assertIn("Other", lines[0])
        self.assertTrue(lines[2].endswith("other of /p"), lines[2])


class BarTests(SynchronousTestCase):
    """The progress bar."""

    def drawn(self, *arguments: object) -> list[str]:
        """Its lines."""
        text = io.StringIO()
        Console(file=text, width=60, markup=False).print(bar(*arguments))  # type: ignore[arg-type]
        return [line.rstrip() for line in text.getvalue().splitlines()]

    def test_slow_ones(self) -> None:
        """Repositories that take long are named below it; one that is too long is cut."""
        lines = self.drawn(3, 10, [("/slow", 12.4), ("/" + "x" * 99, 2.0), ("/fast", 0.4)])
        self.assertEqual(len(lines), 3)
        self.assertTrue(lines[0].startswith("reading") and "3 of 10" in lines[0], lines[0])
        self.assertEqual(lines[1].split(), ["12", "s", "/slow"])
        self.assertTrue(lines[2].endswith("x…"), lines[2])

    def test_nothing_to_read(self) -> None:
        """A config without repositories has a bar too."""
        self.assertIn("0 of 0", self.drawn(0, 0, [])[0])

    def test_plain(self) -> None:
        """Only what can be printed is left of a text."""
        self.assertEqual(plain("ä\tb\x07\x9b"), "ä b\ufffd\ufffd")
