"""``restic-reporter``: the daemon without twistd, and what can be done beside it."""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import NoReturn

from .. import __version__
from ..config.sharding import Shard, parse_shard
from ..model.schemes import READERS
from ..redaction.masks import redact

_NAME = "restic-reporter"


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and ends with status 1, as the daemon does."""

    def error(self, message: str) -> NoReturn:
        self.exit(1, redact(f"{self.prog}: {message}; see {self.prog} --help\n"))


def make_parser() -> argparse.ArgumentParser:
    """The command line: each command is a parser of its own, with the function that ``run``s it."""
    parser = _Parser(
        prog=_NAME,
        description="Tell Prometheus which restic backups are late or broken.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{_NAME} {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    daemon = commands.add_parser(
        "run",
        help="run the daemon in the foreground",
        description="Run the daemon in the foreground, without a pidfile.",
        # The daemon's own options are parsed as twistd does it.
        add_help=False,
        prefix_chars="\0",
        allow_abbrev=False,
    )
    daemon.add_argument("options", nargs="*")
    daemon.set_defaults(run=_run)
    backends = commands.add_parser(
        "backends",
        help="list the backends that are installed",
        description="List what is installed: by scheme, the package that lists such repositories"
        " and what reads them. Ends with status 1 where something of it is broken.",
        allow_abbrev=False,
    )
    backends.set_defaults(run=_backends)
    check = commands.add_parser(
        "check-config",
        help="check a config, and show it without its secrets",
        description="Check a config as the daemon does it, and print it as JSON: with the defaults"
        " in each entry, and without secrets. Ends with status 1 where the daemon would not take"
        " it.",
        allow_abbrev=False,
    )
    check.add_argument("--config", "-c", metavar="FILE", default="config.json", help="the file")
    check.add_argument(
        "--reader", choices=READERS, default="auto", help="as the daemon is given it"
    )
    check.add_argument(
        "--restic", metavar="PATH", default="restic", help="as the daemon is given it"
    )
    check.add_argument(
        "--shard", metavar="I/N", type=_shard, default="0/1", help="as the daemon is given it"
    )
    check.add_argument(
        "--web-config", metavar="FILE", help="the daemon's web config, to be checked too"
    )
    check.set_defaults(run=_check_config)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    from .run import run

    run(arguments.options)
    return 0


def _backends(arguments: argparse.Namespace) -> int:
    from .backends import backends_table

    lines, problems = backends_table()
    print(*lines, sep="\n")
    sys.stdout.flush()
    _complain(problems)
    return 1 if problems else 0


def _shard(text: str) -> Shard:
    try:
        return parse_shard(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _check_config(arguments: argparse.Namespace) -> int:
    from twisted.internet import reactor

    from ..model.errors import ConfigError
    from .check_config import check_config

    try:
        directory = os.getcwd()
    except OSError:
        # It has been removed; what has an absolute path can be read all the same.
        directory = os.curdir
    problems, warnings = _check_web_config(arguments.web_config, directory)
    try:
        checked = check_config(
            arguments.config,
            directory,
            os.environ,
            reactor,
            arguments.restic,
            arguments.reader,
            arguments.shard,
        )
    except ConfigError as error:
        problems += error.problems
    except ValueError as error:
        problems.append(str(error))
    if problems:
        _complain(problems)
        return 1
    print(json.dumps(checked.entries, indent=2))
    sys.stdout.flush()
    _complain((*checked.warnings, *warnings))
    return 0


def _check_web_config(path: str | None, directory: str) -> tuple[list[str], Sequence[str]]:
    """What is wrong with the file of ``--web-config``, and what is worth a look."""
    from ..config.web_config_file import WebConfigFile
    from ..model.errors import ConfigError

    if not path:
        return [], ()
    try:
        return [], WebConfigFile(path, directory).load().warnings
    except ConfigError as error:
        return list(error.problems), ()


def _complain(problems: Iterable[str]) -> None:
    for problem in problems:
        print(redact(f"{_NAME}: {problem}"), file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run a command, by default that of the process's own command line.

    :return: the exit status.
    """
    try:
        parsed = make_parser().parse_args(arguments)
        status: int = parsed.run(parsed)
        sys.stdout.flush()
    except BrokenPipeError:
        # Who read our output has gone; the interpreter would complain when it flushes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    return status


if __name__ == "__main__":
    sys.exit(main())
