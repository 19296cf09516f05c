"""The text of a config file to plain lists and maps; JSON, or YAML by the file's name."""

import json
import re
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import yaml


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

    :raises ConfigError: for a syntax error, with line and column, or a key given twice.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{name}: line {line}: not UTF-8 text"]) from None
    if name.endswith((".yaml", ".yml")):
        return _parse_yaml(text, name)
    return _parse_json(text, name)


class _DuplicateKeyError(Exception):
    def __init__(self, key: object) -> None:
        self.key = key


def _without_duplicates(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise _DuplicateKeyError(key)
        result[key] = value
    return result


def _parse_json(text: str, name: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_without_duplicates)
    except json.JSONDecodeError as error:
        where = f"{name}: line {error.lineno}, column {error.colno}"
        raise ConfigError([f"{where}: {error.msg}{_json_hint(text, error.pos)}"]) from None
    except _DuplicateKeyError as error:
        raise ConfigError([f"{name}: the key {error.key!r} stands twice in one map"]) from None
    except RecursionError:
        raise ConfigError([f"{name}: nested too deeply"]) from None


def _json_hint(text: str, position: int) -> str:
    """What people most often did when JSON breaks here."""
    before, after = text[:position].rstrip(), text[position:]
    if re.match(r"[\]}]", after) and before.endswith(","):
        line = before.count("\n") + 1
        return f" (the comma at the end of line {line} has nothing after it: remove it)"
    if re.match(r",\s*[\]}]", after):
        return " (this comma has nothing after it: remove it)"
    if after.startswith("'"):
        return " (JSON wants double quotes)"
    if after.startswith(("//", "#", "/*")):
        return " (JSON has no comments; a file that is called .yaml may have them)"
    if after.startswith(('"', "{")) and re.search(r'["\d}\]el]$', before):
        return " (is a comma missing before this?)"
    return ""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """PyYAML's safe loader, but a key that is given twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key!r} stands twice in one map",
                    problem_mark=key_node.start_mark,
                )
            if isinstance(key, Hashable):
                seen.add(key)
        return super().construct_mapping(node, deep)


def _parse_yaml(text: str, name: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f": line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError([f"{name}{where}: {error.problem or error.context}"]) from None
    except yaml.YAMLError as error:
        raise ConfigError([f"{name}: {error}"]) from None
    except RecursionError:
        raise ConfigError([f"{name}: nested too deeply"]) from None
