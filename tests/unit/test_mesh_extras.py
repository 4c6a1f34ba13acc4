"""What a console may answer beside its status: slots, stages and model targets, each optional."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from exporter.records import ModelTarget, NodeSlots, NodeStage
from exporter.sources.mesh_capacity import parse_slots, parse_stages, parse_targets
from exporter.sources.mesh_llm import parse
from exporter.sources.source import SourceError

CAPTURED = Path(__file__).parents[1] / "golden" / "mesh-llm-0.66.0-answers"
A, B, C = "aa00000001", "bb00000002", "cc00000003"
KNOWN = {A, B, C, ""}


def body(said: Any) -> bytes:
    return json.dumps(said).encode()


def captured(name: str) -> bytes:
    return (CAPTURED / f"{name}.json").read_bytes()


def instance(model: Any, total: Any, busy: Any, status: str = "ready") -> dict[str, Any]:
    return {"model": model, "slots": {"status": status}, "items": {"slots_total": total, "slots_busy": busy}}


def beside(model: str, total: int, busy: int) -> dict[str, Any]:
    return {"slots": {"status": "ready", "model": model}, "items": {"slots_total": total, "slots_busy": busy}}


SLOTS: dict[str, tuple[Any, dict[str, tuple[int, int]], int]] = {
    "two instances of a model": ({"instances": [instance("m", 4, 3), instance("m", 2, 0)]}, {"m": (6, 3)}, 0),
    "two models": ({"instances": [instance("m", 4, 3), instance("n", 2, 2)]}, {"m": (4, 3), "n": (2, 2)}, 0),
    "no slots at all": ({"instances": [instance("m", 0, 0)]}, {"m": (0, 0)}, 0),
    "not ready": ({"instances": [instance("m", 0, 0, "unavailable"), instance("n", 4, 0, "error")]}, {}, 0),
    "a path": ({"instances": [instance("/home/me/m.gguf", 4, 0)]}, {}, 0),
    "no model": ({"instances": [instance(None, 4, 0), instance("", 4, 0)]}, {}, 0),
    "a total not said": ({"instances": [instance("m", None, 1)]}, {}, 0),
    "malformed instances": (
        {"instances": [instance("m", "4", 0), 7, instance("n", -1, 0), instance("o", 1, 1)]},
        {"o": (1, 1)},
        3,
    ),
    "no instances, the model beside the slots": (beside("m", 4, 1), {"m": (4, 1)}, 0),
    "instances before what stands beside": (beside("n", 9, 9) | {"instances": [instance("m", 4, 1)]}, {"m": (4, 1)}, 0),
    "nothing": ({}, {}, 0),
}


@pytest.mark.parametrize(("said", "expected", "drift"), SLOTS.values(), ids=SLOTS)
def test_slots(said: Any, expected: dict[str, tuple[int, int]], drift: int) -> None:
    counted: Counter[str] = Counter()
    slots = parse_slots("eu", A, body(said), counted)
    assert slots == tuple(NodeSlots("eu", A, model, *figures) for model, figures in expected.items())
    assert counted["runtime_llama"] == drift


def test_captured_slots() -> None:
    drift: Counter[str] = Counter()
    [slots] = parse_slots("eu", A, captured("a-runtime-llama"), drift)
    assert (slots.model, slots.slots, slots.busy) == ("local-gguf/sha256-a4d962a547efb8e1", 4, 0)
    assert parse_slots("eu", B, captured("b-runtime-llama"), drift) == ()
    assert not drift


def target(ref: Any, **said: Any) -> dict[str, Any]:
    return {"model_ref": ref, **said}


def advice(wanted: Any = None, **said: Any) -> dict[str, Any]:
    return {"wanted": wanted, "capacity_advice": said}


TARGETS: dict[str, tuple[list[Any], list[ModelTarget], int]] = {
    "everything": (
        [target("r", model_name="m", signals={"explicit_interest_count": 2}, derived=advice(True, shortfall_bytes=5))],
        [ModelTarget("eu", "m", 5, 2, 1)],
        0,
    ),
    "a reference only": ([target("r")], [ModelTarget("eu", "r", None, None, None)], 0),
    "zeros": (
        [target("r", signals={"explicit_interest_count": 0}, derived=advice(False, shortfall_bytes=0))],
        [ModelTarget("eu", "r", 0, 0, 0)],
        0,
    ),
    "one model twice": (
        [target("r1", model_name="m", derived=advice(True)), target("r2", model_name="m", derived=advice(False))],
        [ModelTarget("eu", "m", None, None, 1)],
        0,
    ),
    "paths": ([target(path) for path in ("/a", "~/a", "\\\\h\\a", "C:\\a", "d:/a", "")], [], 0),
    "malformed ones": (
        [7, {}, target(None), target("a", signals=[]), target("b", derived=advice("yes")), target("ok")],
        [ModelTarget("eu", "ok", None, None, None)],
        5,
    ),
    "figures that are none": (
        [
            target("a", derived=advice(None, shortfall_bytes=-1)),
            target("b", signals={"explicit_interest_count": 2**63}),
        ],
        [],
        2,
    ),
}


@pytest.mark.parametrize(("said", "expected", "drift"), TARGETS.values(), ids=TARGETS)
def test_targets(said: list[Any], expected: list[ModelTarget], drift: int) -> None:
    counted: Counter[str] = Counter()
    assert parse_targets("eu", body({"model_targets": said}), counted) == tuple(expected)
    assert counted["model_targets"] == drift


def test_captured_targets() -> None:
    drift: Counter[str] = Counter()
    targets = parse_targets("eu", captured("a-model-targets"), drift)
    assert [(each.shortfall_bytes, each.explicit_interest, each.wanted) for each in targets] == [(None, 0, 0)] * 2
    assert not drift


def stage(node: Any, start: Any, end: Any, **said: Any) -> dict[str, Any]:
    return {"model_id": "m", "node_id": node, "layer_start": start, "layer_end": end, "state": "ready", **said}


def plan(*stages: Any) -> dict[str, Any]:
    return {"model_id": "m", "stages": [{key: said[key] for key in said if key != "state"} for said in stages]}


LONG = A + "f" * 54
STAGES: dict[str, tuple[list[Any], list[Any], list[tuple[str, str]], int]] = {
    "a whole id is that of the node whose id it begins with": ([stage(LONG, 0, 16)], [], [(A, "0..16")], 0),
    "an id as statuses write it": ([stage(B, 0, 16)], [], [(B, "0..16")], 0),
    "no id is the console's own": ([stage(None, 0, 16)], [], [(A, "0..16")], 0),
    "a node that the console does not list": ([stage("dd" * 32, 0, 16)], [], [], 1),
    "in every state that holds layers": (
        [stage(A, n, n + 1, state=state) for n, state in enumerate(("starting", "ready", "stopping", "napping", None))],
        [],
        [(A, f"{n}..{n + 1}") for n in range(5)],
        0,
    ),
    "stopped and failed": ([stage(A, 0, 1, state="stopped"), stage(A, 1, 2, state="failed")], [], [], 0),
    "failed in one run, held in the next": ([stage(A, 0, 1, state="failed"), stage(A, 0, 1)], [], [(A, "0..1")], 0),
    "held in one run, failed in the next": ([stage(A, 0, 1), stage(A, 0, 1, state="failed")], [], [(A, "0..1")], 0),
    "a plan of which a status speaks": ([stage(A, 0, 1, state="failed")], [plan(stage(A, 0, 1))], [], 0),
    "a plan of which none speaks": (
        [stage(A, 0, 1)],
        [plan(stage(A, 0, 1), stage(B, 1, 2))],
        [(A, "0..1"), (B, "1..2")],
        0,
    ),
    "no layers": ([stage(A, 3, 3), stage(A, 4, 3)], [], [], 2),
    "malformed ones": (
        [7, stage(A, -1, 3), stage(A, "0", 3), stage(A, 0, 2, model_id=None)],
        [7, {"model_id": "m"}],
        [],
        6,
    ),
    "a path": ([stage(A, 0, 2, model_id="/home/me/m.gguf")], [], [], 0),
}


@pytest.mark.parametrize(("statuses", "topologies", "expected", "drift"), STAGES.values(), ids=STAGES)
def test_stages(statuses: list[Any], topologies: list[Any], expected: list[tuple[str, str]], drift: int) -> None:
    counted: Counter[str] = Counter()
    said = body({"stages": statuses, "statuses": statuses, "topologies": topologies})
    stages = parse_stages("eu", A, KNOWN, said, counted)
    assert set(stages) == {NodeStage("eu", node, "m", layers) for node, layers in expected}
    assert len(stages) == len(expected)
    assert counted["runtime_stages"] == drift


def test_a_status_tells_of_stages_too() -> None:
    said = {"node_id": A, "runtime": {"stages": [stage(LONG, 0, 4), stage(B * 2, 4, 8), 7]}, "peers": [{"id": C}]}
    reading = parse(body(said), "eu")
    assert reading.stages == (NodeStage("eu", A, "m", "0..4"),)
    assert reading.drift == {"runtime_stages": 2}


def test_captured_stages_of_a_mesh_without_a_split() -> None:
    drift: Counter[str] = Counter()
    assert parse_stages("eu", A, KNOWN, captured("a-runtime-stages"), drift) == ()
    assert not drift


MALFORMED = {
    "no JSON": (b"<html>", "got no JSON"),
    "too deep": (b'{"x":' + b"[" * 100_000, "got JSON nested too deep"),
    "a list": (b"[]", "got another shape: Expected `object`, got `array`"),
    "a field of another type": (
        b'{"instances": "CANARY", "stages": "CANARY", "model_targets": "CANARY"}',
        "got another shape: Expected `array",
    ),
}
PARSERS = {
    "expected the slots of a mesh-llm node": lambda said, drift: parse_slots("eu", A, said, drift),
    "expected the stages of a mesh-llm node": lambda said, drift: parse_stages("eu", A, KNOWN, said, drift),
    "expected the model targets of a mesh-llm console": lambda said, drift: parse_targets("eu", said, drift),
}


@pytest.mark.parametrize(("said", "found"), MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("expected", PARSERS)
def test_a_malformed_answer_is_an_error_that_names_what_was_expected(expected: str, said: bytes, found: str) -> None:
    with pytest.raises(SourceError) as caught:
        PARSERS[expected](said, Counter())
    assert caught.value.result == "malformed"
    assert str(caught.value).startswith(f"{expected}, ")
    assert found in str(caught.value)
    assert "CANARY" not in str(caught.value)
