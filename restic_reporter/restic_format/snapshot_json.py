"""Parses restic's JSON objects for snapshots into `Snapshot` values."""

import re
from datetime import datetime, timedelta
from typing import Any

from ..model.labels import MAX_LENGTH, sanitise
from ..model.snapshots import NO_SUMMARY, UNKNOWN_USER, Snapshot, Summary
from .client_json import parse_client
from .file_names import is_file_name
from .json_members import Ambiguous

# RFC 3339 as Go's time package writes it. Go keeps nanoseconds and years from 0 to 9999.
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1)

# The members read from a snapshot that is too long to be built whole.
MEMBERS = frozenset(
    (
        *("id", "time", "hostname", "username", "paths", "tags", "program_version", "summary"),
        *("original", "tree"),
    )
)

# Seconds that a snapshot's time may differ from when its backup began, without being given by hand.
_DATED = 3600.0

# Stands for a list that is too long to be built.
TOO_LONG = "(too long)"


def parse_time(text: str) -> float:
    """
    Return the instant of an RFC 3339 time in Unix seconds; its UTC offset counts.

    :raises ValueError: it is invalid, or not in the calendar (the year 0, 30 February).
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError("not an RFC 3339 time")
    *date_and_time, fraction, sign, hours, minutes = match.groups()
    year, month, day, hour, minute, second = map(int, date_and_time)
    local = datetime(year, month, day, hour, minute, second)
    offset = timedelta()
    if sign is not None:
        if int(hours) > 23 or int(minutes) > 59:
            raise ValueError("invalid UTC offset")
        offset = timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == "-" else 1)
    # Subtracting the offset from the difference, not from the local time, keeps the first
    # and the last day of the calendar within range.
    return (local - _EPOCH - offset).total_seconds() + float(f"0.{fraction or 0}")


def parse_snapshot(value: Any, client_paths: bool | None = None) -> Snapshot:
    """
    Parse one object of ``restic snapshots --json``; for ``client_paths`` see `Shape`.

    Never raises: an invalid object gives a `Snapshot` without time, which counts as invalid;
    with invalid names it belongs to no backup set. An empty user name becomes `UNKNOWN_USER`.
    """
    if not isinstance(value, dict):
        return Snapshot(id=None, time=None, host=None, user=UNKNOWN_USER)
    identifier = value.get("id")
    if not is_file_name(identifier):
        identifier = None
    host = value.get("hostname", "")
    user = value.get("username", "")
    if isinstance(value, Ambiguous) or not (isinstance(host, str) and isinstance(user, str)):
        return Snapshot(id=identifier, time=None, host=None, user=UNKNOWN_USER)
    time = value.get("time")
    instant: float | None = None
    if identifier is not None and isinstance(time, str):
        try:
            instant = parse_time(time)
        except ValueError:
            instant = None
    version, summary = value.get("program_version"), value.get("summary")
    original, tree = value.get("original"), value.get("tree")
    began = _moment(summary, "backup_start")
    return Snapshot(
        identifier,
        instant,
        _shortened(host),
        _shortened(user) or UNKNOWN_USER,
        paths=_joined(value.get("paths", [])),
        tags=_joined(value.get("tags", [])),
        program_version=sanitise(version) if isinstance(version, str) else "",
        summary=_summary(summary, began),
        original=original if is_file_name(original) else None,
        tree=tree if isinstance(tree, str) and is_file_name(tree) else "",
        dated=instant is not None and began is not None and abs(instant - began) > _DATED,
        client=None if client_paths is None else parse_client(value, client_paths),
    )


def _joined(texts: Any) -> str:
    if texts is None:
        return TOO_LONG
    if not isinstance(texts, list):
        return ""
    return sanitise(",".join(sorted(one for one in texts if isinstance(one, str))))


def _moment(summary: Any, name: str) -> float | None:
    if not isinstance(summary, dict) or isinstance(summary, Ambiguous):
        return None
    try:
        return parse_time(summary[name])
    except (KeyError, TypeError, ValueError):
        return None


def _summary(value: Any, began: float | None) -> Summary:
    if not isinstance(value, dict) or isinstance(value, Ambiguous):
        return NO_SUMMARY
    ended = _moment(value, "backup_end")
    duration = None if began is None or ended is None else ended - began
    return Summary(
        duration=duration if duration is not None and duration >= 0 else None,
        processed_bytes=_number(value.get("total_bytes_processed"), 2**53),
        added_bytes=_number(value.get("data_added"), 2**53),
        new_files=_number(value.get("files_new"), 2**32 - 1),
        changed_files=_number(value.get("files_changed"), 2**32 - 1),
        unmodified_files=_number(value.get("files_unmodified"), 2**32 - 1),
    )


def _number(value: Any, limit: int) -> int | None:
    """Return a count below ``limit``, or ``None``."""
    return value if type(value) is int and 0 <= value < limit else None


def _shortened(name: str) -> str:
    """Cut a long name like its label, so that it stays distinct."""
    return name if len(name) <= MAX_LENGTH else sanitise(name)
