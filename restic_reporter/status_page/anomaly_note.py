"""What is odd about the newest snapshot of a set, in a few words. Pure."""

from ..model.anomalies import VANISHED_BELOW, nearly_all_changed
from ..model.snapshots import BackupSet


def note_of(one: BackupSet) -> str:
    """Return how the newest snapshot differs from those before it, empty if it does not much."""
    if one.latest is None:
        return ""
    if nearly_all_changed(one.latest.summary, one.ratios):
        return "nearly all changed"
    for ratio, what in ((one.ratios.processed_bytes, "size"), (one.ratios.files, "files")):
        if ratio is not None and ratio < VANISHED_BELOW:
            return f"{100 * ratio:.0f} % of the usual {what}"
    return ""
