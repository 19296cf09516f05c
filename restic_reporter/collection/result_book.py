"""Notes the results of jobs, as they come."""

from collections.abc import Callable

from attrs import define

from ..model.results import Result, newer
from .state import CollectionState


@define(eq=False)
class ResultBook:
    """
    Notes results in the ``state``; ``on_result`` is called with the label of each one.

    A repository need not have been read.
    """

    _state: CollectionState
    _on_result: Callable[[str], None] = lambda _: None

    def add(self, label: str, result: Result) -> bool:
        """Note a result of the repository ``label``, unless a newer one of its kind is known."""
        results = self._state.results.setdefault(label, {})
        known = results.get(result.kind)
        latest = result if known is None else newer(known, result)
        if latest == known:
            return False
        results[result.kind] = latest
        status = self._state.statuses.get(label)
        if status is not None:
            status.revision += 1
        self._on_result(label)
        return latest.time == result.time
