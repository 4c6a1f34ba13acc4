"""Panels of numbers: now, over time, as bars, as a heat map."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders import bargauge, heatmap, timeseries
from grafana_foundation_sdk.builders import common as builders
from grafana_foundation_sdk.builders import stat as stat_panel
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode, HeatmapColorScale

from grafana.panels.parts import (
    NO_EXPORTER,
    REFS,
    Link,
    Panel,
    Series,
    Size,
    data_links,
    finished,
    fixed,
    mappings,
    overrides,
    steps,
    target,
)
from grafana.states import BLUE, GREY, Badge

CELLS = 100
"""So many cells of a heat map lie side by side at most."""


def stat(
    title: str,
    description: str,
    series: Sequence[Series],
    size: Size,
    *,
    unit: str = "locale",
    decimals: int | None = 0,
    empty: str = NO_EXPORTER,
    badges: Sequence[Badge] = (),
    words: bool = False,
    links: Sequence[Link] = (),
) -> Panel:
    """The newest value of each series, side by side, with its name where there are several.

    `badges` fill the panel with the colour of the value and show its text. `words` shows the name of a series, a
    template of labels, and no value.
    """
    several = len(series) > 1 or "{{" in series[0].name
    builder = _big_values(several=several, words=words, filled=bool(badges))
    for ref, one in zip(REFS, series, strict=False):
        builder.with_target(target(one.expr, ref, instant=True, legend=one.name))
    panel = finished(builder, title, description, size, unit=unit, empty=empty)
    defaults = panel.model["fieldConfig"]["defaults"]
    plain = any(one.colour is None for one in series) and not badges
    defaults |= {"color": fixed(BLUE if plain else GREY), "links": data_links(links)}
    if badges:
        defaults["mappings"] = mappings(badges)
    if decimals is not None:
        defaults["decimals"] = decimals
    panel.model["fieldConfig"]["overrides"] = overrides(series)
    return panel


def _big_values(*, several: bool, words: bool, filled: bool) -> stat_panel.Panel:
    shown = common.BigValueTextMode.VALUE_AND_NAME if several else common.BigValueTextMode.VALUE
    builder = (
        stat_panel.Panel()
        .graph_mode(common.BigValueGraphMode.NONE)
        .color_mode(common.BigValueColorMode.BACKGROUND_SOLID if filled else common.BigValueColorMode.VALUE)
        .text_mode(common.BigValueTextMode.NAME if words else shown)
        .reduce_options(builders.ReduceDataOptions().calcs(["lastNotNull"]))
    )
    if words or several:
        builder.text(builders.VizTextDisplayOptions().title_size(14).value_size(18 if words else 32))
    return builder


def time_series(
    title: str,
    description: str,
    series: Sequence[Series],
    size: Size,
    *,
    unit: str = "short",
    stacked: bool = False,
    smooth: bool = False,
    top: float | None = None,
    limit: tuple[float, str] | None = None,
    empty: str = NO_EXPORTER,
    legend: bool = True,
    links: Sequence[Link] = (),
) -> Panel:
    """Each series over the time range; `stacked` where their sum means something, `top` the end of the scale.

    `limit` is a level that is drawn as a line, and its colour. Steps are drawn unless `smooth`: a state holds until the
    next one, a temperature does not.
    """
    many = any("{{" in one.name for one in series)
    builder = _lines(stacked=stacked, smooth=smooth, fill=60 if stacked else 0 if many else 10, legend=legend)
    for ref, one in zip(REFS, series, strict=False):
        builder.with_target(target(one.expr, ref, instant=False, legend=one.name))
    panel = finished(builder, title, description, size, unit=unit, empty=empty)
    defaults = panel.model["fieldConfig"]["defaults"]
    defaults["links"] = data_links(links)
    if top is not None:
        defaults["max"] = top
    if limit is not None:
        defaults["thresholds"] = steps((None, "transparent"), limit)
        defaults["custom"] |= {"thresholdsStyle": {"mode": "dashed"}}
    panel.model["fieldConfig"]["overrides"] = overrides(series)
    return panel


def _lines(*, stacked: bool, smooth: bool, fill: int, legend: bool) -> timeseries.Panel:
    mode = common.StackingMode.NORMAL if stacked else common.StackingMode.NONE
    shape = common.LineInterpolation.LINEAR if smooth else common.LineInterpolation.STEP_AFTER
    shown = builders.VizLegendOptions().display_mode(common.LegendDisplayMode.LIST).show_legend(legend)
    tooltip = builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)
    return (
        timeseries.Panel()
        .min(0)
        .line_interpolation(shape)
        .line_width(1)
        .fill_opacity(fill)
        .show_points(common.VisibilityMode.NEVER)
        .stacking(builders.StackingConfig().mode(mode).group("A"))
        .legend(shown.placement(common.LegendPlacement.BOTTOM).calcs([]))
        .tooltip(tooltip)
    )


def bar_gauge(
    title: str,
    description: str,
    series: Sequence[Series],
    size: Size,
    *,
    unit: str = "short",
    top: float | None = None,
    limits: Sequence[tuple[float | None, str]] = (),
    empty: str = NO_EXPORTER,
    links: Sequence[Link] = (),
) -> Panel:
    """The newest value of each series as a horizontal bar with its name and number; queries bring their own order.

    Colours come from the series or, for a template that gives several, from `limits`: levels, the first of them None.
    """
    builder = (
        bargauge.Panel()
        .orientation(common.VizOrientation.HORIZONTAL)
        .display_mode(common.BarGaugeDisplayMode.BASIC)
        .value_mode(common.BarGaugeValueMode.TEXT)
        .show_unfilled(True)
        .min(0)
        .reduce_options(builders.ReduceDataOptions().calcs(["lastNotNull"]))
        .text(builders.VizTextDisplayOptions().title_size(12).value_size(14))
    )
    for ref, one in zip(REFS, series, strict=False):
        builder.with_target(target(one.expr, ref, instant=True, legend=one.name))
    panel = finished(builder, title, description, size, unit=unit, empty=empty)
    defaults = panel.model["fieldConfig"]["defaults"]
    colour = {"color": {"mode": "thresholds"}, "thresholds": steps(*limits)} if limits else {"color": fixed(BLUE)}
    defaults |= colour | {"links": data_links(links)}
    if top is not None:
        defaults["max"] = top
    panel.model["fieldConfig"]["overrides"] = overrides(series)
    panel.model["options"] |= {"namePlacement": "left", "valueMode": "text", "sizing": "auto"}
    return panel


def heat_map(
    title: str,
    description: str,
    series: Sequence[Series],
    size: Size,
    *,
    unit: str = "short",
    empty: str = NO_EXPORTER,
    colour: str = BLUE,
) -> Panel:
    """Rows over time, one per series and in their order, in a fuller colour where the value is higher.

    The colour grows fast at the low end, so that one of two thousand is seen. 0 is left blank, and begins the scale:
    else the lowest value that there is would be blank too.

    A row is a bucket, such as `0 to 10 s`; its value is how many are in it. Let recorded counts per bucket feed it, not
    one series per worker.
    """
    builder = (
        heatmap.Panel()
        .calculate(False)
        .cell_gap(1)
        .color(
            heatmap.HeatmapColorOptions()
            .mode(HeatmapColorMode.OPACITY)
            .fill(colour)
            .scale(HeatmapColorScale.EXPONENTIAL)
            .exponent(0.3)
            .steps(64)
            .min(0)
        )
        .rows_frame(heatmap.RowsHeatmapOptions().layout(common.HeatmapCellLayout.AUTO))
    )
    for ref, one in zip(REFS, series, strict=False):
        builder.with_target(target(one.expr, ref, instant=False, legend=one.name))
    panel = finished(builder, title, description, size, unit=unit, empty=empty)
    panel.model["options"] |= {"tooltip": {"mode": "single", "yHistogram": False}, "legend": {"show": True}}
    panel.model["maxDataPoints"] = CELLS
    return panel
