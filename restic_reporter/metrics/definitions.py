"""The names, types and help texts of the metrics, as in docs/reference.md."""

from functools import partial

from .exposition import Family

_AT_SCRAPE = "As of the scrape, not of a scheduled collection"
_AGED = "As of the scrape; the snapshots are those of the last scheduled collection"
_IN_USE = "As of the scrape; a config takes effect at the next scheduled collection"


def _family(
    kind: str, name: str, text: str, when: str = "As of the latest scheduled collection"
) -> Family:
    return Family(name, kind, f"{text}. {when}.")


_gauge = partial(_family, "gauge")
_info = partial(_family, "info")
_counter = partial(
    _family, "counter", when="Since the start, as of the latest scheduled collection"
)
# The content of a repository stays after a failed read.
_LAST_READ = "As of the last scheduled collection that read the repository"
_content = partial(_gauge, when=_LAST_READ)

# Of each backup set.
NEWEST = _content(
    "backup_newest_timestamp", "Time of the backup set's newest snapshot in Unix seconds"
)
DAYS_AGE = _gauge(
    "backup_days_age",
    "Age of the backup set's newest snapshot in whole days",
    _AGED,
)
SET_COUNT = _content("backup_set_snapshot_count", "Number of snapshots in the backup set")
OLDEST = _content(
    "backup_oldest_timestamp_seconds", "Time of the backup set's oldest snapshot in Unix seconds"
)

SET_MAX_AGE = _content(
    "backup_set_max_age_seconds", "Configured maximum age of the newest snapshot in seconds"
)
SET_DUE = _content(
    "backup_set_due_timestamp_seconds",
    "Time in Unix seconds by when the next backup must have been made, grace included",
)
SET_OVERDUE = _gauge(
    "backup_set_overdue",
    "1 if the newest snapshot is older than the configured maximum age, or a scheduled backup is"
    " missing, else 0",
    _AGED,
)
SET_LEARNED = _content(
    "backup_set_learned_max_age_seconds",
    "Maximum age of the newest snapshot in seconds, learned from the times of the backups;"
    " absent if one is configured or too few backups are known",
)
SET_LATE = _gauge(
    "backup_set_late",
    "1 if the newest snapshot is older than the configured limit or, without one, the learned"
    " maximum age, else 0",
    f"{_AGED}. A learned age counts as of the last read, or of the scrape if that failed",
)
SET_RUNS_DUE = _content(
    "backup_set_runs_due", "Number of scheduled backups that were due within the window"
)
SET_RUNS_MET = _content(
    "backup_set_runs_met", "Number of scheduled backups within the window that were made in time"
)
SET_EXPECTED = _content(
    "backup_set_expected", "1 if the expected backup set exists in the repository, else 0"
)
SET_RETIRED = _content(
    "backup_set_retired", "Always 1, for a backup set that the config declares retired"
)
SET_RETAINED_DAYS = _gauge(
    "backup_set_retained_days",
    "Number of local days within the window, today included, that have a snapshot",
    _AGED,
)

# Of the newest snapshot in each backup set.
NEWEST_DURATION = _content(
    "backup_newest_duration_seconds",
    "Duration in seconds of the backup that made the newest snapshot; restic 0.17 and newer",
)
NEWEST_PROCESSED = _content(
    "backup_newest_processed_bytes",
    "Size in bytes of all files in the newest snapshot; restic 0.17 and newer",
)
NEWEST_ADDED = _content(
    "backup_newest_added_bytes",
    "Bytes that the newest snapshot added before compression; restic 0.17 and newer",
)
NEWEST_FILES = _content(
    "backup_newest_files",
    "Number of files in the newest snapshot by state; restic 0.17 and newer",
)
NEWEST_INFO = _info(
    "backup_newest_info",
    "Always 1; the labels name the newest snapshot, its tags and the program that made it",
    _LAST_READ,
)

# Of each group of snapshots within a backup set.
GROUP_NEWEST = _content(
    "backup_group_newest_timestamp_seconds",
    "Time of the newest snapshot in the group of paths or tags in Unix seconds",
)
GROUP_COUNT = _content(
    "backup_group_snapshot_count", "Number of snapshots in the group of paths or tags"
)

