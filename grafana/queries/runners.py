"""What the dashboard Runners asks. A list of workers has `ROWS` or `BANDS` at most, however many workers there are."""

from __future__ import annotations

from grafana.queries.shared import ZERO, or_zero
from grafana.variables import FLEETS

ROWS = 150
"""Rows of the table: with its eleven queries this stays below 2,000 series."""

BANDS = 200

CHOSEN = f'{FLEETS},status=~"$status",worker=~".*$named.*"'
ATTENTION = "fleet_worker_status:rollcall_worker_attention:max"
OF_WORKER = "on (fleet, worker)"

# Now
_WAITING = f'sum by (fleet) (max by (fleet, status) (rollcall_rollouts{{{FLEETS},status=~"queuing|requeuing"}}))'
_IDLE = f'max by (fleet) (rollcall_workers{{{FLEETS},status="idle"}})'
_BUSY = f'sum(max by (fleet) (rollcall_workers{{{FLEETS},status="busy"}}))'
WAITING = or_zero(f"sum({_WAITING})")
IDLE_IN_VAIN = or_zero(f"sum(({_IDLE} <= on (fleet) {_WAITING}) or on (fleet) ({_WAITING} < on (fleet) {_IDLE}))")
"""Idle workers that would have work if it came to them: the smaller of idle and waiting, fleet by fleet."""

BUSY_SHARE = f"{_BUSY} / (sum(fleet:rollcall_workers_live:sum{{{FLEETS}}}) > 0) or {ZERO}"
MISSED = or_zero(f"count(fleet_worker:rollcall_worker_missing:max{{{FLEETS}}} == 1)")
LEFT = or_zero(f"count(fleet_worker:rollcall_worker_left:max{{{FLEETS}}} == 1)")
ON_TIME = (
    f"1 - avg(max by (fleet, worker) (rollcall_worker_telemetry_stale{{{FLEETS}}})"
    f" unless {OF_WORKER} fleet_worker:rollcall_worker_left:max)"
)

# The table
LISTED = f'topk({ROWS}, {ATTENTION}{{{CHOSEN},status!="gone"}})'
"""A row per worker, with its status as a word; the value is 5 where it is missed, 4 where it is unknown."""


def _of_listed(expr: str) -> str:
    return f"{expr} and {OF_WORKER} {LISTED}"


def _one(expr: str, label: str, others: str = "") -> str:
    """One row per worker, also where two exporters say different things of it."""
    return f"topk by (fleet, worker) (1, max by (fleet, worker, {label}{others}) ({expr}))"


def age(event: str) -> str:
    """How long ago something last happened to each worker of the table."""
    at = f"max by (fleet, worker) (rollcall_worker_last_{event}_timestamp_seconds{{{FLEETS}}})"
    return _of_listed(f"clamp_min(time() - {at}, 0)")


def _else(label: str, rows: str = f"max by (fleet, worker) ({LISTED})") -> str:
    """A dash for those that have no such label, so that its column is always there."""
    return f'label_replace({rows}, "{label}", "–", "", "")'


_REASON = _of_listed(_one(f"rollcall_worker_unknown_reason{{{FLEETS}}} == 1", "reason"))
_HOLDS = _of_listed(_one(f"rollcall_worker_assignment{{{FLEETS}}} == 1", "rollout", ", attempt"))
REASON = f"{_REASON} or {OF_WORKER} {_else('reason')}"
HOLDS = f"{_HOLDS} or {OF_WORKER} {_else('attempt', _else('rollout'))}"
FOR = _of_listed(f"time() - max by (fleet, worker) (rollcall_worker_status_since_timestamp_seconds{{{FLEETS}}})")
CPU = _of_listed(f"max by (fleet, worker) (rollcall_worker_cpu_usage_ratio{{{FLEETS}}})")
MEMORY = _of_listed(
    f"max by (fleet, worker) (rollcall_worker_memory_used_bytes{{{FLEETS}}})"
    f" / {OF_WORKER} max by (fleet, worker) (rollcall_worker_memory_total_bytes{{{FLEETS}}} > 0)"
)
GPU = _of_listed(
    f"avg by (fleet, worker) (max by (fleet, worker, gpu) (rollcall_worker_gpu_utilization_ratio{{{FLEETS}}}))"
)

# History
_CONDITION = f"fleet_worker:rollcall_worker_condition:max{{{FLEETS}}}"
_DRAWN = f"topk({BANDS}, {ATTENTION}{{{CHOSEN}}} @ end())"
_BAND = (
    f'label_replace(({_DRAWN} >= 3) * 0 + 1, "band", "1", "", "")'
    f' or label_replace(({_DRAWN} < 3) * 0 + 1, "band", "2", "", "")'
)
"""Prometheus sorts the series of a range by their labels: `band` is the first of them, and 1 for unknown and gone."""

HISTORY = f'label_join({_CONDITION} * {OF_WORKER} group_left (band) ({_BAND}), "runner", " · ", "worker", "fleet")'
AGES = ("under 15 s", "15 to 30 s", "30 to 60 s", "1 to 5 min", "5 to 60 min", "over 1 h")


def of_age(age: str) -> str:
    """How many workers' last heartbeat is so old; `age` is one of `AGES`."""
    return f'sum by (age) (fleet_age:rollcall_worker_last_heartbeat:sum{{{FLEETS},age="{age}"}})'


def changes(matcher: str) -> str:
    """Changes of status a minute, such as `to="unknown"`."""
    counter = f"rollcall_worker_status_transitions_total{{{FLEETS},{matcher}}}"
    return or_zero(f"sum(max by (fleet, from, to) (60 * rate({counter}[$__rate_interval])))")


FLAPS = (
    "topk(50, max by (fleet, worker) "
    f'(changes(rollcall_worker_status{{{FLEETS},worker=~".*$named.*",status="unknown"}}[$__range])) > 0)'
)
FLAPS_STATUS = f"fleet_worker:rollcall_worker_condition:max{{{FLEETS}}} and {OF_WORKER} {FLAPS}"
FLAPS_SINCE = (
    f"time() - max by (fleet, worker) (rollcall_worker_status_since_timestamp_seconds{{{FLEETS}}})"
    f" and {OF_WORKER} {FLAPS}"
)
