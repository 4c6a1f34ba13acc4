"""The dashboard `Runner`: one worker, what makes its status, what it held, and its machine."""

from __future__ import annotations

from grafana import links, states, variables
from grafana.alerts import SEVERITIES, STATES
from grafana.annotations import THIS_WORKER
from grafana.panels import (
    DURATION,
    MOMENT,
    Board,
    Column,
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
from grafana.queries import runner as queries
from grafana.states import (
    AMBER,
    BLUE,
    GREEN,
    GREY,
    RED,
    TELEMETRY,
    UNKNOWN_REASON,
    VIOLET,
    WORKER,
    WORKER_HISTORY,
    Badge,
)

NO_RUNNER = "no runner is chosen, or none is known"
NO_MACHINE = "its heartbeats say nothing of its machine, or are too old"
NO_GPU = "its heartbeats tell of no GPU"
HELD = (Badge("1", "works on it", GREEN), Badge("2", "idle", BLUE), Badge("3", "fell silent with it", RED))
SAID = (*states.by_word(WORKER), Badge(queries.SAME, queries.SAME, "transparent"))

OPEN_RUNNERS = links.fleet_of_row("the runners of this fleet", links.RUNNERS, "Fleet")


def runner() -> Board:
    """The dashboard of one worker."""
    return Board(
        links.RUNNER,
        "Rollcall: Runner",
        "One runner: its status and the reason, since when, what it held, and its machine.",
        (
            _now(),
            (_identity(),),
            (_history(), (_odd(), _alerts())),
            (_held(), _evidence()),
            (_ages(),),
            Row("Its machine, by its heartbeats"),
            _machine(),
            _gpus(),
        ),
        (variables.FLEET, variables.WORKER),
        THIS_WORKER,
    )


def _now() -> Line:
    status_help = "The effective status, or that the runner is no longer listed."
    for_help = "How long it has been in this status. Kept over restarts of Rollcall."
    why_help = "What makes the status: its store's word, and signs of life."
    heartbeat_help = "How long ago it sent its newest heartbeat, on its store's clock."
    skew_help = (
        "How far its clock is ahead of its store's, by its heartbeats, or behind where below 0. The status does not "
        "depend on it: it is judged by the store's clock."
    )
    status = [Series("status", queries.CONDITION)]
    lasting = [Series("for", queries.FOR)]
    why = [Series("{{why}}", queries.WHY)]
    heartbeat = [Series("ago", queries.HEARTBEAT_AGE)]
    skew = [Series("ahead", queries.SKEW)]
    size, none = Size(4, 4), "no runner"
    badges = states.by_number(WORKER_HISTORY)
    return (
        stat("Status", status_help, status, size, badges=badges, empty=none),
        stat("In this status", for_help, lasting, size, unit=DURATION, empty=none),
        stat("Why", why_help, why, Size(8, 4), words=True, empty=NO_RUNNER),
        stat("Last heartbeat", heartbeat_help, heartbeat, size, unit=DURATION, empty="no heartbeat"),
        stat("Clock skew", skew_help, skew, size, unit="s", decimals=None, empty="not said"),
    )


def _identity() -> Panel:
    columns = [
        Column("fleet", "Fleet", links=(OPEN_RUNNERS,), filterable=False, width=130),
        Column("worker", "Runner", filterable=False, width=190),
        Column("host", "Host", filterable=False, width=160),
        Column("os", "OS", filterable=False),
        Column("reported", "Reported", badges=SAID, filterable=False, width=100),
        Column("Value #D", "Missing", badges=states.YES_IS_BAD, filterable=False, width=80),
        Column("rollout", "Rollout", filterable=False, width=170),
        Column("attempt", "Attempt", filterable=False, width=150),
        Column("Value #E", "Telemetry stale", badges=states.YES_IS_BAD, filterable=False, width=120),
    ]
    return table(
        "Who it is",
        "Reported: what the store claims where that is not the status. Missing: unknown, and it should be working. "
        "Telemetry stale: heartbeats are older than the heartbeat timeout, so nothing is known of the machine.",
        [queries.INFO, queries.REPORTED, queries.HOLDS, queries.MISSED, queries.TELEMETRY_STALE],
        columns,
        Size(24, 4),
        sort=[("fleet", False)],
        empty=NO_RUNNER,
        pages=False,
    )


def _history() -> Panel:
    return state_timeline(
        "Status history",
        "The effective status, what the store reported, why the runner was unknown, and how its telemetry was. "
        "Where the store goes on saying busy and the status is unknown, the runner fell silent with work in hand.",
        queries.HISTORY,
        "{{band}}",
        WORKER_HISTORY | UNKNOWN_REASON | TELEMETRY,
        Size(14, 10),
        empty=NO_RUNNER,
        text=True,
    )


def _odd() -> Panel:
    columns = [
        Column("kind", "Kind", filterable=False, width=150),
        Column("meaning", "Meaning", filterable=False),
        Column("fleet", "Fleet", filterable=False, width=90),
    ]
    return table(
        "Inconsistencies",
        "What is inconsistent about this runner: what its store says of it, what rollouts say, and what it sends.",
        [queries.ODD],
        columns,
        Size(10, 5),
        sort=[("kind", False)],
        empty="nothing is inconsistent",
        pages=False,
    )


def _alerts() -> Panel:
    columns = [
        Column("alertname", "Alert", filterable=False),
        Column("alertstate", "State", badges=STATES, filterable=False, width=90),
        Column("severity", "Severity", badges=SEVERITIES, filterable=False, width=100),
        Column("fleet", "Fleet", filterable=False, width=90),
    ]
    return table(
        "Alerts about it",
        "Alerts of Prometheus about this runner that fire or are about to.",
        [queries.ALERTS],
        columns,
        Size(10, 5),
        sort=[("alertstate", False)],
        empty="no alert about this runner",
    )


def _held() -> Panel:
    columns = [
        Column("rollout", "Rollout", width=170),
        Column("attempt", "Attempt", width=140),
        Column("Value #D", "Now", badges=HELD, width=150, empty="let go"),
        Column("Value #C", "Held for", unit=DURATION, width=110),
        Column("Value #B", "From", unit=MOMENT),
        Column("Value #A", "Until", unit=MOMENT),
    ]
    return table(
        "What it held",
        "Rollouts and attempts that its store said it held in the time range, the newest first: what it held when it "
        f"fell silent stands at the top. The last {queries.HELD}; short ones may be missing in a "
        "long time range, and any in a fleet that holds more than limits.assignments.",
        [queries.HELD_UNTIL, queries.HELD_FROM, queries.HELD_FOR, queries.HELD_STATUS],
        columns,
        Size(14, 10),
        sort=[("Value #A", True), ("rollout", False)],
        empty="it held no rollout in this time range",
        steps_of_range=5000,
    )


def _evidence() -> Panel:
    columns = [
        Column("event", "Evidence", filterable=False),
        Column("Value #B", "Ago", unit=DURATION, filterable=False, width=120),
        Column("Value #A", "At", unit=MOMENT, filterable=False, width=170),
        Column("fleet", "Fleet", filterable=False, width=100),
    ]
    return table(
        "Evidence",
        "When its store last noted something of this runner, on the store's clock. A heartbeat, a dequeue and a report "
        "of work are signs of life; becoming idle is none, for a store moves it for the dead too.",
        [queries.EVIDENCE_AT, queries.EVIDENCE_AGE],
        columns,
        Size(10, 10),
        sort=[("Value #A", True)],
        empty=NO_RUNNER,
        pages=False,
    )


def _ages() -> Panel:
    return time_series(
        "Age of its evidence",
        "How old each sign of life was. A living runner's heartbeat is never much older than 10 s; the others stand "
        "still while it works. Lines that all climb are silence, and where they left the floor it began.",
        [
            Series("heartbeat", queries.since("heartbeat"), RED),
            Series("dequeue", queries.since("dequeue"), BLUE),
            Series("busy", queries.since("busy"), GREEN),
        ],
        Size(24, 8),
        unit="s",
        smooth=True,
        empty=NO_RUNNER,
    )


def _machine() -> Line:
    size = Size(6, 7)
    memory = [Series("used", queries.MEMORY_USED, BLUE), Series("total", queries.MEMORY_TOTAL, GREY)]
    disk = [Series("used", queries.DISK_USED, AMBER), Series("total", queries.DISK_TOTAL, GREY)]
    network = [
        Series("received", queries.traffic("received"), GREEN),
        Series("sent", queries.traffic("sent"), VIOLET),
    ]
    return (
        time_series(
            "CPU",
            "Usage of the CPUs of its machine, from 0 to 1.",
            [Series("CPU", queries.CPU, BLUE)],
            size,
            unit="percentunit",
            top=1,
            smooth=True,
            empty=NO_MACHINE,
        ),
        time_series(
            "Memory", "Memory of its machine: in use, and all there is.", memory, size, unit="bytes", empty=NO_MACHINE
        ),
        time_series(
            "Disk",
            "Disk of its machine at its root: in use, and all there is.",
            disk,
            size,
            unit="bytes",
            empty=NO_MACHINE,
        ),
        time_series(
            "Network",
            "What its machine received and sent, in bytes a second.",
            network,
            size,
            unit="Bps",
            smooth=True,
            empty=NO_MACHINE,
        ),
    )


def _gpus() -> Line:
    size = Size(8, 7)
    use = [Series("GPU {{gpu}}", queries.of_gpus("utilization_ratio"))]
    memory = [
        Series("GPU {{gpu}} used", queries.of_gpus("memory_used_bytes")),
        Series("GPU {{gpu}} total", queries.of_gpus("memory_total_bytes"), GREY),
    ]
    heat = [Series("GPU {{gpu}}", queries.of_gpus("temperature_celsius"))]
    use_help = "Utilization of each GPU of its machine, from 0 to 1."
    return (
        time_series("GPUs", use_help, use, size, unit="percentunit", top=1, smooth=True, empty=NO_GPU),
        time_series("GPU memory", "Memory of each GPU of its machine.", memory, size, unit="bytes", empty=NO_GPU),
        time_series(
            "GPU temperature",
            "Temperature of each GPU of its machine.",
            heat,
            size,
            unit="celsius",
            smooth=True,
            empty=NO_GPU,
        ),
    )
