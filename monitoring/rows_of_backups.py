"""The rows of the dashboard on backups."""

from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from monitoring.panels import SETS, Panels, bars, days, lines, link, number, rows, states
from monitoring.queries import (
    AGE,
    AGE_OF_LIMIT,
    LATE,
    LIMIT,
    NEWEST,
    RUNS_MET,
    by_repository,
    by_set,
    counted,
    most,
    of_daemon,
    of_repository,
    of_set,
)

_NONE_IS_GOOD: dict[float | None, str] = {None: "green", 1: "red"}
_PLAIN: dict[float | None, str] = {None: "blue"}
_OF_RUNS: dict[float | None, str] = {None: "red", 0.8: "orange", 0.95: "green"}
_OF_LIMIT: dict[float | None, str] = {None: "green", 0.8: "orange", 1: "red"}

NOW: Panels = [
    number(
        "Late backups",
        "Backup sets that are older than their own limit or schedule in the config allows, or"
        " without one than their own rhythm, or than 3 days if too few backups are known.",
        f"sum({by_set(LATE)}) or vector(0)",
        _NONE_IS_GOOD,
        runbook="ResticBackupOverdue",
    ),
    number(
        "Missing backups",
        "Backup sets that the config expects, and that no repository has.",
        counted(f"{by_set(of_set('backup_set_expected'))} == 0"),
        _NONE_IS_GOOD,
        runbook="ResticBackupMissing",
    ),
    number(
        "Unreadable repositories",
        "Repositories whose latest read failed. Their ages are from the last good read.",
        f"sum({by_repository(of_repository('backup_read_error_count'))})",
        _NONE_IS_GOOD,
        runbook="ResticRepositoryUnreadable",
    ),
    number(
        "Fewest fresh copies",
        "In how many repositories the worst host has a fresh backup. Needs the recording rules.",
        'min(host:backup_repositories_fresh:count{host=~"$host"})',
        {None: "red", 1: "green"},
        runbook="ResticBackupOverdue",
    ).no_value("no rules"),
    number(
        "Last collection",
        "Time since all repositories were last read, by the daemon that is furthest behind.",
        f"time() - min({of_daemon('backup_job_last_success_unixtime')})",
        {None: "green", 86400: "orange", 26 * 3600: "red"},
        "s",
        "ResticJobNotRun",
    ),
    number(
        "Backup sets",
        "A backup set is all snapshots of one user on one host in one repository.",
        f"count({by_set(NEWEST)})",
        _PLAIN,
    ),
    number(
        "Repositories",
        "Repositories that were read at least once.",
        f"count({by_repository(of_repository('backup_snapshot_count'))})",
        _PLAIN,
    ),
    number(
        "Snapshots",
        "In all repositories.",
        f"sum({by_repository(of_repository('backup_snapshot_count'))})",
        _PLAIN,
    ),
]

WORST: Panels = [
    rows(
        "Backup sets, worst first",
        "Sorted by age against the limit. The limit is the set's own in the config, the time that"
        " its schedule gives it, what was learned from its earlier backups, or 3 days. By a learned"
        " limit a set is late once a read has found no newer backup, by another at 100%.",
        {
            "Late": (by_set(LATE), "bool_yes_no"),
            "Of its limit": (by_set(AGE_OF_LIMIT), "percentunit"),
            "Age": (by_set(AGE), "s"),
            "Limit": (by_set(LIMIT), "s"),
            "Snapshots": (by_set(of_set("backup_set_snapshot_count")), "short"),
            "Days of the last 30": (
                by_set(of_set("backup_set_retained_days", 'window="30d"')),
                "short",
            ),
            "Due backups made": (by_set(RUNS_MET), "percentunit"),
            "Last added": (by_set(of_set("backup_newest_added_bytes")), "bytes"),
        },
        labels=("host", "user", "url"),
        runbook="ResticBackupOverdue",
        size=(16, 12),
        sort="Of its limit",
        steps={"Late": _NONE_IS_GOOD, "Of its limit": _OF_LIMIT, "Due backups made": _OF_RUNS},
    ),
    rows(
        "Firing alerts",
        "Alerts of the rules in monitoring/. The runbooks say what to do, and in which order.",
        {"Firing": ('ALERTS{alertname=~"Restic.*", alertstate="firing"}', "")},
        labels=("severity", "alertname", "host", "url", "instance"),
        size=(8, 12),
        nothing="No alert",
    )
    .override_by_name("Severity", [DynamicConfigValue("custom.width", 80)])
    .override_by_name("Alert", [DynamicConfigValue("links", [link("Runbooks").build()])]),
]

