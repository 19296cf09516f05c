"""
Writes the man page from the command line's own help and the texts of the config's keys:
``python -m docsite.man``.

A test compares them.
"""

import argparse
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from docsite.tables import TABLES
from restic_reporter.commands.cli import make_parser

PAGE = Path(__file__).resolve().parent.parent / "packaging" / "restic-reporter.1"

_HEAD = r"""
.TH RESTIC-REPORTER 1 "" "" "User Commands"
.nh
.ad l
.SH NAME
restic-reporter \- report late and broken restic backups to Prometheus
.SH SYNOPSIS
.B restic-reporter
.I COMMAND
.RI [ options ]
.br
.B twistd
.RI [ "options of twistd" ]
.B restic-reporter
.RI [ "options of run" ]
.SH DESCRIPTION
restic-reporter reads the restic repositories of many machines, and serves the age of the newest
snapshot of every host and user as metrics for Prometheus, and on a status page for people.
It never writes to a repository.
.SH COMMANDS
"""

_CONFIG = r"""
.SH CONFIG
A list of entries in JSON or YAML, one for each repository:
.PP
.nf
  [
    {
      "repo": "rest:https://backup.example.com:8000/web\-1",
      "password_file": "/etc/restic\-reporter/web\-1.password",
      "max_age": "26h"
    }
  ]
.fi
.PP
Or a map with
.B repositories
(that list) and
.B defaults
(keys for entries that lack them).
"""

_FOOT = r"""
.SH ENVIRONMENT
.TP
.BR VAULT_ADDR ", " VAULT_TOKEN ", " VAULT_ROLE_ID ", " VAULT_SECRET_ID
Where Vault is, and how to log in.
.TP
.B STATE_DIRECTORY
Default of \-\-state\-dir; systemd sets it.
.TP
.B CREDENTIALS_DIRECTORY
Value of %d/ at the beginning of a path in the config; systemd sets it.
.TP
.B TZ
Time zone of schedules.
.TP
.BR RESTIC_REPOSITORY ", and restic's other variables"
The repository, if there is no config file.
.SH SIGNALS
.TP
.B HUP
Reload the config. An invalid one is logged, and the running one stays.
.TP
.B USR1
Collect all repositories now.
.TP
.BR INT ", " TERM
Stop, within 10 seconds.
.SH EXIT STATUS
The daemon exits with 1 and one message if it cannot start; after INT or TERM with 128 and the
number of the signal. The other commands have theirs above.
.SH SEE ALSO
.BR restic (1),
.BR twistd (1)
.PP
The Debian package has all documentation in /usr/share/doc/restic\-reporter.
"""


def _escaped(text: str) -> str:
    """Text that roff shows as it is."""
    return re.sub(r"(?m)^([.'])", r"\\&\1", text.replace("\\", r"\e").replace("-", r"\-"))


def _paragraphs(text: str) -> Iterator[str]:
    """The description of a command, filled anew."""
    for paragraph in text.split("\n\n"):
        yield ".PP"
        yield _escaped(paragraph)


def _examples(text: str) -> Iterator[str]:
    """The examples of a command, as they are."""
    title, _, lines = text.partition("\n")
    if not title.endswith(":") or title.startswith("bash"):
        title, lines = "Examples:", text
    yield from (".PP", title.capitalize(), ".PP", ".nf", _escaped(lines), ".fi")


def _option(action: argparse.Action) -> Iterator[str]:
    """One option or argument, with its meaning."""
    names = ", ".join(rf"\fB{_escaped(one)}\fR" for one in action.option_strings)
    value = action.metavar if action.nargs != 0 else None
    if isinstance(value, str):
        names = rf"{names} \fI{_escaped(value)}\fR".lstrip()
    yield ".TP"
    yield names or rf"\fI{action.dest}\fR"
    yield _escaped((action.help or "").replace("%%", "%"))


def _command(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    """One command, and those below it."""
    yield f".SS {_escaped(name)}"
    yield from _paragraphs(parser.description or "")
    below = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            below.append(action)
        elif not isinstance(action, argparse._HelpAction):
            yield from _option(action)
    if parser.epilog:
        yield from _examples(parser.epilog)
    for commands in below:
        yield from _commands(commands, f"{name} ")


def _commands(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", before: str = ""
) -> Iterable[str]:
    for name, parser in commands.choices.items():
        yield from _command(f"{before}{name}", parser)


def _plain(markdown: str) -> str:
    """The text of a cell of a table, without references to other pages."""
    text = re.sub(r"[,;] see \[[^\]]+\]\([^)]*\)", "", markdown)
    return _escaped(re.sub(r"\[([^\]]+)\]\([^)]*\)|[`*]", r"\1", text))


def _keys() -> Iterator[str]:
    """The keys of an entry, from the tables of the reference."""
    for name in ("keys", "freshness", "checks"):
        _, *rows = TABLES[name]()
        for key, kind, meaning in rows:
            yield from (".TP", rf"\fB{_plain(key)}\fR ({_plain(kind)})", _plain(meaning))


def page() -> str:
    """Return the man page."""
    parser = make_parser(every_option=True)
    (commands,) = (one for one in parser._actions if isinstance(one, argparse._SubParsersAction))
    examples = [".SH EXAMPLES", *list(_examples(parser.epilog or ""))[2:]]
    config = [_CONFIG.strip(), *_keys()]
    return "\n".join([_HEAD.strip(), *_commands(commands), *examples, *config, _FOOT.strip(), ""])


if __name__ == "__main__":
    PAGE.write_text(page())
