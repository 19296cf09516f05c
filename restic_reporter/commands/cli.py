"""``restic-reporter``: the daemon without twistd, and what can be done beside it."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from .. import __version__
from ..redaction.masks import redact
from . import help_texts
from .options import ALL, READING, add_options, daemon_options

_NAME = "restic-reporter"

SHELLS = ("bash", "zsh", "fish")


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and ends with status 1, as the daemon does."""

    def error(self, message: str) -> NoReturn:
        self.exit(1, redact(f"{self.prog}: {message}; see {self.prog} --help\n"))


def make_parser(every_option: bool = False) -> argparse.ArgumentParser:
    """
    The command line: each command is a parser of its own, with the function that ``run``s it.

    With ``every_option`` it knows those of ``run`` too, which twistd's code parses otherwise.
    """
    parser = _Parser(
        prog=_NAME,
        description="Tell Prometheus which restic backups are late or broken.",
        epilog=help_texts.COMMANDS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{_NAME} {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, text: str, description: str, **more: Any) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=text,
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            **more,
        )

    daemon = command(
        "run",
        "run the daemon in the foreground",
        help_texts.RUN,
        # The daemon's own options are parsed as twistd does it.
        add_help=every_option,
        prefix_chars="-" if every_option else "\0",
    )
    if every_option:
        daemon.add_argument("--version", action="store_true", help="Show the version and exit.")
        add_options(daemon, ALL)
    else:
        daemon.add_argument("options", nargs="*")
    daemon.set_defaults(run=_run)
    check = command(
        "check-config",
        "check a config, and show it without its secrets",
        help_texts.CHECK_CONFIG,
        epilog=help_texts.CHECK_CONFIG_EXAMPLES,
    )
    check.add_argument(
        "--connect",
        action="store_true",
        help="Also connect to each repository and test its password. Reads no snapshots.",
    )
    add_options(check, READING, log_level="warn")
    check.set_defaults(run=_check_config)
    collect = command(
        "collect",
        "read all repositories once and show the result",
        help_texts.COLLECT,
        epilog=help_texts.COLLECT_EXAMPLES,
    )
    collect.add_argument(
        "--textfile",
        metavar="OUT.prom",
        help="Write the metrics to this file, for node_exporter. Its name must end in .prom.",
    )
    add_options(collect, (*READING, "cache-dir"), log_level="warn")
    collect.set_defaults(run=_collect)
    backends = command("backends", "list the installed backends", help_texts.BACKENDS)
    backends.set_defaults(run=_backends)
    completion = command(
        "completion",
        "print a script for shell completion",
        help_texts.COMPLETION,
        epilog=help_texts.COMPLETION_EXAMPLES,
    )
    completion.add_argument("shell", choices=SHELLS, help="The shell that reads the script.")
    completion.set_defaults(run=_completion)
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


def _check_config(arguments: argparse.Namespace) -> int:
    options = daemon_options(arguments)
    if arguments.connect:
        from .collect import connect

        return _once(lambda: connect(options))
    from twisted.internet import reactor

    from ..model.errors import ConfigError
    from .check_config import check_config

    try:
        checked = check_config(
            options["config"],
            options["directory"],
            os.environ,
            reactor,
            options["restic"],
            options["reader"],
            options["shard"],
        )
    except ConfigError as error:
        _complain(error.problems)
        return 1
    except ValueError as error:
        _complain([str(error)])
        return 1
    print(json.dumps(checked.entries, indent=2))
    sys.stdout.flush()
    _complain(checked.warnings)
    return 0


def _collect(arguments: argparse.Namespace) -> int:
    options = daemon_options(arguments)
    from .collect import collect

    return _once(lambda: collect(options, arguments.textfile))


def _once(run: Callable[[], int]) -> int:
    """The exit status of a command that reads repositories."""
    from .single_run import Interrupted

    try:
        return run()
    except ValueError as error:
        _complain([str(error)])
        return 1
    except Interrupted as interrupted:
        return interrupted.status


def _completion(arguments: argparse.Namespace) -> int:
    from .completion import script

    print(script(make_parser(every_option=True), arguments.shell))
    return 0


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
