"""What the dashboard Node asks about `$node`, and about `$host`, the exporter that runs on its machine."""

from __future__ import annotations

from grafana.queries.shared import ZERO, named, worded
from grafana.queries.topology import PLACES
from grafana.states import LATENCY, NODE_CONDITION, RELATION, numbered
from grafana.variables import FLEETS

THIS = f'{FLEETS},node="$node"'
"""The matcher of the node that is chosen."""

HERE = 'instance="$host"'
"""The matcher of the exporter on its host; matches nothing where none is found."""

MEANINGS = {
    "serving": "a model is ready",
    "loading": "a model is assigned to it and none is ready",
    "standby": "it has no model",
    "client": "it only sends requests",
}
WITNESSES = {
    "self": "says its own console",
    "quorum": "say most of the consoles that see it",
    "single": "says one view: its own console is not read, and no two others agree",
}
GONE = "no console lists it any more"
GHOST = "only hearsay is left of it: nobody has measured a latency to it for two minutes"
UNCONFIRMED = "peers list it, but its own console is silent or nobody measures a latency to it"
CORRECTED = "it says $1, though a model is assigned to it and none is ready"
CORRECTED_STAGE = "it says $1, though it holds a ready stage of a split model"


# Now
CONDITION = f"fleet_node:rollcall_node_condition:max{{{THIS}}}"
STATE = f"max({CONDITION})"
_LAST_LISTED = f"max_over_time(timestamp(rollcall_node_present{{{THIS}}} == 1)[1h:1m])"
SINCE = f"1000 * (max(rollcall_node_state_since_timestamp_seconds{{{THIS}}}) or max({_LAST_LISTED}))"
"""In milliseconds; of a node that has gone, when it was last listed, to the minute."""
VRAM = f"max(rollcall_node_vram_bytes{{{THIS}}})"
GPU_MEMORY = f"sum(max by (gpu) (rollcall_node_gpu_memory_bytes{{{THIS}}}))"
INFLIGHT = f"max(rollcall_node_inflight_requests{{{THIS}}})"
SLOTS = f"sum(max by (model) (rollcall_node_slots{{{THIS}}}))"
SLOTS_BUSY = f"sum(max by (model) (rollcall_node_slots_busy{{{THIS}}}))"

_MEANING = " or ".join(
    f'label_replace({CONDITION} == {NODE_CONDITION[state].number}, "meaning", "{meaning}", "", "")'
    for state, meaning in MEANINGS.items()
)
_WITNESS = worded(
    f"topk by (fleet, node) (1, max by (fleet, node, basis) (rollcall_node_info{{{THIS}}}))",
    "witness",
    "basis",
    WITNESSES,
)
_BY_RULE = (
    f'label_join(({_MEANING}) * on (fleet, node) group_left (witness) {_WITNESS}, "why", ", ", "meaning", "witness")'
)
_REPORTED = f"max by (fleet, node, reported) (rollcall_node_state_overridden{{{THIS}}})"


def _corrected(state: str, sentence: str) -> str:
    """Where the node's word was corrected to this state."""
    node = f"on (fleet, node) ({CONDITION} == {NODE_CONDITION[state].number})"
    return f'label_replace({_REPORTED} and {node}, "why", "{sentence}", "reported", "(.*)")'


def _condition(number: int) -> str:
    """The condition where it is this one; bare in an `or on`, VictoriaMetrics 1.79 keeps what `==` drops."""
    return f"max by (fleet, node) ({CONDITION} == {number})"


_STAGE = f"{_corrected('serving', CORRECTED_STAGE)} and on (fleet, node) rollcall_node_stage{{{THIS}}}"
_WHY = " or on (fleet, node) ".join(
    (
        f'label_replace({_condition(7)}, "why", "{GONE}", "", "")',
        f'label_replace({_condition(6)}, "why", "{GHOST}", "", "")',
        f'label_replace({_condition(5)}, "why", "{UNCONFIRMED}", "", "")',
        _corrected("loading", CORRECTED),
        f"({_STAGE})",
        _BY_RULE,
    )
)
WHY = f'{_WHY} or on () label_replace({ZERO}, "why", "no node is chosen, or none is known", "", "")'
"""One series whose label `why` is a sentence: what makes the state, and whose word that is."""

# Who it is
_INFO = "max by (fleet, node, hostname, role, version, basis)"
INFO = (
    f"topk by (fleet, node) (1, {_INFO} (rollcall_node_info{{{THIS}}})"
    f" or on (fleet, node) {_INFO} (last_over_time(rollcall_node_info{{{THIS}}}[1h])))"
)
"""One row, also where two exporters say different things of it; of a node that has gone, what was last said."""
CONFIRMED = f"max by (fleet, node) (rollcall_node_confirmed{{{THIS}}})"
GHOSTLY = f"max by (fleet, node) (rollcall_node_ghost{{{THIS}}})"
REPORTED = f"max by (fleet, node, reported) (rollcall_node_state_overridden{{{THIS}}})"
DISPUTED = f'max by (fleet, node) (rollcall_node_views_disagree{{{THIS},kind="real"}})'
EXPECTED = f'max by (fleet, node) (rollcall_node_views_disagree{{{THIS},kind="expected"}})'
VRAM_DRIFT = f"max by (fleet, node) (fleet_node:rollcall_node_vram_drift_bytes:max{{{THIS}}})"
NVML_DRIFT = f"max by (fleet, node) (fleet_node:rollcall_node_gpu_memory_drift_bytes:max{{{THIS}}})"

# Who sees it, and how
SEEN = f'{FLEETS},peer="$node"'
"""The matcher of what others say of it."""

