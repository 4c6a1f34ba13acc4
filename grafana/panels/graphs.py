"""Node graphs. Field names are what the panel reads (`id`, `title`, `mainstat`, …), so labels must be called so.

The panel does not fit itself to what it shows (Grafana 12.4): positions are pixels from its middle, and have to fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import nodegraph

from grafana.panels.parts import NO_EXPORTER, Link, Model, Panel, Size, data_links, finished, override, target

EDGES = "edges"
COLUMN, ROW = 66, 38
"""Pixels of a column and a row of Grafana's grid in a window of 1600 pixels."""

RADIUS, SPACING, LINES = 23, 100, 6
"""Of a hub graph: the size of its nodes and the distance of its columns in pixels, and how many lines there are."""


NO_EMPTY_EDGES: Model = {
    "id": "filterFieldsByName",
    "filter": {"id": "byRefId", "options": f"/^{EDGES}$/"},
    "options": {"exclude": {"pattern": "^(Time|Value.*)$"}},
}
"""Leaves no frame where there is no edge; the panel would take that one for nodes."""


def ring_graph(
    title: str,
    description: str,
    nodes: str,
    numbers: Mapping[str, str],
    edges: str,
    size: Size,
    *,
    empty: str = NO_EXPORTER,
    legend: Mapping[str, str] | None = None,
    links: Sequence[Link] = (),
) -> Panel:
    """Nodes where the query says, and edges; all are instant queries.

    `nodes` has the labels id, title, subtitle, mainstat, secondarystat, color, detail__*, and never `source`; `edges`
    has id, source, target, mainstat, color; the ends of every edge must be among the nodes. `numbers` are queries with
    the one label `id`, by the field that their value becomes: fixedx and fixedy, for every node, and noderadius.
    `legend` says what fields mean. `links` are in a node's menu and may use `${__data.fields.id}`.
    """
    builder = nodegraph.Panel()
    builder.with_target(target(nodes, "nodes", instant=True, table=True))
    for field, expr in numbers.items():
        builder.with_target(target(expr, field, instant=True, table=True))
    builder.with_target(target(edges, EDGES, instant=True, table=True))
    refs = ["nodes", *numbers]
    renamed = [_calculated(f"Value #{field}", "*", 1, field, [*refs, "joinByField.*"]) for field in numbers]
    join = {"id": "joinByField", "filter": _only(refs), "options": {"byField": "id", "mode": "inner"}}
    # What is drawn later lies above: the shade below a node's name would hide a part of the nodes below it.
    downwards = {"id": "sortBy", "filter": _only([*refs, "joinByField.*"]), "options": {"sort": [{"field": "fixedy"}]}}
    return _graph(builder, title, description, size, [join, *renamed, downwards], empty, legend or {}, links)


def hub_graph(
    title: str,
    description: str,
    hubs: str,
    nodes: str,
    edges: str,
    size: Size,
    *,
    empty: str = NO_EXPORTER,
    legend: Mapping[str, str] | None = None,
    links: Sequence[Link] = (),
) -> Panel:
    """Hubs to the left, nodes to the right, and edges from hubs to nodes; all are instant queries.

    Labels are those of `ring_graph`; both sides are ordered by the label `detail__model`, which hubs and nodes have.
    The value of `hubs` and of `nodes` is how many there are. With 6 lines, and a panel of 24 by 17, nothing overlaps.
    """
    builder = nodegraph.Panel()
    sides = {"hubs": (hubs, -0.36), "nodes": (nodes, 0.13)}
    transformations: list[Model] = []
    for ref, (expr, middle) in sides.items():
        builder.with_target(target(expr, ref, instant=True, table=True))
        transformations += _columns(ref, middle * size.w * COLUMN, (size.h - 4) * ROW)
    builder.with_target(target(edges, EDGES, instant=True, table=True))
    transformations.append({"id": "merge", "filter": _only(sides), "options": {}})
    return _graph(builder, title, description, size, transformations, empty, legend or {}, links)


def _graph(
    builder: nodegraph.Panel,
    title: str,
    description: str,
    size: Size,
    transformations: list[Model],
    empty: str,
    legend: Mapping[str, str],
    links: Sequence[Link],
) -> Panel:
    panel = finished(builder, title, description, size, unit="none", empty=empty)
    panel.model["transformations"] = [NO_EMPTY_EDGES, *transformations]
    panel.model["options"] = {"nodes": {}, "edges": {}, "zoomMode": "cooperative"}
    named = {"id": "organize", "filter": _only(["(?!edges).*"]), "options": {"renameByName": dict(legend)}}
    panel.model["transformations"].append(named)
    panel.model["fieldConfig"]["overrides"] = [override("id", {"links": data_links(links)})] if links else []
    return panel


def _columns(ref: str, middle: float, height: int) -> list[Model]:
    """Places of the rows of a frame, line by line, in as many columns as it takes; its value is how many rows it has.

    `middle` is where the columns are, in pixels from the middle of the panel, `height` how much the lines fill.
    """
    refs, rows = [ref], f"Value #{ref}"

    def number(left: str, operator: str, right: float | str, alias: str) -> Model:
        return _calculated(left, operator, right, alias, refs)

    def rounded(operator: str, field: str, alias: str) -> Model:
        unary = {"operator": operator, "fieldName": field}
        return _calculation({"mode": "unary", "alias": alias, "unary": unary}, refs)

    return [
        {"id": "sortBy", "filter": _only(refs), "options": {"sort": [{"field": "detail__model", "desc": False}]}},
        _calculation({"mode": "index", "alias": "row"}, refs),
        number(rows, "/", LINES, "share"),
        rounded("ceil", "share", "columns"),
        number(rows, "/", "columns", "depth"),
        rounded("ceil", "depth", "lines"),
        number("row", "/", "columns", "place"),
        rounded("floor", "place", "line"),
        number("line", "*", "columns", "first"),
        number("row", "-", "first", "column"),
        number("column", "*", 2, "twice"),
        number("twice", "-", "columns", "across"),
        number("across", "*", SPACING / 2, "aside"),
        number("aside", "+", middle + SPACING / 2, "fixedx"),
        number("line", "*", height, "depths"),
        number("depths", "/", "lines", "down"),
        number("down", "-", height / 2 - 15, "fixedy"),
        number("row", "*", 0, "none"),
        number("none", "+", RADIUS, "noderadius"),
    ]


def _calculated(field: str, operator: str, right: float | str, alias: str, refs: Sequence[str]) -> Model:
    """A new numeric field, from a field and a number or another field; a renamed one is not seen by the panel."""
    binary = {"left": _field(field), "operator": operator}
    binary["right"] = _field(right) if isinstance(right, str) else {"fixed": f"{right:g}"}
    return _calculation({"mode": "binary", "alias": alias, "binary": binary}, refs)


def _calculation(options: Model, refs: Sequence[str]) -> Model:
    return {"id": "calculateField", "filter": _only(refs), "options": options}


def _field(name: str) -> Model:
    return {"matcher": {"id": "byName", "options": name}}


def _only(refs: Sequence[str] | Mapping[str, object]) -> Model:
    """The frames of these queries; a join's frame is called joinByField and more (Grafana 12.4)."""
    return {"id": "byRefId", "options": f"/^({'|'.join(refs)})$/"}
