"""Panels in one style: every one has a description, a unit, and a link to the runbook that fits."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BigValueColorMode,
    BigValueGraphMode,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    Panel,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

DATASOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")

SETS = "{{host}} ({{user}})"

Panels = Sequence[Builder[Panel]]

# Of the columns with labels in tables.
_HEADINGS = {
    "alertname": "Alert",
    "copy": "Copy",
    "host": "Host",
    "instance": "Daemon",
    "kind": "Job",
    "severity": "Severity",
    "shard": "Shard",
    "url": "Repository",
    "user": "User",
    "version": "Version",
}

P = TypeVar(
    "P",
    bargauge.Panel,
    heatmap.Panel,
    stat.Panel,
    statetimeline.Panel,
    table.Panel,
    timeseries.Panel,
)


def link(title: str, anchor: str = "") -> dashboard.DashboardLink:
    """Return a link to a runbook, by the variable with their address."""
    url = "${runbooks}" + (f"#{anchor.lower()}" if anchor else "")
    one = dashboard.DashboardLink(title).type(DashboardLinkType.LINK).url(url)
    return one.icon("doc").tooltip("What it means, and what to do").target_blank(True)


def _styled(
    panel: P, title: str, text: str, runbook: str, size: tuple[int, int], unit: str = "short"
) -> P:
    width, height = size
    panel = panel.title(title).description(text).datasource(DATASOURCE).unit(unit)
    panel = panel.span(width).height(height)
    return panel.links([link(f"Runbook: {runbook}", runbook)]) if runbook else panel


def _latest() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)


def _steps(steps: Mapping[float | None, str]) -> dashboard.ThresholdsConfig:
    found = [Threshold(value=value, color=color) for value, color in steps.items()]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(found)


def _queries(expressions: Mapping[str, str]) -> list[prometheus.Dataquery]:
    """Return range queries; the keys are the legends."""
    return [
        prometheus.Dataquery().expr(expr).legend_format(legend).ref_id(chr(ord("A") + at)).range()
        for at, (legend, expr) in enumerate(expressions.items())
    ]


def _instant(expression: str, at: int = 0) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(expression).ref_id(chr(ord("A") + at)).instant()


def number(
    title: str,
    text: str,
    expression: str,
    steps: Mapping[float | None, str],
    unit: str = "short",
    runbook: str = "",
) -> stat.Panel:
    """Return a tile with one number, coloured by ``steps``."""
    panel = _styled(stat.Panel(), title, text, runbook, (3, 4), unit)
    panel = panel.thresholds(_steps(steps)).color_mode(BigValueColorMode.BACKGROUND)
    panel = panel.graph_mode(BigValueGraphMode.NONE).reduce_options(_latest())
    return panel.with_target(_instant(expression))


def lines(
    title: str,
    text: str,
    expressions: Mapping[str, str],
    unit: str = "short",
    runbook: str = "",
    *,
    size: tuple[int, int] = (12, 8),
    limit: float | None = None,
) -> timeseries.Panel:
    """Return lines over time; the keys of ``expressions`` are the legends, ``limit`` a red line."""
    legend = (
        common.VizLegendOptions()
        .display_mode(LegendDisplayMode.TABLE)
        .placement(LegendPlacement.BOTTOM)
        .show_legend(True)
        .calcs(["lastNotNull", "max"])
    )
    tooltip = common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)
    panel = _styled(timeseries.Panel(), title, text, runbook, size, unit).min(0)
    panel = panel.legend(legend).tooltip(tooltip).fill_opacity(8).line_width(1)
    panel = panel.show_points(VisibilityMode.NEVER).span_nulls(True)
    if limit is not None:
        style = common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
        panel = panel.thresholds(_steps({None: "transparent", limit: "red"}))
        panel = panel.thresholds_style(style)
    return panel.targets([*_queries(expressions)])


def bars(
    title: str,
    text: str,
    expression: str,
    legend: str,
    steps: Mapping[float | None, str],
    unit: str = "short",
    runbook: str = "",
    *,
    size: tuple[int, int] = (12, 10),
    top: float | None = None,
) -> bargauge.Panel:
    """Return a bar for each series of an instant query."""
    panel = _styled(bargauge.Panel(), title, text, runbook, size, unit).min(0)
    panel = panel.thresholds(_steps(steps)).orientation(VizOrientation.HORIZONTAL)
    panel = panel.display_mode(BarGaugeDisplayMode.BASIC).reduce_options(_latest())
    if top is not None:
        panel = panel.max(top)
    return panel.with_target(_instant(f"sort_desc({expression})").legend_format(legend))


def states(
    title: str,
    text: str,
    expression: str,
    legend: str,
    names: tuple[str, str],
    runbook: str,
    *,
    size: tuple[int, int] = (12, 10),
) -> statetimeline.Panel:
    """Return when each series was 0 (green) and 1 (red), with ``names`` for the two."""
    mapped: dict[str, ValueMappingResult] = {
        str(at): ValueMappingResult(text=name, color=color, index=at)
        for at, (name, color) in enumerate(zip(names, ("green", "red"), strict=True))
    }
    values: list[ValueMapping] = [ValueMap(options=mapped)]
    panel = _styled(statetimeline.Panel(), title, text, runbook, size).mappings(values)
    panel = panel.show_value(VisibilityMode.NEVER).row_height(0.8).merge_values(True)
    return panel.targets([*_queries({legend: expression})])


def days(title: str, text: str, expression: str, legend: str, runbook: str) -> heatmap.Panel:
    """Return a heat map of the last 30 days: a row for each series, a cell for each day."""
    panel = _styled(heatmap.Panel(), title, text, runbook, (12, 12))
    panel = panel.calculate(False).interval("1d").time_from("30d").hide_legend()
    scheme = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Greens")
    panel = panel.color(scheme.min(0).max(4).steps(5).reverse(False)).cell_gap(2)
    query = prometheus.Dataquery().expr(expression).legend_format(legend).ref_id("A").range()
    return panel.with_target(query.interval("1d"))


def rows(
    title: str,
    text: str,
    columns: Mapping[str, tuple[str, str]],
    *,
    labels: Sequence[str],
    runbook: str = "",
    size: tuple[int, int] = (24, 10),
    nothing: str = "",
    sort: str = "",
    steps: Mapping[str, Mapping[float | None, str]] | None = None,
) -> table.Panel:
    """
    Return a table with one column for each label, then those of ``columns``: name to expression
    and unit. Without a unit the expression only selects rows. ``sort`` is the column to sort by,
    largest first; ``steps`` are colours by column.
    """
    panel = _styled(table.Panel(), title, text, runbook, size).filterable(True)
    for at, (expression, _) in enumerate(columns.values()):
        panel = panel.with_target(_instant(expression, at).format(PromQueryFormat.TABLE))
    fields = ["Value"] if len(columns) == 1 else [f"Value #{chr(65 + at)}" for at in range(26)]
    named = dict(zip(fields, columns, strict=False))
    shown = [*labels, *(field for field, name in named.items() if columns[name][1])]
    # Joins the answers by their labels, then leaves only what is asked for, in this order.
    order = {name: at for at, name in enumerate(shown)}
    wanted = {"include": {"names": shown}}
    panel = panel.with_transformation(DataTransformerConfig(id_val="merge", options={}))
    panel = panel.with_transformation(
        DataTransformerConfig(id_val="filterFieldsByName", options=wanted)
    ).with_transformation(
        DataTransformerConfig(
            id_val="organize",
            options={"indexByName": order, "renameByName": {**_HEADINGS, **named}},
        )
    )
    for name, (_, unit) in columns.items():
        properties = [DynamicConfigValue("unit", unit)]
        if steps and name in steps:
            properties += [
                DynamicConfigValue("thresholds", _steps(steps[name]).build()),
                DynamicConfigValue("color", {"mode": FieldColorModeId.THRESHOLDS}),
                DynamicConfigValue(
                    "custom.cellOptions", {"type": "color-background", "mode": "basic"}
                ),
            ]
        panel = panel.override_by_name(name, properties)
    if sort:
        panel = panel.sort_by([common.TableSortByFieldState().display_name(sort).desc(True)])
    return panel.no_value(nothing) if nothing else panel
