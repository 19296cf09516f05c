"""One look at one repository: list it and open it, without reading a snapshot."""

from attrs import evolve
from twisted.internet.interfaces import IReactorTime

from ..concurrency.deadline import Deadline
from ..interfaces import ReadRequest
from ..model.snapshots import Content
from .state import Reading, RepositoryStatus, Task


async def open_repository(
    task: Task, status: RepositoryStatus, now: float, clock: IReactorTime, deadline: Deadline
) -> Reading:
    """
    Test what `read_repository` needs of the repository of ``task``: that it can be listed, and
    that the password opens it.

    The content of the result is empty, but for the number of snapshots, which is 0 where
    nothing but the reader sees the repository.

    :raises ReadError: what went wrong.
    """
    repository, listing, locks_error, count = task.repository, None, None, 0
    if task.backend is not None:
        listing = await task.backend.list(deadline, status.meter)
        locks_error, count = listing.locks_error, len(listing.snapshots)
        if listing.location is not None:
            repository = evolve(repository, location=listing.location)
    await task.reader.open(
        ReadRequest(
            repository=repository,
            backend=task.backend,
            listing=listing,
            meter=status.meter,
            known=frozenset(),
            deadline=deadline,
            memory=status.memory,
            table=status.table,
        )
    )
    return Reading(Content(count, 0, 0, (), 0, None), locks_error=locks_error)
