"""The metrics of restic-exporter, which ``--compat`` adds: its names, with our texts."""

from ..exposition import Family
from .kinds import content, gauge

# A value that is not known, as that program shows it.
UNKNOWN = -1
NO_CHECK = 2

# Of each repository.
CHECK_SUCCESS = gauge(
    "restic_check_success",
    "1 if the latest check succeeded, 0 if it failed, 2 if none is known",
    "As of the last check, not of a scheduled collection",
)
LOCKS = content("restic_locks_total", "Number of lock files in the repository")
SCRAPE_DURATION = gauge(
    "restic_scrape_duration_seconds", "Duration of the latest read of the repository in seconds"
)
SIZE = gauge(
    "restic_size_total", "Size in bytes of all packs in the repository; -1 if it is not listed"
)
UNCOMPRESSED_SIZE = gauge("restic_uncompressed_size_total", "Always -1: it is not computed")
COMPRESSION_RATIO = gauge("restic_compression_ratio", "Always -1: it is not computed")
BLOB_COUNT = gauge("restic_blob_count_total", "Always -1: it is not computed")
SNAPSHOTS = content("restic_snapshots_total", "Number of snapshots in the repository")

# Of all snapshots with one host, user and list of paths.
TIMESTAMP = content("restic_backup_timestamp", "Time of the newest snapshot in Unix seconds")
SNAPSHOT_COUNT = content("restic_backup_snapshots_total", "Number of snapshots")


def _of_newest(name: str, text: str) -> Family:
    return content(name, f"{text} the newest snapshot; -1 if unknown, as before restic 0.17")


FILES = _of_newest("restic_backup_files_total", "Number of files in")
BYTES = _of_newest("restic_backup_size_total", "Size in bytes of all files in")
NEW_FILES = _of_newest("restic_backup_files_new", "Number of new files in")
CHANGED_FILES = _of_newest("restic_backup_files_changed", "Number of changed files in")
UNMODIFIED_FILES = _of_newest("restic_backup_files_unmodified", "Number of unmodified files in")
NEW_FOLDERS = _of_newest("restic_backup_dirs_new", "Number of new folders in")
CHANGED_FOLDERS = _of_newest("restic_backup_dirs_changed", "Number of changed folders in")
UNMODIFIED_FOLDERS = _of_newest("restic_backup_dirs_unmodified", "Number of unmodified folders in")
ADDED_BYTES = _of_newest("restic_backup_data_added_bytes", "Bytes added before compression by")
DURATION = _of_newest(
    "restic_backup_duration_seconds", "Duration in seconds of the backup that made"
)
