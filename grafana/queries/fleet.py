"""What the dashboard Fleet asks."""

from __future__ import annotations

from grafana.queries import alerts
from grafana.queries.shared import or_zero, source_state, sources_down
from grafana.variables import FLEETS

# Is anything wrong?
ALERTS_FIRING = or_zero(f"count(max by ({alerts.BY}) ({alerts.FIRING}))")
WORKERS_MISSING = or_zero(f"count(fleet_worker:rollcall_worker_missing:max{{{FLEETS}}} == 1)")
NODES_LOST = or_zero(f"sum(fleet:rollcall_nodes_lost:sum{{{FLEETS}}})")
MODELS_UNSERVED = or_zero(f"sum(fleet_closable:rollcall_model_gap:sum{{{FLEETS}}})")
_UP = f"fleet_source_kind:rollcall_source_up:max{{{FLEETS}}}"
SOURCES_DOWN = or_zero(f"count({sources_down(_UP)})")

# A row per fleet.
EACH_FLEET = f"max by (fleet) (rollcall_source_up{{{FLEETS}}}) * 0 + 1"
EACH_NODES_LOST = f"max by (fleet) (fleet:rollcall_nodes_lost:sum{{{FLEETS}}})"
EACH_WAKEABLE_VRAM = f"max by (fleet) (fleet:rollcall_wakeable_vram_bytes:sum{{{FLEETS}}})"
EACH_MODELS_UNSERVED = f"sum by (fleet) (fleet_closable:rollcall_model_gap:sum{{{FLEETS}}})"
EACH_SOURCES_DOWN = f"count by (fleet) ({sources_down(_UP)}) or max by (fleet) ({_UP}) * 0"
EACH_ROLLOUTS_OPEN = f"max by (fleet) (fleet:rollcall_rollouts_open:sum{{{FLEETS}}})"


def each_nodes(state: str) -> str:
    """Confirmed nodes of each fleet in a state."""
    return f'max by (fleet) (rollcall_nodes{{{FLEETS},state="{state}",standing="confirmed"}})'


def each_workers(status: str) -> str:
    """Workers of each fleet with a status."""
    return f'max by (fleet) (rollcall_workers{{{FLEETS},status="{status}"}})'


def each_vram(state: str) -> str:
    """The live VRAM ledger of each fleet."""
    return f'max by (fleet) (fleet_state:rollcall_node_vram_bytes:sum{{{FLEETS},state="{state}"}})'


# What is missing.
ROWS = 200
"""So many unknown workers have a row."""

UNKNOWN = f'topk({ROWS}, fleet_worker_status:rollcall_worker_attention:max{{{FLEETS},status="unknown"}})'
"""A row per unknown worker; the value is 5 where it is missed, 4 where it is not."""


def _of_unknown(expr: str) -> str:
    return f"{expr} and on (fleet, worker) {UNKNOWN}"


UNKNOWN_REASON = _of_unknown(
    f"topk by (fleet, worker) (1, max by (fleet, worker, reason) (rollcall_worker_unknown_reason{{{FLEETS}}} == 1))"
)
UNKNOWN_SINCE = _of_unknown(
    f"1000 * max by (fleet, worker) (rollcall_worker_status_since_timestamp_seconds{{{FLEETS}}})"
)
UNKNOWN_REPORTED = _of_unknown(
    "topk by (fleet, worker) (1, max by (fleet, worker, reported) "
    f"(rollcall_worker_status_overridden{{{FLEETS}}} == 1))"
)
GAP = f"max by (fleet, model, closable) (fleet_model_closable:rollcall_model_gap:max{{{FLEETS}}})"
GAP_WAKE_ETA = f"min by (fleet, model) (fleet_model:rollcall_model_gap_wake_eta_seconds:min{{{FLEETS}}})"
GAP_SHORTFALL = (
    f"max by (fleet, model) (rollcall_model_shortfall_bytes{{{FLEETS}}})"
    " and on (fleet, model) fleet_model_closable:rollcall_model_gap:max"
)

# Where it all comes from.
SOURCE_UP = source_state(f"max by (fleet, source, kind) ({_UP})")
SOURCE_LAST_SUCCESS = (
    f"max by (fleet, source, kind) (rollcall_source_last_success_timestamp_seconds{{{FLEETS}}}) * 1000"
)
SOURCE_READ_SECONDS = f"max by (fleet, source, kind) (rollcall_source_read_duration_seconds{{{FLEETS}}})"
