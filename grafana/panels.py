"""The pieces a dashboard is made of, and the only file that knows the types of the Grafana Foundation SDK."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

GREEN, AMBER, BLUE, GREY, RED = "#56A64B", "#E0B400", "#3274D9", "#8E8E8E", "#E02F44"
NO_EXPORTER = "no data from Rollcall"
SCHEMA_VERSION = 41  # of Grafana 12; the SDK's own is that of Grafana 10

Panel = stat.Panel | timeseries.Panel | table.Panel


class Place(NamedTuple):
    """Where a panel is, on Grafana's grid of 24 columns."""

    x: int
    y: int
    w: int
    h: int


@dataclass(frozen=True)
class Series:
    """One query of a panel; `name` is its legend, a template where the query gives several series.

    `alarming` ones are grey at 0 and in their colour above.
    """

    name: str
    expr: str
    colour: str | None = None
    alarming: bool = False


@dataclass(frozen=True)
class Column:
    """One column of a table: a label or `Value #A` (the value of the first query), its title, and how it looks.

    `badges` maps a value to the text and the colour of its cell.
    """

    field: str
    title: str
    unit: str | None = None
    badges: tuple[tuple[str, str, str], ...] = ()


def now(title: str, description: str, series: Sequence[Series], place: Place) -> stat.Panel:
    """The newest value of each series, side by side."""
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .grid_pos(_grid(place))
        .datasource(_datasource())
        .unit("short")
        .decimals(0)
        .no_value(NO_EXPORTER)
        .graph_mode(common.BigValueGraphMode.NONE)
        .color_mode(common.BigValueColorMode.VALUE)
        .text_mode(common.BigValueTextMode.VALUE_AND_NAME)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
    )
    for ref, one in zip("ABCDEFGHIJ", series, strict=False):
        panel.with_target(_query(ref, one.expr).instant().legend_format(one.name))
        panel.override_by_name(one.name, _alarming(one) if one.alarming else _fixed(one))
    return panel


def over_time(
    title: str,
    description: str,
    series: Sequence[Series],
    place: Place,
    unit: str = "short",
    stacked: bool = True,
    empty: str = NO_EXPORTER,
) -> timeseries.Panel:
    """Each series over the time range, as steps; `stacked` where their sum means something."""
    mode = common.StackingMode.NORMAL if stacked else common.StackingMode.NONE
    legend = common_builders.VizLegendOptions().display_mode(common.LegendDisplayMode.LIST).show_legend(True)
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .grid_pos(_grid(place))
        .datasource(_datasource())
        .unit(unit)
        .min(0)
        .no_value(empty)
        .line_interpolation(common.LineInterpolation.STEP_AFTER)
        .line_width(1)
        .fill_opacity(60 if stacked else 10)
        .show_points(common.VisibilityMode.NEVER)
        .stacking(common_builders.StackingConfig().mode(mode).group("A"))
        .legend(legend.placement(common.LegendPlacement.BOTTOM).calcs([]))
        .tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.NONE))
    )
    for ref, one in zip("ABCDEFGHIJ", series, strict=False):
        panel.with_target(_query(ref, one.expr).range().legend_format(one.name))
        if one.colour:
            panel.override_by_name(one.name, _fixed(one))
    return panel


def rows(
    title: str,
    description: str,
    exprs: Sequence[str],
    columns: Sequence[Column],
    place: Place,
    sort: tuple[str, bool],
    empty: str = NO_EXPORTER,
) -> table.Panel:
    """A table of instant queries, merged on the labels they share; `sort` is a field and whether it descends.

    Columns come in the order given; values without a column are hidden, also under the name `Value` that Grafana gives
    to the only query with an answer.
    """
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .grid_pos(_grid(place))
        .datasource(_datasource())
        .no_value(empty)
        .show_header(True)
        .cell_height(common.TableCellHeight.SM)
    )
    for ref, expr in zip("ABCDEFGHIJ", exprs, strict=False):
        panel.with_target(_query(ref, expr).instant().format(PromQueryFormat.TABLE))
    for transformation in _merged(len(exprs), columns, sort):
        panel.with_transformation(transformation)
    for column in columns:
        if properties := _column(column):
            panel.override_by_name(column.title, properties)
    return panel


