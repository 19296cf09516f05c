"""What is known of ngosang/restic-exporter, version 2.1.2: names and queries."""

import hashlib
from datetime import datetime
from typing import Any

from tests.doubles.daemons import Labels, Metrics

# Of the repository, without a label.
OF_REPOSITORY = (
    *("restic_check_success", "restic_locks_total", "restic_scrape_duration_seconds"),
    *("restic_size_total", "restic_uncompressed_size_total", "restic_compression_ratio"),
    *("restic_blob_count_total", "restic_snapshots_total"),
)

# Of each client.
OF_CLIENT = (
    *("restic_backup_timestamp", "restic_backup_snapshots_total", "restic_backup_files_total"),
    *("restic_backup_size_total", "restic_backup_files_new", "restic_backup_files_changed"),
    *("restic_backup_files_unmodified", "restic_backup_dirs_new", "restic_backup_dirs_changed"),
    *("restic_backup_dirs_unmodified", "restic_backup_data_added_bytes"),
    "restic_backup_duration_seconds",
)
LABELS = {
    *("client_hostname", "client_username", "client_version"),
    *("snapshot_hash", "snapshot_tag", "snapshot_tags", "snapshot_paths"),
}

# Those that its dashboard sums by client, or shows as they are.
SUMMED = tuple(name for name in OF_CLIENT if name != "restic_backup_timestamp")


def restic_metrics(metrics: Metrics) -> dict[tuple[str, Labels], float]:
    """Its metrics on a page."""
    return {
        (name, labels): value
        for (name, labels), value in metrics.samples.items()
        if name in OF_REPOSITORY + OF_CLIENT
    }


def documented(listed: list[dict[str, Any]]) -> dict[tuple[str, Labels], float]:
    """What it shows of each client, from the output of ``restic snapshots --json``."""
    clients: dict[str, list[dict[str, Any]]] = {}
    for one in listed:
        named = f"{one['hostname']}{one.get('username', '')}{','.join(one['paths'])}"
        clients.setdefault(hashlib.sha256(named.encode()).hexdigest(), []).append(one)
    found: dict[tuple[str, Labels], float] = {}
    for digest, some in clients.items():
        newest = max(some, key=lambda one: _seconds(one["time"]))
        tags, summary = newest.get("tags") or [], newest.get("summary", {})
        labels = {
            "client_hostname": newest["hostname"],
            "client_username": newest.get("username", ""),
            "client_version": newest.get("program_version", ""),
            "snapshot_hash": digest,
            "snapshot_tag": tags[0] if tags else "",
            "snapshot_tags": ",".join(tags),
            "snapshot_paths": ",".join(newest["paths"]),
        }
        duration = -1.0
        if summary:
            duration = _seconds(summary["backup_end"]) - _seconds(summary["backup_start"])
        values = {
            "restic_backup_timestamp": int(_seconds(newest["time"])),
            "restic_backup_snapshots_total": len(some),
            "restic_backup_duration_seconds": duration,
            **{f"restic_backup_{name}": summary.get(key, -1) for name, key in _SUMMARY.items()},
        }
        for name, value in values.items():
            found[name, tuple(sorted(labels.items()))] = value
    return found


# Members of a summary, by the metrics that show them.
_SUMMARY = {
    "files_total": "total_files_processed",
    "size_total": "total_bytes_processed",
    "files_new": "files_new",
    "files_changed": "files_changed",
    "files_unmodified": "files_unmodified",
    "dirs_new": "dirs_new",
    "dirs_changed": "dirs_changed",
    "dirs_unmodified": "dirs_unmodified",
    "data_added_bytes": "data_added",
}


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
