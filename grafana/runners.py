"""The dashboard `Runners`: who works, who waits, who fell silent and why."""

from __future__ import annotations

from grafana import links, states, variables
from grafana.annotations import WORKERS
from grafana.panels import (
    DURATION,
    Board,
    Column,
    Line,
    Panel,
    Row,
    Series,
    Size,
    heat_map,
    stat,
    state_timeline,
    table,
    time_series,
)
from grafana.queries import runners as queries
from grafana.queries import shared
from grafana.states import AMBER, BLUE, GREEN, GREY, RED, VIOLET, WORKER, WORKER_HISTORY, Badge

NO_RUNNER = "no runner of these fleets has this status and name"
MISSED = (
    Badge("5", "missing", RED),
    Badge("4", "not missing", GREY),
    *(Badge(str(number), "", "transparent") for number in (3, 2, 1)),
)
OPEN_RUNNER = links.runner_of_row(worker="Runner", fleet="Fleet")
COLUMNS = (
    Column("worker", "Runner", links=(OPEN_RUNNER,), width=165),
    Column("status", "Status", badges=states.by_word(WORKER), width=90),
    Column("Value #C", "For", unit=DURATION, width=85),
    Column("reason", "Reason", width=125),
    Column("Value #A", "Missing", badges=MISSED, width=95),
    Column("rollout", "Rollout", width=145),
    Column("attempt", "Attempt", width=115),
    Column("Value #E", "Heartbeat", unit=DURATION, width=95),
    Column("Value #F", "Dequeue", unit=DURATION, width=90),
    Column("Value #G", "Busy", unit=DURATION, width=75),
    Column("Value #H", "Idle", unit=DURATION, width=75),
    Column("Value #I", "CPU", unit="percentunit", decimals=0, gauge=True, top=1, width=105),
    Column("Value #J", "Memory", unit="percentunit", decimals=0, gauge=True, top=1, width=105),
    Column("Value #K", "GPU", unit="percentunit", decimals=0, gauge=True, top=1, width=105),
    Column("fleet", "Fleet"),
)
HEARTBEATS = (
    "A living runner sends a heartbeat every 10 s; what is known here of it is up to a read and a scrape older. "
    "Runners that stay in a row without moving up are alive."
)


def runners() -> Board:
    """The dashboard of worker fleets."""
    return Board(
        links.RUNNERS,
        "Rollcall: Runners",
        "Who works, who waits for work, who fell silent, why, and with what in hand.",
        (
            _now(),
            (_runners(),),
            (_history(), (_queue(), _heartbeats())),
            Row("Flapping"),
            (_changes(), _flapping()),
            Row("Over time"),
            _over_time(),
        ),
        (variables.FLEET, variables.STATUS, variables.NAMED),
        WORKERS,
    )


def _now() -> Line:
    status_help = "Runners by effective status; a silent one is unknown."
    silent_help = (
        "Missing: unknown, and there is reason to think that it should be working. Left behind: a silent runner of a "
        "run that is over, which a store never deletes."
    )
    queue_help = (
        "Rollouts that wait for a runner, and how many runners are idle though work waits in their fleet. Both are 0 "
        "in a fleet without rollouts, such as that of a registry."
    )
    busy_help = "The part of living runners, busy or idle, that is busy."
    on_time_help = (
        "The part of runners whose newest heartbeat is younger than the heartbeat timeout; those left behind do not "
        "count."
    )
    by_status = [
        Series(status, shared.workers(status), state.colour, alarming=status == "unknown")
        for status, state in WORKER.items()
    ]
    silent = [Series("missing", queries.MISSED, RED, alarming=True), Series("left behind", queries.LEFT, GREY)]
    queue = [
        Series("rollouts wait", queries.WAITING, VIOLET),
        Series("idle meanwhile", queries.IDLE_IN_VAIN, AMBER, alarming=True),
    ]
    busy = [Series("busy", queries.BUSY_SHARE, GREEN)]
    on_time = [Series("on time", queries.ON_TIME, BLUE)]
    return (
        stat("Runners now", status_help, by_status, Size(6, 4)),
        stat("Unknown runners", silent_help, silent, Size(5, 4)),
        stat("Queue", queue_help, queue, Size(5, 4)),
        stat("Busy share", busy_help, busy, Size(4, 4), unit="percentunit"),
        stat("Heartbeats on time", on_time_help, on_time, Size(4, 4), unit="percentunit", empty="no runner"),
    )


