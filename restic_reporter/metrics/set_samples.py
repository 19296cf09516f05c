"""The samples of each backup set."""

from collections.abc import Callable, Iterator, Sequence

from ..model.freshness import Freshness, Limit
from ..model.snapshots import BackupSet, Content, Latest
from . import definitions as f
from .exposition import Family, label_text

# A family, the value and the text of all labels. Without a value there is no line.
Sample = tuple[Family, float | None, str]

# A set, with the text of its labels.
Labelled = tuple[str, BackupSet]

SET_FAMILIES = (
    f.NEWEST,
    f.SET_COUNT,
    f.OLDEST,
    f.SET_MAX_AGE,
    f.SET_DUE,
    f.SET_LEARNED,
    f.SET_EXPECTED,
    f.SET_RETIRED,
    f.NEWEST_DURATION,
    f.NEWEST_PROCESSED,
    f.NEWEST_ADDED,
    f.NEWEST_FILES,
    f.NEWEST_INFO,
    f.NEWEST_PROCESSED_RATIO,
    f.NEWEST_ADDED_RATIO,
    f.NEWEST_FILES_RATIO,
    f.NEWEST_CHANGED_RATIO,
    f.SET_PATH_GROUPS,
    f.GROUP_NEWEST,
    f.GROUP_COUNT,
)


def watched_sets(url: str, content: Content, freshness: Freshness) -> list[Labelled]:
    """Return the sets that are not retired; ``url`` is the first label as text."""
    return [
        (_set_labels(url, one), one)
        for one in content.sets
        if not (freshness.retired and freshness.is_retired(one.host, one.user))
    ]


def _set_labels(url: str, one: BackupSet) -> str:
    return f"{url},{label_text({'host': one.host, 'user': one.user})}"


def set_samples(
    url: str, content: Content, freshness: Freshness, watched: Sequence[Labelled]
) -> Iterator[Sample]:
    """Yield the samples of all sets that do not depend on the time of the scrape."""
    if freshness.retired:
        for one in content.sets:
            if freshness.is_retired(one.host, one.user):
                yield f.SET_RETIRED, 1, _set_labels(url, one)
    for labels, one in watched:
        yield f.NEWEST, one.newest, labels
        yield f.SET_COUNT, one.snapshot_count, labels
        yield f.OLDEST, one.oldest, labels
        limit = freshness.limit_of(one.host, one.user)
        if limit is not None:
            yield f.SET_MAX_AGE, limit.max_age, labels
            if limit.schedule is not None and one.newest is not None:
                yield f.SET_DUE, limit.due(one.newest), labels
        else:
            yield f.SET_LEARNED, one.learned_max_age, labels
        yield f.SET_PATH_GROUPS, one.path_lists, labels
        if one.latest is not None:
            yield from _latest_samples(labels, one.latest)
            ratios = one.ratios
            yield f.NEWEST_PROCESSED_RATIO, ratios.processed_bytes, labels
            yield f.NEWEST_ADDED_RATIO, ratios.added_bytes, labels
            yield f.NEWEST_FILES_RATIO, ratios.files, labels
            yield f.NEWEST_CHANGED_RATIO, ratios.changed_files, labels
        for group in one.groups:
            labels_of_group = {"paths": group.paths, "tags": group.tags}
            text = f"{labels},{label_text(labels_of_group)}"
            yield f.GROUP_NEWEST, group.newest, text
            yield f.GROUP_COUNT, group.snapshot_count, text
    for wanted, exists in freshness.expected_among(content.sets):
        labels = f"{url},{label_text({'host': wanted.host, 'user': wanted.user or ''})}"
        yield f.SET_EXPECTED, int(exists), labels


def _latest_samples(labels: str, latest: Latest) -> Iterator[Sample]:
    summary = latest.summary
    yield f.NEWEST_DURATION, summary.duration, labels
    yield f.NEWEST_PROCESSED, summary.processed_bytes, labels
    yield f.NEWEST_ADDED, summary.added_bytes, labels
    for state, count in (
        ("new", summary.new_files),
        ("changed", summary.changed_files),
        ("unmodified", summary.unmodified_files),
    ):
        if count is not None:
            yield f.NEWEST_FILES, count, f'{labels},state="{state}"'
    names = {
        "id": latest.id,
        "program_version": latest.program_version,
        "tags": latest.tags,
    }
    yield f.NEWEST_INFO, 1, f"{labels},{label_text(names)}"


def run_samples(url: str, content: Content, freshness: Freshness, now: float) -> Iterator[Sample]:
    """Yield the counts of due times, as of the read at ``now`` (Unix seconds)."""
    if not _any_limit(freshness, lambda limit: limit.schedule is not None):
        return
    for labels, one in watched_sets(url, content, freshness):
        limit = freshness.limit_of(one.host, one.user)
        runs = limit.runs(one.history, one.known_since, now) if limit is not None else None
        if runs is not None:
            yield f.SET_RUNS_DUE, runs[0], f'{labels},window="30d"'
            yield f.SET_RUNS_MET, runs[1], f'{labels},window="30d"'


def _any_limit(freshness: Freshness, matches: Callable[[Limit], bool]) -> bool:
    limits = (freshness.limit, *freshness.expected.values())
    return any(limit is not None and matches(limit) for limit in limits)
