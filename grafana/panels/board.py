"""A dashboard: panels in lines, variables, annotations, and the links at its top."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard

from grafana.annotations import Annotation
from grafana.panels.notes import Row
from grafana.panels.parts import DATASOURCE, Model, Panel, encoded
from grafana.variables import Choice, Entry, Variable

WIDTH = 24
SCHEMA_VERSION = 41  # of Grafana 12; the SDK's own is that of Grafana 10
TAG = "rollcall"
UNSORTED, NATURAL = 0, 7  # of Grafana's enumeration VariableSort; the SDK ends at 6

AnyVariable = builders.TextBoxVariable | builders.CustomVariable | builders.QueryVariable

Line = Row | Sequence[Panel | Sequence[Panel]]
"""Panels side by side, from the left; a sequence among them is a column of panels, one below the other."""


@dataclass(frozen=True)
class Board:
    """A dashboard before it is JSON; `since` is the start of its time range."""

    uid: str
    title: str
    description: str
    lines: tuple[Line, ...]
    variables: tuple[Variable | Choice | Entry, ...]
    annotations: tuple[Annotation, ...] = ()
    since: str = "now-1h"
    refresh: str = "30s"


def rendered(board: Board) -> Model:
    """A dashboard as Grafana's JSON model, without an id of its own and not to be edited.

    Raises ValueError where a line is wider than the grid.
    """
    builder = (
        builders.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags([TAG])
        .time(board.since, "now")
        .timezone("browser")
        .refresh(board.refresh)
        .readonly()
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .link(_others())
        .with_variable(builders.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    )
    for variable in board.variables:
        builder.with_variable(_variable(variable))
    model: Model = encoded(builder.build())
    asked = [variable for variable in board.variables if isinstance(variable, Variable)]
    order = {variable.name: NATURAL if variable.sorted else UNSORTED for variable in asked}
    for found in model["templating"]["list"]:
        found.pop("id", None)
        if found["name"] in order:
            found["sort"] = order[found["name"]]
    model["annotations"] = {"list": [_annotation(annotation) for annotation in board.annotations]}
    model["panels"] = list(_placed(board.lines))
    return model | {"id": None, "schemaVersion": SCHEMA_VERSION}


def _placed(lines: Iterable[Line]) -> Iterator[Model]:
    """Panels with ids and places, line by line."""
    number = y = 0
    for line in lines:
        if isinstance(line, Row):
            number += 1
            place = {"x": 0, "y": y, "w": WIDTH, "h": 1}
            yield {"type": "row", "title": line.title, "collapsed": False, "panels": [], "id": number, "gridPos": place}
            y += 1
            continue
        x, bottom = 0, y
        for item in line:
            below, width = y, 0
            for panel in [item] if isinstance(item, Panel) else item:
                number += 1
                size = panel.size
                place = {"x": x, "y": below, "w": size.w, "h": size.h}
                if x + size.w > WIDTH:
                    raise ValueError(f"{panel.model['title']}: ends at column {x + size.w}, expected at most {WIDTH}")
                yield panel.model | {"id": number, "gridPos": place}
                below, width = below + size.h, max(width, size.w)
            x, bottom = x + width, max(bottom, below)
        y = bottom


def _others() -> builders.DashboardLink:
    """The menu of all dashboards of this tag, with the time range and the variables."""
    return (
        builders.DashboardLink("Rollcall")
        .type(dashboard.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(True)
        .include_vars(True)
        .keep_time(True)
        .tooltip("the other dashboards")
    )


def _variable(variable: Variable | Choice | Entry) -> AnyVariable:
    match variable:
        case Entry():
            typed = builders.TextBoxVariable(variable.name)
            return typed.label(variable.label).description(variable.description).default_value("")
        case Choice():
            return _listed(variable)
        case Variable():
            return _asked(variable)


def _listed(variable: Choice) -> builders.CustomVariable:
    return (
        builders.CustomVariable(variable.name)
        .label(variable.label)
        .description(variable.description)
        .values(",".join(variable.values))
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(_everything())
    )


def _everything() -> dashboard.VariableOption:
    return dashboard.VariableOption(selected=True, text=["All"], value=["$__all"])


def _asked(variable: Variable) -> builders.QueryVariable:
    builder = (
        builders.QueryVariable(variable.name)
        .label(variable.label)
        .description(variable.description)
        .datasource(dashboard.DataSourceRef(type_val=DATASOURCE["type"], uid=DATASOURCE["uid"]))
        .query({"query": variable.query, "refId": variable.name})
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(variable.several)
        .include_all(variable.several)
    )
    if not variable.shown:
        builder.hide(dashboard.VariableHide.HIDE_VARIABLE)
    if variable.regex:
        builder.regex(variable.regex)
    if variable.several:
        builder.all_value(".*").current(_everything())
    return builder


def _annotation(annotation: Annotation) -> Model:
    query = {"expr": annotation.expr, "refId": "Anno", "datasource": DATASOURCE, "range": True, "instant": False}
    return {
        "name": annotation.name,
        "datasource": DATASOURCE,
        "enable": annotation.shown,
        "hide": False,
        "iconColor": annotation.colour,
        "target": query,
        "titleFormat": annotation.title,
        "textFormat": annotation.text,
        "tagKeys": ",".join(annotation.tags),
    }
