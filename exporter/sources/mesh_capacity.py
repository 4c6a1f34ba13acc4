"""What a console may answer beside its status: slots, stages of split models, model targets; as mesh-llm 0.66 does.

The shapes are those of mesh-llm's `api/status.rs` (RuntimeLlamaPayload, RuntimeStagePayload), `api/mod.rs`
(`runtime_stages`) and `api/routes/model_targets.rs`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import msgspec

from exporter.records import ModelTarget, NodeSlots, NodeStage
from exporter.sources.decode import Count, envelope, items
from exporter.sources.model_names import is_model

UNLOADED = ("stopped", "failed")
"""States of a stage that holds no layers; the others are starting, ready and stopping."""


class _Endpoint(msgspec.Struct):
    status: str | None = None
    model: str | None = None


class _Items(msgspec.Struct):
    slots_total: Count | None = None
    slots_busy: Count | None = None


class _Instance(msgspec.Struct):
    model: str | None = None
    slots: _Endpoint | None = None
    items: _Items | None = None


class _Llama(_Instance):
    instances: list[msgspec.Raw] | None = None


class _Stage(msgspec.Struct):
    layer_start: Count
    layer_end: Count
    model_id: str | None = None
    node_id: str | None = None
    state: str | None = None


class _Topology(msgspec.Struct):
    model_id: str
    stages: list[msgspec.Raw]


class _Stages(msgspec.Struct):
    stages: list[msgspec.Raw]
    topologies: list[msgspec.Raw] | None = None


class _Signals(msgspec.Struct):
    explicit_interest_count: Count | None = None


class _Advice(msgspec.Struct):
    shortfall_bytes: Count | None = None


class _Derived(msgspec.Struct):
    wanted: bool | None = None
    capacity_advice: _Advice | None = None


class _Target(msgspec.Struct):
    model_ref: str
    model_name: str | None = None
    signals: _Signals | None = None
    derived: _Derived | None = None


class _Targets(msgspec.Struct):
    model_targets: list[msgspec.Raw]


_LLAMA = msgspec.json.Decoder(_Llama)
_INSTANCE = msgspec.json.Decoder(_Instance)
_STAGES = msgspec.json.Decoder(_Stages)
_STAGE = msgspec.json.Decoder(_Stage)
_TOPOLOGY = msgspec.json.Decoder(_Topology)
_TARGETS = msgspec.json.Decoder(_Targets)
_TARGET = msgspec.json.Decoder(_Target)


def parse_slots(fleet: str, node: str, body: bytes, drift: Counter[str]) -> tuple[NodeSlots, ...]:
    """The slots of a node by model, from `/api/runtime/llama`; instances that are not ready have none.

    Raises SourceError("malformed"). Payloads of before `instances` name the model, if at all, beside the slots.
    """
    said = envelope(body, _LLAMA, "the slots of a mesh-llm node")
    instances = items(said.instances, _INSTANCE, "runtime_llama", drift) if said.instances else [said]
    slots: Counter[str] = Counter()
    busy: Counter[str] = Counter()
    for instance in instances:
        if instance.slots is None or instance.slots.status != "ready" or instance.items is None:
            continue
        model = instance.model or instance.slots.model
        if model and is_model(model) and instance.items.slots_total is not None:
            slots[model] += instance.items.slots_total
            busy[model] += instance.items.slots_busy or 0
    return tuple(NodeSlots(fleet, node, model, slots[model], busy[model]) for model in slots)


def parse_targets(fleet: str, body: bytes, drift: Counter[str]) -> tuple[ModelTarget, ...]:
    """How wanted models are, from `/api/model-targets`, in the console's order; a model of several profiles once.

    Raises SourceError("malformed").
    """
    said = envelope(body, _TARGETS, "the model targets of a mesh-llm console")
    targets: dict[str, ModelTarget] = {}
    for target in items(said.model_targets, _TARGET, "model_targets", drift):
        model = target.model_name or target.model_ref
        if model in targets or not is_model(model):
            continue
        signals, derived = target.signals or _Signals(), target.derived or _Derived()
        targets[model] = ModelTarget(
            fleet,
            model,
            (derived.capacity_advice or _Advice()).shortfall_bytes,
            signals.explicit_interest_count,
            None if derived.wanted is None else int(derived.wanted),
        )
    return tuple(targets.values())


def parse_stages(
    fleet: str, me: str, known: Collection[str], body: bytes, drift: Counter[str]
) -> tuple[NodeStage, ...]:
    """Which layers sit on which node, from `/api/runtime/stages`; raises SourceError("malformed").

    A plan (`topologies`) counts for the stages that no status speaks of.
    """
    said = envelope(body, _STAGES, "the stages of a mesh-llm node")
    statuses = items(said.stages, _STAGE, "runtime_stages", drift)
    planned = [
        msgspec.structs.replace(stage, model_id=topology.model_id)
        for topology in items(said.topologies or (), _TOPOLOGY, "runtime_stages", drift)
        for stage in items(topology.stages, _STAGE, "runtime_stages", drift)
    ]
    spoken = _held(statuses, fleet, me, known, drift)
    return tuple(key for key, held in (_held(planned, fleet, me, known, drift) | spoken).items() if held)


def stages_of(
    raws: Sequence[msgspec.Raw] | None, fleet: str, me: str, known: Collection[str], drift: Counter[str]
) -> tuple[NodeStage, ...]:
    """Which layers sit on which node, from a status' `runtime.stages`; a malformed one is left out and is drift."""
    stages = items(raws or (), _STAGE, "runtime_stages", drift)
    return tuple(key for key, held in _held(stages, fleet, me, known, drift).items() if held)


def holds_ready_stage(raws: Sequence[msgspec.Raw] | None, me: str) -> bool:
    """Tell whether a status says that its own node holds a ready stage of a split model."""
    stages = items(raws or (), _STAGE, "runtime_stages", Counter())
    return any(each.state == "ready" and _node(each.node_id, me, (me,)) == me for each in stages)


def _held(
    stages: Sequence[_Stage], fleet: str, me: str, known: Collection[str], drift: Counter[str]
) -> dict[NodeStage, bool]:
    """Each stage that is understood, and whether any run of it holds its layers."""
    held: dict[NodeStage, bool] = {}
    for stage in stages:
        node = _node(stage.node_id, me, known)
        if node is None or stage.model_id is None or stage.layer_start >= stage.layer_end:
            drift["runtime_stages"] += 1
        elif is_model(stage.model_id):
            key = NodeStage(fleet, node, stage.model_id, f"{stage.layer_start}..{stage.layer_end}")
            held[key] = held.get(key, False) or stage.state not in UNLOADED
    return held


def _node(said: str | None, me: str, known: Collection[str]) -> str | None:
    """The id of a stage's node as statuses write it: there it is cut (0.66: to 10 of 64 digits). None if not listed."""
    if said is None:
        return me
    lengths = sorted({len(node) for node in known if node}, reverse=True)
    return next((said[:length] for length in lengths if said[:length] in known), None)
