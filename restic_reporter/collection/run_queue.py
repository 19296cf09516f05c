"""Queues the collections that are due: one at a time, and none is lost."""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..schedule.cron import CronExpression
from .collector import Collector

# The key of the schedule of all repositories without their own; any other key is the label
# of a repository with its own schedule.
DEFAULT = None

Keys = frozenset[str | None]


@define
class Runs:
    """
    Starts collections: of all repositories, or of those whose schedules are due.

    ``tidy`` is called at the end of each. ``labels`` are those of all repositories.
    """

    _log = Logger()

    _collector: Collector
    _tidy: Callable[[], object] = lambda: None
    _labels: tuple[str, ...] = ()
    _own_schedules: Mapping[str, CronExpression] = field(factory=dict)
    _running: "Deferred[None] | None" = None
    _current: Keys | None = None
    _waiting: Keys = frozenset()
    _at_end: "list[Deferred[None]]" = field(factory=list)
    _stopped: bool = False
    _number: int = 0

    @property
    def resting(self) -> int:
        """Return 0 during a run, else a number that differs after each."""
        return 0 if self._running is not None else self._number + 1

    def set_schedules(
        self, labels: tuple[str, ...], own_schedules: Mapping[str, CronExpression]
    ) -> None:
        """Use the labels and schedules of a new config from the next run on."""
        self._labels = labels
        self._own_schedules = dict(own_schedules)

    def collect_all(self) -> bool:
        """Start a run of all repositories; return False during another run and after `stop`."""
        if self._running is not None or self._stopped:
            return False
        self._start(None)
        return True

    def knows(self, label: str) -> bool:
        """Return whether there is a repository with this label."""
        return label in self._labels

    def collect_one(self, label: str) -> bool:
        """Start a run of one repository, and of those never read; return as `collect_all`."""
        if self._running is not None or self._stopped:
            return False
        self._start(frozenset({label}))
        return True

    def due(self, keys: Keys) -> None:
        """
        Start a run for the due schedules with these ``keys``.

        Keys that are already being collected are skipped and counted. Others wait for the end
        of the current run: an hourly run must not make a daily one get lost.
        """
        if self._stopped:
            return
        if self._running is None:
            self._start(keys)
            return
        late = {key for key in keys if self._current is None or key in self._current}
        if late:
            self._collector.state.job.skipped += 1
            self._log.warn("collection skipped: another one is still running")
        self._waiting |= keys - late

    def _start(self, keys: Keys | None) -> None:
        """Start a run for the schedules with ``keys``, or of all repositories."""
        labels, complete = None, True
        if keys is not None:
            labels = {key for key in keys if key is not None}
            if DEFAULT in keys:
                labels.update(label for label in self._labels if label not in self._own_schedules)
            # If every repository has its own schedule, no run would be complete otherwise.
            complete = DEFAULT in keys or len(self._own_schedules) == len(self._labels)
        self._current = keys
        self._running = self._collector.collect(labels, complete)
        self._running.addBoth(self._ended)

    def _ended(self, result: Any) -> None:
        if result is not None:
            self._log.failure("collection failed: bug in restic-reporter", result)
        self._running = None
        self._number += 1
        self._tidy()
        at_end, self._at_end = self._at_end, []
        for end in at_end:
            end.callback(None)
        keys, self._waiting = self._waiting, frozenset()
        if keys and not self._stopped:
            self._start(keys)

    def ended(self) -> "Deferred[None]":
        """Return a Deferred that fires at the end of the current run, or at once without one."""
        end: Deferred[None] = Deferred()
        if self._running is None:
            end.callback(None)
        else:
            self._at_end.append(end)
        return end

    def stop(self) -> "Deferred[None]":
        """Cancel the current run and start no other; fires when all work has stopped."""
        self._stopped = True
        ended = self.ended()
        if self._running is not None:
            self._running.cancel()
        return ended
