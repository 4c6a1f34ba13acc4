"""What a console tells of the stages of a split model: in its status, and at `GET /api/runtime/stages`.

The shapes are those of mesh-llm 0.66.0's source (`api/status.rs`, `api/mod.rs`); captured is only the answer of a mesh
without a split, which is three empty lists.
"""

from __future__ import annotations

from typing import Any

import msgspec

from exporter.demo import payload
from exporter.demo.nodes import Node
from exporter.demo.split import Split, Stage

WHOLE_ID = 64
PORT = 41000
LEFT_OUT = (
    "error",
    "manifest_sha256",
    "materialized_bytes",
    "materialized_path",
    "package_ref",
    "projector_path",
    "selected_device",
    "source_model_bytes",
    "source_model_path",
    "source_model_sha256",
)
"""Fields that a status leaves out where `GET /api/runtime/stages` says null."""


def statuses(split: Split, node: Node) -> list[payload.Stage]:
    """The stages that a node's status tells of."""
    return [_status(split, stage) for stage in split.told_by(node)]


def runtime_stages(split: Split, node: Node) -> dict[str, Any]:
    """A node's answer to `GET /api/runtime/stages`, whose keys are in the order of the alphabet."""
    told = [_sorted(msgspec.to_builtins(status) | dict.fromkeys(LEFT_OUT)) for status in statuses(split, node)]
    plan = split.planned_by(node)
    topology = {
        "manifest_sha256": "",
        "model_id": split.model.name,
        "package_ref": "",
        "run_id": _run(split),
        "stages": [_planned(split, stage) for stage in plan],
        "topology_id": f"topology-{_run(split)}",
    }
    return {"stages": told, "statuses": told, "topologies": [topology] if plan else []}


def _status(split: Split, stage: Stage) -> payload.Stage:
    return payload.Stage(
        topology_id=f"topology-{_run(split)}",
        run_id=_run(split),
        model_id=split.model.name,
        stage_id=f"stage-{split.place(stage)}",
        stage_index=split.place(stage),
        node_id=_whole_id(stage.node),
        layer_start=stage.start,
        layer_end=stage.end,
        state="ready" if split.ready else "starting",
        bind_addr=_address(split, stage),
    )


def _planned(split: Split, stage: Stage) -> dict[str, Any]:
    return {
        "endpoint": {"bind_addr": _address(split, stage) if split.place(stage) else ""},
        "layer_end": stage.end,
        "layer_start": stage.start,
        "node_id": _whole_id(stage.node),
        "stage_id": f"stage-{split.place(stage)}",
        "stage_index": split.place(stage),
    }


def _run(split: Split) -> str:
    return f"mesh-split-{split.run}"


def _address(split: Split, stage: Stage) -> str:
    return f"127.0.0.1:{PORT + split.place(stage)}"


def _whole_id(node: Node) -> str:
    """A node's whole id, of which a status shows the first digits only."""
    return (node.node_id * WHOLE_ID)[:WHOLE_ID]


def _sorted(fields: dict[str, Any]) -> dict[str, Any]:
    return dict(sorted(fields.items()))
