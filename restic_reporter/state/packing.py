"""Packs what is remembered into bytes, each piece sealed with a digest. Pure."""

import hashlib
import json
import struct
import sys
import zlib
from array import array
from itertools import accumulate
from typing import Any

from ..model.columns import Columns, Shape
from ..model.rows import ID_SIZE, fixed_columns
from ..model.snapshot_table import SnapshotTable
from ..model.snapshots import (
    BackupDays,
    BackupSet,
    Client,
    ClientGroup,
    Content,
    Group,
    Latest,
    Ratios,
    Summary,
)

# Fast; a higher level saves little, as digests cannot be compressed.
_LEVEL = 1

_SIZES = struct.Struct("<II")
_SEAL = 8

# The kinds of the columns with places, as in `SnapshotTable`.
_PLACES = "IHHHH"

# Where the row of a set has the length of its history.
_LENGTH = -1


class DamagedError(Exception):
    """Some bytes are not those that were written."""


def seal(key: int, payload: bytes) -> bytes:
    """Return ``payload`` with a digest of it and of the ``key`` that it is kept under."""
    return _digest(key, payload) + payload


def unseal(key: int, sealed: bytes) -> bytes:
    """Return the payload; raise a `DamagedError` if it is not the one that was kept there."""
    if _digest(key, payload := sealed[_SEAL:]) != sealed[:_SEAL]:
        raise DamagedError
    return payload


def _digest(key: int, payload: bytes) -> bytes:
    return hashlib.blake2b(payload, digest_size=_SEAL, salt=key.to_bytes(8, "big")).digest()


def pack(content: Content, table: Columns | None) -> bytes:
    """Return the bytes for the content of one repository and the table of its snapshots."""
    first = zlib.compress(_with_header(_content(content), _histories(content)), _LEVEL)
    second = b"" if table is None else _pack_table(table)
    return _SIZES.pack(len(first), len(second)) + first + second


def unpack(packed: bytes) -> tuple[Content, bytes]:
    """
    Return what `pack` was given, the table still packed: for `unpack_table`.

    :raises DamagedError: it was not packed by this release.
    """
    try:
        size, rest = _SIZES.unpack_from(packed)
        start = _SIZES.size
        header, histories = _parted(zlib.decompress(packed[start : start + size]))
        content = _unpacked_content(header, histories)
    except (LookupError, TypeError, ValueError, struct.error, zlib.error):
        raise DamagedError("a value was not written by this release") from None
    return content, packed[start + size : start + size + rest]


def _with_header(header: Any, body: bytes) -> bytes:
    text = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<I", len(text)) + text + body


def _parted(data: bytes) -> tuple[Any, bytes]:
    (size,) = struct.unpack_from("<I", data)
    return json.loads(data[4 : 4 + size]), data[4 + size :]


def _content(content: Content) -> dict[str, Any]:
    return {
        "snapshots": content.snapshot_count,
        "future": content.future_count,
        "invalid": content.invalid_count,
        "matures_at": content.matures_at,
        "dropped": [content.dropped_sets, content.dropped_groups],
        "sets": [_set(one) for one in content.sets],
        "backdated": content.backdated_count,
        "clients": [
            (
                *(one.latest.labels, one.latest.folders),
                *(one.snapshot_count, one.newest, one.summary.values()),
            )
            for one in content.clients
        ],
        "past": [[*name, len(history)] for name, history in content.past.items()],
    }


def _set(one: BackupSet) -> list[Any]:
    latest, ratios = one.latest, one.ratios
    summary = () if latest is None else latest.summary.values()
    return [
        one.host,
        one.user,
        one.snapshot_count,
        one.newest,
        one.oldest,
        None if latest is None else [latest.id, latest.tags, latest.program_version, *summary],
        [one.days.last, one.days.bits],
        one.learned_max_age,
        [[group.paths, group.tags, group.snapshot_count, group.newest] for group in one.groups],
        one.path_lists,
        [ratios.processed_bytes, ratios.added_bytes, ratios.files, ratios.changed_files],
        len(one.history),
    ]


