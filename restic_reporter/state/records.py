"""Converts between the status of a repository and what is remembered of it. Pure."""

import hashlib
import json
import math
from collections.abc import Mapping
from functools import partial
from typing import Any

from attrs import astuple, evolve, field, frozen

from ..collection.state import CopyStatus, Locks, Measured, RepositoryStatus, Task
from ..model.access import KeyFacts
from ..model.columns import Columns
from ..model.copies import SetCopy
from ..model.errors import ReadError, Reason
from ..model.snapshot_table import SnapshotTable
from ..model.snapshots import Content, Lock
from ..model.upkeep import Size
from ..readers.access import LOOK_EVERY, SeenAccess
from .packing import rows_of, unpack_table

# Reasons why the password may not open a repository whose snapshots have not changed.
UNOPENED = (Reason.AUTH, Reason.KEYS)

# Unpacking more snapshots would block the reactor when they are needed.
_MANY = 20_000

_BEFORE = "could not be read before the restart"


@frozen
class Record:
    """
    What is to be remembered of one repository.

    ``head`` is small, and changes with each read. ``content`` and ``table`` are ``None`` if they
    have not changed since they were last remembered.
    """

    url: str
    head: Mapping[str, Any]
    content: Content | None = None
    table: Columns | None = field(default=None, repr=False)

    def after(self, earlier: "Record | None") -> "Record":
        """Return this with what only the ``earlier`` one has, which was not written."""
        if earlier is None or earlier.content is None or self.content is not None:
            return self
        return evolve(self, content=earlier.content, table=earlier.table)


def record_of(
    status: RepositoryStatus, with_content: bool, now: float, moment: float
) -> Record | None:
    """
    Return what to remember of a repository; nothing before its first good read.

    ``now`` is in Unix seconds, ``moment`` the same time by the reactor's clock.
    """
    task, content = status.task, status.content
    if content is None or status.last_success is None:
        return None
    locks, access = status.locks, status.access
    head = {
        "url": task.repository.url,
        "location": _location(task),
        "shape": _shape(task),
        "last_success": status.last_success,
        "reason": None if status.error is None else str(status.error.reason),
        "size": _packed_size(status.size),
        "names": status.fingerprint,
        "keys": astuple(status.keys),
        "locks": locks
        and [locks.count, locks.fingerprint, locks.times, [astuple(one) for one in locks.oldest]],
        "removed": [status.removed, status.last_removal],
        "copies": _packed_copies(status),
        "access": access
        and [access.keys, access.config, now - moment + access.moment, access.names],
    }
    if not with_content:
        return Record(task.repository.url, head)
    return Record(task.repository.url, head, content, status.table.columns())


def restored(
    task: Task,
    head: Mapping[str, Any],
    content: Content,
    packed: bytes,
    now: float,
    moment: float,
    look_after: float,
) -> RepositoryStatus | None:
    """
    Return the status from before the restart.

    ``packed`` is the table, see `unpack_table`. ``now`` is in Unix seconds, ``moment`` the
    same time by the reactor's clock. Keys and config are to be looked at after that many
    seconds at the earliest. Returns nothing if the entry's location is another now. Takes long
    for a large table.
    """
    if head["location"] != _location(task):
        return None
    reason = None if head["reason"] is None else Reason(head["reason"])
    status = RepositoryStatus(
        task,
        content,
        _locks(head["locks"]),
        KeyFacts(*head["keys"]),
        unopened=True,
        success=reason is None,
        error=None if reason is None else ReadError(reason, _BEFORE),
        last_success=head["last_success"],
        size=_size(head["size"]),
    )
    status.removed, status.last_removal = head["removed"]
    status.copies = {
        label: _copy(value)
        for label, value in head["copies"].items()
        if label in task.repository.copies
    }
    same_shape = head["shape"] == _shape(task)
    if same_shape and rows_of(packed) > _MANY:
        status.table = unpack_table(packed)
    elif same_shape and packed:
        status.fill_later(partial(unpack_table, packed))
    else:
        status.table = SnapshotTable(task.repository.shape)
    if same_shape and reason not in UNOPENED:
        status.fingerprint = _names(head["names"])
        status.access = _access(head["access"], now, moment, look_after)
    return status


def _location(task: Task) -> str:
    """Return a digest of what the label does not tell about the repository's place."""
    repository = task.repository
    # Other locations differ from the label in credentials only.
    path = repository.location.reveal() if repository.scheme == "local" else ""
    return _digest(task.backend_name, path)


def _shape(task: Task) -> str:
    """Return a digest of what decides which details of a snapshot are known."""
    shape = task.repository.shape
    clients = [f"clients {shape.client_paths}"] * shape.has_clients
    return _digest(task.reader.name, *shape.group_by, *["identified"] * shape.identified, *clients)


def _digest(*parts: str) -> str:
    text = json.dumps(parts)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _packed_size(size: Measured | None) -> tuple[int, int, float] | None:
    return None if size is None else (size.size.bytes, size.size.packs, size.time)


def _size(value: Any) -> Measured | None:
    return None if value is None else Measured(Size(value[0], value[1]), value[2])


def _names(value: Any) -> tuple[int, str] | None:
    return None if value is None else (value[0], value[1])


def _locks(value: Any) -> Locks | None:
    if value is None:
        return None
    count, (number, digest), times, oldest = value
    return Locks(count, (number, digest), tuple(times), tuple(Lock(*one) for one in oldest))


def _packed_copies(status: RepositoryStatus) -> dict[str, Any]:
    return {
        label: [
            found.reads,
            [
                # JSON has no infinity.
                [*name, None if math.isinf(one.lag) else one.lag, one.missing, one.waits_since]
                for name, one in found.sets.items()
            ],
        ]
        for label, found in status.copies.items()
    }


def _copy(value: Any) -> CopyStatus:
    reads, sets = value
    return CopyStatus(
        reads,
        {
            (host, user): SetCopy(math.inf if lag is None else lag, missing, waits_since)
            for host, user, lag, missing, waits_since in sets
        },
    )


def _access(value: Any, now: float, moment: float, look_after: float) -> SeenAccess | None:
    if value is None:
        return None
    keys, config, looked, names = value
    ago = min(max(0.0, now - looked), LOOK_EVERY - look_after)
    # Without a token: the entry's password may have changed meanwhile.
    return SeenAccess(None, _names(keys), config, moment - ago, tuple(names))
