"""The key ``copies``: which entries of the config hold copies of an entry's snapshots."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

from attrs import define, evolve, field

from ..model.labels import sanitise
from ..model.repository import Repository
from ..redaction.secret import redact_url
from .document import Problems
from .wording import kind

# Finding the nearest of ten thousand labels takes a tenth of a second.
_MOST_HINTS = 10


def label_of(repo: str) -> str:
    """Return the label of a repository as written."""
    return sanitise(redact_url(repo))


def copies_problem(value: Any) -> str | None:
    """Return what is wrong with the value of ``copies`` alone, if anything."""
    if not isinstance(value, list):
        return f"must be a list of repositories, not {kind(value)}"
    for number, one in enumerate(value, 1):
        if not isinstance(one, str) or not one:
            what = "must not be empty" if one == "" else f"must be a string, not {kind(one)}"
            return f"item {number}: {what}"
    return None


@define
class _Named:
    """The labels in ``copies`` of one entry."""

    position: int
    own: str | None
    copies: Sequence[str]


@define
class CopyLinks:
    """
    Checks the key ``copies`` of all entries against each other.

    Any entry may hold copies, also one that is disabled or read by another daemon. Labels in
    ``shown`` have no secrets, and may be in a message.
    """

    _known: set[str] = field(factory=set)
    _shown: set[str] = field(factory=set)
    _entries: list[_Named] = field(factory=list)

    def add(self, position: int, repo: object, label: str | None, copies: Sequence[str]) -> None:
        """
        Add an entry: its ``repo`` as written, if there is any, its valid ``label`` and the
        value of ``copies``.
        """
        own = label_of(repo) if isinstance(repo, str) else None
        if own is not None:
            self._known.add(own)
        if label is not None:
            self._shown.add(label)
        if copies:
            self._entries.append(_Named(position, own, [label_of(one) for one in copies]))

    def check(self, problems: Problems) -> None:
        """Add what is wrong with the labels."""
        hints = 0
        for entry in self._entries:
            seen = set[str]()
            for number, label in enumerate(entry.copies, 1):
                where = f"entry {entry.position}: copies: item {number}"
                # An invalid URL can have its password anywhere.
                safe = label in self._shown or "@" not in label
                value = repr(label) if safe else "a URL with '@'"
                if label == entry.own:
                    problems.add(f"{where}: {value} is the entry itself; name another one")
                elif label in seen:
                    problems.add(f"{where}: duplicate value {value}")
                elif label not in self._known:
                    hints += 1
                    hint = _hint(label, self._shown - {entry.own}) if hints <= _MOST_HINTS else ""
                    problems.add(f"{where}: no entry has the repo {value}{hint}")
                seen.add(label)

    def resolve(
        self, repositories: Iterable[Repository]
    ) -> tuple[tuple[Repository, ...], list[str]]:
        """
        Return the ``repositories`` with the copies that are among them, and warnings about the
        other copies.
        """
        own = {one.url: one for one in repositories}
        copies = {entry.position: entry.copies for entry in self._entries}
        here = dict(_here(own, copies))
        compared = {label for some in here.values() for label in some}
        warnings = [
            f"entry {one.position}: copies: {label!r} is disabled or in another shard; not compared"
            for one in own.values()
            for label in copies.get(one.position, ())
            if label not in own
        ]
        return (
            tuple(
                evolve(one, copies=here.get(url, ()), identified=url in here or url in compared)
                for url, one in own.items()
            ),
            warnings,
        )


def _here(
    own: Mapping[str, Repository], copies: Mapping[int, Sequence[str]]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    for url, one in own.items():
        some = tuple(label for label in copies.get(one.position, ()) if label in own)
        if some:
            yield url, some


def _hint(label: str, known: Set[str | None]) -> str:
    labels = sorted(one for one in known if one is not None)
    near = difflib.get_close_matches(label, labels, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""
