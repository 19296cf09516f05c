"""The values of options, from their texts."""

import os

from ..concurrency.deadline import LONGEST_TIMEOUT


def whole_number(text: str) -> int:
    """Return a number greater than 0; raise a ValueError if it is none."""
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ValueError(f"invalid value {text!r}; must be a whole number greater than 0")
    return int(text)


def folder(text: str) -> str:
    """Return the absolute path of a folder; raise a ValueError if none is named."""
    if not text or "\0" in text:
        raise ValueError("must name a folder")
    return os.path.abspath(text)


def seconds(text: str) -> float:
    """Return a timeout; raise a ValueError if it is none."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= LONGEST_TIMEOUT:
        raise ValueError(
            f"invalid value {text!r}; must be a number of seconds greater than 0, at most a year"
        )
    return value
