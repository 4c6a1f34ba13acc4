"""Families of mesh-llm's optional answers: slots and stages of polled nodes, and how wanted models are."""

from __future__ import annotations

from exporter.families.family import info, value
from exporter.records import ModelLoad, ModelTarget, NodeSlots, NodeStage

NODES = (
    value(
        "rollcall_node_slots",
        NodeSlots,
        "slots",
        "Slots in which a polled node serves requests for a model, over its ready instances of it.",
    ),
    value("rollcall_node_slots_busy", NodeSlots, "busy", "Those of a polled node's slots that process a request now."),
    info(
        "rollcall_node_stage",
        NodeStage,
        (),
        "1 for each run of a split model's layers that a node holds; layers 0..16 are 0 up to and without 16.",
    ),
    value(
        "rollcall_node_model_load_seconds",
        ModelLoad,
        "seconds",
        "How long a node took to load a model that it hosts, as seen at the reads: from loading to serving, last time.",
    ),
)

MODELS = (
    value(
        "rollcall_model_shortfall_bytes",
        ModelTarget,
        "shortfall_bytes",
        "Memory that a mesh lacks to serve a model, as one console judges it; absent where it judges otherwise.",
    ),
    value(
        "rollcall_model_explicit_interest",
        ModelTarget,
        "explicit_interest",
        "How many have registered interest in a model, as one console counts them.",
    ),
    value(
        "rollcall_model_wanted",
        ModelTarget,
        "wanted",
        "1 if one console wants a model to be served that is not, else 0. Names may come from clients' requests: "
        "at most 100 models a fleet are shown.",
    ),
)
