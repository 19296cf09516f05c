"""Phrases about values and keys that messages share."""

import difflib
from collections.abc import Collection
from datetime import date
from typing import Any


def kind(value: Any) -> str:
    """Return what JSON calls the type of ``value``."""
    if value is None:
        return "null"
    if isinstance(value, date):
        return "a date"
    names = {bool: "true or false", str: "a string", dict: "a map", list: "a list"}
    return names.get(
        type(value), "a number" if isinstance(value, int | float) else "something else"
    )


def unknown(key: object, known: Collection[str]) -> str:
    """The sentence about a key that is none of ``known``, with the nearest one that is."""
    near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else f"; known keys: {', '.join(known)}"
    return f"unknown key {key!r}{hint}"
