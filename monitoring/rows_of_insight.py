"""The rows of the dashboard on what snapshots, copies, other jobs and keys tell."""

from monitoring.panels import SETS, Panels, bars, lines, rows, states
from monitoring.queries import by_repository, by_set, most, of_repository, of_set

_SETS_OF = f"{SETS} {{{{url}}}}"
_REPOSITORY = "{{url}}"

_OF_USUAL: dict[float | None, str] = {None: "red", 1 / 3: "orange", 2 / 3: "green"}
_PLAIN: dict[float | None, str] = {None: "blue"}

_ADDED = of_set("backup_newest_added_bytes")
_PROCESSED = of_set("backup_newest_processed_bytes")
_TOUCHED = of_set("backup_newest_files", 'state=~"new|changed"')


def _least(expression: str) -> str:
    return f"bottomk(20, {expression})"


def _since(metric: str) -> str:
    return by_repository(f"time() - {of_repository(metric)}")


NEWEST: Panels = [
    bars(
        "Least of the usual size",
        "Bytes in the newest snapshot against the median of the ten before it; the 20 smallest."
        " Below a third, the source may have vanished. restic 0.17 or newer wrote this.",
        _least(by_set(of_set("backup_newest_processed_bytes_ratio"))),
        _SETS_OF,
        _OF_USUAL,
        "percentunit",
        "ResticSourceVanished",
        top=1.5,
    ),
    bars(
        "Least of the usual number of files",
        "Files in the newest snapshot against the median of the ten before it; the 20 smallest.",
        _least(by_set(of_set("backup_newest_files_ratio"))),
        _SETS_OF,
        _OF_USUAL,
        "percentunit",
        "ResticSourceVanished",
        top=1.5,
    ),
    lines(
        "Part of the newest snapshot that is new",
        "Added bytes against all; the 20 most. Above two thirds, everything may be encrypted, if"
        " it is not so each time.",
        {SETS: most(by_set(f"{_ADDED} / ({_PROCESSED} > 0)"))},
        "percentunit",
        "ResticNearlyEverythingChanged",
        limit=2 / 3,
    ),
    lines(
        "Added and changed, against the usual",
        "Added bytes and changed files of the newest snapshot, each against the median of the ten"
        " before it: 1 is as usual. The 10 most of both.",
        {
            f"added {SETS}": most(by_set(of_set("backup_newest_added_bytes_ratio")), 10),
            f"changed {SETS}": most(by_set(of_set("backup_newest_changed_files_ratio")), 10),
        },
        runbook="ResticNearlyEverythingChanged",
    ),
    lines(
        "Fewest new and changed files",
        "In the newest snapshot; the 20 fewest. A line that stays at 0 may be a frozen source.",
        {SETS: _least(f"sum by (host, user, url) ({_TOUCHED})")},
        runbook="ResticNothingChanged",
    ),
    lines(
        "Given or forged times",
        "Snapshots whose time is not when they were made or stored; the 20 repositories with most.",
        {_REPOSITORY: most(by_repository(of_repository("backup_backdated_snapshot_count")))},
        runbook="ResticSnapshotBackdated",
    ),
]

_REMOVED = of_repository("backup_snapshots_removed_total")

RETENTION: Panels = [
    lines(
        "Removed snapshots of a day",
        "Snapshots that one read found and the next did not, within the 24 hours before; the 20"
        " repositories with most.",
        {_REPOSITORY: most(f"max by (url) (increase({_REMOVED}[1d]))")},
        runbook="ResticNothingRemoved",
    ),
    lines(
        "Lists of paths",
        "Of each backup set; the 20 with most. forget keeps the newest snapshots of each of them.",
        {SETS: most(by_set(of_set("backup_set_path_groups")))},
        runbook="ResticManyPathLists",
    ),
    bars(
        "Since snapshots were removed",
        "The 20 repositories where forget removed something longest ago.",
        most(_since("backup_last_removal_timestamp_seconds")),
        _REPOSITORY,
        {None: "green", 7 * 86400: "orange"},
        "s",
        "ResticNothingRemoved",
        size=(24, 8),
    ),
]


def _by_copy(metric: str) -> str:
    return f"max by (host, user, url, copy) ({of_set(metric)})"


COPIES: Panels = [
    rows(
        "Copies",
        "How far each copy of a backup set is behind, and what it lacks of the newest 30 days. Only"
        " with copies in the config. A lag of ∞: the copy has no snapshot of the set.",
        {
            "Lag": (_by_copy("backup_set_copy_lag_seconds"), "s"),
            "Missing": (_by_copy("backup_set_copy_missing"), "short"),
        },
        labels=("host", "user", "url", "copy"),
        runbook="ResticCopyLate",
        size=(12, 10),
        nothing="No copies in the config",
        sort="Lag",
        steps={"Missing": {None: "green", 1: "orange"}},
    ),
    lines(
        "Missing in copies",
        "Snapshots of the newest 30 days that a copy lacks; the 20 most.",
        {f"{SETS} in {{{{copy}}}}": most(_by_copy("backup_set_copy_missing"))},
        runbook="ResticCopyIncomplete",
        size=(12, 10),
    ),
]

_SUCCESS = of_repository("backup_result_success")
_RESULT_TIME = of_repository("backup_result_timestamp_seconds")

RESULTS: Panels = [
    rows(
        "Checks, restore drills and other jobs",
        "The latest of each kind, as reported from outside or run by the daemon.",
        {
            "Succeeded": (f"min by (url, kind) ({_SUCCESS})", "bool_yes_no"),
            "Ended ago": (f"min by (url, kind) (time() - {_RESULT_TIME})", "s"),
        },
        labels=("url", "kind"),
        runbook="ResticResultTooOld",
        size=(12, 10),
        nothing="No job was reported",
        sort="Ended ago",
        steps={"Succeeded": {None: "red", 1: "green"}},
    ),
    states(
        "Failed jobs",
        "Each repository, by its worst kind of job.",
        f"max by (url) (1 - {_SUCCESS})",
        _REPOSITORY,
        ("succeeded", "failed"),
        "ResticResultFailed",
    ),
]

KEYS: Panels = [
    rows(
        "Formats and keys",
        "Format of each repository, where the native reader has opened it, and its keys. A key that"
        " nobody knows of is an alarm.",
        {
            "Known": (
                f"max by (url, version) ({of_repository('backup_repository_info')})",
                "",
            ),
            "Keys": (by_repository(of_repository("backup_key_count")), "short"),
            "Newest key": (_since("backup_newest_key_timestamp_seconds"), "s"),
        },
        labels=("url", "version"),
        runbook="ResticKeyAdded",
        size=(24, 8),
    ),
    lines(
        "Size of repositories",
        "All packs, as last listed by size_cron; the 20 largest.",
        {_REPOSITORY: most(by_repository(of_repository("backup_repository_stored_bytes")))},
        "bytes",
    ),
    lines(
        "Packs",
        "As last listed by size_cron; the 20 repositories with most.",
        {_REPOSITORY: most(by_repository(of_repository("backup_repository_pack_count")))},
    ),
]