def render(uid: str, title: str, description: str, fleets: str, panels: Sequence[Panel]) -> dict[str, Any]:
    """A dashboard as Grafana's JSON model; `fleets` is the query of its variable `fleet`."""
    board = (
        builders.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(["rollcall"])
        .time("now-1h", "now")
        .refresh("30s")
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .with_variable(builders.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(_fleet(fleets))
    )
    for number, panel in enumerate(panels, start=1):
        board.with_panel(panel.id(number))
    model = cast("dict[str, Any]", json.loads(json.dumps(board.build(), cls=JSONEncoder)))
    model["schemaVersion"] = SCHEMA_VERSION
    model["id"] = None
    for variable in model["templating"]["list"]:
        variable.pop("id", None)
    for panel_model in model["panels"]:
        if panel_model["type"] == "table":
            panel_model["options"]["enablePagination"] = True  # Grafana 12 moved it here from the footer
    return model


def _fleet(query: str) -> builders.QueryVariable:
    """The variable `fleet`: any number of them, all at first, also those that the query does not list."""
    return (
        builders.QueryVariable("fleet")
        .label("Fleet")
        .datasource(_datasource())
        .query({"query": query, "refId": "fleet"})
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(dashboard.VariableOption(selected=True, text=["All"], value=["$__all"]))
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
    )


def _query(ref: str, expr: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().ref_id(ref).expr(expr).datasource(_datasource())


def _datasource() -> dashboard.DataSourceRef:
    return dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")


def _grid(place: Place) -> dashboard.GridPos:
    return dashboard.GridPos(x=place.x, y=place.y, w=place.w, h=place.h)


def _fixed(series: Series) -> list[dashboard.DynamicConfigValue]:
    return [dashboard.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": series.colour})]


def _alarming(series: Series) -> list[dashboard.DynamicConfigValue]:
    steps = [{"color": GREY, "value": None}, {"color": series.colour, "value": 1}]
    return [
        dashboard.DynamicConfigValue(id_val="color", value={"mode": "thresholds"}),
        dashboard.DynamicConfigValue(id_val="thresholds", value={"mode": "absolute", "steps": steps}),
    ]


def _merged(
    queries: int, columns: Sequence[Column], sort: tuple[str, bool]
) -> tuple[dashboard.DataTransformerConfig, ...]:
    """Make one frame of all answers, sort its rows, then name, order and hide its fields."""
    values = {f"Value #{ref}" for ref in "ABCDEFGHIJ"[:queries]}
    hidden = sorted({"Time", "Value", *values} - {column.field for column in columns})
    order = {"sort": [{"field": sort[0], "desc": sort[1]}]}
    organize = {
        "excludeByName": dict.fromkeys(hidden, True),
        "indexByName": {column.field: at for at, column in enumerate(columns)},
        "renameByName": {column.field: column.title for column in columns},
    }
    return (
        dashboard.DataTransformerConfig(id_val="merge", options={}),
        dashboard.DataTransformerConfig(id_val="sortBy", options=order),
        dashboard.DataTransformerConfig(id_val="organize", options=organize),
    )


def _column(column: Column) -> list[dashboard.DynamicConfigValue]:
    properties = []
    if column.unit:
        properties.append(dashboard.DynamicConfigValue(id_val="unit", value=column.unit))
    if column.badges:
        options = {
            value: {"text": text, "color": colour, "index": at}
            for at, (value, text, colour) in enumerate(column.badges)
        }
        mappings = [{"type": "value", "options": options}]
        cell = {"type": "color-background", "mode": "basic"}
        properties.append(dashboard.DynamicConfigValue(id_val="mappings", value=mappings))
        properties.append(dashboard.DynamicConfigValue(id_val="custom.cellOptions", value=cell))
    return properties
