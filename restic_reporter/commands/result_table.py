"""The result of a collection for people: what could not be read, and a table of the sets."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from ..collection.state import RepositoryStatus
from ..status_page.rows import SEVERITY, SetRow, State, repository_rows
from ..status_page.units import duration
from .screen import plain

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_STATES = {State.UNLIMITED: "no limit"}
_STYLES = {State.LATE: "bold red", State.ABSENT: "bold red", State.RETIRED: "dim"}


@frozen
class Column:
    """A column of the table of backup sets; ``cell`` gets a row and the time in Unix seconds."""

    title: str
    cell: Callable[[SetRow, float], str]
    is_number: bool = False


def _age(row: SetRow, now: float) -> str:
    if row.backups is None:
        return "no snapshots"
    if row.backups.newest is None:
        return "no valid snapshot"
    return duration(now - row.backups.newest)


def _limit(row: SetRow) -> str:
    if row.limit is None:
        return "-"
    if row.limit.schedule is not None:
        return row.limit.schedule.text
    return duration(row.limit.max_age or 0)


def _snapshots(row: SetRow) -> str:
    return str(row.backups.snapshot_count if row.backups else 0)


# In their order.
COLUMNS = (
    Column("State", lambda row, now: _STATES.get(row.state(now), row.state(now))),
    Column("Age", _age, is_number=True),
    Column("Limit", lambda row, now: _limit(row), is_number=True),
    Column("Host", lambda row, now: row.host or "-"),
    Column("User", lambda row, now: row.user or "-"),
    Column("Snapshots", lambda row, now: _snapshots(row), is_number=True),
    Column("Repository", lambda row, now: row.url),
)


def rows(statuses: Iterable[RepositoryStatus], now: float) -> list[SetRow]:
    """Return the backup sets of the repositories that were read, the worst first."""
    found = []
    for status in statuses:
        if status.success:
            url = status.task.repository.url
            found += repository_rows(status) or [SetRow(url, "", "", State.UNLIMITED)]

    def rank(row: SetRow) -> tuple[int, float, str, str, str]:
        newest = row.backups.newest if row.backups is not None else None
        oldest = float("-inf") if newest is None else newest
        return (SEVERITY[row.state(now)], oldest, row.url, row.host, row.user)

    return sorted(found, key=rank)


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
        table = table_of((column.title, column.is_number) for column in columns)
        for row in found:
            cells = (plain(column.cell(row, now)) for column in columns)
            table.add_row(*cells, style=_STYLES.get(row.state(now)))
        console.print(table)
        console.print()
    for status in statuses:
        if status.content is not None and status.content.dropped_sets:
            url, dropped = plain(status.task.repository.url), status.content.dropped_sets
            console.print(f"{url}: {dropped} backup sets are beyond the limit and not shown")
    console.print(
        f"repositories: {len(statuses)}; could not be read: {len(failed)};"
        f" backup sets: {sum(row.backups is not None for row in found)}"
    )


def table_of(columns: Iterable[tuple[str, bool]]) -> "Table":
    """Return an empty table; each column has a title, and whether it has numbers."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for title, is_number in columns:
        table.add_column(title, justify="right" if is_number else "left", overflow="fold")
    return table
