"""The dashboard `Rollcall itself`: can it read its sources, what does it leave out, and what does it cost."""

from __future__ import annotations

from grafana import links, states, variables
from grafana.annotations import ALERTS
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
from grafana.queries import rollcall as queries
from grafana.rollcall_cost import collector_time, collectors, cost, families, left_out, series
from grafana.states import AMBER, BLUE, GREEN, GREY, RED, VIOLET, State

NO_SOURCE = "no source is configured"
NOTHING_FAILED = "every source was up all the time"
NOTHING_DRIFTED = "everything that was read was understood"

RESULTS = {
    "ok": GREEN,
    "timeout": AMBER,
    "refused": RED,
    "tls": VIOLET,
    "http": "#FF780A",
    "redirect": "#8AB8FF",
    "too_large": "#B877D9",
    "malformed": "#A352CC",
}
"""Colours of the results of a read."""

UP = {"up": State(GREEN, 3), "sleeping": State(GREY, 2), "down": State(RED, 1)}
ODD = ((None, GREY), (1, AMBER))
OLD = ((None, GREEN), (60, AMBER), (300, RED))
FAILED = Gather("E", "result", ("fleet", "source", "kind"))


def rollcall() -> Board:
    """The dashboard of the exporters and their sources."""
    return Board(
        links.ROLLCALL,
        "Rollcall: Rollcall itself",
        "Whether Rollcall can read its sources, understands them, leaves nothing out, and what it costs.",
        (
            _now(),
            (_exporters(),),
            (_sources(),),
            (_down(), _drift()),
            _reads(),
            Row("Series"),
            (families(), (series(), left_out())),
            Row("What it costs"),
            cost(),
            (collectors(), collector_time()),
        ),
        (variables.FLEET, variables.EXPORTER),
        (ALERTS,),
    )


def _now() -> Line:
    wrong = [
        Series("exporters down", queries.EXPORTERS_DOWN, RED, alarming=True),
        Series("sources down", queries.SOURCES_DOWN, RED, alarming=True),
        Series("collectors failing", queries.COLLECTORS_FAILING, RED, alarming=True),
        Series("ledgers unavailable", queries.NOT_KEPT, RED, alarming=True),
        Series("series dropped", queries.DROPPED, AMBER, alarming=True),
        Series("not understood", queries.DRIFT, AMBER, alarming=True),
    ]
    size = [
        Series("exporters", queries.EXPORTERS, BLUE),
        Series("sources up", queries.SOURCES_UP, GREEN),
        Series("series", queries.SERIES, BLUE),
        Series("slowest scrape", queries.SLOWEST_SCRAPE, BLUE, unit="s"),
    ]
    return (
        stat(
            "Is Rollcall well?",
            "All of these are 0 where all is well: exporters that Prometheus cannot scrape, sources that cannot be "
            "read though their hosts do not sleep, collectors of a host that fail, exporters whose ledger is not on "
            "disk, so that a restart forgets it, series dropped over a limit, and what sources said in this time "
            "range that was not understood.",
            wrong,
            Size(13, 4),
        ),
        stat(
            "How large is it?",
            "Exporters that are up, the sources that they read, the series that Prometheus takes in per scrape of all "
            "of them, and how long its slowest scrape takes.",
            size,
            Size(11, 4),
            decimals=None,
        ),
    )


def _exporters() -> Panel:
    columns = [
        Column("instance", "Exporter"),
        Column("Value #A", "Scraped", badges=states.UP, width=90),
        Column("version", "Version", width=90),
        Column("python", "Python", width=85),
        Column("Value #C", "Started", unit="dateTimeFromNow", width=140),
        Column("Value #D", "Scrape took", unit="s", width=95),
        Column("Value #E", "Series", unit="short", width=80),
        Column("Value #F", "Text", unit="bytes", width=90),
        Column("Value #G", "Dropped", limits=ODD, width=80),
        Column("Value #H", "CPU", unit="percentunit", gauge=True, top=1, decimals=1, width=150),
        Column("Value #I", "Memory", unit="bytes", width=95),
        Column("Value #J", "Files open", unit="percentunit", decimals=1, width=80),
        Column("Value #K", "Ledger available", badges=states.YES_IS_GOOD, width=125),
    ]
    return table(
        "Exporters",
        "Every Rollcall that was there at some time of this range. Text: what it exposes from sources, before "
        "compression. CPU is of one core. Files open: of those it may open. Dropped: series over a limit. Ledger "
        "available: on disk, so that a restart forgets no states and counts.",
        [
            queries.ROW,
            queries.ROW_BUILD,
            queries.ROW_START,
            queries.ROW_SCRAPE,
            queries.ROW_SAMPLES,
            queries.ROW_BYTES,
            queries.ROW_DROPPED,
            queries.CPU,
            queries.MEMORY,
            queries.ROW_FILES,
            queries.ROW_LEDGER,
        ],
        columns,
        Size(24, 7),
        sort=[("Value #A", False), ("instance", False)],
    )


