"""What the dashboard Wakeable capacity asks; live figures beside it are of confirmed nodes and hold no wakeable one."""

from __future__ import annotations

from grafana.queries.shared import or_zero
from grafana.states import WAKEABLE, WAKEABLE_SHOWN, numbered
from grafana.variables import FLEETS

MOST = 150
"""So many wakeable nodes, and so many models, are in the tables."""

LATEST = 3
"""The ratio of elapsed to promised time up to which lateness is drawn."""

UNNAMED = "none named"

_INFO = f'rollcall_wakeable_info{{{FLEETS},provider=~"$provider"}}'
_EACH = f"topk by (fleet, logical_id) (1, max by (fleet, logical_id, provider, inventory) ({_INFO}))"
"""One series per wakeable node of the chosen providers."""


def _of(expr: str) -> str:
    """Those of `expr`, which has the labels fleet and logical_id, that are of the chosen providers."""
    return f"(({expr}) and on (fleet, logical_id) {_INFO})"


def _in_state(state: str) -> str:
    return _of(f'max by (fleet, logical_id) (rollcall_wakeable_state{{{FLEETS},state="{state}"}} == 1)')


def _by_provider(operation: str, expr: str) -> str:
    """`expr`, which has the labels fleet and logical_id, aggregated by provider."""
    joined = f"{_EACH} * on (fleet, logical_id) group_left () ({expr})"
    return _named(f"{operation} by (provider) ({joined})")


def _named(expr: str) -> str:
    return f'label_replace({expr}, "provider", "{UNNAMED}", "provider", "")'


# Now
_ETA = f"max by (fleet, logical_id) (rollcall_wakeable_wake_eta_seconds{{{FLEETS}}})"
_DURATION = f"max by (fleet, logical_id) (rollcall_wakeable_wake_duration_seconds{{{FLEETS}}})"
_VRAM = f"fleet_logical_id:rollcall_wakeable_vram_bytes:max{{{FLEETS}}}"
_ELAPSED = f"({_DURATION} and on (fleet, logical_id) {_in_state('waking')})"
_PROGRESS = f"({_ELAPSED} / on (fleet, logical_id) ({_ETA} > 0))"
OVERDUE = or_zero(f"count({_PROGRESS} > 1)")


def count(state: str) -> str:
    """Wakeable nodes of the chosen providers in a state."""
    return or_zero(f"count{_in_state(state)}")


def vram(state: str) -> str:
    """The VRAM that those in a state would add."""
    return or_zero(f"sum({_VRAM} and on (fleet, logical_id) {_in_state(state)})")


LIVE_VRAM = or_zero(f"sum(fleet_state:rollcall_node_vram_bytes:sum{{{FLEETS}}})")


def gaps(closable: str) -> str:
    """Models that nobody serves, by what would close the gap: standby, waking or nothing."""
    return or_zero(f'sum(fleet_closable:rollcall_model_gap:sum{{{FLEETS},closable="{closable}"}})')


# Wakes that are over. The rows of all results are there as soon as a provider is known.
_WAKES = f'rollcall_wakes_total{{{FLEETS},provider=~"$provider"'


def _ended(by: str, matcher: str = "") -> str:
    """Wakes that ended in the time range; `by` is an aggregation such as `sum` or `sum by (provider)`."""
    return f"round({by} (max by (fleet, provider, result) (increase({_WAKES}{matcher}}}[$__range]))))"


def wakes(result: str) -> str:
    """Wakes that ended so in the time range."""
    return or_zero(_ended("sum", f',result="{result}"'))


_LIVE = ',result="live"'
SUCCESS = f"{_ended('sum', _LIVE)} / ({_ended('sum')} > 0)"

# What sleeps and what wakes
_SHOWN = f"max by (fleet, logical_id) ({_INFO})"
STATE = _of(
    f"{numbered(WAKEABLE, 'rollcall_wakeable_state', 'state', ('fleet', 'logical_id'), FLEETS)}"
    f" or {WAKEABLE_SHOWN['not understood'].number} * {_SHOWN}"
)
ROW = f"bottomk({MOST}, {STATE})"


def _in_table(expr: str) -> str:
    """Those of `expr` that have a row; the waking ones are the first to have one."""
    return f"({expr}) and on (fleet, logical_id) {ROW}"


ROW_SINCE = _in_table(
    f"1000 * max by (fleet, logical_id) (rollcall_wakeable_state_since_timestamp_seconds{{{FLEETS}}})"
)
ROW_ETA = _in_table(_ETA)
ROW_ELAPSED = _in_table(_ELAPSED)
ROW_PROGRESS = _in_table(_PROGRESS)
ROW_LAST = _in_table(f"{_DURATION} unless on (fleet, logical_id) {_in_state('waking')}")
ROW_VRAM = _in_table(f"max by (fleet, logical_id) (rollcall_wakeable_vram_bytes{{{FLEETS}}})")
ROW_MODELS = _in_table(f"max by (fleet, logical_id, model) (rollcall_wakeable_model{{{FLEETS}}})")
ROW_INFO = _in_table(_EACH)

