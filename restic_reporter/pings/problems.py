"""What is wrong with the backup sets of a repository, in words. Pure."""

from collections.abc import Iterator

from ..collection.state import RepositoryStatus
from ..status_page import units
from ..status_page.rows import SetRow, State, repository_rows

# As the alert ResticBackupTooOld: for sets without a limit and without a rhythm.
TOO_OLD = 3 * units.DAY

_SHOWN = 20


def problems_text(status: RepositoryStatus, now: float) -> str:
    """
    Return why not all sets of a repository are fresh at ``now`` (Unix seconds).

    One line for each problem, at most 20; empty if all is well.
    """
    lines = list(_problems(status, now))
    if len(lines) > _SHOWN:
        lines[_SHOWN:] = [f"and {len(lines) - _SHOWN} more"]
    return "\n".join(lines)


def _problems(status: RepositoryStatus, now: float) -> Iterator[str]:
    url, error = status.task.repository.url, status.error
    if error is not None:
        yield f"cannot read {url}: {error.message} ({error.reason})"
    elif status.content is not None and not status.content.snapshot_count:
        yield f"{url}: no snapshots"
    for row in repository_rows(status):
        problem = _problem(row, now)
        if problem is not None:
            yield f"{' '.join(filter(None, (row.host, row.user)))}: {problem}"


def _problem(row: SetRow, now: float) -> str | None:
    newest = row.backups.newest if row.backups is not None else None
    match row.state(now):
        case State.ABSENT:
            return "expected, but has no snapshots"
        case State.LATE if newest is not None:
            return f"late, newest backup {units.local_time(newest)}"
        case State.UNLIMITED if newest is not None and now - newest > TOO_OLD:
            return f"more than 3 days old, newest backup {units.local_time(newest)}"
        case State.LATE | State.UNLIMITED if newest is None:
            return "no usable snapshot"
    return None
