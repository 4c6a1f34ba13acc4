"""What a console tells of how wanted models are: `GET /api/model-targets`, as captured from mesh-llm 0.66.0.

Captured were models that somebody serves. What is said of others, and the order, follow that version's source
(`api/model_targets.rs`, `api/model_target_capacity.rs`): who counts as serving, what is wanted and why, what fits
where, and what is missing, which is said only where a model fits nowhere. Requests are not counted: that figure was 0
in every captured answer.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from exporter.demo.hardware import KNOWN, Model
from exporter.demo.mesh import Mesh
from exporter.demo.nodes import Node


class Capacity:
    """The VRAM of nodes in bytes, as one of them sees it: that of clients never counts."""

    def __init__(self, nodes: list[Node]) -> None:
        offered = [node.vram_bytes for node in nodes if not node.client]
        self.eligible = [vram for vram in offered if vram]
        self.missing = len(offered) - len(self.eligible)
        self.clients = len(nodes) - len(offered)

    def advice(self, model: Model | None, served: bool) -> dict[str, Any]:
        """What is said of a model of which is known what `model` tells; None is an unknown one."""
        best, total = max(self.eligible, default=None), sum(self.eligible)
        splits = model is not None and model.layers is not None
        needed = None if model is None else model.required_bytes
        state, reason = self._state(needed, splits=splits, served=served)
        room = total if splits and len(self.eligible) > 1 else best or 0
        lacks = (needed or 0) - room if state == "insufficient_capacity" else None
        return {
            "state": state,
            "reason": reason,
            **({} if needed is None else {"required_bytes": needed}),
            **({} if best is None else {"best_single_node_capacity_bytes": best}),
            "aggregate_capacity_bytes": total,
            **({} if lacks is None else {"shortfall_bytes": lacks}),
            "eligible_node_count": len(self.eligible),
            "missing_capacity_node_count": self.missing,
            "excluded_client_node_count": self.clients,
            "split_capable": splits,
        }

    def _state(self, needed: int | None, *, splits: bool, served: bool) -> tuple[str, str]:
        if served:
            return "already_serving", "already_serving"
        if needed is None:
            return "unknown_model_size", "model_size_unknown"
        if self.missing:
            return "unknown_capacity", "eligible_nodes_missing_capacity"
        if not self.eligible:
            return "no_eligible_hosts", "no_worker_or_host_capacity"
        if max(self.eligible) >= needed:
            return "single_node_fit", "single_node_capacity_available"
        if splits and len(self.eligible) > 1 and sum(self.eligible) >= needed:
            return "split_candidate", "aggregate_split_capacity_available"
        return "insufficient_capacity", "capacity_shortfall"


def model_targets(mesh: Mesh, node: Node, speed: float) -> list[dict[str, Any]]:
    """The models that the node with this console knows of, the most wanted first; `speed` is that of simulated time."""
    nodes = [node, *mesh.listed(node)]
    interest = Counter(model for each in nodes for model in each.interests)
    serving = Counter(model for each in nodes for model in each.hosted)
    capacity, asked, own = Capacity(nodes), mesh.hosting.asked, set(node.assigned)
    found: list[dict[str, Any]] = []
    for model in {*interest, *asked, *own}:
        ages = {"last_active_secs_ago": int((mesh.agenda.now - asked[model]) / speed)} if model in asked else {}
        wanted = _wanted(interest[model], model in own) if not serving[model] else None
        signals = {
            "explicit_interest_count": interest[model],
            "request_count": 0,
            **ages,
            "serving_node_count": serving[model],
            "requested": model in own,
        }
        derived = {
            "target_rank": 0,
            "wanted": wanted is not None,
            **({} if wanted is None else {"wanted_reason": wanted}),
            "capacity_advice": capacity.advice(KNOWN.get(model), bool(serving[model])),
        }
        named = {"model_ref": model, "display_name": model, "model_name": model}
        found.append({**named, "signals": signals, "derived": derived})
    found.sort(key=_order)
    for rank, target in enumerate(found, 1):
        target["derived"]["target_rank"] = rank
    return found


def wanted_refs(targets: list[dict[str, Any]]) -> list[str]:
    """The models that are wanted, for the status."""
    return [target["model_ref"] for target in targets if target["derived"]["wanted"]]


def _wanted(interest: int, own: bool) -> str | None:
    return "explicit_interest" if interest else "requested" if own else None


def _order(target: dict[str, Any]) -> tuple[int, bool, float, str]:
    signals = target["signals"]
    interest = signals["explicit_interest_count"]
    only_requested = signals["requested"] and not signals["serving_node_count"] and not interest
    return -interest, not only_requested, signals.get("last_active_secs_ago", float("inf")), target["model_ref"]