def _histories(content: Content) -> bytes:
    histories = [*(one.history for one in content.sets), *content.past.values()]
    return b"".join(_little("I", one.tobytes()) for one in histories)


def _unpacked_content(header: Any, histories: bytes) -> Content:
    rows, past = header["sets"], header["past"]
    every = array("I", _little("I", histories))
    ends = list(accumulate([row[_LENGTH] for row in rows] + [length for _, _, length in past]))
    parts = [every[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    return Content(
        header["snapshots"],
        header["future"],
        header["invalid"],
        tuple(map(_unpacked_set, rows, parts)),
        header["dropped"][0],
        header["matures_at"],
        header["dropped"][1],
        {(host, user): one for (host, user, _), one in zip(past, parts[len(rows) :], strict=True)},
        header["backdated"],
        tuple(
            ClientGroup(Client(tuple(labels), tuple(folders)), count, newest, Summary(*summary))
            for labels, folders, count, newest, summary in header["clients"]
        ),
    )


def _unpacked_set(row: list[Any], history: "array[int]") -> BackupSet:
    host, user, count, newest, oldest, latest, days, learned, groups, path_lists, ratios, _ = row
    if latest is not None:
        id, tags, version, *summary = latest
        latest = Latest(id, tags, version, Summary(*summary))
    return BackupSet(
        host,
        user,
        count,
        newest,
        oldest,
        latest,
        BackupDays(*days),
        history,
        tuple(Group(*group) for group in groups),
        learned,
        path_lists,
        Ratios(*ratios),
    )


def _pack_table(table: Columns) -> bytes:
    shape, (ids, *others) = table.shape, table.fixed
    header = {
        "group_by": shape.group_by,
        "identified": shape.identified,
        "client_paths": shape.client_paths,
        "values": [values for values, _ in table.repeated],
    }
    kinds = [kind for _, kind in fixed_columns(shape)[1:]]
    columns = [_little(kind, data) for kind, data in zip(kinds, others, strict=True)]
    for kind, (_, places) in zip(_PLACES, table.repeated, strict=False):
        columns.append(_little(kind, places))
    # Ids are digests, which cannot be compressed.
    compressed = zlib.compress(_with_header(header, b"".join(columns)), _LEVEL)
    return struct.pack("<I", len(ids) // ID_SIZE) + ids + compressed


def unpack_table(packed: bytes) -> SnapshotTable:
    """Return the table from `unpack`."""
    (rows,) = struct.unpack_from("<I", packed)
    start = 4 + ID_SIZE * rows
    header, data = _parted(zlib.decompress(packed[start:]))
    shape = Shape(tuple(header["group_by"]), header["identified"], header["client_paths"])
    kinds = _PLACES[: len(header["values"])]
    columns = [*fixed_columns(shape)[1:], *((array(kind).itemsize, kind) for kind in kinds)]
    ends = list(accumulate(size * rows for size, _ in columns))
    parts = [
        _little(kind, data[begin:end])
        for (_, kind), begin, end in zip(columns, [0, *ends], ends, strict=False)
    ]
    fixed, places = (packed[4:start], *parts[: -len(kinds)]), parts[-len(kinds) :]
    repeated = zip(map(_named, header["values"]), places, strict=True)
    return SnapshotTable.of(Columns(shape, fixed, tuple(repeated)))


def rows_of(packed: bytes) -> int:
    """Return the number of snapshots in a table from `unpack`."""
    return int(struct.unpack_from("<I", packed)[0]) if packed else 0


def _named(values: list[Any]) -> list[Any]:
    """Return pairs as they were before they became JSON."""
    return [None if one is None else tuple(one) for one in values]


def _little(kind: str, data: bytes) -> bytes:
    """Return the items of an array in this machine's order, or the reverse; nothing else."""
    # Numbers are little-endian, on whatever machine.
    if not kind or sys.byteorder == "little":
        return data
    values = array(kind, data)
    values.byteswap()
    return values.tobytes()
