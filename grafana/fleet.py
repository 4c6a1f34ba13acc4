"""The dashboard `Fleet`: is anything wrong, who is here, what do they do, what could be woken."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from grafana import links, states, variables
from grafana.alerts import alerts
from grafana.annotations import EVERYTHING
from grafana.panels import Board, Column, Line, Panel, Row, Series, Size, stat, table, time_series
from grafana.queries import fleet as queries
from grafana.queries import shared
from grafana.states import AMBER, GREY, RED, Badge, State

NODES_HELP = (
    "Confirmed mesh-llm nodes by state. Serving: a model is ready. Loading: a model is assigned and not ready yet. "
    "Standby: no model. Client: sends requests, offers nothing."
)
WORKERS_HELP = (
    "Workers by effective status. A worker is unknown when it is silent, when its store gave up on its attempt, or "
    "when nothing but heartbeats came from it."
)
WAKEABLE_HELP = "Nodes that sleep and could be woken. They are no peers and no part of the nodes."
SOURCES_HELP = (
    "Consoles, stores and inventories that Rollcall reads. What one that is down reports is missing elsewhere. "
    "Sleeping is one that is down on a host that an inventory lists as sleeping."
)
BAD = ((None, GREY), (1, RED))
MISSED = (Badge("5", "yes", RED), Badge("4", "no", GREY))


def fleet() -> Board:
    """The first dashboard, which leads to all others."""
    return Board(
        links.FLEET,
        "Rollcall: Fleet",
        "Is anything wrong, who is here, what are they doing, and what could be woken.",
        (_now(), _capacity(), (_fleets(),), (_unknown(), _gaps()), Row("Over time"), *_over_time(), (_sources(),)),
        (variables.FLEET,),
        EVERYTHING,
    )


def _series(named: Mapping[str, State], query: Callable[[str], str]) -> list[Series]:
    return [Series(name, query(name), state.colour, alarming=name == "unknown") for name, state in named.items()]


def _now() -> Line:
    wrong = [
        Series("alerts", queries.ALERTS_FIRING, RED, alarming=True),
        Series("workers missing", queries.WORKERS_MISSING, RED, alarming=True),
        Series("nodes lost", queries.NODES_LOST, RED, alarming=True),
        Series("models unserved", queries.MODELS_UNSERVED, AMBER, alarming=True),
        Series("sources down", queries.SOURCES_DOWN, RED, alarming=True),
    ]
    wrong_help = (
        "All are 0 where all is well: alerts that fire, unknown workers that should be working, nodes that are gone or "
        "that nobody confirms and that do not sleep, models that were asked for and no confirmed node hosts, sources "
        "that cannot be read though their hosts do not sleep."
    )
    to_topology = [links.link("the topology", links.TOPOLOGY)]
    to_runners = [links.link("the runners", links.RUNNERS)]
    to_wakeable = [links.link("wakeable capacity", links.WAKEABLE)]
    return (
        stat("Is anything wrong?", wrong_help, wrong, Size(8, 4), unit="locale"),
        stat("Nodes", NODES_HELP, _series(states.NODE, shared.nodes), Size(6, 4), unit="locale", links=to_topology),
        stat(
            "Workers", WORKERS_HELP, _series(states.WORKER, shared.workers), Size(6, 4), unit="locale", links=to_runners
        ),
        stat(
            "Wakeable",
            WAKEABLE_HELP,
            _series(states.WAKEABLE, shared.wakeables),
            Size(4, 4),
            unit="locale",
            links=to_wakeable,
        ),
    )


def _capacity() -> Line:
    ledgers = [
        *(Series(state, shared.vram(state), states.NODE[state].colour) for state in ("serving", "loading", "standby")),
        Series("wakeable", shared.WAKEABLE_VRAM, "#5B5B66"),
    ]
    description = (
        "VRAM budgets of confirmed nodes by state, and what sleeping and waking nodes would add. A model on standby "
        "VRAM can be had at once, wakeable VRAM takes a wake."
    )
    return (
        time_series("VRAM by state", description, ledgers, Size(10, 8), unit="decbytes", stacked=True),
        alerts(Size(14, 8)),
    )


def _fleets() -> Panel:
    exprs = [
        queries.EACH_FLEET,
        *(queries.each_nodes(state) for state in ("serving", "loading", "standby", "client")),
        queries.EACH_NODES_LOST,
        *(queries.each_workers(status) for status in ("busy", "idle", "unknown")),
        queries.EACH_ROLLOUTS_OPEN,
        queries.EACH_MODELS_UNSERVED,
        queries.each_vram("serving"),
        queries.EACH_WAKEABLE_VRAM,
        queries.EACH_SOURCES_DOWN,
    ]
    ways = (
        links.fleet_of_row("the topology", links.TOPOLOGY, "Fleet"),
        links.fleet_of_row("the runners", links.RUNNERS, "Fleet"),
        links.fleet_of_row("wakeable capacity", links.WAKEABLE, "Fleet"),
    )
    topology, runners, wakeable = ((way,) for way in ways)
    columns = [
        Column("fleet", "Fleet", links=ways, width=180),
        Column("Value #B", "Serving", links=topology),
        Column("Value #C", "Loading", links=topology),
        Column("Value #D", "Standby", links=topology),
        Column("Value #E", "Client", links=topology),
        Column("Value #F", "Nodes lost", limits=BAD, links=topology),
        Column("Value #G", "Busy", links=runners),
        Column("Value #H", "Idle", links=runners),
        Column("Value #I", "Unknown", limits=BAD, links=runners),
        Column("Value #J", "Rollouts open", links=runners),
        Column("Value #K", "Models unserved", limits=((None, GREY), (1, AMBER)), links=wakeable),
        Column("Value #L", "Serving VRAM", unit="decbytes", links=topology),
        Column("Value #M", "Wakeable VRAM", unit="decbytes", links=wakeable),
        Column("Value #N", "Sources down", limits=BAD, links=(links.fleet_of_row("sources", links.ROLLCALL, "Fleet"),)),
    ]
    description = (
        "One row per fleet. A number leads to the dashboard that explains it; – is a fleet without such things."
    )
    order = [("Value #N", True), ("Value #F", True), ("Value #I", True)]
    return table("Fleets", description, exprs, columns, Size(24, 6), sort=order, empty="no fleet is configured")


def _unknown() -> Panel:
    columns = [
        Column("worker", "Worker", links=(links.runner_of_row(worker="Worker", fleet="Fleet"),)),
        Column("Value #A", "Missing", badges=MISSED, width=85),
        Column("reason", "Reason", width=130),
        Column("Value #B", "Unknown since", unit="dateTimeFromNow", width=140),
        Column("reported", "Reported", badges=states.by_word(states.WORKER), width=100),
        Column("fleet", "Fleet", width=110),
    ]
    return table(
        "Unknown workers",
        f"Workers whose status is unknown, up to {queries.ROWS}, those that should be working first: why, since when, "
        "and what their store claims instead.",
        [queries.UNKNOWN, queries.UNKNOWN_SINCE, queries.UNKNOWN_REASON, queries.UNKNOWN_REPORTED],
        columns,
        Size(12, 8),
        sort=[("Value #A", True), ("Value #B", True)],
        empty="no worker is unknown",
    )


def _gaps() -> Panel:
    columns = [
        Column("model", "Model"),
        Column("closable", "Closable", badges=states.CLOSABLE, width=160),
        Column("Value #B", "Promised", unit="s", width=110),
        Column("Value #C", "Mesh lacks", unit="decbytes", width=110),
        Column("fleet", "Fleet", links=(links.fleet_of_row("wakeable capacity", links.WAKEABLE, "Fleet"),)),
    ]
    return table(
        "Models nobody serves",
        "Models that some node was told to serve and no confirmed node hosts, and what could close the gap: nodes on "
        "standby, else waking a node that lists the model, else nothing that is known.",
        [queries.GAP, queries.GAP_WAKE_ETA, queries.GAP_SHORTFALL],
        columns,
        Size(12, 8),
        sort=[("closable", False), ("model", False)],
        empty="every model that was asked for is served",
    )


def _over_time() -> tuple[Line, ...]:
    rollouts = (
        "Rollouts that the stores hold, by status. A finished one can change its status later, so these are counts of "
        "now, not totals."
    )
    size = Size(12, 8)
    return (
        (
            time_series("Nodes by state", NODES_HELP, _series(states.NODE, shared.nodes), size, stacked=True),
            time_series("Workers by status", WORKERS_HELP, _series(states.WORKER, shared.workers), size, stacked=True),
        ),
        (
            time_series(
                "Wakeable by state", WAKEABLE_HELP, _series(states.WAKEABLE, shared.wakeables), size, stacked=True
            ),
            time_series("Rollouts by status", rollouts, _series(states.ROLLOUT, shared.rollouts), size, stacked=True),
        ),
    )


def _sources() -> Panel:
    columns = [
        Column("source", "Source", links=(links.fleet_of_row("Rollcall itself", links.ROLLCALL, "Fleet"),)),
        Column("Value #A", "Up", badges=states.SOURCE, width=80),
        Column("kind", "Kind"),
        Column("Value #B", "Last success", unit="dateTimeFromNow"),
        Column("Value #C", "Read took", unit="s", decimals=3),
        Column("fleet", "Fleet"),
    ]
    exprs = [queries.SOURCE_UP, queries.SOURCE_LAST_SUCCESS, queries.SOURCE_READ_SECONDS]
    order = [("Value #A", False), ("fleet", False), ("source", False)]
    return table("Sources", SOURCES_HELP, exprs, columns, Size(24, 8), sort=order, empty="no source is configured")
