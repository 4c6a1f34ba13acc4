"""The dashboard `Wakeable capacity`: what sleeps, what wakes, what it would bring, and how well waking goes."""

from __future__ import annotations

from grafana import links, states, variables
from grafana.annotations import WAKEABLES
from grafana.panels import (
    Board,
    Column,
    Gather,
    Line,
    Panel,
    Row,
    Series,
    Size,
    stat,
    state_timeline,
    table,
    time_series,
)
from grafana.queries import wakeable as queries
from grafana.states import AMBER, GREEN, RED, SLEEPING, VIOLET, WAKEABLE, WAKEABLE_SHOWN
from grafana.wakeable_models import closable, ledgers, models

NOTHING_SLEEPS = "nothing sleeps and nothing wakes in these fleets"
NO_PROVIDER = "no provider is known in these fleets"
NO_WAKE = "no wake ended in this time range"
RESULTS = {"live": GREEN, "returned": AMBER, "vanished": RED}
LATE = ((None, GREEN), (0.8, AMBER), (1.0, RED))
MODELS = Gather("H", "model", ("fleet", "logical_id"))
NEVER_LIVE = "Wakeable nodes are no peers: no live figure holds one."


def wakeable() -> Board:
    """The dashboard of wakeable capacity."""
    return Board(
        links.WAKEABLE,
        "Rollcall: Wakeable capacity",
        "What sleeps, what wakes, promised against elapsed time, and what waking would bring. " + NEVER_LIVE,
        (
            _now(),
            (_nodes(),),
            (_providers(), _provider_vram()),
            Row("Models"),
            (models(),),
            (closable(), ledgers()),
            Row("Wakes over time"),
            (_history(), _late()),
            _results(),
        ),
        (variables.FLEET, variables.PROVIDER),
        WAKEABLES,
    )


def _now() -> Line:
    wakes = [
        *(Series(result, queries.wakes(result), colour, alarming=True) for result, colour in RESULTS.items()),
        Series("success", queries.SUCCESS, GREEN, unit="percentunit"),
    ]
    wakes_help = (
        "Wakes that ended: the node became a live one, returned to sleep, or vanished; and the share of live ones."
    )
    return (*_capacity(), _gaps(), stat("Wakes in this time range", wakes_help, wakes, Size(6, 4)))


def _capacity() -> tuple[Panel, Panel]:
    counts = [
        Series("sleeping", queries.count("sleeping"), WAKEABLE["sleeping"].colour),
        Series("waking", queries.count("waking"), WAKEABLE["waking"].colour, alarming=True),
        Series("overdue", queries.OVERDUE, RED, alarming=True),
    ]
    vram = [
        Series("sleeping", queries.vram("sleeping"), WAKEABLE["sleeping"].colour),
        Series("waking", queries.vram("waking"), WAKEABLE["waking"].colour, alarming=True),
        Series("live", queries.LIVE_VRAM, GREEN),
    ]
    counts_help = (
        "What sleeps, what wakes, and which of those has been waking for longer than it was promised to take. "
    )
    vram_help = "What sleeping and waking nodes would add, beside the VRAM budget of the confirmed nodes."
    return (
        stat("Wakeable nodes", counts_help + NEVER_LIVE, counts, Size(5, 4)),
        stat("VRAM", vram_help, vram, Size(7, 4), unit="decbytes", decimals=None),
    )


def _gaps() -> Panel:
    gaps = [
        Series("waking could", queries.gaps("waking"), VIOLET, alarming=True),
        Series("standby could", queries.gaps("standby"), AMBER, alarming=True),
        Series("nothing could", queries.gaps("nothing"), RED, alarming=True),
    ]
    description = (
        "Models that a node was told to serve and no confirmed node hosts, by what could close the gap: nodes on "
        "standby, else waking a node that lists the model, else nothing that is known."
    )
    return stat("Models nobody serves", description, gaps, Size(6, 4))


