"""``restic-reporter``: what can be done without a daemon."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from . import __version__

_NAME = "restic-reporter"


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and ends with status 1, as the daemon does."""

    def error(self, message: str) -> NoReturn:
        self.exit(1, f"{self.prog}: {message}; see {self.prog} --help\n")


def make_parser() -> argparse.ArgumentParser:
    """The command line: each command is a parser of its own, with the function that ``run``s it."""
    parser = _Parser(
        prog=_NAME,
        description="What restic-reporter can do without its daemon.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{_NAME} {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    backends = commands.add_parser(
        "backends",
        help="list the backends that are installed",
        description="List what is installed: by scheme, the package that lists such repositories"
        " and what reads them. Ends with status 1 where something of it is broken.",
        allow_abbrev=False,
    )
    backends.set_defaults(run=_backends)
    return parser


def _backends(arguments: argparse.Namespace) -> int:
    from .backends_table import backends_table

    lines, problems = backends_table()
    print(*lines, sep="\n")
    sys.stdout.flush()
    for problem in problems:
        print(f"{_NAME}: {problem}", file=sys.stderr)
    return 1 if problems else 0


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
