"""The results of jobs in the database: a row for each repository. Blocks."""

import json
import sqlite3
from collections.abc import Iterable, Iterator

from ..model.results import Result, Results, newest
from .tables import delete, get, key_of, put, unsealed

_TABLE = "result"


def read_results(
    connection: sqlite3.Connection, labels: Iterable[str]
) -> Iterator[tuple[str, dict[str, Result]]]:
    """Yield the label and the latest result of each kind, of repositories that have any."""
    for label in labels:
        value = get(connection, _TABLE, key_of(label))
        if value is not None:
            found, results = _unpacked(value)
            if found == label:
                yield label, results


def labels_of_results(connection: sqlite3.Connection) -> list[str]:
    """Return the labels of all repositories that have results."""
    return [_unpacked(value)[0] for _, value in unsealed(connection, _TABLE)]


def write_results(connection: sqlite3.Connection, label: str, results: Results) -> None:
    """Write the results of one repository; newer ones of other kinds stay."""
    for _, known in read_results(connection, [label]):
        results = newest(known, results)
    rows = [
        [one.kind, one.time, one.exit, one.message, one.success_before] for one in results.values()
    ]
    put(connection, _TABLE, key_of(label), json.dumps({"url": label, "results": rows}).encode())


def drop_old_results(connection: sqlite3.Connection, before: float) -> None:
    """Drop results from ``before`` that time, unless their repository is remembered."""
    for key, value in unsealed(connection, _TABLE):
        _, results = _unpacked(value)
        is_old = all(one.time < before for one in results.values())
        if is_old and get(connection, "head", key) is None:
            delete(connection, key, _TABLE)


def _unpacked(value: bytes) -> tuple[str, dict[str, Result]]:
    found = json.loads(value)
    return found["url"], {row[0]: Result(*row) for row in found["results"]}
