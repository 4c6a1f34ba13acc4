"""A split model in the simulated mesh: its stages as the consoles tell them, what becomes of it, and a cut mesh."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from exporter.demo.console import Console
from exporter.demo.hardware import SPLIT_MODEL
from exporter.demo.mesh import LISTED_AFTER_DEATH
from exporter.demo.nodes import Node
from exporter.demo.server import Request
from exporter.demo.simulation import DemoOptions, Simulation
from exporter.sources.mesh_capacity import parse_stages
from exporter.sources.mesh_llm import parse

LAYERS = SPLIT_MODEL.layers
CAPTURED = Path(__file__).parents[1] / "golden" / "mesh-llm-0.66.0-answers"
SETTLED = LISTED_AFTER_DEATH + 15.0


def split_mesh(split: int = 3) -> Simulation:
    """A steady mesh of five hosts and a client, in which the third host is of an old version."""
    return Simulation(DemoOptions(nodes=6, workers=0, calm=True, steady=True, split=split), now=1.7e9)


def said(simulation: Simulation, node: Node, path: str = "/api/status") -> Any:
    """What a node's console answers."""
    answer = Console(simulation.mesh, simulation.timeline, node).answer(Request("GET", path))
    assert answer.status == 200
    return json.loads(answer.body)


def understood(simulation: Simulation, node: Node) -> dict[str, str]:
    """The layers by node, as Rollcall reads them at one console."""
    reading = parse(json.dumps(said(simulation, node)).encode(), "eu")
    known = {sighting.view.node for sighting in reading.sightings}
    body = json.dumps(said(simulation, node, "/api/runtime/stages")).encode()
    drift: Counter[str] = Counter()
    stages = parse_stages("eu", node.node_id, known, body, drift)
    assert not drift
    assert set(reading.stages) <= set(stages)
    return {stage.node: stage.layers for stage in stages}


def members(simulation: Simulation) -> list[Node]:
    """The nodes that serve the model together, the coordinator first."""
    return [stage.node for stage in simulation.mesh.split.stages]


def whole(layers: dict[str, str]) -> bool:
    """Whether layers, in order, are all of the model's."""
    bounds = sorted(tuple(map(int, each.split(".."))) for each in layers.values())
    return [start for start, _ in bounds] == [0, *(end for _, end in bounds[:-1])] and bounds[-1][1] == LAYERS


def test_the_coordinator_tells_of_all_stages_and_the_others_of_their_own() -> None:
    simulation = split_mesh()
    coordinator, *others = members(simulation)
    layers = understood(simulation, coordinator)
    assert whole(layers)
    assert layers.keys() == {node.node_id for node in (coordinator, *others)}
    for node in others:
        assert understood(simulation, node) == {node.node_id: layers[node.node_id]}
    vram = {node.node_id: node.vram_bytes for node in (coordinator, *others)}
    for node_id, each in layers.items():
        start, end = map(int, each.split(".."))
        assert (end - start) / (LAYERS or 0) == pytest.approx(vram[node_id] / sum(vram.values()), abs=0.01)


def test_only_the_coordinator_hosts_the_model() -> None:
    simulation = split_mesh()
    coordinator, *others = members(simulation)
    own = said(simulation, coordinator)
    assert (own["node_state"], own["hosted_models"], own["is_host"]) == ("serving", [SPLIT_MODEL.name], True)
    for node in others:
        own = said(simulation, node)
        assert (own["node_state"], own["hosted_models"], own["llama_ready"]) == ("standby", [], False)
        assert own["serving_models"] == own["requested_models"] == [SPLIT_MODEL.name]
    listed = {peer["id"]: peer for peer in said(simulation, coordinator)["peers"]}
    assert {listed[node.node_id]["state"] for node in others} == {"serving"}
    assert not any(node.old for node in members(simulation))


def test_a_stage_has_the_fields_of_the_source() -> None:
    """Those of `RuntimeStagePayload` in mesh-llm 0.66.0's `api/status.rs` that are always there, in their order."""
    simulation = split_mesh()
    coordinator = members(simulation)[0]
    stages = said(simulation, coordinator)["runtime"]["stages"]
    order = (
        "topology_id run_id model_id backend materialized_pinned multimodal stage_id stage_index node_id layer_start"
    )
    order += " layer_end state bind_addr activation_width wire_dtype ctx_size lane_count shutdown_generation"
    assert [list(stage) for stage in stages] == [order.split()] * 2
    assert {len(stage["node_id"]) for stage in stages} == {64}
    answer = said(simulation, coordinator, "/api/runtime/stages")
    assert answer["statuses"] == answer["stages"]
    assert [len(topology["stages"]) for topology in answer["topologies"]] == [3]
    for stage in answer["stages"]:
        assert list(stage) == sorted(stage)
        assert set(stage) > set(order.split())


