"""Which repositories can be checked and measured. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping

from ..collection.outcomes import plural
from ..collection.reader_choice import has_location
from ..collection.state import Task
from ..interfaces import IBackendMaker, IMeasurable


def can_check(task: Task, makers: Mapping[str, IBackendMaker]) -> bool:
    """Return whether restic can read the repository."""
    repository = task.repository
    scheme, reads = repository.scheme, repository.settings.restic_reads
    return has_location(scheme, makers.get(scheme)) and (reads or repository.reader == "restic")


def can_measure(task: Task) -> bool:
    """Return whether the backend can list packs; true too while its secrets are not known."""
    if task.backend is None:
        return bool(task.repository.materials)
    return IMeasurable.providedBy(task.backend)


def upkeep_warnings(
    tasks: Mapping[str, Task], makers: Mapping[str, IBackendMaker]
) -> Iterator[str]:
    """Yield a warning for each backend whose repositories do not get what their entries ask for."""
    unchecked, unmeasured = Counter[str](), Counter[str]()
    for task in tasks.values():
        upkeep = task.repository.upkeep
        if upkeep.check is not None and not can_check(task, makers):
            unchecked[task.backend_name] += 1
        if upkeep.size_cron is not None and not can_measure(task):
            unmeasured[task.backend_name] += 1
    for key, counts, problem in (
        ("check", unchecked, "which restic cannot read"),
        ("size_cron", unmeasured, "which cannot list its packs"),
    ):
        for name, count in counts.items():
            repositories = f"{count} {plural('repository', count)}"
            yield f"{key}: ignored for {repositories} of the backend {name!r}, {problem}"
