"""The expressions of the dashboard that several panels use, and how variables select series."""

# As in the alert ResticBackupTooOld: for sets without a limit in the config or a learned one.
DEFAULT_LIMIT = 3 * 86400

_OF_DAEMON = 'instance=~"$instance"'
_OF_REPOSITORY = f'{_OF_DAEMON}, url=~"$repository"'
_OF_SET = f'{_OF_REPOSITORY}, host=~"$host"'


def of_daemon(metric: str) -> str:
    """Select the series of a metric of the chosen daemons."""
    return f"{metric}{{{_OF_DAEMON}}}"


def of_repository(metric: str) -> str:
    """Select the series of a metric of the chosen repositories."""
    return f"{metric}{{{_OF_REPOSITORY}}}"


def of_set(metric: str, also: str = "") -> str:
    """Select the series of a metric of the chosen backup sets; ``also`` is one more matcher."""
    return f"{metric}{{{_OF_SET}{also and ', '}{also}}}"


def by_set(expression: str) -> str:
    """Drop the labels of the daemon: two that read one repository show the same sets."""
    return f"max by (host, user, url) ({expression})"


def by_repository(expression: str) -> str:
    """Drop the labels of the daemon, for metrics of repositories."""
    return f"max by (url) ({expression})"


def most(expression: str, number: int = 20) -> str:
    """Keep the largest: a panel with a thousand lines helps nobody."""
    return f"topk({number}, {expression})"


def counted(expression: str) -> str:
    """Count the series, 0 for none."""
    return f"count({expression}) or vector(0)"


NEWEST = of_set("backup_newest_timestamp")
AGE = f"(time() - {NEWEST})"

# The set's own limit, or the time that its schedule gives it, or what was learned, or the default.
LIMIT = (
    f"({of_set('backup_set_max_age_seconds')}"
    f" or {of_set('backup_set_due_timestamp_seconds')} - {NEWEST}"
    f" or {of_set('backup_set_learned_max_age_seconds')}"
    f" or 0 * {NEWEST} + {DEFAULT_LIMIT})"
)

# 1 is the limit.
AGE_OF_LIMIT = f"{AGE} / {LIMIT}"

# 1 when every scheduled backup was made in time.
RUNS_MET = of_set("set:backup_runs_met:ratio_30d")

# 1 for a set that is late by its own limit or rhythm, else by the default, 0 for one that is not.
LATE = f"({of_set('backup_set_late')} or {AGE} > bool {DEFAULT_LIMIT})"
