"""The keys of an entry about checks of the repository, and about its size."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from ..concurrency.deadline import LONGEST_TIMEOUT
from ..model.upkeep import Check, Upkeep
from ..schedule.cron import CronExpression, parse_cron
from .document import repeated_keys
from .freshness import parse_duration
from .wording import kind, problem_check, unknown

_PART = re.compile(r"(\d{1,9})/(\d{1,9})", re.ASCII)
_PERCENTAGE = re.compile(r"(\d{1,3}(?:\.\d{1,9})?)%", re.ASCII)
_BYTES = re.compile(r"(\d{1,15})[bkmgt]", re.ASCII | re.IGNORECASE)

# restic's own limit.
_MOST_PARTS = 256


def _cron(value: Any) -> CronExpression:
    if not isinstance(value, str):
        raise ValueError(f"must be a string, not {kind(value)}")
    return parse_cron(value)


def _subset(value: Any) -> str:
    """Check a value of restic's option ``--read-data-subset`` as restic does."""
    form = "must be like '5%', '1/12' or '2G'"
    if not isinstance(value, str):
        raise ValueError(f"{form}, not {kind(value)}")
    if part := _PART.fullmatch(value):
        if not 1 <= int(part[1]) <= int(part[2]):
            raise ValueError(f"no such part: {value!r}; the first is '1/{part[2]}'")
        if int(part[2]) > _MOST_PARTS:
            raise ValueError(f"must have at most {_MOST_PARTS} parts, not {value!r}")
    elif share := _PERCENTAGE.fullmatch(value):
        if not 0 < float(share[1]) <= 100:
            raise ValueError(f"must be more than 0% and at most 100%, not {value!r}")
    elif not (size := _BYTES.fullmatch(value)) or not int(size[1]):
        raise ValueError(f"{form}, not {value!r}")
    return value


def _timeout(value: Any) -> float:
    seconds = parse_duration(value)
    if not 0 < seconds <= LONGEST_TIMEOUT:
        raise ValueError(f"must be greater than 0 and at most a year, not {value!r}")
    return seconds


_CHECK_KEYS: Mapping[str, Callable[[Any], Any]] = {
    "cron": _cron,
    "read_data_subset": _subset,
    "timeout": _timeout,
}


def _check_of(value: Any) -> Check | None:
    if value is False:
        return None
    if not isinstance(value, dict):
        raise ValueError(f"must be a map such as {{'cron': '0 3 * * 0'}}, not {kind(value)}")
    for key in repeated_keys(value):
        raise ValueError(f"duplicate key {key!r}")
    values = {}
    for key, one in value.items():
        if key not in _CHECK_KEYS:
            raise ValueError(unknown(key, _CHECK_KEYS))
        try:
            values[key] = _CHECK_KEYS[key](one)
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from None
    if "cron" not in values:
        raise ValueError("the key 'cron' is missing")
    return Check(**values)


def _size_cron(value: Any) -> CronExpression | None:
    return None if value is False else _cron(value)


_KEYS: Mapping[str, Callable[[Any], Any]] = {"check": _check_of, "size_cron": _size_cron}


# As in `restic_reporter.config.keys`: each returns what is wrong with a value.
CHECKS: Mapping[str, Callable[[Any], str | None]] = {
    key: problem_check(parse) for key, parse in _KEYS.items()
}


def upkeep_of(values: Mapping[str, Any]) -> Upkeep:
    """Return what an entry says about upkeep; its values have passed `CHECKS`."""
    return Upkeep(**{key: parse(values[key]) for key, parse in _KEYS.items() if key in values})
