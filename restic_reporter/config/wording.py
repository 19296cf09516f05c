"""Phrases about values and keys that messages share."""

import difflib
from collections.abc import Callable, Collection
from datetime import date
from types import NoneType
from typing import Any


def kind(value: Any) -> str:
    """Return what JSON calls the type of ``value``."""
    names = {NoneType: "null", bool: "true or false", int: "a number", float: "a number"}
    names |= {str: "a string", dict: "a map", list: "a list", date: "a date"}
    return next((names[one] for one in type(value).mro() if one in names), "something else")


def unknown(key: object, known: Collection[str]) -> str:
    """The sentence about a key that is none of ``known``, with the nearest one that is."""
    near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else f"; known keys: {', '.join(known)}"
    return f"unknown key {key!r}{hint}"


def problem_check(parse: Callable[[Any], object]) -> Callable[[Any], str | None]:
    """Return a function that returns what is wrong with a value, as ``parse`` raises it."""

    def check(value: Any) -> str | None:
        try:
            parse(value)
        except ValueError as error:
            return str(error)
        return None

    return check
