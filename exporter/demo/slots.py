"""What a console answers about the slots of its models: `GET /api/runtime/llama`, as captured from mesh-llm 0.66.0."""

from __future__ import annotations

from typing import Any

from exporter.demo.nodes import Node

SLOTS, CONTEXT = 4, 2048


def llama(node: Node, milliseconds: int) -> dict[str, Any]:
    """The answer of a node at Unix time `milliseconds`; requests in flight take slots, the first model's first."""
    unavailable = {"status": "unavailable"}
    left = node.inflight
    instances: list[dict[str, Any]] = []
    for place, model in enumerate(node.hosted, 1):
        busy = min(SLOTS, left)
        left -= busy
        said = _slots(model, f"runtime-{place}", busy, milliseconds)
        instances.append(
            {"instance_id": f"runtime-{place}", "model": model, "metrics": unavailable, "slots": said}
            | {"items": _items(SLOTS, busy)}
        )
    if not instances:
        return {"metrics": unavailable, "slots": unavailable, "items": _items(0, 0)}
    first = instances[0]
    return {"metrics": unavailable, "slots": first["slots"], "items": first["items"], "instances": instances}


def _slots(model: str, instance: str, busy: int, milliseconds: int) -> dict[str, Any]:
    return {
        "status": "ready",
        "model": model,
        "instance_id": instance,
        "last_attempt_unix_ms": milliseconds,
        "last_success_unix_ms": milliseconds,
        "slots": [
            {"id": number, "n_ctx": CONTEXT, "is_processing": number < busy, "extra": _extra(model, number, busy)}
            for number in range(SLOTS)
        ],
    }


def _extra(model: str, number: int, busy: int) -> dict[str, Any]:
    lane = {"active": number < busy, "lane_index": number, "model": model}
    return lane | {"session_id": None, "token_count": None}


def _items(total: int, busy: int) -> dict[str, Any]:
    slots = [{"index": n, "id": n, "n_ctx": CONTEXT, "is_processing": n < busy} for n in range(total)]
    return {"metrics": [], "slots": slots, "slots_total": total, "slots_busy": busy}
