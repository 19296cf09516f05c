"""The daemon's options in other commands, with the names, texts and checks of `tap`."""

import argparse
from collections.abc import Sequence
from typing import cast

from ..tap import Options

# How the values of options are called in the help.
_METAVARS = {
    "bind": "ADDR",
    "config": "FILE",
    "cron": "EXPR",
    "reader": "NAME",
    "restic": "PATH",
    "concurrency": "N",
    "timeout": "SECONDS",
    "cache-dir": "DIR",
    "state-dir": "DIR",
    "shard": "I/N",
    "log-level": "LEVEL",
    "web-config": "FILE",
    "compat": "NAME",
}

# What docs/commands.md says besides the texts of ``--help``.
NOTES = {
    "bind": "`:PORT` is all interfaces, IPv6 and IPv4. An [endpoint](https://docs.twisted.org/en/"
    "stable/core/howto/endpoints.html) is a text such as `unix:/run/restic-reporter/web.sock`.",
    "reader": "`native` is the daemon itself, see [Readers](repositories.md#readers).",
    "cache-dir": "See [Cache](state.md#cache).",
    "state-dir": "systemd sets this variable. Each daemon needs a folder of its own, see"
    " [State](state.md#state). Without `--state-dir` and `--cache-dir` nothing is written to disk.",
    "shard": "See [Shards](scaling.md).",
    "web-config": "See [Web config](http.md#web-config).",
    "compat": "See [its metrics](migrating.md#metrics).",
    "no-discover-vault": "For command lines of the original restic-reporter.",
    "enable-lifecycle": "See [HTTP](http.md#http).",
}

# Name, letter, default and text of each.
_PARAMETERS = cast(Sequence[tuple[str, str | None, str | None, str]], Options.optParameters)

ALL = tuple(name for name, _, _, _ in _PARAMETERS)

# Those that say how repositories are read.
READING = ("config", "reader", "restic", "concurrency", "timeout", "shard", "log-level")


def add_options(
    parser: argparse.ArgumentParser, names: tuple[str, ...], **other_defaults: str
) -> None:
    """Give ``parser`` the daemon's options ``names``; ``other_defaults`` are by attribute."""
    for name, short, daemons_default, text in _PARAMETERS:
        if name in names:
            default = other_defaults.get(name.replace("-", "_"), daemons_default)
            shown = "" if default in (None, argparse.SUPPRESS) else f" Default: {default}."
            parser.add_argument(
                f"--{name}",
                *([f"-{short}"] if short else []),
                metavar=_METAVARS.get(name),
                default=default,
                help=f"{text}{shown}".replace("%", "%%"),
            )


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Give ``parser`` the daemon's options without a value."""
    for name, _, text in Options.optFlags:
        parser.add_argument(f"--{name}", action="store_true", help=text)


def daemon_options(arguments: argparse.Namespace) -> Options:
    """
    The daemon's options with the values in ``arguments``, checked and converted.

    :raises SystemExit: with a message that names the option.
    """
    options = Options()
    for name in ALL:
        options[name] = getattr(arguments, name.replace("-", "_"), options[name])
    options.postOptions()
    return options