AGES: Panels = [
    bars(
        "Age against the limit",
        "The 20 worst backup sets now. 100% is late; by a learned limit, once a read has found no"
        " newer backup.",
        most(by_set(AGE_OF_LIMIT)),
        f"{SETS} {{{{url}}}}",
        _OF_LIMIT,
        "percentunit",
        "ResticBackupOverdue",
        top=1.5,
    ),
    states(
        "Late or in time",
        "Each host, by its worst backup set.",
        f"max by (host) ({LATE})",
        "{{host}}",
        ("in time", "late"),
        "ResticBackupOverdue",
    ),
    lines(
        "Age against the limit, over time",
        "The 20 worst at each moment. Each backup lets a line fall; the red line is the limit.",
        {f"{SETS} {{{{url}}}}": most(by_set(AGE_OF_LIMIT))},
        "percentunit",
        "ResticBackupOverdue",
        limit=1,
    ),
    lines(
        "Repositories with a fresh backup",
        "Of each host. Needs the recording rules.",
        {"{{host}}": 'host:backup_repositories_fresh:count{host=~"$host"}'},
        runbook="ResticBackupOverdue",
    ),
]

DAYS: Panels = [
    days(
        "Backups of each day",
        "How often the newest snapshot of a host changed within the day before. Several"
        " backups between two collections count once. A gap is a day without a backup.",
        f"sum by (host) (changes({NEWEST}[1d]))",
        "{{host}}",
        "ResticBackupTooOld",
    ),
    bars(
        "Days with a snapshot, of the last 30",
        "From the snapshots that the repository still has: forget removes some.",
        most(by_set(of_set("backup_set_retained_days", 'window="30d"'))),
        f"{SETS} {{{{url}}}}",
        {None: "red", 7: "orange", 20: "green"},
        size=(6, 12),
        top=30,
    ),
    bars(
        "Scheduled backups made in time",
        "Of those that were due within the last 30 days; the 20 worst. Only for backup sets with a"
        " schedule in the config; snapshots removed since count too. Needs the recording rules.",
        f"bottomk(20, {by_set(RUNS_MET)})",
        f"{SETS} {{{{url}}}}",
        _OF_RUNS,
        "percentunit",
        "ResticBackupOverdue",
        size=(6, 12),
        top=1,
    ),
]

SIZES: Panels = [
    lines(
        "Data in the newest backup",
        "All files that the newest snapshot covers; the 20 largest. A sudden fall may be a disk"
        " that is not mounted. restic 0.17 or newer wrote this.",
        {SETS: most(by_set(of_set("backup_newest_processed_bytes")))},
        "bytes",
        "ResticSourceVanished",
    ),
    lines(
        "Data added by the newest backup",
        "New data, before compression; the 20 largest. A sudden rise may be ransomware. restic 0.17"
        " or newer wrote this.",
        {SETS: most(by_set(of_set("backup_newest_added_bytes")))},
        "bytes",
        "ResticNearlyEverythingChanged",
    ),
    lines(
        "Duration of the newest backup",
        "The 20 longest. restic 0.17 or newer wrote this.",
        {SETS: most(by_set(of_set("backup_newest_duration_seconds")))},
        "s",
    ),
    lines(
        "Snapshots of each set",
        "Of each backup set, the 20 largest. A sudden fall is a forget that nobody may have meant.",
        {SETS: most(by_set(of_set("backup_set_snapshot_count")))},
        runbook="ResticSnapshotsVanished",
    ),
]
