"""Follow orders that come by signals or over HTTP."""

import time
from collections.abc import Callable, Sequence

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..collection.result_book import ResultBook
from ..collection.run_queue import Runs
from ..model.results import Result
from .children import SecretStores
from .reload import ConfigLoader


@frozen
class Orders:
    """Reloads and collects. Each order asks the secret stores anew."""

    _log = Logger()

    _loader: ConfigLoader
    _runs: Runs
    _stores: SecretStores
    _book: ResultBook
    now: Callable[[], float] = time.time

    def reload(self) -> "Deferred[Sequence[str]]":
        """Read the config again, like `ConfigLoader.reload`."""
        self._stores.forget_failures()
        return self._loader.reload()

    def knows(self, label: str) -> bool:
        """Return whether there is a repository with this label."""
        return self._runs.knows(label)

    def collect(self, label: str | None) -> bool:
        """
        Collect one repository now, or all, unless a collection is running.

        :return: whether it was started.
        """
        self._stores.forget_failures()
        runs = self._runs
        started = runs.collect_all() if label is None else runs.collect_one(label)
        if started:
            what = "all repositories" if label is None else label
            self._log.info("collecting {what} now", what=what)
        else:
            self._log.info("a collection is already running; not starting another")
        return started

    def add_result(self, label: str, result: Result) -> bool:
        """Note how a job on the repository ``label`` ended, like `ResultBook.add`."""
        return self._book.add(label, result)
