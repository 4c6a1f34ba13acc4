"""What the dashboard Topology asks. A wakeable node is never part of an answer."""

from __future__ import annotations

from grafana.queries.shared import named, or_zero
from grafana.states import NODE_CONDITION
from grafana.variables import FLEETS

EVERY_NODE = "fleet_node:rollcall_node_condition:max"
CONDITION = f"{EVERY_NODE}{{{FLEETS}}}"
LISTED = f"({CONDITION} < {NODE_CONDITION['gone'].number})"
"""Nodes that are listed now; a node that has gone is only in the history."""

NAMES = "fleet_node_name:rollcall_node_info:max"

INFO = f"topk by (fleet, node) (1, max by (fleet, node, role, version, basis) (rollcall_node_info{{{FLEETS}}}))"
"""One row per node, also where two exporters say different things of it."""

PLACES, ROWS = 300, 200
"""So many nodes of a fleet are drawn, and have a band in the timeline; so many of all have a row in the table."""

# Now
UNCONFIRMED = or_zero(f'sum(max by (fleet, state) (rollcall_nodes{{{FLEETS},standing="unconfirmed"}}))')
GHOSTS = or_zero(f'sum(max by (fleet, state) (rollcall_nodes{{{FLEETS},standing="ghost"}}))')
DISAGREE = or_zero(f'count(max by (fleet, node) (rollcall_node_views_disagree{{{FLEETS},kind="real"}}) > 0)')

# A band and a row per node
_CLIENT = f'rollcall_node_state{{{FLEETS},state="client"}} == 1'
_FEW = f"(last_over_time(rollcall_node_ordinal{{{FLEETS}}}[1h]) < {PLACES})"
_SINCE = f"last_over_time(rollcall_node_state_since_timestamp_seconds{{{FLEETS}}}[1h] @ end())"
_LAST_CLIENT = f'last_over_time(rollcall_node_state{{{FLEETS},state="client"}}[1h] @ end()) == 1'
_NEWEST = (
    "topk by (fleet, name) (1, max by (fleet, node, name) ("
    f"(max by (fleet, node) ({_SINCE}) and on (fleet, node) ({_LAST_CLIENT}))"
    f" * on (fleet, node) group_left (name) {NAMES}{{{FLEETS}}} @ end()))"
)
"""The client that started last of those that have a name, at the end of the time range."""

_CLIENTS = f"max by (fleet, name) ({named(f'({CONDITION} and on (fleet, node) ({_CLIENT}))')})"
_WAS_CLIENT = f'last_over_time(rollcall_node_state{{{FLEETS},state="client"}}[5m]) == 1'
HISTORY = (
    f"{named(f'({CONDITION} and on (fleet, node) {_FEW} unless on (fleet, node) ({_WAS_CLIENT}))')}"
    f" or ({_CLIENTS} * on (fleet, name) group_left (node) (0 * {_NEWEST} + 1) or on (fleet, name) {_CLIENTS})"
)
"""A client has a new id whenever it starts, so all clients of a name are one band, with the id of the newest while that
is known, which its link needs; a condition that is recorded lasts a moment longer than the state."""

_ROWS = f"topk({ROWS}, {LISTED})"
ROW = named(_ROWS)


def _of_row(expr: str) -> str:
    return f"{expr} and on (fleet, node) {_ROWS}"


ROW_INFO = _of_row(INFO)
SINCE = _of_row(f"1000 * max by (fleet, node) (rollcall_node_state_since_timestamp_seconds{{{FLEETS}}})")
_HOSTED = f'rollcall_node_model{{{FLEETS},relation="hosted"}} or rollcall_node_stage{{{FLEETS}}}'
MODELS = _of_row(f"max by (fleet, node, model) ({_HOSTED})")
VRAM = _of_row(f"max by (fleet, node) (rollcall_node_vram_bytes{{{FLEETS}}})")
VIEWS = _of_row(f"sum by (fleet, node) (max by (fleet, node, state) (rollcall_node_views{{{FLEETS}}}))")

# Where views disagree
_DISAGREEMENT = f"max by (fleet, node, kind) (rollcall_node_views_disagree{{{FLEETS}}})"
_AT_ODDS = (
    f"(sum by (fleet, node) ({_DISAGREEMENT}) > 0 or max by (fleet, node) (rollcall_node_state_overridden{{{FLEETS}}}))"
)
ODD_ROW = f"{named(LISTED)} and on (fleet, node) {_AT_ODDS}"
ODD_REPORTED = f"max by (fleet, node, reported) (rollcall_node_state_overridden{{{FLEETS}}} == 1)"


def odd_views(state: str) -> str:
    """How many consoles see a node in a state, where not all agree."""
    return f'max by (fleet, node) (rollcall_node_views{{{FLEETS},state="{state}"}}) and on (fleet, node) {_AT_ODDS}'


def odd_kind(kind: str) -> str:
    """How many views differ from a node's state, of a kind of difference, where not all agree."""
    views = f'max by (fleet, node) (rollcall_node_views_disagree{{{FLEETS},kind="{kind}"}})'
    return f"{views} and on (fleet, node) {_AT_ODDS}"
