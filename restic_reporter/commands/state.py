"""``restic-reporter state``: show what the daemon remembers across restarts, or drop some of it."""

import json
import os
import sqlite3
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import asdict, frozen

from ..model.backup_sets import Name
from ..model.labels import sanitise
from ..model.results import Result
from ..model.rhythm import runs
from ..model.snapshots import BackupSet, Content
from ..redaction.secret import redact_url
from ..state.database import Database
from ..state.folder import HeldError, StateFolder
from ..state.packing import DamagedError
from ..state.tables import is_damage
from ..status_page.units import DAY, HOUR, iso_minute
from .result_table import table_of
from .screen import console_of, is_terminal, plain

if TYPE_CHECKING:
    from rich.console import Console


@frozen
class RememberedSet:
    """
    What is remembered of one backup set; times in Unix seconds.

    One of the past has no snapshots now; ``newest`` is then its last backup.
    """

    host: str
    user: str
    newest: float | None
    snapshots: int
    runs: int
    since: float | None
    learned_max_age: float | None = None


@frozen
class Remembered:
    """
    What is remembered of one repository; ``reason`` is that of a failed latest read.

    One that was never read well has results alone.
    """

    url: str
    last_success: float | None
    reason: str | None
    sets: tuple[RememberedSet, ...]
    results: tuple[Result, ...] = ()


def _sets(content: Content) -> Iterator[RememberedSet]:
    past = [
        BackupSet(host, user, 0, history[-1], history[0], history=history)
        for (host, user), history in content.past.items()
        if history
    ]
    for one in sorted((*content.sets, *past), key=lambda one: (one.host, one.user)):
        yield RememberedSet(
            one.host,
            one.user,
            one.newest,
            one.snapshot_count,
            runs=len(runs(one.history)),
            since=one.known_since,
            learned_max_age=one.learned_max_age,
        )


def owner_to_become(uid: int, owner: tuple[int, int]) -> tuple[int, int] | None:
    """Return the user and group to become for files of ``owner``, if ``uid`` may and should."""
    return owner if uid == 0 and owner[0] != 0 else None


@contextmanager
def _as_owner(file: Path) -> Iterator[None]:
    """Make files beside ``file`` as its owner: the daemon could not use those of root."""
    status, before = file.stat(), (os.geteuid(), os.getegid())
    owner = owner_to_become(before[0], (status.st_uid, status.st_gid))
    if owner is None:
        yield
        return
    os.setegid(owner[1])
    os.seteuid(owner[0])
    try:
        yield
    finally:
        os.seteuid(before[0])
        os.setegid(before[1])


@contextmanager
def _opened(path: str, to_write: bool = False) -> Iterator[Database]:
    """
    Open the database in the folder ``path``; it is never created, and nothing is set aside.

    :raises ValueError: it cannot be used; the message is for the user.
    """
    folder = StateFolder(Path(path))
    database = Database(folder)
    try:
        with _as_owner(folder.database):
            try:
                if to_write:
                    folder.take()
                    database.open_to_write()
                else:
                    database.open_to_read()
                yield database
            finally:
                database.close()
                folder.release()
    except HeldError as error:
        raise ValueError(f"{error}; stop it first") from None
    except FileNotFoundError as error:
        raise ValueError(f"--state-dir: no such file or folder: {str(error.filename)!r}") from None
    except OSError as error:
        raise ValueError(f"--state-dir: cannot use {path!r}: {error.strerror}") from None
    except (sqlite3.Error, DamagedError) as error:
        if is_damage(error):
            problem = f"database in {path!r} is corrupt; the daemon mends it at its start"
            raise ValueError(problem) from None
        raise ValueError(f"--state-dir: cannot use the database in {path!r}: {error}") from None


def remembered(path: str) -> list[Remembered]:
    """
    Return what is remembered in the folder ``path``.

    :raises ValueError: it cannot be read; the message is for the user.
    """
    with _opened(path) as database:
        labels = database.labels()
        results = {url: tuple(some.values()) for url, some in database.results(labels).items()}
        found = {url: Remembered(url, None, None, (), some) for url, some in results.items()}
        for url, head, content, _ in database.read(labels):
            sets, some = tuple(_sets(content)), results.get(url, ())
            found[url] = Remembered(url, head["last_success"], head["reason"], sets, some)
        return [found[url] for url in labels if url in found]


