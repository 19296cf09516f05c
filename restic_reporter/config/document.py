"""The text of a config file to plain lists and maps; JSON, or YAML by the file's name."""

import json
import re
from collections import Counter
from collections.abc import Hashable
from typing import Any, ClassVar

import yaml
from attrs import define, field

from ..model.errors import ConfigError

_MAX_DEPTH = 100

# Values in a YAML file once each alias stands for all that it refers to.
_MAX_VALUES = 1_000_000

# How many problems are shown.
_MAX_PROBLEMS = 50

# How it begins, after comments and blank lines: with an item of a list, or a key without quotes.
_YAML = re.compile(r"(?:[ \t]*(?:#[^\n]*|---[ \t]*)?\r?\n)*[ \t]*(?:-|\w+:)\s")


@define
class Problems:
    """What is wrong with a config: the first problems, and how many more there are."""

    shown: list[str] = field(factory=list)
    more: int = 0

    def add(self, *problems: str) -> None:
        """Note some more."""
        room = _MAX_PROBLEMS - len(self.shown)
        self.shown.extend(problems[:room])
        self.more += max(0, len(problems) - room)

    def raise_any(self, name: str) -> None:
        """
        Raise if there are any, in the file called ``name``.

        :raises ConfigError: with all of them.
        """
        if not self.shown:
            return
        problems = [f"{name}: {problem}" for problem in self.shown]
        if self.more:
            problems.append(f"{name}: … and {self.more:,} more problems")
        raise ConfigError(problems)


def parse_document(content: bytes, name: str) -> Any:
    """
    The document in ``content``, which stands in the file called ``name``.

    JSON maps with a key given twice come as `Repeating`; in YAML that is a syntax error.

    :raises ConfigError: for a syntax error, with line and column.
    """
    text = _text(content, name)
    is_yaml = name.endswith((".yaml", ".yml"))
    document = None
    if text.strip():
        document = _parse_yaml(text, name) if is_yaml else _parse_json(text, name)
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
    """A JSON map in which the keys ``repeated`` stand more than once."""

    repeated: tuple[str, ...] = ()


def repeated_keys(value: Any) -> tuple[str, ...]:
    """The keys that stand more than once in the JSON map that became ``value``."""
    return value.repeated if isinstance(value, Repeating) else ()


def _map(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) == len(pairs):
        return result
    repeating = Repeating(result)
    counts = Counter(key for key, _ in pairs)
    repeating.repeated = tuple(key for key, count in counts.items() if count > 1)
    return repeating


def _parse_json(text: str, name: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_map)
    except json.JSONDecodeError as error:
        if _YAML.match(text):
            problem = "looks like YAML; such a file must be named .yaml or .yml"
            raise ConfigError([f"{name}: {problem}"]) from None
        where = f"{name}: line {error.lineno}, column {error.colno}"
        raise ConfigError([f"{where}: {error.msg}{_json_hint(text, error.pos)}"]) from None
    except RecursionError:
        raise ConfigError([f"{name}: nested too deeply"]) from None
    except ValueError:
        raise ConfigError([f"{name}: a number has too many digits"]) from None


def _json_hint(text: str, position: int) -> str:
    """What people most often did when JSON breaks here."""
    before, after = text[:position].rstrip(), text[position:]
    # Before Python 3.13 the decoder stops at the bracket, since then at the comma.
    at_bracket = re.match(r"[\]}]", after) and before.endswith(",")
    if at_bracket or re.match(r",\s*[\]}]", after):
        line = before.count("\n") + 1
        return f" (a trailing comma: remove the one at the end of line {line})"
    if after.startswith("'"):
        return " (JSON wants double quotes)"
    if after.startswith(("//", "#", "/*")):
        return " (JSON has no comments; a file that is called .yaml may have them)"
    if after.startswith(('"', "{")) and re.search(r'["\d}\]el]$', before):
        return " (is a comma missing before this?)"
    return ""


class _RefusedError(yaml.MarkedYAMLError):
    """Its problem is our own sentence."""


def _refused(problem: str, event: yaml.Event) -> _RefusedError:
    mark: Any = event.start_mark
    return _RefusedError(problem=problem, problem_mark=mark)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """
    PyYAML's safe loader, for JSON's types alone; a key that is given twice is an error.

    Anything that is not a number, true, false or null is text, as in YAML 1.2: a password may
    be ``no``, ``2026-01-01`` or ``12:30:00`` without quotes.
    """

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise _RefusedError(
                    problem=f"the key {key!r} stands twice in one map",
                    problem_mark=key_node.start_mark,
                )
            if isinstance(key, Hashable):
                seen.add(key)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError):  # a number of thousands of digits
            raise yaml.MarkedYAMLError(
                problem="this value cannot be understood; a text must stand in quotes",
                problem_mark=node.start_mark,
            ) from None


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
    Refuse what PyYAML would take too much time, memory or stack for, and all tags.

    :raises RecursionError: it is nested too deeply, which would end the process.
    :raises yaml.MarkedYAMLError: for anything else.
    """
    sizes: dict[str, int | None] = {}
    # The anchor of each list and map that is open, and how many values are in it so far.
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
                raise _refused("an alias refers to what it is in", event)
            size, anchor = known, None
        if getattr(event, "tag", None) is not None:
            raise _refused("a value that begins with '!' must stand in quotes", event)
        if size and anchor is not None:
            sizes[anchor] = size
        outer, number = nested[-1]
        nested[-1] = (outer, number + size)
        if number + size > _MAX_VALUES:
            raise _refused(f"the aliases stand for more than {_MAX_VALUES:,} values", event)


def _yaml_problem(error: yaml.MarkedYAMLError) -> str:
    """What is wrong, without the words of the file that PyYAML may quote: a password, say."""
    problem = error.problem or error.context or "not YAML"
    if isinstance(error, _RefusedError):
        return problem
    if "tag handle" in problem:
        return "a value that begins with '!' must stand in quotes"
    if "undefined alias" in problem:
        return "a value that begins with '*' must stand in quotes"
    if "anchor" in problem:
        return "a value that begins with '&' must stand in quotes"
    return problem


def _parse_yaml(text: str, name: str) -> Any:
    try:
        _check_events(text)
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f": line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError([f"{name}{where}: {_yaml_problem(error)}"]) from None
    except yaml.YAMLError as error:
        raise ConfigError([f"{name}: {error}"]) from None
    except RecursionError:
        raise ConfigError([f"{name}: nested too deeply"]) from None


def parse_yaml(content: bytes, name: str) -> Any:
    """
    The YAML document in ``content``, whatever its file is called; ``None`` if it is empty.

    :raises ConfigError: for a syntax error, with line and column.
    """
    return _parse_yaml(_text(content, name), name)
