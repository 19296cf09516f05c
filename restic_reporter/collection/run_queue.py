"""Which collection runs when: never two at one time, and none lost to another."""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..schedule.cron import CronExpression
from .collector import Collector

# The key of the schedule of all repositories that have none of their own; any other key is
# the label of one that has.
DEFAULT = None

Keys = frozenset[str | None]


@define
class Runs:
    """
    Starts collections: all at once, or those whose schedules are due.

    ``tidy`` is called at the end of each. ``labels`` are those of all repositories,
    ``own_schedules`` those of some of them.
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
        """0 during a run, else a number that is another one after each."""
        return 0 if self._running is not None else self._number + 1

    def set_schedules(
        self, labels: tuple[str, ...], own_schedules: Mapping[str, CronExpression]
    ) -> None:
        """Another config is there: use these from the next run on."""
        self._labels = labels
        self._own_schedules = dict(own_schedules)

    def collect_all(self) -> bool:
        """
        Start a run over all repositories now.

        :return: whether it was started: not while one is under way, nor after `stop`.
        """
        if self._running is not None or self._stopped:
            return False
        self._start(None, None, complete=True)
        return True

    def knows(self, label: str) -> bool:
        """Whether there is a repository with this label."""
        return label in self._labels

    def collect_one(self, label: str) -> bool:
        """
        Start a run over one repository now, and over those that were never read.

        :return: as of `collect_all`.
        """
        if self._running is not None or self._stopped:
            return False
        self._start(frozenset({label}), {label}, complete=False)
        return True

    def due(self, keys: Keys) -> None:
        """
        The schedules with these ``keys`` are due.

        What is being collected right now is skipped, and counted. What is not waits for the
        end of the run: a daily job must not be lost because an hourly one is at work.
        """
        if self._stopped:
            return
        if self._running is None:
            self._start_keys(keys)
            return
        late = {key for key in keys if self._current is None or key in self._current}
        if late:
            self._collector.state.job.skipped += 1
            self._log.warn("a collection is due while one is under way: skipped")
        self._waiting |= keys - late

    def _start_keys(self, keys: Keys) -> None:
        labels = {key for key in keys if key is not None}
        if DEFAULT in keys:
            labels.update(label for label in self._labels if label not in self._own_schedules)
        # Where every repository has a schedule of its own, there is no better sign of life.
        complete = DEFAULT in keys or len(self._own_schedules) == len(self._labels)
        self._start(keys, labels, complete)

    def _start(self, keys: Keys | None, labels: set[str] | None, complete: bool) -> None:
        self._current = keys
        self._running = self._collector.collect(labels, complete)
        self._running.addBoth(self._ended)

    def _ended(self, result: Any) -> None:
        if result is not None:
            self._log.failure("a bug ended the collection", result)
        self._running = None
        self._number += 1
        self._tidy()
        at_end, self._at_end = self._at_end, []
        for end in at_end:
            end.callback(None)
        keys, self._waiting = self._waiting, frozenset()
        if keys and not self._stopped:
            self._start_keys(keys)

    def ended(self) -> "Deferred[None]":
        """Fires at the end of the current run; at once where there is none."""
        # When it is cancelled, who waited for it is gone; the callback is of no harm then.
        end: Deferred[None] = Deferred(lambda _: None)
        if self._running is None:
            end.callback(None)
        else:
            self._at_end.append(end)
        return end

    def stop(self) -> "Deferred[None]":
        """End the current run and start no other; fires when nothing is at work any more."""
        self._stopped = True
        ended = self.ended()
        if self._running is not None:
            self._running.cancel()
        return ended
