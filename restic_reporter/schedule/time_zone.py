"""Checks the time zone at start: the C library silently uses UTC for an unknown one."""

import os
import re
import struct
from pathlib import Path
from zoneinfo import ZoneInfo

_NAME = "([A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)"
_OFFSET = r"[+-]?([01]?\d|2[0-4])(:[0-5]\d){0,2}"
_DAY = r"([0-2]?\d?\d|3[0-5]\d|36[0-5])"
_DATE = rf"(M(0?[1-9]|1[0-2])\.[1-5]\.[0-6]|{_DAY}|J(?!0+\b){_DAY})"
_TIME = r"[+-]?(\d?\d|1[0-5]\d|16[0-7])(:[0-5]\d){0,2}"
_RULE = f",{_DATE}(/{_TIME})?"
_POSIX_STRING = re.compile(f"{_NAME}{_OFFSET}({_NAME}({_OFFSET})?({_RULE}{_RULE})?)?", re.ASCII)

# These need no file, which containers often lack: the C library falls back to UTC.
_UTC = ("", "UTC", "Etc/UTC", "GMT")


def check_time_zone(localtime: str = "/etc/localtime") -> None:
    """
    Reject a time zone that the C library would silently read as UTC, or as another zone.

    Like the C library, reads ``TZ`` from the process's own environment: a file (a name such
    as ``Europe/Berlin``, or a path), else a POSIX string such as ``CET-1CEST,M3.5.0,M10.5.0/3``.
    Without ``TZ``, checks the file ``localtime``, which may be missing.

    :raises ValueError: with a message for the user.
    """
    value = os.environ.get("TZ")
    if value is None:
        if Path(localtime).exists() and not _is_zone_file(Path(localtime)):
            raise ValueError(f"{localtime}: invalid time zone file; set TZ, or link another file")
        return
    name = value.removeprefix(":")
    path = Path(os.environ.get("TZDIR") or "/usr/share/zoneinfo", name)
    if not (_is_zone_file(path) or name in _UTC or _POSIX_STRING.fullmatch(name)):
        raise ValueError(
            f"TZ: unknown time zone {value!r}; check its spelling, and that {str(path)!r} is a"
            " time zone file (package tzdata)"
        )


def _is_zone_file(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            ZoneInfo.from_file(stream)
    except (OSError, ValueError, LookupError, EOFError, struct.error):
        return False
    return True
