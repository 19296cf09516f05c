"""Looks up the documents that a config needs from secret stores, in parallel and once each."""

from collections.abc import Generator, Iterable, Mapping, Sequence

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..concurrency.cooperative import in_turns
from ..concurrency.deadline import Deadline, within
from ..config.document import Problems
from ..config.secret_documents import complete
from ..interfaces import IBackendMaker, ISecretStore
from ..model.errors import ReadError, Reason
from ..model.repository import Config, Material, Repository
from ..redaction.masks import redact

# Seconds for one look-up.
_TIMEOUT = 30.0

Document = Mapping[str, object]
Place = tuple[str, str]
Outcome = Repository | ReadError


@define
class Lookups:
    """
    Completes the repositories of one config with documents of ``stores``, by name.

    ``makers`` are those of the backends by scheme. Found documents are kept for the next time;
    failed look-ups are retried then.
    """

    _log = Logger()

    clock: IReactorTime
    stores: Mapping[str, ISecretStore]
    makers: Mapping[str, IBackendMaker]
    _documents: dict[Place, Document] = field(factory=dict, repr=False)

    def renewed(self) -> "Lookups":
        """Return the same without the documents found so far."""
        return Lookups(self.clock, self.stores, self.makers)

    async def complete(self, repositories: Iterable[Repository]) -> Sequence[Outcome]:
        """
        Return each of ``repositories`` complete, or the error of its look-up.

        The error is ``secret``, or ``internal`` for a bug in a store. The message names the
        entry's key and the path.
        """
        wanted = list(repositories)
        missing = {
            (one.store, one.path): one
            for repository in wanted
            for one in repository.materials
            if (one.store, one.path) not in self._documents
        }
        asking = [Deferred.fromCoroutine(self._ask(one)) for one in missing.values()]
        outcomes = await DeferredList(asking, consumeErrors=True)
        failed: dict[Place, ReadError] = {}
        for place, (_, outcome) in zip(missing, outcomes, strict=True):
            if isinstance(outcome, Failure):
                failed[place] = self._error(place, outcome)
            else:
                self._documents[place] = outcome
        return await in_turns(self.clock, self._steps(wanted, failed))

    async def complete_all(self, config: Config) -> Config:
        """
        Return ``config`` with complete repositories, except those of stores without setup.

        :raises ConfigError: look-ups have failed; it lists all these repositories.
        """
        wanted = [
            one
            for one in config.repositories
            if one.materials and all(self._is_available(material) for material in one.materials)
        ]
        completed: dict[str, Repository] = {}
        problems = Problems()
        for repository, outcome in zip(wanted, await self.complete(wanted), strict=True):
            if isinstance(outcome, ReadError):
                problems.add(f"entry {repository.position}: {outcome.message}")
            else:
                completed[repository.url] = outcome
        problems.raise_any(config.name)
        repositories = tuple(completed.get(one.url, one) for one in config.repositories)
        return evolve(config, repositories=repositories)

    def _is_available(self, material: Material) -> bool:
        store = self.stores.get(material.store)
        return store is not None and store.available

    async def _ask(self, one: Material) -> Document:
        store = self.stores.get(one.store)
        if store is None:
            raise ReadError(
                Reason.SECRET, f"unknown secret store {one.store!r}, or its plugin is broken"
            )
        deadline = Deadline.after(self.clock, _TIMEOUT)

        async def ask() -> Document:
            return await store.look_up(one.path, deadline)

        return await within(deadline, ask(), f"look-up in {one.store!r}")

    def _error(self, place: Place, failure: Failure) -> ReadError:
        if isinstance(failure.value, ReadError):
            return ReadError(Reason.SECRET, failure.value.message)
        store = place[0]
        # Not as a failure event: a plugin's exceptions may contain secrets.
        self._log.error(
            "bug in the secret store {store!r}\n{traceback}",
            store=store,
            traceback=redact(failure.getTraceback(), self.stores[store].secrets()),
        )
        kind = type(failure.value).__name__
        return ReadError(Reason.INTERNAL, f"bug in the secret store {store!r}: {kind}")

    def _steps(
        self, repositories: Sequence[Repository], failed: Mapping[Place, ReadError]
    ) -> Generator[None, None, list[Outcome]]:
        result: list[Outcome] = []
        for repository in repositories:
            yield
            result.append(self._completed(repository, failed))
        return result

    def _completed(self, repository: Repository, failed: Mapping[Place, ReadError]) -> Outcome:
        for one in repository.materials:
            error = failed.get((one.store, one.path))
            if error is not None:
                return ReadError(error.reason, f"{one.key}: {one.path!r}: {error.message}")
        try:
            return complete(repository, self._documents, self.makers)
        except ValueError as error:
            # Look it up again next time: it may be corrected by then.
            for one in repository.materials:
                self._documents.pop((one.store, one.path), None)
            return ReadError(Reason.SECRET, str(error))
