"""The command line of ``restic-reporter``."""

import argparse
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from .. import __version__
from ..model.errors import ConfigError
from ..redaction.masks import redact
from ..tap import unknown_option
from . import help_texts
from .options import ALL, READING, add_flags, add_options, daemon_options

_NAME = "restic-reporter"

SHELLS = ("bash", "zsh", "fish")


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


def make_parser(every_option: bool = False) -> argparse.ArgumentParser:
    """
    The command line: each command is a parser of its own, with the function that ``run``s it.

    With ``every_option`` it knows those of ``run`` too, which twistd's code parses otherwise.
    """
    parser = _Parser(
        prog=_NAME,
        description="Report late and broken restic backups to Prometheus.",
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
        add_flags(daemon)
    else:
        daemon.add_argument("options", nargs="*")
    daemon.set_defaults(run=_run)
    check = command(
        "check-config",
        "check a config, and show it without its secrets",
        help_texts.CHECK_CONFIG,
        epilog=help_texts.CHECK_CONFIG_EXAMPLES,
    )
    how = check.add_mutually_exclusive_group()
    how.add_argument("--connect", action="store_true", help=help_texts.CONNECT)
    how.add_argument("--no-files", action="store_true", help=help_texts.NO_FILES)
    add_options(check, (*READING, "web-config"), log_level="warn")
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
    add_options(collect, (*READING, "cache-dir", "state-dir", "compat"), log_level="warn")
    collect.set_defaults(run=_collect)
    backends = command("backends", "list the installed backends", help_texts.BACKENDS)
    backends.set_defaults(run=_backends)
    state = command(
        "state",
        "show what the daemon remembers across restarts, or drop some of it",
        help_texts.STATE,
        epilog=help_texts.STATE_EXAMPLES,
    )
    add_options(state, ("state-dir",))
    state.add_argument("--json", action="store_true", help="Print JSON; times in Unix seconds.")
    state.set_defaults(run=_state)
    forget = state.add_subparsers(title="commands", metavar="[COMMAND]").add_parser(
        "forget",
        help="drop a repository, or backup sets of it",
        description=help_texts.FORGET,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    # It may be before the command too, whose value a default would replace.
    add_options(forget, ("state-dir",), state_dir=argparse.SUPPRESS)
    forget.add_argument("url", metavar="URL", help="The repository, as written in the config.")
    forget.add_argument("host", metavar="HOST", nargs="?", help="Drop only sets of this host.")
    forget.add_argument("user", metavar="USER", nargs="?", help="Drop only sets of this user.")
    forget.set_defaults(run=_forget)
    completion = command(
        "completion",
        "print a script for shell completion",
        help_texts.COMPLETION,
        epilog=help_texts.COMPLETION_EXAMPLES,
    )
    completion.add_argument("shell", choices=SHELLS, help="The shell that reads the script.")
    completion.set_defaults(run=_completion)
    return parser


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = make_parser()
    option, known = next(iter(arguments), ""), parser._option_string_actions
    if option[:1] in ("", "-") and option not in known:
        message = unknown_option(option, known)
        if not message.endswith("?"):
            name = next((one for one in arguments if one in _names(parser)), "run")
            meant = shlex.join([_NAME, name, *(one for one in arguments if one != name)])
            message = f"missing command; did you mean {meant!r}?"
        parser.error(message)
    return parser.parse_args(arguments)


def _names(parser: argparse.ArgumentParser) -> Iterable[str]:
    """Return the names of the commands."""
    (commands,) = (one for one in parser._actions if isinstance(one, argparse._SubParsersAction))
    return commands.choices


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


def _check_config(arguments: argparse.Namespace) -> int:
    options = daemon_options(arguments)
    problems, warnings = _check_web_config(options["web-config"], options["directory"])
    if arguments.connect:
        if problems:
            _complain(problems)
            return 1
        from .collect import connect

        return _once(lambda: connect(options))
    from twisted.internet import reactor

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
            with_files=not arguments.no_files,
        )
    except (ConfigError, ValueError) as error:
        problems += str(error).splitlines()
    if problems:
        _complain(problems)
        return 1
    if not arguments.no_files:
        print(json.dumps(checked.entries, indent=2), flush=True)
    _complain((*checked.warnings, *warnings))
    return 0


def _collect(arguments: argparse.Namespace) -> int:
    options = daemon_options(arguments)
    from .collect import collect

    return _once(lambda: collect(options, arguments.textfile))


def _state(arguments: argparse.Namespace) -> int:
    from .state import show

    return _with_state(arguments, lambda path: show(path, arguments.json))


def _forget(arguments: argparse.Namespace) -> int:
    from .state import forget

    return _with_state(
        arguments, lambda path: forget(path, arguments.url, arguments.host, arguments.user)
    )


def _with_state(arguments: argparse.Namespace, use: Callable[[str], None]) -> int:
    """The exit status of a command that uses the state's folder."""
    path = daemon_options(arguments)["state-dir"]
    try:
        if path is None:
            raise ValueError("missing --state-dir; name the folder of the daemon's --state-dir")
        use(path)
    except ValueError as error:
        _complain([str(error)])
        return 1
    return 0


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


def _check_web_config(path: str | None, directory: str) -> tuple[list[str], Sequence[str]]:
    """The problems and the warnings of the file of ``--web-config``."""
    from ..config.web_config_file import WebConfigFile

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
