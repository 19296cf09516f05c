"""The metrics of each repository."""

from .kinds import AGED, LAST_READ, content, counter, gauge, info

# Its content.
SNAPSHOT_COUNT = content("backup_snapshot_count", "Number of snapshots in the repository")
FUTURE_COUNT = content(
    "backup_future_snapshot_count",
    "Number of snapshots dated more than 1 hour in the future; they do not count as newest",
)
INVALID_COUNT = content(
    "backup_invalid_snapshot_count",
    "Number of snapshots with invalid content; they do not count as newest",
)
SERIES_DROPPED = content(
    "backup_series_dropped", "Number of backup sets beyond the limit, which have no series"
)
LOCK_COUNT = content("backup_lock_count", "Number of lock files in the repository")
OLDEST_LOCK = content(
    "backup_oldest_lock_timestamp_seconds",
    "Time of the repository's oldest lock in Unix seconds, where known",
)
STALE_LOCK_COUNT = gauge(
    "backup_stale_lock_count",
    "Number of locks in the repository older than 30 minutes, where their times are known",
    AGED.replace("snapshots", "locks"),
)
REPOSITORY_INFO = info(
    "backup_repository_info",
    "Always 1; the labels name the backend that lists the repository, its reader and the version of"
    " the repository's format, empty if unknown",
    LAST_READ,
)

# How reading it went.
READ_ERROR_COUNT = gauge(
    "backup_read_error_count", "1 if the latest read of the repository failed, else 0"
)
READ_SUCCESS = gauge(
    "backup_read_success", "1 if the latest read of the repository succeeded, else 0"
)
READ_LAST_SUCCESS = gauge(
    "backup_read_last_success_timestamp_seconds",
    "Time of the last successful read of the repository in Unix seconds",
)
READ_DURATION = gauge(
    "backup_read_duration_seconds", "Duration of the latest read of the repository in seconds"
)
READ_FAILURES = counter(
    "backup_read_failures_total", "Number of failed reads of the repository by reason"
)
STORAGE_REQUESTS = counter(
    "backup_storage_requests_total",
    "Number of requests to the repository's storage by operation, without those of restic",
)
STORAGE_BYTES = counter(
    "backup_storage_received_bytes_total",
    "Response bytes from the repository's storage by operation, without those to restic",
)