# By provider
PROVIDER = _named(f"max by (provider) (increase({_WAKES}}}[$__range]) or {_INFO})")
PROVIDER_ETA = _by_provider("avg", _ETA)
PROVIDER_LAST = _by_provider("avg", f"{_DURATION} unless on (fleet, logical_id) {_in_state('waking')}")
PROVIDER_WAKES = _named(_ended("sum by (provider)"))
PROVIDER_SUCCESS = _named(f"{_ended('sum by (provider)', _LIVE)} / ({_ended('sum by (provider)')} > 0)")
PROVIDER_VRAM = _by_provider("sum", _VRAM)


def provider_nodes(state: str) -> str:
    """Wakeable nodes of each provider in a state."""
    return _by_provider("count", _in_state(state))


def provider_vram(state: str) -> str:
    """The VRAM of each provider's nodes in a state."""
    return _by_provider("sum", f"{_VRAM} and on (fleet, logical_id) {_in_state(state)}")


# By model
_LISTED = _of(
    f"max by (fleet, model, logical_id) (rollcall_wakeable_model{{{FLEETS}}}"
    " and on (fleet, logical_id) (rollcall_wakeable_state == 1))"
)
_SERVED = f"max by (fleet, model) (fleet_model:rollcall_node_vram_bytes:sum{{{FLEETS}}})"
MODEL = (
    f"topk({MOST}, max by (fleet, model, gap) ("
    f'label_replace(fleet_model_closable:rollcall_model_gap:max{{{FLEETS}}}, "gap", "$1", "closable", "(.*)")'
    f' or on (fleet, model) label_replace({_SERVED} * 0, "gap", "served", "", "")'
    f' or on (fleet, model) label_replace(max by (fleet, model) {_LISTED} * 0, "gap", "asleep", "", "")'
    "))"
)
"""Every model that is asked for, served or listed by a wakeable node; those that nobody serves first."""


def _of_model(expr: str) -> str:
    return f"({expr}) and on (fleet, model) {MODEL}"


def model_vram(state: str) -> str:
    """The live VRAM behind each model by state: serving, loading, standby."""
    ledger = f'fleet_model_state:rollcall_node_vram_bytes:sum{{{FLEETS},state="{state}"}}'
    return _of_model(f"max by (fleet, model) ({ledger})")


MODEL_WAKEABLE = _of_model(f"sum by (fleet, model) ({_LISTED} * on (fleet, logical_id) group_left () {_VRAM})")
MODEL_LIVE_NODES = _of_model(f"count by (fleet, model) (fleet_model_node:rollcall_node_vram_bytes:max{{{FLEETS}}})")
MODEL_WAKEABLE_NODES = _of_model(f"count by (fleet, model) {_LISTED}")
MODEL_ETA = _of_model(f"min by (fleet, model) ({_LISTED} * on (fleet, logical_id) group_left () {_ETA})")

# What waking would bring back
_CLOSABLE = f"((fleet_model:rollcall_model_closable_by_waking:max{{{FLEETS}}} == 1) and on (fleet, model) {_LISTED})"
_CLOSED_BY = f"({_LISTED} and on (fleet, model) {_CLOSABLE})"
CLOSABLE = f"max by (fleet, model) {_CLOSABLE}"
CLOSABLE_BY = f"max by (fleet, model, logical_id) {_CLOSED_BY}"
CLOSABLE_ETA = f"min by (fleet, model) ({_CLOSED_BY} * on (fleet, logical_id) group_left () {_ETA})"
CLOSABLE_VRAM = f"max by (fleet, model) ({_CLOSED_BY} * on (fleet, logical_id) group_left () {_VRAM})"
CLOSABLE_BY_STANDBY = (
    f"max by (fleet, model) (fleet_model:rollcall_model_closable_by_standby:max{{{FLEETS}}}"
    f" and on (fleet, model) {_CLOSABLE})"
)

# Over time
HISTORY = f"bottomk({MOST}, {STATE})"
LATE = f"topk(20, clamp_max({_PROGRESS}, {LATEST}))"


def wakes_so_far(result: str) -> str:
    """Wakes that ended so, counted from the start of the time range."""
    each = f'{_WAKES},result="{result}"}}'
    now, then = (f"sum(max by (fleet, provider, result) ({each}{at}))" for at in ("", " @ start()"))
    return or_zero(f"clamp_min({now} - ({then} or {now} * 0), 0)")
