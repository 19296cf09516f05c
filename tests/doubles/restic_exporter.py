"""What is known of ngosang/restic-exporter, version 2.1.2: names and queries."""

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
