"""The rows of the dashboard on reading: what failed, what it cost, and the daemon itself."""

from monitoring.panels import Panels, bars, lines, rows, states
from monitoring.queries import by_repository, most, of_daemon, of_repository

_TROUBLES = {
    "future snapshots": "backup_future_snapshot_count",
    "invalid snapshots": "backup_invalid_snapshot_count",
    "locks": "backup_lock_count",
    "sets without metrics": "backup_series_dropped",
}

READING: Panels = [
    states(
        "Readable or not",
        "The outcome of the latest read of each repository.",
        by_repository(of_repository("backup_read_error_count")),
        "{{url}}",
        ("read", "failed"),
        "ResticRepositoryUnreadable",
    ),
    lines(
        "Failed reads by reason",
        "Within the hour before. docs/reasons.md lists what to do for each reason. The very first"
        " failure with a reason does not show.",
        {
            "{{reason}}": "sum by (reason)"
            f" (increase({of_repository('backup_read_failures_total')}[1h]))"
        },
        runbook="ResticRepositoryUnreadable",
        size=(12, 10),
    ),
    rows(
        "Unreadable since",
        "Since when each could not be read. Without a time it has never been read.",
        {
            "Failed": (
                f"max by (url, instance) ({of_repository('backup_read_error_count')}) == 1",
                "",
            ),
            "Last read": (
                "max by (url, instance) (time() -"
                f" {of_repository('backup_read_last_success_timestamp_seconds')}"
                f" and {of_repository('backup_read_error_count')} == 1)",
                "s",
            ),
        },
        labels=("url", "instance"),
        runbook="ResticRepositoryUnreadable",
        size=(12, 8),
        nothing="All repositories can be read",
        sort="Last read",
    ),
    lines(
        "To be looked at",
        "Snapshots from the future and invalid ones, locks, and backup sets beyond the 1,000 of a"
        " repository. Locks are normal while restic runs.",
        {
            name: f"sum({by_repository(of_repository(metric))})"
            for name, metric in _TROUBLES.items()
        },
        runbook="ResticLockStale",
    ),
]

_REQUESTS = of_repository("backup_storage_requests_total")
_BYTES = of_repository("backup_storage_received_bytes_total")

COST: Panels = [
    lines(
        "Requests of a day",
        "Requests to the storage within the 24 hours before, by operation. Those of restic itself"
        " are not counted.",
        {"{{operation}}": f"sum by (operation) (increase({_REQUESTS}[1d]))"},
    ),
    lines(
        "Received of a day",
        "Bytes from the storage within the 24 hours before, by operation.",
        {"{{operation}}": f"sum by (operation) (increase({_BYTES}[1d]))"},
        "bytes",
    ),
    bars(
        "Most requests of a day",
        "The 10 repositories that cost the most requests.",
        most(f"sum by (url) (increase({_REQUESTS}[1d]))", 10),
        "{{url}}",
        {None: "blue"},
        size=(12, 8),
    ),
    lines(
        "Duration of a read",
        "The 10 slowest repositories. A read ends at --timeout, 300 s if not configured.",
        {"{{url}}": most(by_repository(of_repository("backup_read_duration_seconds")), 10)},
        "s",
        "ResticJobRunsLong",
    ),
]

_BY_INSTANCE = "{{instance}}"
_LINES_DROPPED = of_daemon("restic_reporter_log_lines_dropped_total")


def _since(metric: str) -> str:
    return f"max by (instance) (time() - {of_daemon(metric)})"


DAEMON: Panels = [
    rows(
        "Daemons",
        "Versions, and when each collects.",
        {
            "Up": (
                f"max by (instance, version, shard) ({of_daemon('restic_reporter_build_info')})",
                "",
            ),
            "Since last collection": (_since("backup_job_last_success_unixtime"), "s"),
            "Until next collection": (
                f"max by (instance) ({of_daemon('backup_job_next_timestamp_seconds')} - time())",
                "s",
            ),
            "Running for": (_since("process_start_time_seconds"), "s"),
            "Config accepted": (
                f"max by (instance) ({of_daemon('backup_config_last_reload_successful')})",
                "bool_yes_no",
            ),
            "State written": (
                f"max by (instance) ({of_daemon('restic_reporter_state_write_success')})",
                "bool_yes_no",
            ),
            "Since state written": (
                _since("restic_reporter_state_last_write_timestamp_seconds"),
                "s",
            ),
            "Vault token for": (
                "max by (instance)"
                f" ({of_daemon('backup_vault_token_expiry_timestamp_seconds')} - time())",
                "s",
            ),
        },
        labels=("instance", "version", "shard"),
        runbook="ResticReporterDown",
        size=(24, 6),
    ),
    lines(
        "Duration of a collection",
        "Of all repositories that were due.",
        {_BY_INSTANCE: of_daemon("backup_job_duration_seconds")},
        "s",
        "ResticJobRunsLong",
    ),
    lines(
        "Lost work",
        "Skipped collections and dropped log lines, within the hour before.",
        {
            "skipped {{instance}}": f"increase({of_daemon('backup_job_skipped_total')}[1h])",
            "log lines {{instance}}": f"increase({_LINES_DROPPED}[1h])",
        },
        runbook="ResticJobSkipped",
    ),
    lines(
        "Memory",
        "Of the Python process, without its children.",
        {_BY_INSTANCE: of_daemon("process_resident_memory_bytes")},
        "bytes",
        size=(8, 8),
    ),
    lines(
        "CPU",
        "Of the Python process, without its children. 100% is one core.",
        {_BY_INSTANCE: f"rate({of_daemon('process_cpu_seconds_total')}[$__rate_interval])"},
        "percentunit",
        size=(8, 8),
    ),
    lines(
        "Reactor held",
        "The longest time that the event loop was blocked between two scrapes.",
        {_BY_INSTANCE: of_daemon("restic_reporter_reactor_lag_seconds")},
        "s",
        "ResticReactorHeld",
        size=(8, 8),
        limit=1,
    ),
]
