"""What the tests of child processes share."""

from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from restic_reporter.processes.child import Exit
from restic_reporter.processes.run import run_child
from tests.doubles.child_programs import (
    Output,
)

ROOT = Path(__file__).resolve().parents[2]


PATH = {"PATH": "/usr/bin:/bin"}


def start(
    arguments: list[str], output: Output, limit: int = 2**20, **options: Any
) -> "Deferred[Exit]":
    """Run a child; a Deferred of how it ended."""
    environment = options.pop("environment", PATH)
    return Deferred.fromCoroutine(
        run_child(reactor, arguments, environment, output.feed, stdout_limit=limit, **options)
    )
