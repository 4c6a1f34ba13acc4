"""The table of alerts, which any dashboard can have. Grafana's own alert list takes no data source from a variable."""

from __future__ import annotations

from grafana import links
from grafana.panels import Column, Panel, Size, table
from grafana.queries import alerts as queries
from grafana.states import AMBER, BLUE, GREY, RED, Badge

STATES = (Badge("firing", "firing", RED), Badge("pending", "pending", AMBER))
SEVERITIES = (
    Badge("critical", "critical", RED),
    Badge("warning", "warning", AMBER),
    Badge("ticket", "ticket", BLUE),
    Badge("none", "none", GREY),
)


def alerts(size: Size) -> Panel:
    """Alerts of the chosen fleets that fire or are about to, those that fire first, then the newest."""
    columns = [
        Column("alertname", "Alert", width=205),
        Column("alertstate", "State", badges=STATES, width=85),
        Column("severity", "Severity", badges=SEVERITIES, width=100),
        Column("Value #B", "Since", unit="dateTimeFromNow", width=150),
        Column("fleet", "Fleet", width=75),
        Column("worker", "Worker", links=(links.runner_of_row(worker="Worker", fleet="Fleet"),), width=170),
        Column("about", "Or about"),
        Column("Value #A", "Rank", hidden=True),
    ]
    return table(
        "Alerts",
        f"Up to {queries.ROWS} alerts of Prometheus that fire or are about to. Alertmanager may have muted them.",
        [queries.ALERTS, queries.SINCE],
        columns,
        size,
        sort=[("Value #A", True), ("Value #B", True)],
        empty="no alert is firing",
    )
