"""Tables: several instant queries, one row per thing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from grafana_foundation_sdk.builders import table as table_panel
from grafana_foundation_sdk.models import common

from grafana.panels.parts import (
    NO_EXPORTER,
    REFS,
    Link,
    Model,
    Panel,
    Size,
    data_links,
    finished,
    fixed,
    mappings,
    override,
    steps,
    target,
)
from grafana.states import BLUE, Badge

NOTHING = "–"
"""What an empty cell shows."""


@dataclass(frozen=True)
class Gather:
    """A label of query `ref` that one row, named by the labels `by`, has several of; they become one list.

    Its column is `field`; the query must not have other labels than `label` and `by`.
    """

    ref: str
    label: str
    by: tuple[str, ...]

    @property
    def field(self) -> str:
        """The name of the list among the fields of the table."""
        return f"{self.label} (uniqueValues)"


@dataclass(frozen=True)
class Column:
    """One column of a table: a label, or `Value #A` (the value of the first query), its title, and how it looks.

    `badges` fill the cell with the colour of its value and show its text. `gauge` draws a bar in `colour` from 0 to
    `top` (the largest of the column where None). `limits` colour the text: levels, the first of them None. `pills` show
    each of several labels that the table gathered (`Gather.field`). `hidden` is there for links only. `empty` is shown
    where a row has no value. Labels can be filtered by, and values with badges, unless `filterable` says otherwise.
    """

    field: str
    title: str
    unit: str | None = None
    badges: tuple[Badge, ...] = ()
    links: tuple[Link, ...] = ()
    gauge: bool = False
    colour: str = BLUE
    top: float | None = None
    limits: tuple[tuple[float | None, str], ...] = ()
    pills: bool = False
    hidden: bool = False
    width: int | None = None
    decimals: int | None = None
    align: Literal["auto", "left", "center", "right"] = "auto"
    filterable: bool | None = None
    empty: str = NOTHING


def table(
    title: str,
    description: str,
    exprs: Sequence[str],
    columns: Sequence[Column],
    size: Size,
    *,
    sort: Sequence[tuple[str, bool]],
    empty: str = NO_EXPORTER,
    gather: Sequence[Gather] = (),
    pages: bool = True,
    steps_of_range: int | None = None,
) -> Panel:
    """A table of instant queries A, B, C …, joined on the labels they share, with pages and column filters.

    Every query is to be aggregated to the labels that name a row, or rows split; those of query A may have more. `sort`
    lists fields and whether they descend, the first before all others. Columns come in the order given; everything else
    is hidden. `gather` makes lists of labels that a row has several of.
    `$__interval` in a query is the time range divided by `steps_of_range`.
    """
    builder = table_panel.Panel().show_header(True).cell_height(common.TableCellHeight.SM)
    for ref, expr in zip(REFS, exprs, strict=False):
        builder.with_target(target(expr, ref, instant=True, table=True))
    panel = finished(builder, title, description, size, unit=None, empty=empty)
    panel.model["transformations"] = _joined(len(exprs), columns, sort, gather)
    panel.model["fieldConfig"]["overrides"] = [override(column.title, _look(column)) for column in columns]
    panel.model["fieldConfig"]["defaults"]["custom"] = {"filterable": False, "minWidth": 60, "wrapHeaderText": True}
    if steps_of_range is not None:
        panel.model["maxDataPoints"] = steps_of_range
    panel.model["options"] |= {"enablePagination": pages}  # Grafana 12 moved it here from the footer
    return panel


def _joined(
    queries: int, columns: Sequence[Column], sort: Sequence[tuple[str, bool]], gather: Sequence[Gather]
) -> list[Model]:
    """Gather lists, make one frame of all answers, sort its rows, then name, order and hide its fields.

    Grouping by the labels changes no row; it leaves no frame at all where no query has an answer, and only then does
    the panel say what is empty, for frames that have fields and no rows are drawn as headers (Grafana 12.4).
    """
    values = {f"Value #{ref}" for ref in REFS[:queries]}
    shown = [column.field for column in columns]
    keys = [field for field in shown if field not in values]
    kept = [field for field in shown if field in values]
    group: Model = {field: {"operation": "groupby", "aggregations": []} for field in keys}
    group |= {_answer(field, queries): {"operation": "aggregate", "aggregations": ["lastNotNull"]} for field in kept}
    names = {field: f"{_answer(field, queries)} (lastNotNull)" for field in kept}
    organize = {
        "excludeByName": {},
        "indexByName": {names.get(field, field): at for at, field in enumerate(shown)},
        "renameByName": {names.get(column.field, column.field): column.title for column in columns},
    }
    by = [{"field": names.get(field, field), "desc": descends} for field, descends in reversed(sort)]
    return [
        *(_gathered(one) for one in gather),
        {"id": "merge", "options": {}},
        {"id": "groupBy", "options": {"fields": group}},
        *({"id": "sortBy", "options": {"sort": [one]}} for one in by),
        {"id": "organize", "options": organize},
    ]


def _answer(field: str, queries: int) -> str:
    """What Grafana calls the value of a query: without its ref where it is the only one."""
    return field if queries > 1 else "Value"


def _gathered(gather: Gather) -> Model:
    fields: Model = {label: {"operation": "groupby", "aggregations": []} for label in ("Time", *gather.by)}
    fields[gather.label] = {"operation": "aggregate", "aggregations": ["uniqueValues"]}
    only = {"id": "byRefId", "options": f"/^{gather.ref}$/"}
    return {"id": "groupBy", "filter": only, "options": {"fields": fields}}


def _look(column: Column) -> Model:
    filterable = column.filterable
    if filterable is None:
        filterable = bool(column.badges) or not column.field.startswith("Value")
    look: Model = {"noValue": column.empty, "custom.filterable": filterable}
    if column.unit:
        look["unit"] = column.unit
    if column.decimals is not None:
        look["decimals"] = column.decimals
    if column.badges:
        look["mappings"] = mappings(column.badges)
        look["custom.cellOptions"] = {"type": "color-background", "mode": "basic"}
        look["custom.align"] = "left"
        look["color"] = fixed("transparent")
    if column.gauge:
        look |= {"custom.cellOptions": {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}, "min": 0}
        look["color"] = fixed(column.colour)
        look |= {"fieldMinMax": True} if column.top is None else {"max": column.top}
    if column.limits:
        look |= {"color": {"mode": "thresholds"}, "thresholds": steps(*column.limits)}
        look.setdefault("custom.cellOptions", {"type": "color-text"})
    if column.pills:
        look |= {"custom.cellOptions": {"type": "pill"}, "color": fixed(BLUE)}
    if column.links:
        look["links"] = data_links(column.links)
    if column.hidden:
        look["custom.hideFrom.viz"] = True
    if column.width is not None:
        look["custom.width"] = column.width
    if column.align != "auto":
        look["custom.align"] = column.align
    return look
