"""When all goes as planned no alert above info fires, and with mishaps beside it just those on them.

In virtual time, with the shipped thresholds: simulated fleets, the exporter's own sources, poller, ledger and
exposition, scraped every 15 s, and the shipped rules, which promtool evaluates as often.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from exporter.config.duration import parse_duration
from exporter.rules.values import defaults
from tests.real.quiet_hour import EVE, NODE_DIES, WAKE_BEGINS, WORKER_DIES, Hours, mishaps, plan
from tests.real.scraped import INTERVAL, Alert

pytestmark = pytest.mark.timeout(280)

ALERTS = defaults()["alerts"]
HOUR, LONGER = 60, 90
"""Minutes. All is planned within an hour; the longest `for` of an alert on it is half an hour."""

HAPPENED = [
    ("a client leaves", "rollcall_node_present", {"fleet": "demo"}, "stale"),
    ("a node sleeps", "rollcall_node_present", {"fleet": "demo"}, "0"),
    ("it is a ghost before", "rollcall_node_ghost", {"fleet": "demo"}, "1"),
    ("a console sleeps", "rollcall_source_up", {"fleet": "demo", "source": "gpu-03:3131"}, "0"),
    ("a whole mesh sleeps", "rollcall_source_up", {"fleet": "night", "kind": "mesh-llm"}, "0"),
    ("it wakes", "rollcall_wakes_total", {"fleet": "night", "result": "live"}, "1"),
    ("nodes wake", "rollcall_wakes_total", {"fleet": "demo", "provider": "spot-pool", "result": "live"}, "4"),
    ("models load", "rollcall_node_state", {"fleet": "demo", "state": "loading"}, "1"),
    ("runners wait for work", "rollcall_workers", {"fleet": "runs", "status": "idle"}, "6"),
    ("and have some", "rollcall_workers", {"fleet": "runs", "status": "busy"}, "6"),
    ("all runners exit", "rollcall_workers", {"fleet": "runs", "status": "unknown"}, "6"),
    ("there is no work", "rollcall_rollouts", {"fleet": "runs", "status": "queuing"}, "0"),
    ("a store cannot be read", "rollcall_source_up", {"fleet": "demo", "kind": "agent-lightning"}, "0"),
    ("and knows nobody", "rollcall_worker_unknown_reason", {"fleet": "demo", "reason": "heartbeat_only"}, "1"),
    ("an exporter cannot be scraped", "up", {"instance": "one:10470"}, "0"),
    ("nor can the other", "up", {"instance": "other:10470"}, "0"),
    ("a fleet is taken out", "rollcall_source_up", {"fleet": "leaving"}, "stale"),
]
"""What must have been scraped for the silence to mean something: a metric, some of its labels, one of its values."""


HEARTBEAT_TIMEOUT = 45.0
"""Seconds without a sign of life after which a worker counts as silent."""

LISTED = 300.0
"""Seconds for which peers list a node that was killed, at most."""


def above_info(fired: Collection[Alert]) -> list[Alert]:
    """The alerts that somebody is told of."""
    return [alert for alert in fired if alert.labels["severity"] not in ("info", "none")]


def test_all_that_is_planned_raises_nothing(tmp_path: Path) -> None:
    hours = Hours(tmp_path)
    plan(hours)
    hours.last(LONGER)
    fired = hours.scrapes.alerts("firing", tmp_path)
    assert above_info(fired) == []
    # Not because nothing was evaluated, or nothing happened.
    (always,) = [alert for alert in fired if alert.name == "Watchdog"]
    assert always.times == (EVE + 60 * LONGER) / INTERVAL + 1
    assert [alert.labels["fleet"] for alert in fired if alert.name == "RollcallStoreRestarted"] == ["demo"]
    missed = [what for what, metric, labels, value in HAPPENED if value not in hours.scrapes.values(metric, **labels)]
    assert missed == []


def test_mishaps_beside_it_raise_theirs_and_nothing_else(tmp_path: Path) -> None:
    hours = Hours(tmp_path, seed=1)  # others serve what the node did
    plan(hours)
    befell = mishaps(hours)
    hours.last(HOUR)
    fired = above_info(hours.scrapes.alerts("firing", tmp_path))
    named = [
        ("RollcallWakeOverdue", "logical_id"),
        ("RollcallNodeGone", "node"),
        ("RollcallWorkerUnknown", "worker"),
        ("RollcallWorkerSilentWithAssignment", "worker"),
    ]
    assert [(alert.name, alert.labels) for alert in fired] == [
        (name, {"fleet": "demo", thing: befell[thing], "severity": ALERTS[name]["severity"]}) for name, thing in named
    ]
    begun = [WAKE_BEGINS, NODE_DIES, WORKER_DIES, WORKER_DIES]
    slack = [
        parse_duration(ALERTS["RollcallWakeOverdue"]["at_least"]) + 90,
        LISTED,
        HEARTBEAT_TIMEOUT,
        HEARTBEAT_TIMEOUT,
    ]
    for alert, minutes, known in zip(fired, begun, slack, strict=True):
        waits = parse_duration(ALERTS[alert.name]["for"])
        assert waits < alert.first - EVE - 60 * minutes <= known + waits + 4 * INTERVAL, alert.name
