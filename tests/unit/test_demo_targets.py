"""How wanted models are in the simulated mesh, as a console tells it and as Rollcall reads it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from exporter.demo.console import Console
from exporter.demo.hardware import SPLIT_MODEL, TOO_LARGE, Model
from exporter.demo.nodes import Node
from exporter.demo.server import Request
from exporter.demo.simulation import DemoOptions, Simulation
from exporter.demo.targets import Capacity
from exporter.records import ModelTarget
from exporter.sources.mesh_capacity import parse_targets

CAPTURED = Path(__file__).parents[1] / "golden" / "mesh-llm-0.66.0-answers"
TARGETS, STATUS = Request("GET", "/api/model-targets"), Request("GET", "/api/status")
GB = 10**9


def simulation(**options: Any) -> Simulation:
    """A steady mesh of five hosts and a client."""
    return Simulation(DemoOptions(**{"nodes": 6, "workers": 0, "calm": True, "steady": True, **options}), now=1.7e9)


def body(mesh: Simulation, place: int = 0, request: Request = TARGETS) -> bytes:
    """What one of the consoles answers."""
    answer = Console(mesh.mesh, mesh.timeline, mesh.mesh.consoles[place]).answer(request)
    assert answer.status == 200
    return answer.body


def targets(mesh: Simulation, place: int = 0) -> dict[str, ModelTarget]:
    """The targets that Rollcall reads at a console."""
    drift: Counter[str] = Counter()
    found = parse_targets("eu", body(mesh, place), drift)
    assert not drift
    return {target.model: target for target in found}


def test_an_answer_has_the_fields_of_a_captured_one() -> None:
    captured = json.loads((CAPTURED / "a-model-targets.json").read_text())
    served = [t for t in json.loads(body(simulation()))["model_targets"] if t["signals"]["serving_node_count"]]
    assert served
    for target in served:
        del target["derived"]["capacity_advice"]["required_bytes"]
        for example in captured["model_targets"]:
            assert shape(target) == shape(example)


def shape(value: Any) -> Any:
    """Keys in their order, and types."""
    return [(key, shape(each)) for key, each in value.items()] if isinstance(value, dict) else type(value)


def test_what_is_served_is_not_wanted() -> None:
    mesh = simulation()
    hosted = {model for node in mesh.mesh.members.values() for model in node.hosted}
    assert hosted
    for model in hosted:
        assert targets(mesh)[model] == ModelTarget("eu", model, None, 0, 0)
    assert "wanted_model_refs" not in json.loads(body(mesh, request=STATUS))


def test_what_somebody_asks_for_and_nobody_can_serve_has_a_shortfall() -> None:
    mesh = simulation()
    first, second, _ = mesh.mesh.consoles
    wanted = TOO_LARGE[0]
    mesh.mesh.want(wanted.name, first.node_id)
    mesh.mesh.want(wanted.name, first.node_id)
    mesh.mesh.want(wanted.name, second.node_id)
    there = sum(node.vram_bytes for node in mesh.mesh.members.values() if not node.client)
    for place in (0, 1):
        assert targets(mesh, place)[wanted.name] == ModelTarget("eu", wanted.name, wanted.required_bytes - there, 2, 1)
        assert json.loads(body(mesh, place, STATUS))["wanted_model_refs"] == [wanted.name]


def test_after_it_is_served_it_has_no_shortfall() -> None:
    mesh = simulation(split=3)
    split, observer = mesh.mesh.split, mesh.mesh.consoles[1]
    coordinator = split.stages[0].node
    mesh.mesh.want(SPLIT_MODEL.name, observer.node_id)
    assert targets(mesh, 1)[SPLIT_MODEL.name] == ModelTarget("eu", SPLIT_MODEL.name, None, 1, 0)
    mesh.mesh.kill(coordinator.node_id)
    mesh.advance(200)
    assert targets(mesh, 1)[SPLIT_MODEL.name] == ModelTarget("eu", SPLIT_MODEL.name, None, 1, 0)
    mesh.advance(100)
    left = sum(node.vram_bytes for node in mesh.mesh.listed(observer) if not node.client) + observer.vram_bytes
    lacks = SPLIT_MODEL.required_bytes - left
    assert lacks > 0
    assert targets(mesh, 1)[SPLIT_MODEL.name] == ModelTarget("eu", SPLIT_MODEL.name, lacks, 1, 1)
    mesh.mesh.restart(coordinator.node_id)
    mesh.advance(15)
    assert targets(mesh, 1)[SPLIT_MODEL.name] == ModelTarget("eu", SPLIT_MODEL.name, None, 1, 0)


def test_the_most_wanted_comes_first() -> None:
    mesh = simulation()
    for model, places in (("deepseek-v3", (0,)), ("unheard-of", (0, 1))):
        for place in places:
            mesh.mesh.want(model, mesh.mesh.consoles[place].node_id)
    found = json.loads(body(mesh))["model_targets"]
    assert [target["model_ref"] for target in found][:2] == ["unheard-of", "deepseek-v3"]
    assert [target["derived"]["target_rank"] for target in found] == list(range(1, len(found) + 1))
    assert found[0]["derived"]["capacity_advice"]["state"] == "unknown_model_size"
    assert [target["derived"].get("wanted_reason") for target in found][:3] == ["explicit_interest"] * 2 + [None]


def test_clients_of_a_lively_mesh_are_interested_in_what_is_too_large() -> None:
    mesh = simulation(steady=False)
    [client] = [node for node in mesh.mesh.members.values() if node.client]
    [model] = client.interests
    shortfall = targets(mesh)[model].shortfall_bytes
    assert shortfall is not None
    assert shortfall > 0


def test_an_old_node_has_no_targets() -> None:
    mesh = simulation()
    old = mesh.mesh.consoles[2]
    assert old.old
    assert Console(mesh.mesh, mesh.timeline, old).answer(TARGETS).status == 404


def offering(*gigabytes: float, clients: int = 0) -> list[Node]:
    """Nodes with so much VRAM, and clients."""
    hosts = [Node(node_id=str(n), hostname="h", joined=0.0, vram_gb=each) for n, each in enumerate(gigabytes)]
    return hosts + [Node(node_id=f"c{n}", hostname="c", joined=0.0, client=True, vram_gb=900.0) for n in range(clients)]


SPLITS, WHOLE = Model("m", 100.0, 40), Model("m", 100.0)
ADVICE = {
    "served": (offering(10.0), SPLITS, True, "already_serving", None),
    "of an unknown size": (offering(500.0), None, False, "unknown_model_size", None),
    "a node that does not say what it has": (offering(500.0, 0.0), SPLITS, False, "unknown_capacity", None),
    "clients only": (offering(clients=2), SPLITS, False, "no_eligible_hosts", None),
    "fits on one": (offering(110.0, 1.0), WHOLE, False, "single_node_fit", None),
    "fits on two": (offering(60.0, 50.0), SPLITS, False, "split_candidate", None),
    "cannot be split": (offering(60.0, 50.0), WHOLE, False, "insufficient_capacity", 50 * GB),
    "too large for all": (offering(60.0, 40.0, clients=1), SPLITS, False, "insufficient_capacity", 10 * GB),
    "one node only": (offering(60.0, clients=1), SPLITS, False, "insufficient_capacity", 50 * GB),
}


@pytest.mark.parametrize(("nodes", "model", "served", "state", "lacks"), ADVICE.values(), ids=ADVICE)
def test_advice(nodes: list[Node], model: Model | None, served: bool, state: str, lacks: int | None) -> None:
    advice = Capacity(nodes).advice(model, served)
    assert (advice["state"], advice.get("shortfall_bytes")) == (state, lacks)
    clients = [node for node in nodes if node.client]
    assert advice["excluded_client_node_count"] == len(clients)
    assert advice["aggregate_capacity_bytes"] == sum(node.vram_bytes for node in nodes if node not in clients)
