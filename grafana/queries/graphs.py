"""What the node graphs of Topology ask: labels are called what the panel reads, such as `id` and `mainstat`.

Edges whose ends are not among the nodes break the panel, so nodes, positions and edges are narrowed to the same nodes.
"""

from __future__ import annotations

from grafana.queries.topology import EVERY_NODE, INFO, NAMES, PLACES
from grafana.states import GREY, NODE_CONDITION, RED
from grafana.variables import FLEETS

MODEL_COLOUR = "#5794F2"
MESH_RADII, LIFT = (350, 245), 20
"""Half the width and height of the outer ring in pixels, a fifth more of both where there are many nodes, which are
smaller then. With a node's radius and its name below it, the ring fits a panel of 15 by 20 if it is lifted a bit."""


def _labelled(expr: str, **labels: str) -> str:
    """`expr` with further labels; a text such as `$node` copies that label."""
    for name, text in labels.items():
        if text.startswith("$"):
            expr = f'label_replace({expr}, "{name}", "$1", "{text[1:]}", "(.*)")'
        else:
            expr = f'label_replace({expr}, "{name}", "{text}", "", "")'
    return expr


def _joined(expr: str, label: str, *of: str) -> str:
    """`expr` with a label that joins others by a colon."""
    quoted = ", ".join(f'"{name}"' for name in of)
    return f'label_join({expr}, "{label}", ":", {quoted})'


def _text(label: str, by: str, expr: str, form: str) -> str:
    """1 for each set of labels `by` of `expr`, with its value as the label, in a form such as `$1 GB`.

    Node graphs print numbers with all their digits.
    """
    return f'label_replace(count_values by ({by}) ("value", {expr}), "{label}", "{form}", "value", "(.+)")'


def _or_nobody(expr: str, **labels: str) -> str:
    """`expr`, or one node that says why there is none: of an empty graph Grafana says no data, or an error."""
    return f"{expr} or on () {_labelled('vector(1)', id='none', **labels)}"


_SHOWN = " or ".join(
    _labelled(f"({EVERY_NODE} == {state.number})", subtitle=word, color=state.colour)
    for word, state in NODE_CONDITION.items()
    if word != "gone"
)
_VRAM = "max by (fleet, node) (rollcall_node_vram_bytes)"
_VRAM_TEXT = (
    f"({_text('mainstat', 'fleet, node', f'round({_VRAM} / 1e9, 0.1)', '$1 GB')}"
    f" or {_labelled(f'({EVERY_NODE} unless on (fleet, node) {_VRAM})', mainstat='no VRAM said')})"
)


def _nodes(of: str) -> str:
    """Nodes with all that a graph shows of them, of those that `of` has."""
    return _labelled(
        f"(({_SHOWN}) and on (fleet, node) {of}) * on (fleet, node) group_left (mainstat) {_VRAM_TEXT}"
        f" * on (fleet, node) group_left (name) {NAMES} * on (fleet, node) group_left (role, version, basis) {INFO}",
        id="$node",
        title="$name",
        detail__role="$role",
        detail__version="$version",
        detail__basis="$basis",
    )


# The mesh as one node sees it.
_FEW = f"(rollcall_node_ordinal < {PLACES})"
_OBSERVER = 'rollcall_node_info{node="$observer"}'
_DRAWN = (
    "(fleet_node:rollcall_node_reach:max and on (fleet, node) fleet_node:rollcall_node_turn:max"
    f" and on (fleet, node) {EVERY_NODE} and on (fleet, node) {NAMES} and on (fleet, node) {_FEW}"
    f" and on (fleet, node) rollcall_node_info and on (fleet) {_OBSERVER})"
)
_DRAWN_PEER = _labelled(f"max by (fleet, node) ({_DRAWN})", peer="$node")
_RTT = 'max by (fleet, node, peer) (rollcall_node_peer_rtt_seconds{node="$observer"})'
_LISTED = 'max by (fleet, node, peer, latency) (rollcall_node_peer{node="$observer"})'
_LINKS = (
    "("
    + _labelled(
        _text("rtt", "fleet, node, peer", f"round({_RTT} * 1000, 0.1)", "$1 ms"), color=GREY, strokedasharray="none"
    )
    + " or "
    + _labelled(f"({_LISTED} unless on (fleet, node, peer) {_RTT})", rtt="$latency", color=GREY, strokedasharray="5 5")
    + f") and on (fleet, node) {_DRAWN} and on (fleet, peer) {_DRAWN_PEER}"
)
_FROM_HERE = (
    "(max by (fleet, node, secondarystat) ("
    f"{_labelled(f'({_LINKS})', node='$peer', secondarystat='$rtt')}"
    f" or on (fleet, node) {_labelled(_OBSERVER, secondarystat='observer')}"
    f" or on (fleet, node) {_labelled(_DRAWN, secondarystat='not listed')}))"
)


