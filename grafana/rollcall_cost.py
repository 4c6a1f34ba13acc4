"""The part of the dashboard `Rollcall itself` about what it exposes, and what that costs."""

from __future__ import annotations

from grafana import states
from grafana.panels import Column, Line, Panel, Series, Size, bar_gauge, table, time_series
from grafana.queries import rollcall as queries
from grafana.states import AMBER, GREY

NOTHING_EXPOSED = "no series come from sources"
NOTHING_DROPPED = "nothing is dropped"
NO_COLLECTOR = "no collector of a host runs"
ODD = ((None, GREY), (1, AMBER))


def families() -> Panel:
    """The families with the most series."""
    return bar_gauge(
        "Series by family",
        "The 20 families with the most series that come from sources, over all chosen exporters.",
        [Series("{{family}}", queries.FAMILIES)],
        Size(12, 14),
        empty=NOTHING_EXPOSED,
    )


def series() -> Panel:
    """Series per scrape, over time."""
    return time_series(
        "Series per scrape",
        "What Prometheus takes in from each exporter: series from sources, of its host, and its own.",
        [Series("{{instance}}", queries.SAMPLES)],
        Size(12, 7),
        stacked=True,
    )


def left_out() -> Panel:
    """What limits leave out."""
    columns = [Column("family", "Family"), Column("Value #A", "Dropped", limits=ODD, width=120)]
    return table(
        "Series that are dropped",
        "Series over a limit (at most so many), duplicates, and values that are no number, by family. Raise limits, or "
        "deny families that nobody looks at.",
        [queries.LEFT_OUT],
        columns,
        Size(12, 7),
        sort=[("Value #A", True), ("family", False)],
        empty=NOTHING_DROPPED,
    )


def cost() -> Line:
    """Time, text, CPU and memory, over time."""
    size = Size(6, 7)
    shown = (
        ("Scrape duration", "How long Prometheus' scrapes take, as it measures them.", queries.SCRAPES, "s"),
        ("Exposed text", "Size of what comes from sources, before compression.", queries.BYTES, "bytes"),
        ("CPU", "CPU time of each exporter, as a share of one core.", queries.CPU, "percentunit"),
        ("Memory", "Resident memory of each exporter.", queries.MEMORY, "bytes"),
    )
    return tuple(
        time_series(title, help_, [Series("{{instance}}", expr)], size, unit=unit, smooth=True)
        for title, help_, expr, unit in shown
    )


def collectors() -> Panel:
    """The collectors of each exporter."""
    columns = [
        Column("collector", "Collector"),
        Column("Value #A", "Success", badges=states.SUCCESS, width=100),
        Column("Value #B", "Took", unit="s", width=110),
        Column("instance", "Exporter", width=220),
    ]
    return table(
        "Collectors",
        "What reads the machine of an exporter when it is scraped: its host, and its GPUs.",
        [queries.COLLECTOR, queries.COLLECTOR_TOOK],
        columns,
        Size(12, 8),
        sort=[("Value #A", False), ("collector", False), ("instance", False)],
        empty=NO_COLLECTOR,
    )


def collector_time() -> Panel:
    """How long collectors take, over time."""
    return time_series(
        "How long collectors take",
        "The slowest of each collector over the chosen exporters; a scrape waits for them.",
        [Series("{{collector}}", queries.COLLECTOR_SLOWEST)],
        Size(12, 8),
        unit="s",
        smooth=True,
        empty=NO_COLLECTOR,
    )
