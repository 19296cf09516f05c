"""
Make the dashboard for Grafana: ``python -m monitoring.dashboard`` writes grafana-dashboard.json.

Change it here, not in Grafana or in the JSON; a test compares the two.
"""

import json
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    Panel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from monitoring import rows_of_backups, rows_of_daemon, rows_of_insight
from monitoring.panels import DATASOURCE, Panels, link
from monitoring.queries import of_daemon

ROWS: dict[str, Panels] = {
    "Now": rows_of_backups.NOW,
    "Worst sets first": rows_of_backups.WORST,
    "Ages against their limits": rows_of_backups.AGES,
    "Days": rows_of_backups.DAYS,
    "Sizes and durations": rows_of_backups.SIZES,
    "What the newest snapshots tell": rows_of_insight.NEWEST,
    "Retention": rows_of_insight.RETENTION,
    "Copies": rows_of_insight.COPIES,
    "Checks and other jobs": rows_of_insight.RESULTS,
    "Keys and sizes": rows_of_insight.KEYS,
    "Failed reads": rows_of_daemon.READING,
    "Cost of reading": rows_of_daemon.COST,
    "The daemon itself": rows_of_daemon.DAEMON,
}

FILE = Path(__file__).with_name("grafana-dashboard.json")


def _choice(name: str, label: str, query: str, text: str) -> dashboard.QueryVariable:
    """Return a variable of which several values may be chosen, at first all."""
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .description(text)
        .datasource(DATASOURCE)
        .query({"query": query, "refId": name})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(VariableOption(text=["All"], value=["$__all"], selected=True))
    )


def _variables() -> list[Builder]:  # type: ignore[type-arg]
    repositories = 'label_values(backup_read_success{instance=~"$instance"}, url)'
    hosts = (
        'label_values(backup_set_snapshot_count{instance=~"$instance", url=~"$repository"}, host)'
    )
    return [
        dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"),
        _choice(
            "instance",
            "Daemon",
            "label_values(restic_reporter_build_info, instance)",
            "The restic-reporter that reads the repositories",
        ),
        _choice("repository", "Repository", repositories, "As written in the config"),
        _choice("host", "Host", hosts, "The host that is backed up"),
        dashboard.TextBoxVariable("runbooks")
        .label("Runbooks")
        .description("Address of docs/alerts.md where your people read it, for the links")
        .default_value("docs/alerts.md"),
    ]


def _restarts() -> dashboard.AnnotationQuery:
    started = f"changes({of_daemon('process_start_time_seconds')}[5m]) > 0"
    restarts = dashboard.AnnotationQuery().name("Restarts of the daemon").datasource(DATASOURCE)
    return restarts.enable(True).icon_color("purple").expr(started)


def build() -> str:
    """Return the dashboard as JSON."""
    made = (
        dashboard.Dashboard("restic backups")
        .uid("restic-reporter")
        .description("Which restic backups are late or broken, as restic-reporter reads them.")
        .tags(["backup", "restic"])
        .time("now-7d", "now")
        .refresh("1m")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .timezone("browser")
        .variables(_variables())
        .annotation(_restarts())
        .link(link("Runbooks"))
    )
    numbers = iter(range(1, 1000))
    for title, panels in ROWS.items():
        made.with_row(dashboard.Row(title).id(next(numbers)))
        for panel in panels:
            made.with_panel(_Numbered(panel, next(numbers)))
    return json.dumps(made.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


class _Numbered(Builder[Panel]):
    """A panel with an id, which Grafana needs to link to it."""

    def __init__(self, panel: Builder[Panel], number: int) -> None:
        self._panel = panel
        self._number = number

    def build(self) -> Panel:
        panel = self._panel.build()
        panel.id_val = self._number
        return panel


if __name__ == "__main__":
    FILE.write_text(build())
