"""The state of a mesh-llm node or wakeable node, from one view of it.

The rules are those of mesh-llm 0.66's `api/status` (derivation of a node's own state, of a peer's state, and of
wakeable inventory), with one correction that is Rollcall's: a node that stands by with a model assigned that is not
ready is loading it or, where it holds a ready stage of a split model, serving it. mesh-llm 0.66 calls the node that
holds a split model's first stage serving, and those that hold the others standby, for as long as they work.
"""

from __future__ import annotations

from typing import NamedTuple

from exporter.records import NODE_STATES, WAKEABLE_STATES, NodeView


class NodeVerdict(NamedTuple):
    """A node's state, the rule that gave it, the payload's word where it differs, and whether the two drifted apart."""

    state: str
    reason: str
    reported: str | None = None
    drift: bool = False


def node_state(view: NodeView) -> NodeVerdict:
    """Judge one view: the payload's word stands, else the rule; standby with a model assigned is loading or serving.

    A word that is no state is drift and falls back to the rule; so is a node's own word that its own flags contradict.
    """
    state, reason = _own_state(view) if view.own else _peer_state(view)
    assigned = view.own and view.serving and view.llama_ready is False
    corrected = ("serving", "stage_ready") if view.stage_ready else ("loading", "assigned_not_ready")
    if state == "standby" and assigned:
        state, reason = corrected
    if view.word is None:
        return NodeVerdict(state, reason)
    if view.word not in NODE_STATES:
        return NodeVerdict(state, reason, drift=True)
    if view.word == "standby" and assigned:
        return NodeVerdict(*corrected, reported="standby")
    return NodeVerdict(view.word, "reported", drift=view.own and view.word != state)


def _own_state(view: NodeView) -> tuple[str, str]:
    has_work = (view.is_host or view.has_activity) and view.has_model
    if view.is_client:
        return "client", "is_client"
    if has_work:
        return ("serving", "work_ready") if view.llama_ready else ("loading", "work_not_ready")
    return "standby", "no_work"


def _peer_state(view: NodeView) -> tuple[str, str]:
    if view.role == "Client":
        return "client", "role_client"
    if view.hosted or view.serving:
        return "serving", "has_models"
    return "standby", "no_models"


def wakeable_state(word: str | None) -> tuple[str | None, str]:
    """Judge a wakeable node's word: `sleeping`, `waking`, or None (with reason) where it is neither."""
    if word in WAKEABLE_STATES:
        return word, "reported"
    return None, "unrecognised" if word is not None else "not_said"
