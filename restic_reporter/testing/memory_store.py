"""A secret store in memory."""

from collections.abc import Awaitable, Callable, Iterable, Mapping

from attrs import Factory, define
from zope.interface import implementer

from ..concurrency.deadline import Deadline, within
from ..interfaces import ISecretStore
from ..model.errors import ReadError, Reason
from ..redaction.secret import Secret


@implementer(ISecretStore)
@define
class MemoryStore:
    """
    Has ``documents`` by path; exceptions among them are raised.

    ``waiting`` is awaited before each result. ``asked`` are the requested paths; ``running``
    is true between start and stop.
    """

    documents: dict[str, Mapping[str, object] | Exception] = Factory(dict)
    available: bool = True
    expires_at: float | None = None
    waiting: Callable[[], Awaitable[object]] | None = None
    asked: list[str] = Factory(list)
    running: bool = False
    forgotten: int = 0

    def secrets(self) -> Iterable[Secret]:
        """Return a secret of the store itself."""
        return [Secret("the store's own")]

    def start(self) -> None:
        """Note the start."""
        self.running = True

    async def look_up(self, path: str, deadline: Deadline) -> Mapping[str, object]:
        """Return the document at ``path``."""
        self.asked.append(path)
        try:
            await within(deadline, self._wait(), f"look-up of {path}")
        except ReadError as error:
            raise ReadError(Reason.SECRET, error.message) from None
        document = self.documents.get(path)
        if isinstance(document, Exception):
            raise document
        if document is None:
            raise ReadError(Reason.SECRET, "not found")
        return document

    def forget_failures(self) -> None:
        """Count the call."""
        self.forgotten += 1

    async def _wait(self) -> None:
        if self.waiting is not None:
            await self.waiting()

    def stop(self) -> None:
        """Note the stop."""
        self.running = False
