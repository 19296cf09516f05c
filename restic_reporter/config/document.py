"""Parse a config file into lists and maps: JSON, or YAML by the file's name."""

import json
import re
from collections import Counter
from collections.abc import Hashable
from typing import Any, ClassVar

import yaml
from attrs import define, field

from ..model.errors import ConfigError

_MAX_DEPTH = 100

# Values in a YAML file with each alias expanded.
_MAX_VALUES = 1_000_000

_MAX_PROBLEMS = 50

# After comments and blank lines, an item of a list, or a key without quotes.
_YAML = re.compile(r"(?:[ \t]*(?:#[^\n]*|---[ \t]*)?\r?\n)*[ \t]*(?:-|\w+:)\s")


@define
class Problems:
    """The first problems of a config, and the number of further ones."""

    shown: list[str] = field(factory=list)
    more: int = 0

    def add(self, *problems: str) -> None:
        """Add some."""
        room = _MAX_PROBLEMS - len(self.shown)
        self.shown.extend(problems[:room])
        self.more += len(problems[room:])

    def raise_any(self, name: str) -> None:
        """Raise a `ConfigError` if there are problems in the file ``name``."""
        more = [f"… and {self.more:,} more problems"] if self.more else []
        if self.shown:
            raise ConfigError([f"{name}: {problem}" for problem in (*self.shown, *more)])


def parse_document(content: bytes, name: str) -> Any:
    """
    Return the document in the file ``name`` with this ``content``.

    JSON maps are `Repeating`; a duplicate key in YAML is a syntax error.

    :raises ConfigError: for a syntax error, with line and column.
    """
    text = _text(content, name)
    is_yaml = name.endswith((".yaml", ".yml"))
    document = None
    if text.strip():
        try:
            document = _parse_yaml(text, name) if is_yaml else _parse_json(text, name)
        except RecursionError:
            raise ConfigError([f"{name}: nested too deeply"]) from None
    if document is None and (is_yaml or not text.strip()):
        raise ConfigError([f"{name}: is empty; must be a list of entries"])
    return document


def _text(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{name}: line {line}: not UTF-8 text"]) from None


class Repeating(dict[str, Any]):
    """A JSON map, with its duplicate keys in ``repeated``."""

    repeated: tuple[str, ...] = ()


def repeated_keys(value: Any) -> tuple[str, ...]:
    """Return the duplicate keys of a JSON map."""
    return value.repeated if isinstance(value, Repeating) else ()


def _map(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = Repeating(pairs)
    if len(result) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        result.repeated = tuple(key for key, count in counts.items() if count > 1)
    return result


def _parse_json(text: str, name: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_map)
    except json.JSONDecodeError as error:
        if _YAML.match(text):
            raise ConfigError([f"{name}: looks like YAML; rename it to .yaml or .yml"]) from None
        where = f"{name}: line {error.lineno}, column {error.colno}"
        raise ConfigError([f"{where}: {error.msg}{_json_hint(text, error.pos)}"]) from None
    except ValueError:
        raise ConfigError([f"{name}: a number has too many digits"]) from None


def _json_hint(text: str, position: int) -> str:
    """Return a hint for a syntax error at ``position``."""
    before, after = text[:position].rstrip(), text[position:]
    # Before Python 3.13 the decoder stops at the bracket, since then at the comma.
    at_bracket = re.match(r"[\]}]", after) and before.endswith(",")
    if at_bracket or re.match(r",\s*[\]}]", after):
        line = before.count("\n") + 1
        return f" (a trailing comma: remove the one at the end of line {line})"
    if after.startswith("'"):
        return " (JSON requires double quotes)"
    if after.startswith(("//", "#", "/*")):
        return " (JSON has no comments; rename the file to .yaml)"
    if after.startswith(('"', "{")) and re.search(r'["\d}\]el]$', before):
        return " (missing comma before this?)"
    return ""


class _RefusedError(yaml.MarkedYAMLError):
    """An error with a problem in our own words."""

    def __init__(self, problem: str, at: Any) -> None:
        super().__init__(problem=problem, problem_mark=at.start_mark)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """
    PyYAML's safe loader, with only JSON's types, and an error for a duplicate key.

    All but numbers, true, false and null is text, as in YAML 1.2: a password may be ``no``,
    ``2026-01-01`` or ``12:30:00`` without quotes.
    """

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable):
                if key in seen:
                    raise _RefusedError(f"duplicate key {key!r}", key_node)
                seen.add(key)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError):  # a number of thousands of digits
            raise _RefusedError("invalid value; put text in quotes", node) from None


_IN_QUOTES = "a value that begins with {!r} must be in quotes"
_INTEGER = r"[-+]?(?:0|[1-9][0-9]*)"
for _kind, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", _INTEGER, "-+0123456789"),
    ("float", rf"{_INTEGER}(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", "-+0123456789"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_kind}", re.compile(f"(?:{_pattern})$"), list(_first)
    )


def _check_events(text: str) -> None:
    """
    Do nothing for harmless YAML without tags.

    :raises RecursionError: it is nested too deeply, which would end the process.
    :raises yaml.MarkedYAMLError: it would need too much time or memory, or has a tag.
    """
    sizes: dict[str, int | None] = {}
    # The anchor of each open list and map, and the number of its values so far.
    nested: list[tuple[str | None, int]] = [(None, 0)]
    for event in yaml.parse(text, Loader=_Loader):
        size = 0
        anchor: str | None = getattr(event, "anchor", None)
        if isinstance(event, yaml.CollectionStartEvent):
            if len(nested) > _MAX_DEPTH:
                raise RecursionError
            nested.append((anchor, 1))
            if anchor is not None:
                sizes[anchor] = None
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, size = nested.pop()
        elif isinstance(event, yaml.ScalarEvent):
            size = 1
        elif isinstance(event, yaml.AliasEvent):
            known = sizes.get(anchor or "", 0)
            if known is None:
                raise _RefusedError("an alias refers to a value that contains it", event)
            size, anchor = known, None
        if getattr(event, "tag", None) is not None:
            raise _RefusedError(_IN_QUOTES.format("!"), event)
        if size and anchor is not None:
            sizes[anchor] = size
        outer, number = nested[-1]
        nested[-1] = (outer, number + size)
        if number + size > _MAX_VALUES:
            raise _RefusedError(f"aliases expand to more than {_MAX_VALUES:,} values", event)


def _yaml_problem(error: yaml.MarkedYAMLError) -> str:
    """Return the problem, without text of the file: PyYAML may quote a password."""
    problem = error.problem or error.context or "not YAML"
    if isinstance(error, _RefusedError):
        return problem
    for words, character in (("tag handle", "!"), ("undefined alias", "*"), ("anchor", "&")):
        if words in problem:
            return _IN_QUOTES.format(character)
    return problem


def _parse_yaml(text: str, name: str) -> Any:
    try:
        _check_events(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - derived from SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f": line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError([f"{name}{where}: {_yaml_problem(error)}"]) from None
    except yaml.YAMLError as error:
        raise ConfigError([f"{name}: {error}"]) from None


def parse_yaml(content: bytes, name: str) -> Any:
    """
    Return the YAML document in ``content``, of a file with any name; ``None`` if it is empty.

    :raises ConfigError: for a syntax error, with line and column.
    """
    try:
        return _parse_yaml(_text(content, name), name)
    except RecursionError:
        raise ConfigError([f"{name}: nested too deeply"]) from None
