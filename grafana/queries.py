"""The queries of the dashboards, by what they ask.

Every one takes the maximum over instance and job first: two exporters that watch one fleet count once. Where nothing
matches, the answer is 0 as long as some exporter is there to say so, and nothing once there is none.
"""

FLEET = 'fleet=~"$fleet"'
ZERO = "max(rollcall_build_info) * 0"

FLEETS = "label_values(rollcall_source_up, fleet)"


def nodes(state: str) -> str:
    """Confirmed nodes in a state."""
    selector = f'rollcall_nodes{{{FLEET},state="{state}",standing="confirmed"}}'
    return f"sum(max by (fleet) ({selector})) or {ZERO}"


def workers(status: str) -> str:
    """Workers with a status."""
    return f'sum(max by (fleet) (rollcall_workers{{{FLEET},status="{status}"}})) or {ZERO}'


def wakeables(state: str) -> str:
    """Wakeable nodes in a state."""
    return f'sum(max by (fleet) (rollcall_wakeables{{{FLEET},state="{state}"}})) or {ZERO}'


def rollouts(status: str) -> str:
    """Rollouts in a status."""
    return f'sum(max by (fleet) (rollcall_rollouts{{{FLEET},status="{status}"}})) or {ZERO}'


SOURCE_UP = f"max by (fleet, source, kind) (rollcall_source_up{{{FLEET}}})"
SOURCES_UP = f"count({SOURCE_UP} == 1) or {ZERO}"
SOURCES_DOWN = f"count({SOURCE_UP} == 0) or {ZERO}"
SOURCE_LAST_SUCCESS = f"max by (fleet, source, kind) (rollcall_source_last_success_timestamp_seconds{{{FLEET}}}) * 1000"
SOURCE_READ_SECONDS = f"max by (fleet, source, kind) (rollcall_source_read_duration_seconds{{{FLEET}}})"
SOURCE_DRIFT = f"sum by (fleet, source, kind) (increase(rollcall_source_drift_total{{{FLEET}}}[$__range]))"
FAILED_READS_PER_MINUTE = (
    f'60 * sum by (result) (rate(rollcall_source_reads_total{{{FLEET},result!="ok"}}[$__rate_interval])) > 0'
)
SLOWEST_READ = f"max by (kind) (rollcall_source_read_duration_seconds{{{FLEET}}})"

UNKNOWN_WORKER = f"max by (fleet, worker, reason) (rollcall_worker_unknown_reason{{{FLEET}}} == 1)"
UNKNOWN_WORKER_LAST_HEARTBEAT = (
    f"1000 * {UNKNOWN_WORKER} * on (fleet, worker) group_left () "
    "max by (fleet, worker) (rollcall_worker_last_heartbeat_timestamp_seconds)"
)
UNKNOWN_WORKER_REPORTED = (
    f"{UNKNOWN_WORKER} * on (fleet, worker) group_left (reported) "
    "max by (fleet, worker, reported) (rollcall_worker_status_overridden == 1)"
)
