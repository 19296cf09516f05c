"""The result of a collection for people: what could not be read, and a table of the sets."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from ..collection.state import RepositoryStatus
from ..model.snapshots import BackupSet
from .screen import plain

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


@frozen
class Row:
    """
    A backup set of the repository ``url``; ``one`` is ``None`` where that has none. ``now`` is
    the time of the table in Unix seconds.
    """

    url: str
    one: BackupSet | None
    now: float

    @property
    def age(self) -> float | None:
        """Seconds since the newest snapshot, ``None`` without a valid one."""
        if self.one is None or self.one.newest is None:
            return None
        return max(0.0, self.now - self.one.newest)

    @property
    def badness(self) -> tuple[bool, float]:
        """The larger, the further up."""
        return (self.age is None, self.age or 0.0)


@frozen
class Column:
    """A column of the table of backup sets."""

    title: str
    cell: Callable[[Row], str]
    is_number: bool = False


# In their order. One more is one line here.
COLUMNS = (
    Column("Age", lambda row: _age(row), is_number=True),
    Column("Host", lambda row: row.one.host if row.one else "-"),
    Column("User", lambda row: row.one.user if row.one else "-"),
    Column("Snapshots", lambda row: str(row.one.snapshot_count if row.one else 0), is_number=True),
    Column("Repository", lambda row: row.url),
)


def duration(seconds: float) -> str:
    """A duration in its two largest units, rounded down: ``2 days 3 h``."""
    whole = int(seconds)
    days, hours, minutes = whole // _DAY, whole % _DAY // _HOUR, whole % _HOUR // _MINUTE
    if days:
        return f"{days} day{'s' if days > 1 else ''}" + (f" {hours} h" if hours else "")
    if hours:
        return f"{hours} h" + (f" {minutes} min" if minutes else "")
    return f"{minutes} min" if minutes else f"{whole} s"


def _age(row: Row) -> str:
    if row.one is None:
        return "no snapshots"
    return "no valid snapshot" if row.age is None else duration(row.age)


def rows(statuses: Iterable[RepositoryStatus], now: float) -> list[Row]:
    """The backup sets of what was read, the worst first."""

    def found() -> Iterator[Row]:
        for status in statuses:
            url, content = status.task.repository.url, status.content
            if content is not None:
                yield from (Row(url, one, now) for one in content.sets)
                if not content.sets:
                    yield Row(url, None, now)

    def rank(row: Row) -> tuple[bool, float, str, str, str]:
        no_age, age = row.badness
        host, user = (row.one.host, row.one.user) if row.one else ("", "")
        return (not no_age, -age, row.url, host, user)

    return sorted(found(), key=rank)


def print_result(
    console: "Console",
    statuses: Sequence[RepositoryStatus],
    now: float,
    redact: Callable[[str], str],
    columns: Sequence[Column] = COLUMNS,
) -> None:
    """
    Print what could not be read, the table with ``columns``, and a line with the totals.

    ``redact`` masks secrets in messages.
    """
    from rich.padding import Padding
    from rich.text import Text

    failed = [one for one in statuses if one.error is not None]
    if failed:
        console.print(Text("Could not be read:", style="bold red"))
    for status in failed:
        assert status.error is not None
        reason, message = status.error.reason, plain(redact(status.error.message))
        console.print(Text(f"  {plain(status.task.repository.url)}"), soft_wrap=True)
        text = Text(f"{reason}: {message}", overflow="fold")
        console.print(Padding(text, (0, 0, 0, 6), expand=False))
    if failed:
        console.print()
    found = rows(statuses, now)
    if found:
        table = _table(columns)
        for row in found:
            table.add_row(*(plain(column.cell(row)) for column in columns))
        console.print(table)
        console.print()
    for status in statuses:
        if status.content is not None and status.content.dropped_sets:
            url, dropped = plain(status.task.repository.url), status.content.dropped_sets
            console.print(f"{url}: {dropped} backup sets are beyond the limit and not shown")
    console.print(
        f"repositories: {len(statuses)}; could not be read: {len(failed)};"
        f" backup sets: {sum(row.one is not None for row in found)}"
    )


def _table(columns: Sequence[Column]) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for one in columns:
        table.add_column(one.title, justify="right" if one.is_number else "left", overflow="fold")
    return table
