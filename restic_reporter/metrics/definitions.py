"""The metrics' names, types and help texts: what docs/reference.md lists."""

from .exposition import Family

_LATEST = "As of the latest scheduled collection"

# The values of a repository's content stay after a failed read.
_LAST_READ = "As of the last scheduled collection that read the repository"

_AT_SCRAPE = "As of the scrape, not of a scheduled collection"

_IN_USE = "As of the scrape; a config takes effect at the next scheduled collection"

_SINCE_START = "Since the start, as of the latest scheduled collection"


def _gauge(name: str, text: str, when: str = _LATEST) -> Family:
    return Family(name, "gauge", f"{text}. {when}.")


def _content(name: str, text: str) -> Family:
    return _gauge(name, text, _LAST_READ)


def _counter(name: str, text: str, when: str = _SINCE_START) -> Family:
    return Family(name, "counter", f"{text}. {when}.")


def _info(name: str, text: str, when: str) -> Family:
    return Family(name, "info", f"{text}. {when}.")


# Of each backup set.
NEWEST = _content(
    "backup_newest_timestamp", "Time of the backup set's newest snapshot in Unix seconds"
)
DAYS_AGE = _gauge(
    "backup_days_age",
    "Age of the backup set's newest snapshot in whole days",
    "As of the scrape; the snapshot is that of the last scheduled collection",
)
SET_COUNT = _content("backup_set_snapshot_count", "Number of snapshots in the backup set")
OLDEST = _content(
    "backup_oldest_timestamp_seconds", "Time of the backup set's oldest snapshot in Unix seconds"
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
    "Time of the repository's oldest lock in Unix seconds; native reader only",
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
    "Since the start",
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
BUILD_INFO = _info(
    "restic_reporter_build_info",
    "Always 1; the labels name the versions of restic-reporter, Python and Twisted, and the shard",
    "Fixed at the start, not by a scheduled collection",
)
REACTOR_LAG = _gauge(
    "restic_reporter_reactor_lag_seconds",
    "Longest time in seconds that the event loop was blocked since the previous scrape by anybody;"
    " up to 0.025 s too low",
    _AT_SCRAPE,
)
LOG_LINES_DROPPED = _counter(
    "restic_reporter_log_lines_dropped_total",
    "Number of log lines dropped because the log was not read or not writable",
    "Since the start, as of the scrape, not of a scheduled collection",
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
