"""A daemon that notes its orders over HTTP."""

from collections.abc import Sequence

from twisted.internet.defer import Deferred

from restic_reporter.model.results import Result
from tests.doubles.repositories import NOW

LABEL = "rest:https://user:***@host:8000/a b+ü/"
ENCODED = "rest:https://user:***@host:8000/a%20b%2B%C3%BC/"


class Daemon:
    """Notes its orders."""

    def __init__(self) -> None:
        self.orders: list[str | None] = []
        self.reloading: Deferred[Sequence[str]] = Deferred()
        self.results: list[tuple[str, Result]] = []
        self.idle = True
        self.is_newest = True

    def reload(self) -> "Deferred[Sequence[str]]":
        """Reload, until the test says how it ends."""
        self.orders.append("reload")
        return self.reloading

    def knows(self, label: str) -> bool:
        """Know one."""
        return label == LABEL

    def collect(self, label: str | None) -> bool:
        """Collect, if it is idle."""
        self.orders.append(label)
        return self.idle

    def now(self) -> float:
        """The time."""
        return NOW

    def add_result(self, label: str, result: Result) -> bool:
        """Note it, if none is newer."""
        self.results.append((label, result))
        return self.is_newest
