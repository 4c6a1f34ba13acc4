"""What happened, as marks over every chart: aggregated to few, and only changes to or from a bad state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from grafana.states import AMBER, GREEN, RED
from grafana.variables import FLEETS


@dataclass(frozen=True)
class Annotation:
    """A mark, or a region while `expr` lasts; `title` and `text` are templates such as `{{fleet}}`."""

    name: str
    expr: str
    colour: str
    title: str
    text: str
    tags: tuple[str, ...] = ("fleet",)
    shown: bool = True


def _begins(expr: Callable[[str], str], labels: str) -> str:
    """Where `expr` has an answer and had none a moment ago: Grafana makes a band over all of a chart of one that lasts.

    The argument of `expr` stands behind every range or selector.
    """
    return f"{expr('')} unless on ({labels}) {expr(' offset $__interval')}"


def _moved(direction: str) -> str:
    """How many workers went to, or came from, unknown within a few scrapes."""
    other = {"to": "from", "from": "to"}[direction]
    counter = f'rollcall_worker_status_transitions_total{{{FLEETS},{direction}="unknown"}}[$__rate_interval]'
    return _begins(lambda at: f"(sum by (fleet) (max by (fleet, {other}) (increase({counter}{at}))) > 0)", "fleet")


_FIRING = 'ALERTS{alertstate="firing",alertname!="Watchdog",fleet=~"$fleet|"}'
_LOST = f"max by (fleet) (fleet:rollcall_nodes_lost:sum{{{FLEETS}}}"
_WAKES = f"rollcall_wakes_total{{{FLEETS}}}[$__rate_interval]"

ALERTS = Annotation(
    "Alerts",
    _begins(lambda at: f"max by (alertname, fleet, severity) ({_FIRING}{at})", "alertname, fleet, severity"),
    RED,
    "{{alertname}} begins to fire",
    "{{fleet}} ({{severity}})",
    ("alertname", "fleet", "severity"),
)
WORKERS_LOST = Annotation("Workers turn unknown", _moved("to"), RED, "workers turned unknown", "in fleet {{fleet}}")
WORKERS_BACK = Annotation(
    "Workers are back", _moved("from"), GREEN, "unknown workers came back", "in fleet {{fleet}}", shown=False
)
NODES_LOST = Annotation(
    "Nodes are lost",
    f"{_LOST}) > {_LOST} offset $__interval)",
    RED,
    "nodes gone or no longer confirmed",
    "in fleet {{fleet}}",
)
WAKES = Annotation(
    "Wakes end",
    _begins(
        lambda at: f"(sum by (fleet, result) (max by (fleet, provider, result) (increase({_WAKES}{at}))) > 0)",
        "fleet, result",
    ),
    AMBER,
    "a wake ended: {{result}}",
    "in fleet {{fleet}}",
    ("fleet", "result"),
)

MESH = (ALERTS, NODES_LOST)
WORKERS = (ALERTS, replace(WORKERS_LOST, shown=False), WORKERS_BACK)
WAKEABLES = (ALERTS, replace(WAKES, shown=False))
EVERYTHING = (ALERTS, NODES_LOST, replace(WORKERS_LOST, shown=False))

THIS_NODE = (
    Annotation(
        "Not confirmed",
        f'max by (fleet, node) (fleet_node:rollcall_node_condition:max{{{FLEETS},node="$node"}}) > 4',
        RED,
        "nobody confirms this node, or it has gone",
        "in fleet {{fleet}}",
    ),
)

THIS_WORKER = (
    Annotation(
        "Unknown or gone",
        f'max by (fleet, worker) (fleet_worker:rollcall_worker_condition:max{{{FLEETS},worker="$worker"}}) > 2',
        RED,
        "this runner is unknown or gone",
        "in fleet {{fleet}}",
    ),
)
