"""The command line of ``restic-reporter``."""

import argparse
import json
import os
import shlex
import sys
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from .. import __version__
from ..config.sharding import Shard, parse_shard
from ..model.errors import ConfigError
from ..model.schemes import READERS
from ..redaction.masks import redact

_NAME = "restic-reporter"


def unknown_option(option: str, known: Iterable[str]) -> str:
    """Return the message about ``option``, with the nearest of the ``known`` long ones, if any."""
    # A lower cutoff would take --cron for --version.
    near = get_close_matches(option, [one for one in known if one[:2] == "--"], n=1, cutoff=0.7)
    return f"unknown option {option!r}; " + (f"did you mean {near[0]!r}?" if near else "see --help")


class _Parser(argparse.ArgumentParser):
    """Reports a mistake in one line, and ends with status 1, as the daemon does."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse ``args``; argparse calls this for each command, and would report less."""
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown and unknown[0][:1] == "-":
            self.error(unknown_option(unknown[0].partition("=")[0], self._option_string_actions))
        if unknown:
            self.error(f"unexpected argument {unknown[0]!r}; see --help")
        return parsed, unknown

    def error(self, message: str) -> NoReturn:
        """Exit with ``message``."""
        if not message.endswith(("?", "see --help")):
            message += "; see --help"
        self.exit(1, redact(f"{self.prog}: {message}\n"))


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(
        prog=_NAME,
        description="Report late and broken restic backups to Prometheus.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{_NAME} {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    daemon = commands.add_parser(
        "run",
        help="run the daemon in the foreground",
        # The daemon's own options are parsed as twistd does it.
        add_help=False,
        prefix_chars="\0",
        allow_abbrev=False,
    )
    daemon.add_argument("options", nargs="*")
    daemon.set_defaults(run=_run)
    backends = commands.add_parser(
        "backends",
        help="list the installed backends",
        description="List the installed backends: scheme, package, and readers. The exit status"
        " is 1 if a plugin is broken.",
        allow_abbrev=False,
    )
    backends.set_defaults(run=_backends)
    check = commands.add_parser(
        "check-config",
        help="check a config, and print it without its secrets",
        description="Check a config as the daemon does, and print it as JSON, with defaults"
        " and without secrets. The exit status is 1 if the config is invalid.",
        allow_abbrev=False,
    )
    check.add_argument("--config", "-c", metavar="FILE", default="config.json", help="config file")
    same = "as for the daemon"
    check.add_argument("--reader", choices=READERS, default="auto", help=same)
    check.add_argument("--restic", metavar="PATH", default="restic", help=same)
    check.add_argument("--shard", metavar="I/N", type=_shard, default="0/1", help=same)
    check.set_defaults(run=_check_config)
    option, known = next(iter(arguments), ""), parser._option_string_actions
    if option[:1] == "-" and option not in known:
        message = unknown_option(option, known)
        if not message.endswith("?"):
            name = next((one for one in arguments if one in commands.choices), "run")
            meant = shlex.join([_NAME, name, *(one for one in arguments if one != name)])
            message = f"missing command; did you mean {meant!r}?"
        parser.error(message)
    return parser.parse_args(arguments)


def _run(arguments: argparse.Namespace) -> int:
    from .run import run

    run(arguments.options)
    return 0


def _backends(arguments: argparse.Namespace) -> int:
    from .backends import backends_table

    lines, problems = backends_table()
    print(*lines, sep="\n", flush=True)
    _complain(problems)
    return 1 if problems else 0


def _shard(text: str) -> Shard:
    try:
        return parse_shard(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _check_config(arguments: argparse.Namespace) -> int:
    from twisted.internet import reactor

    from .check_config import check_config

    try:
        directory = os.getcwd()
    except OSError:
        # The folder is removed; absolute paths can be read all the same.
        directory = os.curdir
    options = (arguments.restic, arguments.reader, arguments.shard)
    try:
        checked = check_config(arguments.config, directory, os.environ, reactor, *options)
    except (ConfigError, ValueError) as error:
        _complain(str(error).splitlines())
        return 1
    print(json.dumps(checked.entries, indent=2), flush=True)
    _complain(checked.warnings)
    return 0


def _complain(problems: Iterable[str]) -> None:
    for problem in problems:
        print(redact(f"{_NAME}: {problem}"), file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, by default that of the process's command line; return the exit status."""
    try:
        parsed = _parse(sys.argv[1:] if arguments is None else arguments)
        status: int = parsed.run(parsed)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of the output is gone; the interpreter's flush at exit would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    return status
