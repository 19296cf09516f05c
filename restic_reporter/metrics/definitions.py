"""The metrics' names, types and help texts: what docs/reference.md lists."""

from .exposition import Family

_SCHEDULED = "The value comes from a scheduled collection."


def _gauge(name: str, text: str, note: str = _SCHEDULED) -> Family:
    return Family(name, "gauge", f"{text} {note}")


def _counter(name: str, text: str) -> Family:
    return Family(name, "counter", f"{text} {_SCHEDULED}")


def _info(name: str, text: str) -> Family:
    return Family(name, "info", f"{text} {_SCHEDULED}")


# Of each backup set.
NEWEST = _gauge(
    "backup_newest_timestamp", "Unix time in seconds of the backup set's newest snapshot."
)
DAYS_AGE = _gauge(
    "backup_days_age",
    "Whole days from the backup set's newest snapshot to the time of the scrape.",
    "The snapshot comes from a scheduled collection.",
)
SET_COUNT = _gauge("backup_set_snapshot_count", "Snapshots in the backup set.")
OLDEST = _gauge(
    "backup_oldest_timestamp_seconds", "Unix time in seconds of the backup set's oldest snapshot."
)

# Of each repository: its content.
SNAPSHOT_COUNT = _gauge("backup_snapshot_count", "Snapshots in the repository.")
FUTURE_COUNT = _gauge(
    "backup_future_snapshot_count",
    "Snapshots dated more than an hour ahead of the clock; they are nobody's newest.",
)
INVALID_COUNT = _gauge(
    "backup_invalid_snapshot_count",
    "Snapshots whose content is unusable; they are nobody's newest.",
)
SERIES_DROPPED = _gauge(
    "backup_series_dropped", "Backup sets of the repository that are beyond the limit, not shown."
)
LOCK_COUNT = _gauge("backup_lock_count", "Lock files in the repository.")
OLDEST_LOCK = _gauge(
    "backup_oldest_lock_timestamp_seconds",
    "Unix time in seconds when the oldest lock of the repository was made; only where the"
    " native reader reads.",
)
REPOSITORY_INFO = _info(
    "backup_repository_info", "How the repository is listed (backend) and read (reader)."
)

# Of each repository: how reading it went.
READ_ERROR_COUNT = _gauge(
    "backup_read_error_count", "1 where the latest read of the repository failed, else 0."
)
READ_SUCCESS = _gauge(
    "backup_read_success", "1 where the latest read of the repository succeeded, else 0."
)
READ_LAST_SUCCESS = _gauge(
    "backup_read_last_success_timestamp_seconds",
    "Unix time in seconds when the repository was last read well.",
)
READ_DURATION = _gauge(
    "backup_read_duration_seconds", "How long the latest read of the repository took, in seconds."
)
READ_FAILURES = _counter(
    "backup_read_failures_total", "Failed reads of the repository by reason, since the start."
)
STORAGE_REQUESTS = _counter(
    "backup_storage_requests_total",
    "Requests sent to the repository's storage by operation, since the start; those of a"
    " restic process are not counted.",
)
STORAGE_BYTES = _counter(
    "backup_storage_received_bytes_total",
    "Bytes of answers received from the repository's storage by operation, since the start;"
    " those of a restic process are not counted.",
)

# Of the job as a whole.
JOB_LAST_SUCCESS = _gauge(
    "backup_job_last_success_unixtime",
    "Unix time in seconds when the last collection of all repositories ran to its end, though"
    " some may have failed.",
)
JOB_ERROR_COUNT = _gauge(
    "backup_job_error_count", "Repositories that could not be read in the latest collection."
)
JOB_RUNNING = _gauge(
    "backup_job_running",
    "1 while a collection is under way, else 0.",
    "The value is that of the time of the scrape, not of a scheduled collection.",
)
JOB_DURATION = _gauge(
    "backup_job_duration_seconds", "How long the latest collection took, in seconds."
)
JOB_NEXT = _gauge(
    "backup_job_next_timestamp_seconds",
    "Unix time in seconds when the next collection is due.",
    "The value comes from the schedule of the collections.",
)
JOB_SKIPPED = _counter(
    "backup_job_skipped_total",
    "Collections that were due while one was under way and did not take place.",
)
CONFIG_SUCCESS = _gauge(
    "backup_config_last_reload_successful",
    "1 where the last load of the config succeeded, else 0.",
    "A loaded config takes effect at the next scheduled collection.",
)
CONFIG_SUCCESS_TIME = _gauge(
    "backup_config_last_reload_success_timestamp_seconds",
    "Unix time in seconds when a config was last loaded well.",
    "A loaded config takes effect at the next scheduled collection.",
)
VAULT_TOKEN_EXPIRY = _gauge(
    "backup_vault_token_expiry_timestamp_seconds",
    "Unix time in seconds when the Vault token in use ends unless it is renewed.",
    "The value is that of the time of the scrape, not of a scheduled collection.",
)
BUILD_INFO = Family(
    "restic_reporter_build_info",
    "info",
    "Version of restic-reporter, of what it runs on, and the shard that this process serves;"
    " fixed from the start, not from a scheduled collection.",
)
REACTOR_LAG = _gauge(
    "restic_reporter_reactor_lag_seconds",
    "The longest that the program's event loop was held since the previous scrape, in seconds;"
    " up to 0.025 s too little. Where several scrape, each sees the time since any of them.",
    "Measured all the time, not by a scheduled collection.",
)
LOG_LINES_DROPPED = Family(
    "restic_reporter_log_lines_dropped_total",
    "counter",
    "Log lines that were dropped since the start, as the log was not read or could not be"
    " written. Counted at once, not by a scheduled collection.",
)
