"""The metrics about what the snapshots, the keys and other jobs tell beyond the age of backups."""

from .kinds import content, counter, gauge

# Of each backup set: the newest snapshot against those before it.
NEWEST_PROCESSED_RATIO = content(
    "backup_newest_processed_bytes_ratio",
    "Size of the newest snapshot, divided by the median of up to ten before it; restic 0.17 and"
    " newer",
)
NEWEST_ADDED_RATIO = content(
    "backup_newest_added_bytes_ratio",
    "Bytes that the newest snapshot added, divided by the median of up to ten before it; restic"
    " 0.17 and newer",
)
NEWEST_FILES_RATIO = content(
    "backup_newest_files_ratio",
    "Number of files in the newest snapshot, divided by the median of up to ten before it; restic"
    " 0.17 and newer",
)
NEWEST_CHANGED_RATIO = content(
    "backup_newest_changed_files_ratio",
    "Number of changed files in the newest snapshot, divided by the median of up to ten before it;"
    " restic 0.17 and newer",
)
SET_PATH_GROUPS = content(
    "backup_set_path_groups", "Number of distinct lists of paths among the snapshots of the set"
)
COPY_LAG = content(
    "backup_set_copy_lag_seconds",
    "Seconds by which the set's newest snapshot in the copy is older than its newest one here;"
    " +Inf if the copy has none",
)
COPY_MISSING = content(
    "backup_set_copy_missing",
    "Number of the set's snapshots of the newest 30 days that the copy lacks",
)

# Of each repository.
BACKDATED_COUNT = content(
    "backup_backdated_snapshot_count",
    "Number of snapshots whose time differs from when they were made or stored",
)
REMOVED = counter(
    "backup_snapshots_removed_total",
    "Number of snapshots that one successful read found and the next one did not",
    when="As of the last scheduled collection that read the repository",
)
LAST_REMOVAL = content(
    "backup_last_removal_timestamp_seconds",
    "Time in Unix seconds of the last successful read that missed snapshots of the one before",
)
KEY_COUNT = content("backup_key_count", "Number of key files in the repository")
NEWEST_KEY = content(
    "backup_newest_key_timestamp_seconds",
    "Time in Unix seconds when the repository's newest key was made, where known",
)
STORED_BYTES = gauge(
    "backup_repository_stored_bytes",
    "Size in bytes of all packs in the repository",
    "As of the last scheduled listing, by size_cron",
)
PACK_COUNT = gauge(
    "backup_repository_pack_count",
    "Number of packs in the repository",
    "As of the last scheduled listing, by size_cron",
)

# Of other jobs.
RESULT_SUCCESS = gauge(
    "backup_result_success",
    "1 if the latest job of this kind that was reported has succeeded, else 0",
    "As of the last report, not of a scheduled collection",
)
RESULT_TIME = gauge(
    "backup_result_timestamp_seconds",
    "Time in Unix seconds when the latest job of this kind that was reported has ended",
    "As of the last report, not of a scheduled collection",
)
