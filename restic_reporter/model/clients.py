"""Groups snapshots by host, user and paths, for ``--compat``. Pure."""

from collections import Counter

from .backup_sets import FUTURE_TOLERANCE
from .columns import SLICE, Steps
from .rows import Rows
from .snapshots import CLIENT_LABELS, NO_SUMMARY, Client, ClientGroup

# The most groups of a repository that are shown: the largest.
MAX_CLIENTS = 1000

_HASH = CLIENT_LABELS.index("snapshot_hash")


def client_groups(rows: Rows, now: float) -> Steps[tuple[ClientGroup, ...]]:
    """Return the groups in ``rows``, as of ``now`` (Unix seconds); those without labels in none."""
    hashes = [labels[_HASH] if labels is not None else None for labels in rows.clients.values]
    counts: Counter[str] = Counter()
    # The newest row with a valid time, and one without.
    newest: dict[str, tuple[float, bytes, int]] = {}
    others: dict[str, int] = {}
    for start in range(0, len(rows), SLICE):
        for row, place in enumerate(rows.clients.places[start : start + SLICE], start):
            name, time = hashes[place], rows.times[row]
            if name is None:
                continue
            counts[name] += 1
            # Not so for NaN, an invalid one.
            if time <= now + FUTURE_TOLERANCE:
                last = (time, rows.id(row), row)
                newest[name] = max(last, newest.get(name, last))
            else:
                others[name] = row
        yield
    shown = sorted(counts, key=lambda name: (-counts[name], name))[:MAX_CLIENTS]
    groups = []
    for name in sorted(shown):
        if name in newest:
            time, _, row = newest[name]
            groups.append(ClientGroup(rows.client(row), counts[name], time, rows.summary(row)))
        else:
            labels = Client(rows.client(others[name]).labels)
            groups.append(ClientGroup(labels, counts[name], None, NO_SUMMARY))
    return tuple(groups)
