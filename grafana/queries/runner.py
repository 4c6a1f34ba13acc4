"""What the dashboard Runner asks about `$worker`, whose name may be another worker's in another fleet."""

from __future__ import annotations

from exporter.records import UNKNOWN_REASONS
from exporter.state.consistency import MEANINGS as KINDS
from exporter.state.worker_words import REASONS
from grafana.queries.shared import ZERO, worded
from grafana.states import TELEMETRY, UNKNOWN_REASON, WORKER, numbered
from grafana.variables import FLEETS

THIS = f'{FLEETS},worker="$worker"'
"""The matcher of the worker that is chosen."""

HELD = 100
"""So many rollouts are listed."""

BY = ("fleet", "worker")

MEANINGS = {reason: REASONS[reason] for reason in UNKNOWN_REASONS}
EVENTS = ("heartbeat", "dequeue", "busy", "idle")


def _one(expr: str, *labels: str) -> str:
    """One row, also where two exporters say different things."""
    return f"topk by (fleet, worker) (1, max by ({', '.join((*BY, *labels))}) ({expr}))"


def of(metric: str) -> str:
    """A number about the worker."""
    return f"max by (fleet, worker) ({metric}{{{THIS}}})"


# Now
CONDITION = f"fleet_worker:rollcall_worker_condition:max{{{THIS}}}"
FOR = f"time() - {of('rollcall_worker_status_since_timestamp_seconds')}"
HEARTBEAT_AGE = f"fleet_worker:rollcall_worker_heartbeat_age_seconds:min{{{THIS}}}"
SKEW = of("rollcall_worker_clock_skew_seconds")


def _condition(number: int) -> str:
    """The condition where it is this one; bare in an `or on`, VictoriaMetrics 1.79 keeps what `==` drops."""
    return f"max by (fleet, worker) ({CONDITION} == {number})"


WHY = " or on (fleet, worker) ".join(
    (
        f'label_replace({_condition(4)}, "why", "its store lists it no longer", "", "")',
        worded(_one(f"rollcall_worker_unknown_reason{{{THIS}}} == 1", "reason"), "why", "reason", MEANINGS),
        f'label_replace({_condition(1)}, "why", "its store says that it works on a rollout", "", "")',
        f'label_replace({_condition(2)}, "why", "it has no work, by its store and by its signs of life", "", "")',
    )
)
WHY += f' or on () label_replace({ZERO}, "why", "no runner is chosen, or none is known", "", "")'
"""One series of each fleet, whose label `why` is a sentence: what makes the status."""


# Who it is
def _else(label: str, text: str, rows: str = f"max by (fleet, worker) ({CONDITION})") -> str:
    """This text where the worker has no such label, so that its column is always there."""
    return f'label_replace({rows}, "{label}", "{text}", "", "")'


SAME, NONE = "the same", "none"
INFO = _one(f"rollcall_worker_info{{{THIS}}}", "host", "os")
REPORTED = (
    _one(f"rollcall_worker_status_overridden{{{THIS}}} == 1", "reported")
    + f" or on (fleet, worker) {_else('reported', SAME)}"
)
HOLDS = (
    _one(f"rollcall_worker_assignment{{{THIS}}} == 1", "rollout", "attempt")
    + f" or on (fleet, worker) {_else('attempt', NONE, _else('rollout', NONE))}"
)
MISSED = f"max by (fleet, worker) (fleet_worker:rollcall_worker_missing:max{{{THIS}}} or 0 * {CONDITION})"
TELEMETRY_STALE = of("rollcall_worker_telemetry_stale")

# History
_STATUS = numbered(WORKER, "rollcall_worker_status", "status", BY, THIS)
_SAID = (
    f"{numbered(WORKER, 'rollcall_worker_status_overridden', 'reported', BY, THIS)}"
    f" or max by (fleet, worker) ({CONDITION} < 4)"
)
_REASON = numbered(UNKNOWN_REASON, "rollcall_worker_unknown_reason", "reason", BY, THIS)
_TELEMETRY = f"{TELEMETRY_STALE} + {TELEMETRY['fresh'].number}"
_BANDS = {"status": CONDITION, "reported": _SAID, "unknown reason": _REASON, "telemetry": _TELEMETRY}
HISTORY = " or ".join(
    f'label_replace(label_replace({expr}, "band", "{name}", "", ""), "at", "{at}", "", "")'
    for at, (name, expr) in enumerate(_BANDS.items())
)
"""The bands in this order, for Prometheus sorts the series of a range by their labels, and `at` is the first."""

# What it held
_CLAIM = f"rollcall_worker_assignment{{{THIS}}}"
_WHOSE = "fleet, worker, rollout, attempt"
_SEEN = f"timestamp({_CLAIM})[$__range:$__interval]"
_LAST_HELD = f"topk({HELD}, max by ({_WHOSE}) (max_over_time({_SEEN})))"
_FIRST_HELD = f"min by ({_WHOSE}) (min_over_time({_SEEN}))"
HELD_UNTIL = f"1000 * {_LAST_HELD}"
HELD_FROM = f"1000 * {_FIRST_HELD} and on ({_WHOSE}) {_LAST_HELD}"
HELD_FOR = f"{_LAST_HELD} - on ({_WHOSE}) {_FIRST_HELD}"
HELD_NOW = f"max by ({_WHOSE}) ({_CLAIM} == 1)"
HELD_STATUS = f"{HELD_NOW} * on (fleet, worker) group_left () {CONDITION}"

# Evidence
_AT = " or ".join(
    f'label_replace({of(f"rollcall_worker_last_{event}_timestamp_seconds")}, "event", "{event}", "", "")'
    for event in EVENTS
)
EVIDENCE_AT = f"1000 * ({_AT})"
EVIDENCE_AGE = f"clamp_min(time() - ({_AT}), 0)"
ODD = worded(f"max by (fleet, worker, kind) (rollcall_worker_inconsistency{{{THIS}}} == 1)", "meaning", "kind", KINDS)
FIRING = 'ALERTS{alertname!="Watchdog",fleet=~"$fleet",worker="$worker"}'
ALERTS = f"max by (alertname, alertstate, severity, fleet, worker) ({FIRING})"


def since(event: str) -> str:
    """How long ago something last happened."""
    return f"clamp_min(time() - {of(f'rollcall_worker_last_{event}_timestamp_seconds')}, 0)"


# Its machine
CPU = of("rollcall_worker_cpu_usage_ratio")
MEMORY_USED = of("rollcall_worker_memory_used_bytes")
MEMORY_TOTAL = of("rollcall_worker_memory_total_bytes")
DISK_USED = of("rollcall_worker_disk_used_bytes")
DISK_TOTAL = of("rollcall_worker_disk_total_bytes")


def traffic(direction: str) -> str:
    """Bytes a second: sent or received."""
    counter = f"rollcall_worker_network_{direction}_bytes_total{{{THIS}}}"
    return f"max by (fleet, worker) (rate({counter}[$__rate_interval]))"


def of_gpus(metric: str) -> str:
    """A number about each GPU of its machine."""
    return f"max by (fleet, worker, gpu) (rollcall_worker_gpu_{metric}{{{THIS}}})"
