"""The documents that one config wants of secret stores: looked up side by side, each once."""

from collections.abc import Hashable, Mapping
from typing import Any

from attrs import Factory, define, evolve, field
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..concurrency.deadline import Deadline, within
from ..config.document import Problems
from ..config.secret_documents import complete
from ..interfaces import ISecretStore
from ..model.errors import ReadError, Reason
from ..model.repository import Config, Material, Repository
from ..redaction.masks import redact

# How long one look-up may take, in seconds. Several repositories may wait for it, so that the
# deadline is nobody's own.
_PATIENCE = 30.0

Document = Mapping[str, object]
Place = tuple[str, str]


@define(eq=False)
class _LookUp:
    """A document that is being asked for, or could not be had in the round ``round``."""

    round: Hashable
    waiting: "list[Deferred[Document]]" = Factory(list)
    error: ReadError | None = None


@define
class Lookups:
    """
    Completes the repositories of one config with what ``stores``, by name, have for them.

    A document that was had is kept; one that could not be had is asked for again in another
    round, that is, once in a collection however many repositories want it.
    """

    _log = Logger()

    clock: IReactorTime
    stores: Mapping[str, ISecretStore]
    _documents: dict[Place, Document] = field(factory=dict, repr=False)
    _look_ups: dict[Place, _LookUp] = Factory(dict)

    async def complete(self, repository: Repository, round: Hashable) -> Repository:
        """
        ``repository`` with all that was missing.

        :raises ReadError: ``secret``, or ``internal`` for a bug of a store; the message names the
            entry's key and the path.
        """
        documents: dict[Place, Document] = {}
        for one in repository.materials:
            try:
                documents[one.store, one.path] = await self._document(one, round)
            except ReadError as error:
                message = f"{one.key}: {one.path!r}: {error.message}"
                raise ReadError(error.reason, message) from None
            except CancelledError:
                # The reader's deadline has passed: it is not the repository that was too slow.
                message = f"{one.key}: {one.path!r}: there was no answer in time"
                raise ReadError(Reason.SECRET, message) from None
        try:
            return complete(repository, documents)
        except ValueError as error:
            # It may have been mended by the time of the next round.
            for place in documents:
                self._documents.pop(place, None)
            raise ReadError(Reason.SECRET, str(error)) from None

    async def complete_all(self, config: Config) -> Config:
        """
        ``config`` with all its repositories complete, but for those of stores that are not
        set up.

        :raises ConfigError: for all repositories for which that cannot be.
        """
        round = object()
        wanted = [
            one
            for one in config.repositories
            if one.materials and all(self._is_available(material) for material in one.materials)
        ]
        outcomes = await DeferredList(
            [Deferred.fromCoroutine(self.complete(one, round)) for one in wanted],
            consumeErrors=True,
        )
        completed: dict[str, Repository] = {}
        problems = Problems()
        for repository, (succeeded, outcome) in zip(wanted, outcomes, strict=True):
            if succeeded:
                completed[repository.url] = outcome
            else:
                where = f"entry {repository.position}"
                problems.add(f"{where}: {_read_error(outcome).message}")
        problems.raise_any(config.name)
        return evolve(
            config,
            repositories=tuple(completed.get(one.url, one) for one in config.repositories),
        )

    def _is_available(self, material: Material) -> bool:
        store = self.stores.get(material.store)
        return store is not None and store.available

    def _document(self, one: Material, round: Hashable) -> "Deferred[Document]":
        """The document that ``one`` names; who asks while it is asked for shares the answer."""
        place = (one.store, one.path)
        found: Deferred[Document] = Deferred(lambda _: None)
        if place in self._documents:
            found.callback(self._documents[place])
            return found
        look_up = self._look_ups.get(place)
        if look_up is not None and look_up.error is not None and look_up.round == round:
            found.errback(look_up.error)
            return found
        if look_up is None or look_up.error is not None:
            look_up = self._look_ups[place] = _LookUp(round)
            look_up.waiting.append(found)
            asking = Deferred.fromCoroutine(self._ask(one))
            asking.addBoth(self._answered, place, look_up)
        else:
            look_up.waiting.append(found)
        return found

    async def _ask(self, one: Material) -> Document:
        store = self.stores.get(one.store)
        if store is None:
            raise ReadError(Reason.SECRET, f"no plugin that works is the store {one.store!r}")
        deadline = Deadline.after(self.clock, _PATIENCE)

        async def ask() -> Document:
            return await store.look_up(one.path, deadline)

        try:
            return await within(deadline, ask(), f"looking it up in {one.store!r}")
        except ReadError as error:
            raise ReadError(Reason.SECRET, error.message) from None

    def _answered(self, result: Document | Failure, place: Place, look_up: _LookUp) -> None:
        waiting, look_up.waiting = look_up.waiting, []
        if not isinstance(result, Failure):
            self._documents[place] = result
            del self._look_ups[place]
            for one in waiting:
                if not one.called:
                    one.callback(result)
            return
        if isinstance(result.value, ReadError):
            look_up.error = result.value
        else:
            # Not as a failure event: nobody knows what a plugin puts into its exceptions.
            self._log.error(
                "a bug of the secret store {store!r}\n{traceback}",
                store=place[0],
                traceback=redact(result.getTraceback(), self.stores[place[0]].secrets()),
            )
            kind = type(result.value).__name__
            message = f"the secret store {place[0]!r} has a bug: {kind}"
            look_up.error = ReadError(Reason.INTERNAL, message)
        for one in waiting:
            if not one.called:
                one.errback(look_up.error)


def _read_error(failure: Any) -> ReadError:
    failure.trap(ReadError)
    error: ReadError = failure.value
    return error
