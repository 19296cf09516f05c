"""The key ``options``: extended options for restic's ``-o``. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from ..redaction.secret import url_passwords
from .document import repeated_keys
from .wording import kind

# As restic has them, which ignores case: a backend's name, a dot, the option.
_NAME = re.compile(r"[a-z][a-z0-9]*\.[a-z0-9][a-z0-9.-]*")

_SECRET = re.compile(r"credential|pass|secret|token|key")

_INVALID = re.compile("[\0\ud800-\udfff]")


def problem_of(value: Any) -> str | None:
    """Return the problem of the value of ``options``, if any."""
    if not isinstance(value, dict):
        return f"must be a map, not {kind(value)}"
    for name in repeated_keys(value):
        return f"duplicate name {name!r}"
    for name, one in value.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            return f"invalid name {name!r}; must look like 's3.region'"
        if not isinstance(one, str | bool | int | float):
            return f"{name}: must be a string, not {kind(one)}"
        text = _text(one)
        if _INVALID.search(text):
            return f"{name}: contains an invalid character"
        if _SECRET.search(name) or any(url_passwords(text)):
            return f"{name}: options show in the process list; put secrets into other keys or 'env'"
    return None


def options_of(value: Mapping[str, Any]) -> dict[str, str]:
    """Return valid options as the texts that restic reads."""
    return {name: _text(one) for name, one in value.items()}


def _text(value: str | float) -> str:
    # restic drops blanks at the ends.
    return value.strip() if isinstance(value, str) else str(value).lower()
