"""The samples of each backup set."""

from collections.abc import Callable, Iterator

from ..model.freshness import Freshness, Limit
from ..model.snapshots import BackupSet, Content, Latest
from . import definitions as f
from .exposition import Family, label_text

# A family, its labels besides ``url``, and the value.
Sample = tuple[Family, str, float | None]

SET_FAMILIES = (
    f.NEWEST,
    f.SET_COUNT,
    f.OLDEST,
    f.SET_MAX_AGE,
    f.SET_DUE,
    f.SET_EXPECTED,
    f.SET_RETIRED,
    f.NEWEST_DURATION,
    f.NEWEST_PROCESSED,
    f.NEWEST_ADDED,
    f.NEWEST_FILES,
    f.NEWEST_INFO,
    f.GROUP_NEWEST,
    f.GROUP_COUNT,
)


def set_labels(one: BackupSet) -> str:
    """Return the labels of a set besides ``url``."""
    return label_text({"host": one.host, "user": one.user})


def watched_sets(content: Content, freshness: Freshness) -> list[BackupSet]:
    """Return the sets that are not retired."""
    if not freshness.retired:
        return list(content.sets)
    return [one for one in content.sets if not freshness.is_retired(one.host, one.user)]


def set_samples(content: Content, freshness: Freshness) -> Iterator[Sample]:
    """Yield the samples of all sets that do not depend on the time of the scrape."""
    for one in content.sets:
        labels = set_labels(one)
        if freshness.is_retired(one.host, one.user):
            yield f.SET_RETIRED, labels, 1
            continue
        yield f.NEWEST, labels, one.newest
        yield f.SET_COUNT, labels, one.snapshot_count
        yield f.OLDEST, labels, one.oldest
        limit = freshness.limit_of(one.host, one.user)
        if limit is not None:
            yield f.SET_MAX_AGE, labels, limit.max_age
            if limit.schedule is not None and one.newest is not None:
                yield f.SET_DUE, labels, limit.due(one.newest)
        if one.latest is not None:
            yield from _latest_samples(labels, one.latest)
        for group in one.groups:
            labels_of_group = {"paths": group.paths, "tags": group.tags}
            text = f"{labels},{label_text(labels_of_group)}"
            yield f.GROUP_NEWEST, text, group.newest
            yield f.GROUP_COUNT, text, group.snapshot_count
    names = {(one.host, one.user) for one in content.sets}
    hosts = {one.host for one in content.sets}
    for wanted in freshness.expected:
        exists = (
            wanted.host in hosts if wanted.user is None else (wanted.host, wanted.user) in names
        )
        labels = label_text({"host": wanted.host, "user": wanted.user or ""})
        yield f.SET_EXPECTED, labels, 1 if exists else 0


def _latest_samples(labels: str, latest: Latest) -> Iterator[Sample]:
    summary = latest.summary
    yield f.NEWEST_DURATION, labels, summary.duration
    yield f.NEWEST_PROCESSED, labels, summary.processed_bytes
    yield f.NEWEST_ADDED, labels, summary.added_bytes
    for state, count in (
        ("new", summary.new_files),
        ("changed", summary.changed_files),
        ("unmodified", summary.unmodified_files),
    ):
        if count is not None:
            yield f.NEWEST_FILES, f'{labels},state="{state}"', count
    names = {
        "id": latest.id,
        "program_version": latest.program_version,
        "tags": latest.tags,
    }
    yield f.NEWEST_INFO, f"{labels},{label_text(names)}", 1


def run_samples(content: Content, freshness: Freshness, now: float) -> Iterator[Sample]:
    """Yield the counts of due times, as of the read at ``now`` (Unix seconds)."""
    if not _any_limit(freshness, lambda limit: limit.schedule is not None):
        return
    for one in watched_sets(content, freshness):
        limit = freshness.limit_of(one.host, one.user)
        runs = limit.runs(one.recent, one.oldest, now) if limit is not None else None
        if runs is not None:
            labels = f'{set_labels(one)},window="30d"'
            yield f.SET_RUNS_DUE, labels, runs[0]
            yield f.SET_RUNS_MET, labels, runs[1]


def _any_limit(freshness: Freshness, matches: Callable[[Limit], bool]) -> bool:
    limits = (freshness.limit, *freshness.expected.values())
    return any(limit is not None and matches(limit) for limit in limits)
