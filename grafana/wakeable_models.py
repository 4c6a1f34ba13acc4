"""The part of the dashboard `Wakeable capacity` about models: who serves them, and what waking would change."""

from __future__ import annotations

from grafana import links
from grafana.panels import Column, Gather, Panel, Series, Size, table, time_series
from grafana.queries import shared
from grafana.queries import wakeable as queries
from grafana.states import CLOSABLE, GREEN, GREY, NODE, SLEEPING, Badge

GAPS = (
    Badge("served", "served", GREEN),
    *CLOSABLE,
    Badge("asleep", "not asked for", GREY),
)
STANDBY = (Badge("0", "no", GREY), Badge("1", "yes", GREEN))
WAKE_THESE = Gather("B", "logical_id", ("fleet", "model"))


def models() -> Panel:
    """Live against wakeable VRAM, one row per model."""
    columns = [
        Column("model", "Model"),
        Column("gap", "Is", badges=GAPS, width=125),
        Column("Value #A", "Rank", hidden=True),
        Column("Value #B", "Serving", unit="decbytes", gauge=True, colour=NODE["serving"].colour, width=165),
        Column("Value #C", "Loading", unit="decbytes", gauge=True, colour=NODE["loading"].colour, width=165),
        Column("Value #D", "Standby", unit="decbytes", gauge=True, colour=NODE["standby"].colour, width=165),
        Column("Value #E", "Wakeable", unit="decbytes", gauge=True, colour=SLEEPING, width=165),
        Column("Value #F", "Live nodes", width=80, empty="0"),
        Column("Value #G", "Could be woken", width=90, empty="0"),
        Column("Value #H", "Soonest wake", unit="s", width=90),
        Column("fleet", "Fleet", width=110, links=(links.fleet_of_row("the topology", links.TOPOLOGY, "Fleet"),)),
    ]
    return table(
        "Live against wakeable VRAM, per model",
        "The VRAM behind each model: of nodes that serve or load it, of nodes on standby that have it on disk, and of "
        "nodes that would serve it once awake. Is: served, or what could change that. A node with several models "
        "counts in each.",
        [
            queries.MODEL,
            *(queries.model_vram(state) for state in ("serving", "loading", "standby")),
            queries.MODEL_WAKEABLE,
            queries.MODEL_LIVE_NODES,
            queries.MODEL_WAKEABLE_NODES,
            queries.MODEL_ETA,
        ],
        columns,
        Size(24, 11),
        sort=[("Value #A", True), ("Value #E", True), ("Value #B", True)],
        empty="no model is served, asked for, or asleep",
    )


def closable() -> Panel:
    """The models that waking would bring back, and which nodes to wake."""
    columns = [
        Column("model", "Model"),
        Column(WAKE_THESE.field, "Wake one of", pills=True, filterable=False),
        Column("Value #C", "Soonest", unit="s", width=85),
        Column("Value #D", "Would add", unit="decbytes", width=95),
        Column("Value #E", "Standby could too", badges=STANDBY, width=100),
        Column("fleet", "Fleet", width=90),
    ]
    return table(
        "Models that waking would bring back",
        "Models that a node was told to serve, that no confirmed node hosts, and that a sleeping or waking node lists; "
        "which nodes those are, and how soon the first of them would be there.",
        [
            queries.CLOSABLE,
            queries.CLOSABLE_BY,
            queries.CLOSABLE_ETA,
            queries.CLOSABLE_VRAM,
            queries.CLOSABLE_BY_STANDBY,
        ],
        columns,
        Size(13, 8),
        sort=[("Value #C", False), ("model", False)],
        empty="waking would bring back no model: all that could be are served",
        gather=[WAKE_THESE],
    )


def ledgers() -> Panel:
    """The four VRAM ledgers over time."""
    shown = [
        *(Series(state, shared.vram(state), NODE[state].colour) for state in ("serving", "loading", "standby")),
        Series("wakeable", shared.WAKEABLE_VRAM, SLEEPING),
    ]
    return time_series(
        "Live and wakeable VRAM",
        "VRAM budgets of confirmed nodes by state, and on top of them what sleeping and waking nodes of all providers "
        "would add.",
        shown,
        Size(11, 8),
        unit="decbytes",
        stacked=True,
    )
