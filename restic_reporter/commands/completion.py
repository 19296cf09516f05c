"""``restic-reporter completion``: a script that lets a shell complete our command line."""

import argparse
from collections.abc import Iterator

import shtab

from ..model.compat import COMPATS
from ..model.schemes import READERS
from ..tap import LOG_LEVELS

_COMPLETERS = {
    "config": shtab.FILE,
    "textfile": shtab.FILE,
    "restic": shtab.FILE,
    "cache_dir": shtab.DIRECTORY,
    "state_dir": shtab.DIRECTORY,
    "web_config": shtab.FILE,
}
_CHOICES = {"reader": READERS, "log_level": LOG_LEVELS, "compat": COMPATS}


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """
    The script for ``shell`` out of `SHELLS`, for what ``parser`` takes.

    ``parser`` is of no other use afterwards.
    """
    for action in _actions(parser):
        if action.dest in _COMPLETERS:
            action.complete = _COMPLETERS[action.dest]  # type: ignore[attr-defined]
        action.choices = _CHOICES.get(action.dest, action.choices)
    return shtab.complete(parser, shell)


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                yield from _actions(one)
