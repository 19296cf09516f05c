"""The samples of restic-exporter's metrics, for ``--compat``."""

from collections.abc import Iterator

from ..collection.state import Locks, RepositoryStatus
from ..model.compat import Compat
from ..model.results import Results
from ..model.snapshots import CLIENT_LABELS, ClientGroup, Content
from .definitions import compat as f
from .exposition import label_text
from .set_samples import Sample

COMPAT_CONTENT_FAMILIES = (
    *(f.LOCKS, f.SNAPSHOTS, f.TIMESTAMP, f.SNAPSHOT_COUNT, f.FILES, f.BYTES),
    *(f.NEW_FILES, f.CHANGED_FILES, f.UNMODIFIED_FILES),
    *(f.NEW_FOLDERS, f.CHANGED_FOLDERS, f.UNMODIFIED_FOLDERS),
    *(f.ADDED_BYTES, f.DURATION),
)
COMPAT_READ_FAMILIES = (
    *(f.CHECK_SUCCESS, f.SCRAPE_DURATION),
    *(f.SIZE, f.UNCOMPRESSED_SIZE, f.COMPRESSION_RATIO, f.BLOB_COUNT),
)


def compat_read_samples(
    url: str, status: RepositoryStatus, results: Results, compat: Compat
) -> Iterator[Sample]:
    """Yield those of `COMPAT_READ_FAMILIES`; ``url`` is the first label as text."""
    if status.content is None:
        return
    labels = url if compat.url else ""
    check = results.get("check")
    yield f.CHECK_SUCCESS, f.NO_CHECK if check is None else int(check.success), labels
    yield f.SCRAPE_DURATION, status.duration, labels
    size = status.size
    yield f.SIZE, f.UNKNOWN if size is None else size.size.bytes, labels
    for family in (f.UNCOMPRESSED_SIZE, f.COMPRESSION_RATIO, f.BLOB_COUNT):
        yield family, f.UNKNOWN, labels


def compat_content_samples(
    url: str, content: Content, locks: Locks | None, compat: Compat
) -> Iterator[Sample]:
    """Yield those of `COMPAT_CONTENT_FAMILIES`."""
    first = url if compat.url else ""
    if locks is not None:
        yield f.LOCKS, locks.count, first
    yield f.SNAPSHOTS, content.snapshot_count, first
    for group in content.clients:
        names = zip(CLIENT_LABELS, group.latest.labels, strict=True)
        yield from _group_samples(group, ",".join(filter(None, (first, label_text(dict(names))))))


def _group_samples(group: ClientGroup, labels: str) -> Iterator[Sample]:
    summary = group.summary
    if group.newest is not None:
        yield f.TIMESTAMP, int(group.newest), labels
    yield f.SNAPSHOT_COUNT, group.snapshot_count, labels
    files = (summary.new_files, summary.changed_files, summary.unmodified_files)
    known = [count for count in files if count is not None]
    values = {
        f.FILES: sum(known) if len(known) == len(files) else None,
        f.BYTES: summary.processed_bytes,
        **dict(zip((f.NEW_FILES, f.CHANGED_FILES, f.UNMODIFIED_FILES), files, strict=True)),
        f.NEW_FOLDERS: group.latest.folders[0],
        f.CHANGED_FOLDERS: group.latest.folders[1],
        f.UNMODIFIED_FOLDERS: group.latest.folders[2],
        f.ADDED_BYTES: summary.added_bytes,
        f.DURATION: summary.duration,
    }
    for family, value in values.items():
        yield family, f.UNKNOWN if value is None else value, labels