def _sources() -> Panel:
    columns = [
        Column("source", "Source"),
        Column("Value #A", "Up", badges=states.SOURCE, width=80),
        Column("kind", "Kind", width=140),
        Column("Value #B", "Last success, ago", unit="s", limits=OLD, decimals=0, width=120),
        Column("Value #C", "Read took", unit="s", width=100),
        Column("Value #D", "Reads that succeeded", unit="percentunit", gauge=True, top=1, colour=GREEN, width=180),
        Column(FAILED.field, "Failures in this range", pills=True, filterable=False, empty="none"),
        Column("Value #F", "Not understood", limits=ODD, empty="0", width=110),
        Column("fleet", "Fleet", links=(links.fleet_of_row("the fleet", links.FLEET, "Fleet"),), width=120),
    ]
    return table(
        "Sources",
        "Consoles, stores and inventories that are read, those that are down first, then those on hosts that an "
        "inventory lists as sleeping: how old the last success is, how "
        "long the newest took, and of this time range the share of reads that succeeded, how others failed, and what "
        f"was not understood. {queries.MOST} sources at most.",
        [
            queries.SHOWN,
            queries.SOURCE_AGE,
            queries.SOURCE_TOOK,
            queries.SOURCE_READ_SHARE,
            queries.SOURCE_FAILURES,
            queries.SOURCE_DRIFT,
        ],
        columns,
        Size(24, 9),
        sort=[("Value #A", False), ("Value #D", False), ("fleet", False), ("source", False)],
        empty=NO_SOURCE,
        gather=[FAILED],
    )


def _down() -> Panel:
    return state_timeline(
        "Sources that were down",
        "One band per source that could not be read at some time of this range. What such a source reports is missing "
        "elsewhere, and no state changes on its account.",
        queries.WENT_DOWN,
        "{{source}}",
        UP,
        Size(14, 8),
        empty=NOTHING_FAILED,
        per_page=8,
    )


def _drift() -> Panel:
    columns = [
        Column("source", "Source"),
        Column("field", "Field"),
        Column("Value #A", "Times", width=90),
        Column("kind", "Kind", width=120),
        Column("fleet", "Fleet", width=100),
    ]
    return table(
        "What was not understood",
        "What sources said in this time range that was left out, by field: another version of an upstream, or a broken "
        "one. The rest of what they said counts.",
        [queries.DRIFTING],
        columns,
        Size(10, 8),
        sort=[("Value #A", True), ("source", False)],
        empty=NOTHING_DRIFTED,
    )


def _reads() -> Line:
    size = Size(8, 8)
    results = [Series(result, queries.reads(result), colour) for result, colour in RESULTS.items()]
    return (
        time_series(
            "Age of the last success",
            "The ten sources that were the longest without a good read. An age that climbs is a source that is down.",
            [Series("{{source}}", queries.OLDEST)],
            size,
            unit="s",
            empty=NO_SOURCE,
        ),
        time_series(
            "How long reads take",
            "The ten sources that are the slowest on average. A read that takes as long as its timeout is cut off.",
            [Series("{{source}}", queries.SLOWEST)],
            size,
            unit="s",
            empty=NO_SOURCE,
        ),
        time_series(
            "Reads by result",
            "Reads of all sources a second, by how they ended.",
            results,
            size,
            unit="ops",
            stacked=True,
            empty=NO_SOURCE,
        ),
    )
