"""State timelines: one band per thing, coloured by the state it was in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import common as builders
from grafana_foundation_sdk.builders import statetimeline
from grafana_foundation_sdk.models import common

from grafana.panels.parts import (
    NO_EXPORTER,
    Link,
    Model,
    Panel,
    Size,
    data_links,
    finished,
    mappings,
    target,
)
from grafana.states import State, by_number

GAP: Model = {"type": "special", "options": {"match": "null", "result": {"text": "", "color": "transparent"}}}
"""Where a band has no value: else its legend has the text for nothing, and with an empty one a value of 0 is drawn."""

ANYTHING = {"id": "filterFieldsByName", "options": {"include": {"pattern": ".*"}}}
"""Drops the empty frame of an empty answer, for which Grafana 12.4 would warn of a missing time field."""


def state_timeline(
    title: str,
    description: str,
    expr: str,
    name: str,
    states: Mapping[str, State],
    size: Size,
    *,
    empty: str = NO_EXPORTER,
    per_page: int = 20,
    links: Sequence[Link] = (),
    text: bool = False,
    points: int | None = None,
) -> Panel:
    """One band per series of `expr`, whose value is a state's number (`grafana.states.numbered`); `name` is its label.

    `per_page` bands are drawn, the others are on further pages. `text` writes the state into the band, which is legible
    where a state lasts; the tooltip and the legend always name it. `points` is the most that is asked for of each band,
    where so many series are read for it that it matters.
    """
    shown = builders.VizLegendOptions().display_mode(common.LegendDisplayMode.LIST).show_legend(True)
    builder = (
        statetimeline.Panel()
        .merge_values(True)
        .show_value(common.VisibilityMode.AUTO if text else common.VisibilityMode.NEVER)
        .row_height(0.8)
        .fill_opacity(85)
        .line_width(0)
        .legend(shown.placement(common.LegendPlacement.BOTTOM).calcs([]))
        .tooltip(builders.VizTooltipOptions().mode(common.TooltipDisplayMode.SINGLE).sort(common.SortOrder.NONE))
        .with_target(target(expr, "A", instant=False, legend=name))
    )
    panel = finished(builder, title, description, size, unit="none", empty=empty)
    panel.model.update({"transformations": [ANYTHING]} | ({"maxDataPoints": points} if points else {}))
    panel.model["options"]["perPage"] = per_page
    defaults = panel.model["fieldConfig"]["defaults"]
    defaults |= {"mappings": [*mappings(by_number(states)), GAP], "links": data_links(links)}
    defaults["color"] = {"mode": "palette-classic"}  # the panel's own, a gradient, has no legend
    return panel
