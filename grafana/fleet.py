"""The dashboard `Fleet`: who is here, what they do, what could be woken, and whether Rollcall can see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grafana import queries
from grafana.panels import AMBER, BLUE, GREEN, GREY, RED, Column, Panel, Place, Series, now, over_time, render, rows

UID = "rollcall-fleet"

NODE_COLOURS = {"serving": GREEN, "loading": AMBER, "standby": GREY, "client": BLUE}
WORKER_COLOURS = {"busy": GREEN, "idle": BLUE, "unknown": RED}
WAKEABLE_COLOURS = {"sleeping": GREY, "waking": AMBER}
ROLLOUT_COLOURS = {
    "queuing": BLUE,
    "preparing": AMBER,
    "running": GREEN,
    "requeuing": "#B877D9",
    "succeeded": "#2F6B3A",
    "failed": RED,
    "cancelled": GREY,
}

NODES_HELP = (
    "Confirmed mesh-llm nodes by state. Serving: a model is ready. Loading: a model is assigned and not ready yet. "
    "Standby: no model. Client: sends requests, offers nothing."
)
WORKERS_HELP = (
    "Workers by effective status. A worker is unknown when it is silent, when its store gave up on its attempt, or "
    "when nothing but heartbeats came from it."
)
WAKEABLE_HELP = "Nodes that sleep and could be woken. They are no peers and no part of the nodes."
SOURCES_HELP = "Consoles and stores that Rollcall reads. What a source that is down reports is missing everywhere else."


def fleet() -> dict[str, Any]:
    """The dashboard's JSON model."""
    description = "Who is here, what are they doing, and what could be woken."
    panels: list[Panel] = [*_now(), *_over_time(), *_tables(), *_reading()]
    return render(UID, "Fleet", description, queries.FLEETS, panels)


def _series(colours: dict[str, str], query: Callable[[str], str]) -> list[Series]:
    return [Series(name, query(name), colour, alarming=name == "unknown") for name, colour in colours.items()]


def _now() -> list[Panel]:
    sources = [
        Series("up", queries.SOURCES_UP, GREEN),
        Series("down", queries.SOURCES_DOWN, RED, alarming=True),
    ]
    return [
        now("Nodes", NODES_HELP, _series(NODE_COLOURS, queries.nodes), Place(0, 0, 9, 4)),
        now("Workers", WORKERS_HELP, _series(WORKER_COLOURS, queries.workers), Place(9, 0, 7, 4)),
        now("Wakeable", WAKEABLE_HELP, _series(WAKEABLE_COLOURS, queries.wakeables), Place(16, 0, 4, 4)),
        now("Sources", SOURCES_HELP, sources, Place(20, 0, 4, 4)),
    ]


def _over_time() -> list[Panel]:
    rollouts = (
        "Rollouts that the stores hold, by status. A finished one can change its status later, so these are counts "
        "of now, not totals."
    )
    return [
        over_time("Nodes by state", NODES_HELP, _series(NODE_COLOURS, queries.nodes), Place(0, 4, 12, 8)),
        over_time("Workers by status", WORKERS_HELP, _series(WORKER_COLOURS, queries.workers), Place(12, 4, 12, 8)),
        over_time(
            "Wakeable by state", WAKEABLE_HELP, _series(WAKEABLE_COLOURS, queries.wakeables), Place(0, 12, 12, 7)
        ),
        over_time("Rollouts by status", rollouts, _series(ROLLOUT_COLOURS, queries.rollouts), Place(12, 12, 12, 7)),
    ]


def _tables() -> list[Panel]:
    unknown = rows(
        "Unknown workers",
        "Every worker whose status is unknown, longest silent first: why, what its store claims instead, and when its "
        "last heartbeat was.",
        [queries.UNKNOWN_WORKER, queries.UNKNOWN_WORKER_LAST_HEARTBEAT, queries.UNKNOWN_WORKER_REPORTED],
        [
            Column("worker", "Worker"),
            Column("fleet", "Fleet"),
            Column("reason", "Reason"),
            Column("reported", "Store says"),
            Column("Value #B", "Last heartbeat", unit="dateTimeFromNow"),
        ],
        Place(0, 19, 11, 9),
        sort=("Value #B", False),
        empty="no unknown worker",
    )
    sources = rows(
        "Sources",
        SOURCES_HELP + " Drift counts what was not understood and left out, over the time range.",
        [queries.SOURCE_UP, queries.SOURCE_LAST_SUCCESS, queries.SOURCE_READ_SECONDS, queries.SOURCE_DRIFT],
        [
            Column("source", "Source"),
            Column("fleet", "Fleet"),
            Column("kind", "Kind"),
            Column("Value #A", "State", badges=(("1", "up", GREEN), ("0", "down", RED))),
            Column("Value #B", "Last success", unit="dateTimeFromNow"),
            Column("Value #C", "Read took", unit="s"),
            Column("Value #D", "Drift", unit="short"),
        ],
        Place(11, 19, 13, 9),
        sort=("Value #A", False),
    )
    return [unknown, sources]


def _reading() -> list[Panel]:
    return [
        over_time(
            "Failed reads",
            "Reads of sources that failed, per minute, by what went wrong.",
            [Series("{{result}}", queries.FAILED_READS_PER_MINUTE)],
            Place(0, 28, 12, 7),
            unit="cpm",
            empty="no failed read",
        ),
        over_time(
            "Slowest read",
            "How long the slowest newest read of a source took, by kind of source.",
            [Series("{{kind}}", queries.SLOWEST_READ)],
            Place(12, 28, 12, 7),
            unit="s",
            stacked=False,
        ),
    ]
