"""The keys of an entry about the freshness of its backup sets."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from ..model.freshness import DEFAULT_GRACE, Freshness, Limit, SetName
from ..schedule.cron import parse_cron
from .document import repeated_keys
from .wording import kind, problem_check, unknown

# An entry with one of these takes none of the others from the defaults.
ALTERNATIVES = (("max_age",), ("schedule", "grace"))

_GROUPS = ("paths", "tags")

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}
_PART = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)([smhdwy])", re.ASCII)
_LONGEST = 100 * _UNITS["y"]


def parse_duration(value: Any) -> float:
    """
    Return a duration like ``26h`` or ``1d12h`` in seconds.

    :raises ValueError: with the rest of a sentence about the value.
    """
    form = "must be a duration such as '26h', '3d' or '1d12h'"
    if not isinstance(value, str):
        raise ValueError(f"{form}, not {kind(value)}")
    parts = _PART.findall(value)
    if not parts or "".join(number + unit for number, unit in parts) != value:
        raise ValueError(f"{form}, not {value!r}")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if seconds > _LONGEST:
        raise ValueError(f"must be at most 100y, not {value!r}")
    return seconds


def _max_age(value: Any) -> float:
    seconds = parse_duration(value)
    if not seconds:
        raise ValueError("must be greater than 0")
    return seconds


def _schedule(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError(f"must be a string, not {kind(value)}")
    return parse_cron(value)


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be a string, not {kind(value)}")
    if not value:
        raise ValueError("must not be empty")
    return value


def _group_by(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or any(one not in _GROUPS for one in value):
        raise ValueError("must be a list of 'paths', 'tags' or both")
    if len(set(value)) < len(value):
        raise ValueError("duplicate value")
    return tuple(value)


_LIMIT_KEYS: Mapping[str, Callable[[Any], Any]] = {
    "max_age": _max_age,
    "schedule": _schedule,
    "grace": parse_duration,
}
_SET_KEYS: Mapping[str, Callable[[Any], Any]] = {"host": _name, "user": _name}


def _limit(values: Mapping[str, Any]) -> Limit | None:
    if "max_age" in values and "schedule" in values:
        raise ValueError("max_age and schedule: only one of them may be given")
    if "grace" in values and "schedule" not in values:
        raise ValueError("grace: needs the key 'schedule'")
    if "schedule" in values:
        grace = parse_duration(values["grace"]) if "grace" in values else DEFAULT_GRACE
        return Limit(schedule=_schedule(values["schedule"]), grace=grace)
    return Limit(_max_age(values["max_age"])) if "max_age" in values else None


def _sets(value: Any, keys: Mapping[str, Callable[[Any], Any]]) -> dict[SetName, Mapping[str, Any]]:
    if not isinstance(value, list):
        raise ValueError(f"must be a list of maps, not {kind(value)}")
    result: dict[SetName, Mapping[str, Any]] = {}
    for position, item in enumerate(value, 1):
        try:
            name = _set_name(item, keys)
            if name in result:
                raise ValueError("duplicate host and user")
        except ValueError as error:
            raise ValueError(f"item {position}: {error}") from None
        result[name] = item
    return result


def _set_name(item: Any, keys: Mapping[str, Callable[[Any], Any]]) -> SetName:
    if not isinstance(item, dict):
        raise ValueError(f"must be a map, not {kind(item)}")
    for key in repeated_keys(item):
        raise ValueError(f"duplicate key {key!r}")
    for key, value in item.items():
        if key not in keys:
            raise ValueError(unknown(key, keys))
        try:
            keys[key](value)
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from None
    if "host" not in item:
        raise ValueError("the key 'host' is missing")
    return SetName(item["host"], item.get("user"))


def _expect(value: Any) -> Mapping[SetName, Limit | None]:
    sets = _sets(value, {**_SET_KEYS, **_LIMIT_KEYS})
    result: dict[SetName, Limit | None] = {}
    for position, (name, item) in enumerate(sets.items(), 1):
        try:
            result[name] = _limit(item)
        except ValueError as error:
            raise ValueError(f"item {position}: {error}") from None
    return result


def _retired(value: Any) -> frozenset[SetName]:
    return frozenset(_sets(value, _SET_KEYS))


# As in `restic_reporter.config.keys`: each returns what is wrong with a value.
CHECKS: Mapping[str, Callable[[Any], str | None]] = {
    key: problem_check(parse)
    for key, parse in {
        **_LIMIT_KEYS,
        "expect": _expect,
        "group_by": _group_by,
        "retired": _retired,
    }.items()
}


def freshness_of(values: Mapping[str, Any]) -> Freshness:
    """
    Return what an entry says about freshness; its values have passed `CHECKS`.

    :raises ValueError: keys contradict each other.
    """
    expected, retired = _expect(values.get("expect", [])), _retired(values.get("retired", []))
    for name in expected:
        if name in retired or SetName(name.host) in retired:
            raise ValueError(f"expect: the host {name.host!r} is retired; remove it from one list")
    return Freshness(_limit(values), expected, retired)