def _runners() -> Panel:
    exprs = [
        queries.LISTED,
        queries.REASON,
        queries.FOR,
        queries.HOLDS,
        *(queries.age(event) for event in ("heartbeat", "dequeue", "busy", "idle")),
        queries.CPU,
        queries.MEMORY,
        queries.GPU,
    ]
    return table(
        "Runners",
        "Every runner: those first that should be working and are unknown, then others unknown. Heartbeat, dequeue, "
        "busy and idle are how long ago each last happened, on the store's clock. CPU, memory and GPU are its "
        f"machine's. The first {queries.ROWS} are listed: choose a status or a part of the name above for others.",
        exprs,
        COLUMNS,
        Size(24, 14),
        sort=[("Value #A", True), ("Value #E", True), ("worker", False)],
        empty=NO_RUNNER,
    )


def _history() -> Panel:
    return state_timeline(
        "Status of every runner",
        "The status of each runner over time, first of those that are unknown or gone at the end of the time range. "
        f"{queries.BANDS} runners at most, a page at a time: choose a status or a part of the name above for others.",
        queries.HISTORY,
        "{{runner}}",
        WORKER_HISTORY,
        Size(14, 16),
        empty=NO_RUNNER,
        links=[links.runner_of_series()],
        points=500,
    )


def _queue() -> Panel:
    return time_series(
        "Queue against idle runners",
        "Rollouts that wait, and runners without work. Both at once for long means that work does not reach runners; "
        "a queue and nobody idle means that there are too few.",
        [
            Series("rollouts wait", queries.WAITING, VIOLET),
            Series("idle runners", shared.workers("idle"), BLUE),
            Series("idle though work waits", queries.IDLE_IN_VAIN, RED),
        ],
        Size(10, 8),
    )


def _heartbeats() -> Panel:
    return heat_map(
        "Age of last heartbeats",
        f"How many runners were last heard how long ago. {HEARTBEATS}",
        [Series(age, queries.of_age(age)) for age in queries.AGES],
        Size(10, 8),
        empty="no runner has sent a heartbeat",
    )


def _changes() -> Panel:
    return time_series(
        "Changes of status a minute",
        "How often runners turned unknown and came back, in a minute. Both for long is flapping: of a network, of a "
        "store, or of a heartbeat timeout that is too short.",
        [
            Series("turned unknown", queries.changes('to="unknown"'), RED),
            Series("came back", queries.changes('from="unknown"'), GREEN),
            Series("took work", queries.changes('from="idle",to="busy"'), GREY),
        ],
        Size(12, 9),
        unit="cpm",
    )


def _flapping() -> Panel:
    columns = [
        Column("worker", "Runner", links=(OPEN_RUNNER,)),
        Column("Value #A", "Changes", gauge=True, width=200),
        Column("Value #B", "Status", badges=states.by_number(WORKER_HISTORY), width=100),
        Column("Value #C", "For", unit=DURATION, width=90),
        Column("fleet", "Fleet", width=120),
    ]
    return table(
        "Runners that flap",
        "How often each runner turned unknown or came back in the time range, the 50 with most changes.",
        [queries.FLAPS, queries.FLAPS_STATUS, queries.FLAPS_SINCE],
        columns,
        Size(12, 9),
        sort=[("Value #A", True), ("worker", False)],
        empty="no runner turned unknown or came back",
    )


def _over_time() -> Line:
    by_status = [Series(status, shared.workers(status), state.colour) for status, state in WORKER.items()]
    rollouts = [Series(status, shared.rollouts(status), state.colour) for status, state in states.ROLLOUT.items()]
    return (
        time_series(
            "Runners by status", "Runners by effective status over time.", by_status, Size(12, 8), stacked=True
        ),
        time_series(
            "Rollouts by status",
            "Rollouts that stores hold, by status. A finished one can change its status later, so these are counts of "
            "now, not totals.",
            rollouts,
            Size(12, 8),
            stacked=True,
        ),
    )
