"""Checks a repository, and notes the result."""

from collections.abc import Callable, Coroutine
from typing import Any

from attrs import define, evolve
from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from ..collection.outcomes import log_failure
from ..collection.state import CollectionState, Task
from ..concurrency.deadline import Deadline, within
from ..model.errors import ReadError, Reason
from ..model.repository import Repository
from ..model.results import Result
from ..model.schemes import RESTIC_SCHEMES
from ..model.upkeep import Check
from .restic_check import CheckFailedError

_KIND = "check"

# As of timeout(1) and the shell; any other reason why no check was done is 1.
_EXITS = {Reason.TIMEOUT: 124, Reason.EXEC: 127}


RunCheck = Callable[[Repository, str | None, Deadline], Coroutine[Any, Any, None]]


@define(eq=False)
class Checks:
    """
    Checks repositories by ``run``, as `ResticCheck.run`.

    ``add`` gets the label and the result of each check, unless it was cancelled.
    """

    _log = Logger()

    _reactor: Any
    _state: CollectionState
    _now: Callable[[], float]
    _run: RunCheck
    _add: Callable[[str, Result], object]

    async def check(self, task: Task | ReadError, repository: Repository) -> None:
        """Check ``repository``; ``task`` has its secrets, or is why they could not be looked up."""
        check = repository.upkeep.check
        assert check is not None
        started = self._reactor.seconds()
        deadline = Deadline.after(self._reactor, check.timeout)
        self._log.info("check of {url} started", url=repository.url)
        exit, message = 0, ""
        try:
            if isinstance(task, ReadError):
                raise task
            await within(deadline, self._check(task, check, deadline), "restic check")
        except CancelledError:
            raise
        except Exception as error:
            known = log_failure("check of {url} failed", error, repository)
            exit, message = _EXITS.get(known.reason, 1), known.message
            if isinstance(error, CheckFailedError):
                exit = error.exit
        else:
            self._log.info(
                "check of {url} has found no errors in {seconds:.0f} s",
                url=repository.url,
                seconds=self._reactor.seconds() - started,
            )
        self._add(repository.url, Result(_KIND, self._now(), exit, message))

    async def _check(self, task: Task, check: Check, deadline: Deadline) -> None:
        repository = task.repository
        if repository.scheme not in RESTIC_SCHEMES and task.backend is not None:
            # Only the listing has a location for restic.
            meter = self._state.meter_of(repository.url)
            listing = await task.backend.list(deadline, meter)
            repository = evolve(repository, location=listing.location or repository.location)
        await self._run(repository, check.read_data_subset, deadline)