_LISTED = f"max by (fleet, node, latency) (rollcall_node_peer{{{SEEN}}})"
_OTHERS = f'(max by (fleet, node) (rollcall_node_peer{{{FLEETS},node!="$node"}}) and on (fleet) {CONDITION})'
_NOT_LISTED = f"{_OTHERS} unless on (fleet, node) rollcall_node_peer{{{SEEN}}}"
OBSERVER = named(f'{_LISTED} or label_replace({_NOT_LISTED}, "latency", "not listed", "", "")')
OBSERVER_RTT = f"max by (fleet, node) (rollcall_node_peer_rtt_seconds{{{SEEN}}})"
RTT_BACK = (
    f"max by (fleet, node) (label_replace(max by (fleet, peer) (rollcall_node_peer_rtt_seconds{{{THIS}}}), "
    '"node", "$1", "peer", "(.*)")) and on (fleet, node) ' + _OTHERS
)
OBSERVER_STATE = (
    f"max by (fleet, node) (fleet_node:rollcall_node_condition:max{{{FLEETS}}} and on (fleet, node) {_OTHERS})"
)
_KNOWN = {word: state for word, state in LATENCY.items() if word != "not listed"}
_FEW = f"(last_over_time(rollcall_node_ordinal{{{FLEETS}}}[1h]) < {PLACES})"
LISTED_AS = named(
    f"({numbered(_KNOWN, 'rollcall_node_peer', 'latency', ('fleet', 'node'), SEEN)}"
    f" or {LATENCY['not listed'].number} * ({_NOT_LISTED})) and on (fleet, node) {_FEW}"
)


def views(state: str) -> str:
    """How many consoles see it in a state."""
    return f'max(rollcall_node_views{{{THIS},state="{state}"}})'


def requests(outcome: str) -> str:
    """Requests a second that it routed, by outcome."""
    return f'max(rate(rollcall_node_requests_total{{{THIS},outcome="{outcome}"}}[$__rate_interval]))'


# What it serves
MODEL = f"max by (model, relation) (rollcall_node_model{{{THIS}}})"
MODEL_SHARE = f"max by (model) (fleet_model_node:rollcall_node_vram_ratio:max{{{THIS}}})"
MODEL_VRAM = (
    f"max by (model) (fleet_model:rollcall_node_vram_bytes:sum{{{FLEETS}}}"
    f" and on (fleet, model) (rollcall_node_model{{{THIS}}} or rollcall_node_stage{{{THIS}}}))"
)
MODEL_LAYERS = f"max by (model, layers) (rollcall_node_stage{{{THIS}}})"
MODEL_SLOTS = f"max by (model) (rollcall_node_slots{{{THIS}}})"
MODEL_SLOTS_BUSY = f"max by (model) (rollcall_node_slots_busy{{{THIS}}})"
MODEL_UNSERVED = (
    f"max by (model) (fleet_model:rollcall_model_unserved:max{{{FLEETS}}}"
    f' and on (fleet, model) rollcall_node_model{{{THIS},relation="requested"}})'
)
GPU = f"max by (gpu, name) (rollcall_node_gpu_memory_bytes{{{THIS}}})"
GPU_RESERVED = f"max by (gpu) (rollcall_node_gpu_memory_reserved_bytes{{{THIS}}})"
GPU_BANDWIDTH = f"max by (gpu) (rollcall_node_gpu_memory_bandwidth_bytes_per_second{{{THIS}}})"

# History
HISTORY = named(CONDITION)
MODELS_OVER_TIME = numbered(RELATION, "rollcall_node_model", "relation", ("model",), THIS)

# Its host
_CPU = f"rollcall_host_cpu_seconds_total{{{HERE}}}"
_IDLE = f'rollcall_host_cpu_seconds_total{{{HERE},mode="idle"}}'
HOST_CPU = f"1 - sum(rate({_IDLE}[$__rate_interval])) / sum(rate({_CPU}[$__rate_interval]))"
HOST_MEMORY_USED = f"max(rollcall_host_memory_used_bytes{{{HERE}}})"
HOST_MEMORY_TOTAL = f"max(rollcall_host_memory_total_bytes{{{HERE}}})"
HOST_GPU = f"max by (gpu, name) (rollcall_gpu_info{{{HERE}}})"
HOST_GPU_USED = f"max by (gpu) (rollcall_gpu_utilization_ratio{{{HERE}}})"
_GPU_MEMORY_TOTAL = f"max by (gpu) (rollcall_gpu_memory_total_bytes{{{HERE}}})"
HOST_GPU_MEMORY = f"max by (gpu) (rollcall_gpu_memory_used_bytes{{{HERE}}}) / {_GPU_MEMORY_TOTAL}"
HOST_GPU_TEMPERATURE = f"max by (gpu) (rollcall_gpu_temperature_celsius{{{HERE}}})"
HOST_GPU_POWER = f"max by (gpu) (rollcall_gpu_power_watts{{{HERE}}})"
HOST_GPU_PROCESSES = f"max by (gpu) (rollcall_gpu_processes{{{HERE}}})"
HOST_GPU_THROTTLED = f"max by (gpu, reason) (rollcall_gpu_throttle_reason{{{HERE}}} == 1)"


def disk(direction: str) -> str:
    """Bytes a second that its host's disks `read`, or that were `written` to them."""
    return f"sum(rate(rollcall_host_disk_{direction}_bytes_total{{{HERE}}}[$__rate_interval]))"


def network(direction: str) -> str:
    """Bytes a second over all of its host's network interfaces but the loopback: `receive` or `transmit`."""
    counter = f'rollcall_host_network_{direction}_bytes_total{{{HERE},device!="lo"}}'
    return f"sum(rate({counter}[$__rate_interval]))"
