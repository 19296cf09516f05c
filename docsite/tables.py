"""
Writes the tables of the reference that are made from the code: options, keys, metrics, reasons.

``python -m docsite.tables``, after a change of a text. A test compares the pages with the code.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import cast

from restic_reporter.commands import options
from restic_reporter.config import keys
from restic_reporter.config.key_texts import ENTRY, FRESHNESS, UPKEEP, KeyText
from restic_reporter.interfaces import IBackendMaker
from restic_reporter.metrics.definitions import notes
from restic_reporter.model.errors import REASONS, Reason
from restic_reporter.plugin.discovery import installed_plugins
from restic_reporter.tap import Options

_DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = tuple(_DOCS / f"{name}.md" for name in ("commands", "config", "metrics", "reasons"))

_TABLE = re.compile(r"(<!-- table: ([\w ]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)

Row = Sequence[str]


def _code(text: str) -> str:
    return f"`{text}`"


def option_rows() -> Iterator[Row]:
    """The daemon's options."""
    yield "option", "default", "meaning"
    parameters = cast(Sequence[tuple[str, str | None, str | None, str]], Options.optParameters)
    flags = cast(Sequence[tuple[str, None, str]], Options.optFlags)
    for name, short, default, text in (*parameters, *((one[0], None, "", one[2]) for one in flags)):
        names = [f"--{name}", *([f"-{short}"] if short else [])]
        shown = _code(default) if default else "off" if default == "" else "none"
        note = options.NOTES.get(name)
        yield ", ".join(map(_code, names)), shown, f"{text} {note}" if note else text
    yield "`--version`, `--help`", "none", "Print it and exit."


def key_rows() -> Iterator[Row]:
    """The keys of an entry, without those of freshness."""
    plugins = installed_plugins()
    stores = [store.name for store in plugins.stores]
    texts: dict[str, KeyText] = {}
    for key, text in ENTRY.items():
        texts[key] = text
        if key == "password_command":
            for store in stores:
                texts[f"{store}{keys.MATERIAL}"] = KeyText("string", _document(store, ["key"]))
            for maker in plugins.makers:
                texts.update(_own_keys(maker, stores))
    return _rows_of_keys(texts)


def _own_keys(maker: IBackendMaker, stores: Iterable[str]) -> Iterator[tuple[str, KeyText]]:
    """The keys of one backend."""
    for key in maker.keys:
        yield key.name, KeyText("string", key.text)
    fields = [key.field for key in maker.keys if key.field is not None]
    for name, store in keys.materials(maker, stores).items():
        yield name, KeyText("string", _document(store, fields))


def _document(store: str, fields: Sequence[str]) -> str:
    """What a key for a document in a secret store means."""
    named = " and ".join(map(_code, fields))
    of = "the password" if fields == ["key"] else "the same"
    return f"{of}, from [{store.title()}]({store}.md): path of a document with {named}"


def _rows_of_keys(texts: Mapping[str, KeyText]) -> Iterator[Row]:
    yield "key", "type", "meaning"
    for key, text in texts.items():
        yield _code(key), text.type, text.meaning


_KINDS = {"info": "gauge (info in OpenMetrics)"}


def metric_rows(group: notes.Notes) -> Iterator[Row]:
    """The metrics of one group."""
    yield "name", "type", "meaning"
    for family, note in group.items():
        # The page says that all others are as of the latest collection.
        text = re.split(r"(?<=\.) (?:As of|Since|Fixed) ", family.help)[0]
        when = "At the scrape." if "s of the scrape" in family.help else ""
        meaning = " ".join(filter(None, (text, when, note)))
        yield _code(family.name), _KINDS.get(family.kind, family.kind), meaning


def daemon_rows() -> Iterator[Row]:
    """The metrics of the daemon, and those that are not ours."""
    yield from metric_rows(notes.OF_DAEMON)
    yield (
        "`process_*`",
        "gauge, counter",
        "CPU, memory, file descriptors and start of the Python process. At the scrape. From"
        " prometheus-client.",
    )


def reason_rows() -> Iterator[Row]:
    """The reasons of failed reads."""
    yield "reason", "what happened", "what to do"
    for reason in Reason:
        yield _code(reason), REASONS[reason].happened, REASONS[reason].advice


TABLES: Mapping[str, Callable[[], Iterable[Row]]] = {
    "options": option_rows,
    "keys": key_rows,
    "freshness": partial(_rows_of_keys, FRESHNESS),
    "checks": partial(_rows_of_keys, UPKEEP),
    "metrics of sets": partial(metric_rows, notes.OF_SETS),
    "metrics of content": partial(metric_rows, notes.OF_CONTENT),
    "metrics of reads": partial(metric_rows, notes.OF_READS),
    "metrics of results": partial(metric_rows, notes.OF_RESULTS),
    "metrics of the daemon": daemon_rows,
    "reasons": reason_rows,
}


def table(rows: Iterable[Row]) -> str:
    """Return a table in Markdown; its first row is the header."""
    head, *others = rows
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, ["---"] * len(head), *others))


def renewed(page: str) -> str:
    """Return a page with its tables made anew."""
    return _TABLE.sub(lambda found: f"{found[1]}\n{table(TABLES[found[2]]())}\n{found[3]}", page)


if __name__ == "__main__":
    for one in PAGES:
        one.write_text(renewed(one.read_text()))