_TURN = (
    '(fleet_node:rollcall_node_turn:max{node!="$observer"}'
    " + on (fleet, node) 0.175 * (1 - fleet_node:rollcall_node_reach:max))"
)
"""Rings are turned a bit against each other, so that no node hides the edge of one behind it."""


def _place(function: str, radius: int, lift: int) -> str:
    """A coordinate of each node of the graph, in pixels; the observer is in the middle.

    The rings are wider than high, so that nodes side by side are as far apart as what is written below each is wide.
    """
    ring = f"{radius} * fleet_node:rollcall_node_reach:max * on (fleet, node) {function}({_TURN})"
    middle = '0 * fleet_node:rollcall_node_reach:max{node="$observer"}'
    many = f"(1 + 0.2 * (count by (fleet) ({_DRAWN}) > bool 14))"
    placed = f"(({ring} or {middle}) and on (fleet, node) {_DRAWN}) * on (fleet) group_left () {many}"
    return _or_nobody(f"(max by (id) ({_labelled(placed, id='$node')}) - {lift})")


MESH_NODES = _or_nobody(
    f"{_nodes(_DRAWN)} * on (fleet, node) group_left (secondarystat) {_FROM_HERE}",
    title="no mesh to show",
    subtitle="choose who sees it",
    mainstat="–",
    secondarystat="–",
    color=GREY,
)
MESH_X, MESH_Y = _place("cos", MESH_RADII[0], 0), _place("sin", MESH_RADII[1], LIFT)
_RADIUS = (
    f"max by (id) ({_labelled(_DRAWN, id='$node')} * 0 + on (fleet) group_left ()"
    f" clamp(360 / clamp(count by (fleet) ({_DRAWN}), 1, 30), 18, 40))"
)
MESH_RADIUS = f"({_RADIUS}) or on () 30 * {_labelled('vector(1)', id='none')}"
MESH_EDGES = _joined(_labelled(f"({_LINKS})", source="$node", target="$peer", mainstat="$rtt"), "id", "node", "peer")

# Which node serves which model: models to the left, nodes to the right, both in the order of `detail__model`.
_HOSTED = f"fleet_model_node:rollcall_node_vram_bytes:max{{{FLEETS}}}"
_UNSERVED = f"(fleet_model:rollcall_model_unserved:max{{{FLEETS}}} == 1)"
_TOTAL = f"sum by (fleet, model) ({_HOSTED})"
_SERVED = (
    _labelled(_text("mainstat", "fleet, model", f"round({_TOTAL} / 1e9)", "$1 GB"), color=MODEL_COLOUR)
    + " * on (fleet, model) group_left (subtitle) "
    + _text("subtitle", "fleet, model", f"count by (fleet, model) ({_HOSTED})", "nodes: $1")
)
_LONELY = _labelled(_UNSERVED, mainstat="0 GB", subtitle="nobody serves it", color=RED)
_SHARES = (
    _text(
        "share",
        "fleet, model, node",
        f"round(100 * fleet_model_node:rollcall_node_vram_ratio:max{{{FLEETS}}})",
        "$1 % of its VRAM",
    )
    + f" or {_labelled(_HOSTED, share='hosts it')} unless on (fleet, model, node)"
    " fleet_model_node:rollcall_node_vram_ratio:max"
)
_KNOWN = f"{NAMES} and on (fleet, node) rollcall_node_info and on (fleet, node) ({EVERY_NODE} < 7)"


def _hub(expr: str, label: str) -> str:
    """`expr` with the id of its model as a label."""
    return _joined(_labelled(f"({expr})", hub="model"), label, "hub", "fleet", "model")


def _counted(of: str) -> str:
    """Every set of labels of `of`; the value is how many there are."""
    return f"0 * ({of}) + on () group_left () count({of})"


_MODELS = f"{_SERVED} or {_LONELY}"
SERVING_MODELS = _or_nobody(
    _labelled(_hub(_counted(_MODELS), "id"), title="$model", detail__model="$model"),
    title="no model",
    subtitle="none served or wanted",
    mainstat="–",
    detail__model="none",
    color=GREY,
)
_HOSTS = f"{_nodes(f'({_HOSTED})')} * on (fleet, node) group_left (model) topk by (fleet, node) (1, {_HOSTED})"
SERVING_NODES = _counted(_labelled(_HOSTS, detail__model="$model"))
SERVING_EDGES = _joined(
    _labelled(
        _hub(f"({_SHARES}) and on (fleet, node) ({_KNOWN})", "source"), target="$node", mainstat="$share", color=GREY
    ),
    "id",
    "source",
    "target",
)
