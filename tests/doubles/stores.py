"""A secret store in memory."""

from collections.abc import Awaitable, Callable, Iterable, Mapping

from attrs import Factory, define
from zope.interface import implementer

from restic_reporter.concurrency.deadline import Deadline
from restic_reporter.interfaces import ISecretStore
from restic_reporter.model.errors import ReadError, Reason
from restic_reporter.redaction.secret import Secret


@implementer(ISecretStore)
@define
class MemoryStore:
    """
    Has ``documents`` by path, and notes what it is asked; ``waiting`` is awaited before each
    answer. What is an exception is raised.
    """

    documents: dict[str, Mapping[str, object] | Exception] = Factory(dict)
    available: bool = True
    expires_at: float | None = None
    waiting: Callable[[], Awaitable[object]] | None = None
    asked: list[str] = Factory(list)
    running: bool = False
    forgotten: int = 0

    def secrets(self) -> Iterable[Secret]:
        """Its own."""
        return [Secret("the store's own")]

    def start(self) -> None:
        """Begin."""
        self.running = True

    async def look_up(self, path: str, deadline: Deadline) -> Mapping[str, object]:
        """What is there."""
        self.asked.append(path)
        if self.waiting is not None:
            await self.waiting()
        document = self.documents.get(path)
        if isinstance(document, Exception):
            raise document
        if document is None:
            raise ReadError(Reason.SECRET, "there is none")
        return document

    def forget_failures(self) -> None:
        """Count."""
        self.forgotten += 1

    def stop(self) -> None:
        """End."""
        self.running = False