def show(path: str, as_json: bool = False) -> None:
    """
    Print what is remembered in the folder ``path``.

    :raises ValueError: it cannot be read; the message is for the user.
    """
    found = remembered(path)
    if as_json:
        print(json.dumps([asdict(one) for one in found], indent=2))
    elif is_terminal(sys.stdout):
        print_table(console_of(sys.stdout), found)
    else:
        print(*(title.upper() for title, _, _ in COLUMNS), sep="\t")
        for repository, one in _rows(found):
            print(*(plain(cell(repository, one)) for _, _, cell in COLUMNS), sep="\t")


def _rows(found: Iterable[Remembered]) -> Iterator[tuple[Remembered, RememberedSet]]:
    """Yield all sets; a repository without any has a row too."""
    for repository in found:
        for one in repository.sets or [RememberedSet("", "", None, 0, 0, None)]:
            yield repository, one


def _minute(moment: float | None) -> str:
    return "-" if moment is None else iso_minute(moment)


def _age(seconds: float | None) -> str:
    """Return a duration as in the config: ``36h``, ``9d``."""
    if seconds is None:
        return "-"
    return f"{seconds / HOUR:.3g}h" if seconds < 4 * DAY else f"{seconds / DAY:.3g}d"


def _results(repository: Remembered) -> str:
    return ", ".join(
        f"{one.kind} {'ok' if one.success else f'failed ({one.exit})'} {_minute(one.time)}"
        for one in repository.results
    )


# The title of each, whether it has numbers, and its text.
COLUMNS: tuple[tuple[str, bool, Callable[[Remembered, RememberedSet], str]], ...] = (
    ("Host", False, lambda repository, one: one.host or "-"),
    ("User", False, lambda repository, one: one.user or "-"),
    ("Newest", False, lambda repository, one: _minute(one.newest)),
    ("Snapshots", True, lambda repository, one: str(one.snapshots or "none")),
    ("Runs", True, lambda repository, one: str(one.runs)),
    ("Since", False, lambda repository, one: _minute(one.since)[:10]),
    ("Learned", True, lambda repository, one: _age(one.learned_max_age)),
    ("Repository", False, lambda repository, one: repository.url),
    ("Last read", False, lambda repository, one: _minute(repository.last_success)),
    ("Failure", False, lambda repository, one: repository.reason or "-"),
    ("Results", False, lambda repository, one: _results(repository) or "-"),
)
# The last three are of the repository, which has a line of its own on a terminal.
_IN_TABLE = COLUMNS[:-3]


def print_table(console: "Console", found: Sequence[Remembered]) -> None:
    """Print a line for each repository, and a table of their sets."""
    from rich.text import Text

    for repository in found:
        failure = f"; latest read failed: {repository.reason}" if repository.reason else ""
        results = f"; {_results(repository)}" if repository.results else ""
        line = f"{plain(repository.url)}: last read {_minute(repository.last_success)}"
        line += failure + results
        is_bad = repository.reason or not all(one.success for one in repository.results)
        console.print(Text(line, style="bold red" if is_bad else ""), soft_wrap=True)
    console.print()
    table = table_of((title, is_number) for title, is_number, _ in _IN_TABLE)
    for repository in found:
        for one in repository.sets:
            cells = (plain(cell(repository, one)) for _, _, cell in _IN_TABLE)
            table.add_row(*cells, style=None if one.snapshots else "dim")
    console.print(table)


def forget(path: str, url: str, host: str | None = None, user: str | None = None) -> None:
    """
    Drop a repository, or its backup sets of ``host`` (and ``user``), and print what was dropped.

    :raises ValueError: it cannot be dropped; the message is for the user.
    """
    with _opened(path, to_write=True) as database:
        url = _known("repository", sanitise(redact_url(url)), database.labels())
        if host is None:
            database.forget(url)
            dropped = [f"repository {url!r}"]
        else:
            names = _chosen(database, url, sanitise(host), None if user is None else sanitise(user))
            database.forget_sets(url, names)
            dropped = [f"host {one!r}, user {other!r} in {url!r}" for one, other in names]
    for one in dropped:
        print(f"forgot {one}")


def _chosen(database: Database, url: str, host: str, user: str | None) -> list[Name]:
    """Return the names of the repository's sets with this ``host`` (and ``user``)."""
    names = [
        (one.host, one.user) for _, _, content, _ in database.read([url]) for one in _sets(content)
    ]
    _known("host", host, {one for one, _ in names})
    names = [name for name in names if name[0] == host]
    if user is None:
        return names
    return [(host, _known("user", user, {one for _, one in names}))]


def _known(noun: str, name: str, known: Collection[str]) -> str:
    """Return ``name``, which must be one of ``known``."""
    if name in known:
        return name
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else "see 'restic-reporter state'"
    raise ValueError(f"unknown {noun} {name!r}; {hint}")
