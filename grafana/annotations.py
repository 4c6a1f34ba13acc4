"""What happened, as marks over every chart: aggregated to few, and only changes to or from a bad state."""

from __future__ import annotations

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


def _moved(direction: str) -> str:
    """How many workers went to, or came from, unknown within a few scrapes; nothing where none did."""
    other = {"to": "from", "from": "to"}[direction]
    counter = f'rollcall_worker_status_transitions_total{{{FLEETS},{direction}="unknown"}}'
    return f"sum by (fleet) (max by (fleet, {other}) (increase({counter}[$__rate_interval]))) > 0"


_FIRING = 'ALERTS{alertstate="firing",alertname!="Watchdog",fleet=~"$fleet|"}'
_FIRED = 'unless on (alertname, fleet, severity) ALERTS{alertstate="firing"} offset $__rate_interval'

ALERTS = Annotation(
    "Alerts",
    f"max by (alertname, fleet, severity) ({_FIRING} {_FIRED})",  # the beginning: a region would shade all of a chart
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
    f"delta(fleet:rollcall_nodes_lost:sum{{{FLEETS}}}[$__rate_interval]) > 0",
    RED,
    "nodes gone or no longer confirmed",
    "in fleet {{fleet}}",
)
WAKES = Annotation(
    "Wakes end",
    "sum by (fleet, result) (max by (fleet, provider, result) "
    f"(increase(rollcall_wakes_total{{{FLEETS}}}[$__rate_interval]))) > 0",
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
