"""The text of a config file to plain lists and maps; JSON, or YAML by the file's name."""

import json
import re
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import yaml

_MAX_DEPTH = 100


class ConfigError(Exception):
    """
    A config that cannot be used.

    ``problems`` are complete sentences without secrets, each with the file, the entry and
    the key that it speaks of; ``str`` gives one a line.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def parse_document(content: bytes, name: str) -> Any:
    """
    The document in ``content``, which stands in the file called ``name``.

    JSON maps with a key given twice come as `Repeating`; in YAML that is a syntax error.

    :raises ConfigError: for a syntax error, with line and column.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{name}: line {line}: not UTF-8 text"]) from None
    if name.endswith((".yaml", ".yml")):
        return _parse_yaml(text, name)
    return _parse_json(text, name)


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


class _RepeatedKeyError(yaml.MarkedYAMLError):
    """Its problem is our own sentence."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """PyYAML's safe loader, but a key that is given twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise _RepeatedKeyError(
                    problem=f"the key {key!r} stands twice in one map",
                    problem_mark=key_node.start_mark,
                )
            if isinstance(key, Hashable):
                seen.add(key)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError):  # 2026-13-01 looks like a date and is none
            raise yaml.MarkedYAMLError(
                problem="this value cannot be understood; a text must stand in quotes",
                problem_mark=node.start_mark,
            ) from None


def _check_depth(text: str) -> None:
    """Raise RecursionError where PyYAML would exhaust the stack, which ends the process."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                raise RecursionError
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _yaml_problem(error: yaml.MarkedYAMLError) -> str:
    """What is wrong, without the words of the file that PyYAML may quote: a password, say."""
    problem = error.problem or error.context or "not YAML"
    if isinstance(error, _RepeatedKeyError):
        return problem
    if "constructor for the tag" in problem or "tag handle" in problem:
        return "a value that begins with '!' must stand in quotes"
    if "undefined alias" in problem:
        return "a value that begins with '*' must stand in quotes"
    if "anchor" in problem:
        return "a value that begins with '&' must stand in quotes"
    return problem


def _parse_yaml(text: str, name: str) -> Any:
    try:
        _check_depth(text)
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f": line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError([f"{name}{where}: {_yaml_problem(error)}"]) from None
    except yaml.YAMLError as error:
        raise ConfigError([f"{name}: {error}"]) from None
    except RecursionError:
        raise ConfigError([f"{name}: nested too deeply"]) from None