def _nodes() -> Panel:
    columns = [
        Column("logical_id", "Logical id", width=160),
        Column("Value #A", "State", badges=states.by_number(WAKEABLE_SHOWN), width=95),
        Column("Value #B", "Since", unit="dateTimeFromNow", width=145),
        Column("Value #C", "Promised", unit="s", width=85),
        Column("Value #D", "Elapsed", unit="s", width=85),
        Column("Value #E", "Of the promise", unit="percentunit", gauge=True, top=1, limits=LATE, decimals=0, width=140),
        Column("Value #F", "Last wake took", unit="s", width=85),
        Column("Value #G", "VRAM", unit="decbytes", gauge=True, colour=SLEEPING, width=140),
        Column(MODELS.field, "Would serve", pills=True, filterable=False),
        Column("provider", "Provider", width=115),
        Column("inventory", "Inventory", width=120),
        Column("fleet", "Fleet", width=85, links=(links.fleet_of_row("the topology", links.TOPOLOGY, "Fleet"),)),
    ]
    return table(
        "What sleeps, and what wakes",
        "Waking nodes first. Promised: how long the wake is said to take, while it wakes as said when it began. Of the "
        f"promise: elapsed against promised, red once it is overdue. {queries.MOST} nodes at most.",
        [
            queries.ROW,
            queries.ROW_SINCE,
            queries.ROW_ETA,
            queries.ROW_ELAPSED,
            queries.ROW_PROGRESS,
            queries.ROW_LAST,
            queries.ROW_VRAM,
            queries.ROW_MODELS,
            queries.ROW_INFO,
        ],
        columns,
        Size(24, 9),
        sort=[("Value #A", False), ("Value #E", True), ("Value #G", True)],
        empty=NOTHING_SLEEPS,
        gather=[MODELS],
    )


def _providers() -> Panel:
    columns = [
        Column("provider", "Provider"),
        Column("Value #B", "Sleeping", width=85, empty="0"),
        Column("Value #C", "Waking", width=70, empty="0"),
        Column("Value #D", "VRAM sleeping", unit="decbytes", gauge=True, colour=SLEEPING, width=140),
        Column("Value #E", "VRAM waking", unit="decbytes", width=80, empty="0"),
        Column("Value #F", "Promised", unit="s", width=85),
        Column("Value #G", "Wake took", unit="s", width=95),
        Column("Value #H", "Wakes", width=70),
        Column("Value #I", "Success", unit="percentunit", gauge=True, top=1, colour=GREEN, decimals=0, width=120),
    ]
    return table(
        "Providers",
        "Who would wake what. Promised and took: what its nodes are said to take, and what their last wakes took, on "
        "average. Wakes and success are of this time range.",
        [
            queries.PROVIDER,
            queries.provider_nodes("sleeping"),
            queries.provider_nodes("waking"),
            queries.provider_vram("sleeping"),
            queries.provider_vram("waking"),
            queries.PROVIDER_ETA,
            queries.PROVIDER_LAST,
            queries.PROVIDER_WAKES,
            queries.PROVIDER_SUCCESS,
        ],
        columns,
        Size(14, 8),
        sort=[("Value #D", True), ("provider", False)],
        empty=NO_PROVIDER,
    )


def _provider_vram() -> Panel:
    return time_series(
        "Wakeable VRAM by provider",
        "What the sleeping and waking nodes of each provider would add. It falls when one of them becomes a live node.",
        [Series("{{provider}}", queries.PROVIDER_VRAM)],
        Size(10, 8),
        unit="decbytes",
        stacked=True,
        empty=NOTHING_SLEEPS,
    )


def _history() -> Panel:
    return state_timeline(
        "Sleeping and waking",
        "One band per wakeable node. A gap is a node that is not listed: awake, where the wake before it ended live.",
        queries.HISTORY,
        "{{logical_id}}",
        WAKEABLE_SHOWN,
        Size(14, 9),
        empty=NOTHING_SLEEPS,
        per_page=12,
    )


def _late() -> Panel:
    return time_series(
        "Elapsed against promised",
        "How much of the promised time has passed, for each node that wakes; above the line it is overdue. The latest "
        f"20, drawn up to {queries.LATEST} times the promise.",
        [Series("{{logical_id}}", queries.LATE)],
        Size(10, 9),
        unit="percentunit",
        limit=(1.0, RED),
        smooth=True,
        empty="nothing woke in this time range, or no time was promised",
    )


def _results() -> Line:
    ended = [Series(result, queries.wakes_so_far(result), colour) for result, colour in RESULTS.items()]
    took = [
        Series("{{provider}} took", queries.PROVIDER_LAST),
        Series("{{provider}} promised", queries.PROVIDER_ETA),
    ]
    size = Size(12, 7)
    return (
        time_series(
            "Wakes that ended",
            "How many wakes ended since the start of the time range, by result: each step is a wake.",
            ended,
            size,
            stacked=True,
        ),
        time_series(
            "How long wakes take",
            "The last wakes of each provider's sleeping nodes, on average, and what is promised now.",
            took,
            size,
            unit="s",
            empty=NO_WAKE,
        ),
    )