def test_without_a_split_the_answer_is_the_captured_one() -> None:
    captured = json.loads((CAPTURED / "a-runtime-stages.json").read_text())
    simulation = split_mesh(split=0)
    for node in simulation.mesh.members.values():
        if not node.old:
            assert said(simulation, node, "/api/runtime/stages") == captured
            assert list(said(simulation, node, "/api/runtime/stages")) == list(captured)
        assert "stages" not in said(simulation, node)["runtime"]


def test_a_lost_stage_is_made_up_for_by_those_that_are_left() -> None:
    simulation = split_mesh()
    before = members(simulation)
    coordinator, dead = before[0], before[-1]
    layers = understood(simulation, coordinator)
    simulation.mesh.kill(dead.node_id)
    simulation.advance(LISTED_AFTER_DEATH - 1)
    assert understood(simulation, coordinator) == layers
    simulation.advance(15)
    left = understood(simulation, coordinator)
    assert left.keys() == layers.keys() - {dead.node_id}
    assert whole(left)
    simulation.mesh.restart(dead.node_id)
    simulation.advance(15)
    assert understood(simulation, coordinator) == left


def test_without_its_coordinator_a_model_is_withdrawn_until_that_is_back() -> None:
    simulation = split_mesh()
    coordinator, *others = members(simulation)
    simulation.mesh.kill(coordinator.node_id)
    simulation.advance(SETTLED)
    for node in others:
        assert understood(simulation, node) == {}
        assert (node.hosted, node.serving) == ([], [SPLIT_MODEL.name])
    simulation.mesh.restart(coordinator.node_id)
    simulation.advance(15)
    assert whole(understood(simulation, coordinator))
    assert coordinator.hosted == [SPLIT_MODEL.name]


def test_a_node_that_restarts_at_once_has_lost_its_stage() -> None:
    simulation = split_mesh()
    coordinator, node, _ = members(simulation)
    run = simulation.mesh.split.run
    simulation.mesh.kill(node.node_id)
    simulation.mesh.restart(node.node_id)
    assert understood(simulation, node) == {}
    simulation.advance(15)
    assert simulation.mesh.split.run == run + 1
    assert whole(understood(simulation, coordinator))
    assert len(understood(simulation, coordinator)) == 3


def peers(simulation: Simulation, node: Node) -> set[str]:
    """Ids of the nodes that a console lists."""
    return {peer["id"] for peer in said(simulation, node)["peers"]}


def test_halves_list_each_other_for_a_while_and_then_only_themselves() -> None:
    simulation = split_mesh(split=0)
    nodes = list(simulation.mesh.members.values())
    half, rest = nodes[:3], nodes[3:]
    everybody = {node.node_id for node in nodes}
    simulation.mesh.partition([node.node_id for node in half])
    half[0].hosted = ["news"]
    [seen] = [peer for peer in said(simulation, rest[0])["peers"] if peer["id"] == half[0].node_id]
    assert "news" not in seen["hosted_models"]
    assert seen["latency_source"] == "direct"
    simulation.advance(LISTED_AFTER_DEATH - 1)
    assert all(peers(simulation, node) == everybody - {node.node_id} for node in nodes)
    simulation.advance(2)
    for side in (half, rest):
        for node in side:
            assert peers(simulation, node) == {other.node_id for other in side} - {node.node_id}
    simulation.mesh.kill(half[1].node_id)
    simulation.mesh.heal()
    assert all(peers(simulation, node) == everybody - {node.node_id} for node in nodes)


def test_who_died_before_a_cut_or_came_after_it() -> None:
    simulation = split_mesh(split=0)
    one, dead, other = list(simulation.mesh.members.values())[:3]
    simulation.mesh.kill(dead.node_id)
    simulation.advance(100)
    simulation.mesh.partition([one.node_id])
    simulation.mesh.wake("attic-gpu-31")
    simulation.advance(LISTED_AFTER_DEATH - 101)
    assert dead.node_id in peers(simulation, one)
    woken = simulation.mesh.wakeables["attic-gpu-31"].node
    assert woken is not None
    assert woken.node_id in peers(simulation, other) - peers(simulation, one)
    simulation.advance(2)
    assert dead.node_id not in peers(simulation, one)
    assert other.node_id in peers(simulation, one)
