"""The metrics of each backup set."""

from .kinds import AGED, LAST_READ, content, gauge, info

NEWEST = content(
    "backup_newest_timestamp", "Time of the backup set's newest snapshot in Unix seconds"
)
DAYS_AGE = gauge(
    "backup_days_age",
    "Age of the backup set's newest snapshot in whole days",
    AGED,
)
SET_COUNT = content("backup_set_snapshot_count", "Number of snapshots in the backup set")
OLDEST = content(
    "backup_oldest_timestamp_seconds", "Time of the backup set's oldest snapshot in Unix seconds"
)

SET_MAX_AGE = content(
    "backup_set_max_age_seconds", "Configured maximum age of the newest snapshot in seconds"
)
SET_DUE = content(
    "backup_set_due_timestamp_seconds",
    "Time in Unix seconds by when the next backup must have been made, grace included",
)
SET_OVERDUE = gauge(
    "backup_set_overdue",
    "1 if the newest snapshot is older than the configured maximum age, or a scheduled backup is"
    " missing, else 0",
    AGED,
)
SET_LEARNED = content(
    "backup_set_learned_max_age_seconds",
    "Maximum age of the newest snapshot in seconds, learned from the times of the backups;"
    " absent if one is configured or too few backups are known",
)
SET_LATE = gauge(
    "backup_set_late",
    "1 if the newest snapshot is older than the configured limit or, without one, the learned"
    " maximum age, else 0",
    f"{AGED}. A learned age counts as of the last read, or of the scrape if that failed",
)
SET_RUNS_DUE = content(
    "backup_set_runs_due", "Number of scheduled backups that were due within the window"
)
SET_RUNS_MET = content(
    "backup_set_runs_met", "Number of scheduled backups within the window that were made in time"
)
SET_EXPECTED = content(
    "backup_set_expected", "1 if the expected backup set exists in the repository, else 0"
)
SET_RETIRED = content(
    "backup_set_retired", "Always 1, for a backup set that the config declares retired"
)
SET_RETAINED_DAYS = gauge(
    "backup_set_retained_days",
    "Number of local days within the window, today included, that have a snapshot",
    AGED,
)

# Of the newest snapshot in each backup set.
NEWEST_DURATION = content(
    "backup_newest_duration_seconds",
    "Duration in seconds of the backup that made the newest snapshot; restic 0.17 and newer",
)
NEWEST_PROCESSED = content(
    "backup_newest_processed_bytes",
    "Size in bytes of all files in the newest snapshot; restic 0.17 and newer",
)
NEWEST_ADDED = content(
    "backup_newest_added_bytes",
    "Bytes that the newest snapshot added before compression; restic 0.17 and newer",
)
NEWEST_FILES = content(
    "backup_newest_files",
    "Number of files in the newest snapshot by state; restic 0.17 and newer",
)
NEWEST_INFO = info(
    "backup_newest_info",
    "Always 1; the labels name the newest snapshot, its tags and the program that made it",
    LAST_READ,
)

# Of each group of snapshots within a backup set.
GROUP_NEWEST = content(
    "backup_group_newest_timestamp_seconds",
    "Time of the newest snapshot in the group of paths or tags in Unix seconds",
)
GROUP_COUNT = content(
    "backup_group_snapshot_count", "Number of snapshots in the group of paths or tags"
)