# Of each repository: its content.
SNAPSHOT_COUNT = _content("backup_snapshot_count", "Number of snapshots in the repository")
FUTURE_COUNT = _content(
    "backup_future_snapshot_count",
    "Number of snapshots dated more than 1 hour in the future; they do not count as newest",
)
INVALID_COUNT = _content(
    "backup_invalid_snapshot_count",
    "Number of snapshots with invalid content; they do not count as newest",
)
SERIES_DROPPED = _content(
    "backup_series_dropped", "Number of backup sets beyond the limit, which have no series"
)
LOCK_COUNT = _content("backup_lock_count", "Number of lock files in the repository")
OLDEST_LOCK = _content(
    "backup_oldest_lock_timestamp_seconds",
    "Time of the repository's oldest lock in Unix seconds, where known",
)
STALE_LOCK_COUNT = _gauge(
    "backup_stale_lock_count",
    "Number of locks in the repository older than 30 minutes, where their times are known",
    _AGED.replace("snapshots", "locks"),
)
REPOSITORY_INFO = _info(
    "backup_repository_info",
    "Always 1; the labels name the backend that lists the repository and its reader",
    _LAST_READ,
)

# Of each repository: how reading it went.
READ_ERROR_COUNT = _gauge(
    "backup_read_error_count", "1 if the latest read of the repository failed, else 0"
)
READ_SUCCESS = _gauge(
    "backup_read_success", "1 if the latest read of the repository succeeded, else 0"
)
READ_LAST_SUCCESS = _gauge(
    "backup_read_last_success_timestamp_seconds",
    "Time of the last successful read of the repository in Unix seconds",
)
READ_DURATION = _gauge(
    "backup_read_duration_seconds", "Duration of the latest read of the repository in seconds"
)
READ_FAILURES = _counter(
    "backup_read_failures_total", "Number of failed reads of the repository by reason"
)
STORAGE_REQUESTS = _counter(
    "backup_storage_requests_total",
    "Number of requests to the repository's storage by operation, without those of restic",
)
STORAGE_BYTES = _counter(
    "backup_storage_received_bytes_total",
    "Response bytes from the repository's storage by operation, without those to restic",
)

# Of the job as a whole.
JOB_LAST_SUCCESS = _gauge(
    "backup_job_last_success_unixtime",
    "Time in Unix seconds when the last collection of all repositories ended, failed reads or not",
)
JOB_ERROR_COUNT = _gauge(
    "backup_job_error_count", "Number of repositories whose latest read failed"
)
JOB_RUNNING = _gauge("backup_job_running", "1 during a collection, else 0", _AT_SCRAPE)
JOB_DURATION = _gauge("backup_job_duration_seconds", "Duration of the latest collection in seconds")
JOB_NEXT = _gauge(
    "backup_job_next_timestamp_seconds",
    "Time of the next scheduled collection in Unix seconds",
    "As of the scrape",
)
JOB_SKIPPED = _counter(
    "backup_job_skipped_total",
    "Number of scheduled collections skipped because the previous one still ran",
    when="Since the start",
)
CONFIG_SUCCESS = _gauge(
    "backup_config_last_reload_successful",
    "1 if the latest load of the config succeeded, else 0",
    _IN_USE,
)
CONFIG_SUCCESS_TIME = _gauge(
    "backup_config_last_reload_success_timestamp_seconds",
    "Time of the last successful load of the config in Unix seconds",
    _IN_USE,
)
VAULT_TOKEN_EXPIRY = _gauge(
    "backup_vault_token_expiry_timestamp_seconds",
    "Time in Unix seconds when the Vault token expires, unless it is renewed",
    _AT_SCRAPE,
)
STATE_WRITE_SUCCESS = _gauge(
    "restic_reporter_state_write_success",
    "1 if the latest write to the state folder succeeded, else 0",
    _AT_SCRAPE,
)
STATE_LAST_WRITE = _gauge(
    "restic_reporter_state_last_write_timestamp_seconds",
    "Time of the last successful write to the state folder in Unix seconds",
    _AT_SCRAPE,
)
BUILD_INFO = _info(
    "restic_reporter_build_info",
    "Always 1; the labels name the versions of restic-reporter, Python and Twisted, and the shard",
    "Fixed at the start, not by a scheduled collection",
)
REACTOR_LAG = _gauge(
    "restic_reporter_reactor_lag_seconds",
    "Longest time in seconds that the event loop was blocked since any client's previous scrape;"
    " up to 0.025 s too low",
    _AT_SCRAPE,
)
LOG_LINES_DROPPED = _counter(
    "restic_reporter_log_lines_dropped_total",
    "Number of log lines dropped because the log was not read or not writable",
    when="Since the start, as of the scrape, not of a scheduled collection",
)

# What one run from the command line does not have: a schedule, reloads, a token of Vault that
# lives on, an event loop that others wait for.
OF_A_DAEMON = frozenset(
    {
        JOB_RUNNING,
        JOB_NEXT,
        JOB_SKIPPED,
        CONFIG_SUCCESS,
        CONFIG_SUCCESS_TIME,
        VAULT_TOKEN_EXPIRY,
        REACTOR_LAG,
        LOG_LINES_DROPPED,
    }
)
