"""What the consoles of the simulated mesh tell of slots, ghosts and late wakes, and that a mesh can be steady."""

from __future__ import annotations

from collections import Counter

from exporter.demo.console import Console
from exporter.demo.mesh import GOSSIPED_FROM, GOSSIPED_UNTIL
from exporter.demo.nodes import Node
from exporter.demo.server import Request
from exporter.demo.simulation import DemoOptions, Simulation
from exporter.demo.slots import SLOTS, llama
from exporter.records import NodeSlots
from exporter.sources.mesh_capacity import parse_slots
from exporter.sources.mesh_llm import parse

LLAMA = Request("GET", "/api/runtime/llama")


def simulation(**options: float) -> Simulation:
    """A steady mesh of five nodes."""
    return Simulation(DemoOptions(nodes=5, workers=0, calm=True, steady=True, **options), now=1.7e9)  # type: ignore[arg-type]


def console(mesh: Simulation, place: int = 0) -> Console:
    """A node's console."""
    return Console(mesh.mesh, mesh.timeline, mesh.mesh.consoles[place])


def test_slots_are_those_of_the_models_that_a_node_hosts() -> None:
    mesh = simulation()
    node = mesh.mesh.consoles[0]
    node.hosted, node.inflight = ["first", "second"], SLOTS + 1
    drift: Counter[str] = Counter()
    slots = parse_slots("eu", node.node_id, console(mesh).answer(LLAMA).body, drift)
    assert slots == (
        NodeSlots("eu", node.node_id, "first", SLOTS, SLOTS),
        NodeSlots("eu", node.node_id, "second", SLOTS, 1),
    )
    assert not drift
    node.hosted = []
    assert parse_slots("eu", node.node_id, console(mesh).answer(LLAMA).body, drift) == ()


def test_an_answer_has_the_fields_of_a_captured_one() -> None:
    node = Node(node_id="n", hostname="h", joined=0.0, hosted=["m"])
    assert list(llama(node, 1)) == ["metrics", "slots", "items", "instances"]
    assert list(llama(Node(node_id="n", hostname="h", joined=0.0), 1)) == ["metrics", "slots", "items"]
    (instance,) = llama(node, 1)["instances"]
    assert list(instance) == ["instance_id", "model", "metrics", "slots", "items"]


def test_an_old_node_has_no_slots() -> None:
    mesh = simulation()
    assert mesh.mesh.consoles[2].old
    assert console(mesh, 2).answer(LLAMA).status == 404


def test_a_node_that_left_is_a_ghost_to_those_that_gossip_reaches() -> None:
    mesh = simulation()
    left, told, other = mesh.mesh.consoles
    mesh.mesh.leave(left.node_id, gossiped_to=[told.node_id])
    seen = []
    for step in (GOSSIPED_FROM / 2, GOSSIPED_FROM, GOSSIPED_UNTIL):
        mesh.advance(step)
        readings = [parse(console(mesh, place).answer(Request("GET", "/api/status")).body, "eu") for place in (1, 2)]
        seen.append([[link for link in reading.links if link.peer == left.node_id] for reading in readings])
    (before, (by_told, by_other), after) = seen
    assert before == after == [[], []]
    assert by_other == []
    assert [(link.node, link.latency, link.rtt_seconds) for link in by_told] == [(told.node_id, "unknown", None)]
    assert other.up


def test_a_steady_mesh_stays_as_it_is() -> None:
    mesh = simulation(client_vram_gb=24.0)
    before = {node.node_id: (node.hosted, node.serving, node.ready) for node in mesh.mesh.members.values()}
    mesh.advance(3600.0)
    assert before == {node.node_id: (node.hosted, node.serving, node.ready) for node in mesh.mesh.members.values()}
    assert all(entry.awake_at is None and entry.node is None for entry in mesh.mesh.wakeables.values())
    assert [node.vram_gb for node in mesh.mesh.members.values() if node.client] == [24.0]


def test_a_wake_that_is_late_and_one_that_is_struck_off() -> None:
    mesh = simulation()
    members = len(mesh.mesh.members)
    late, struck = mesh.mesh.wakeables["attic-gpu-31"], mesh.mesh.wakeables["rack-b-gpu-21"]
    mesh.mesh.wake("attic-gpu-31", overrun=100.0)
    mesh.mesh.wake("rack-b-gpu-21")
    mesh.mesh.strike("rack-b-gpu-21")
    assert late.awake_at is not None
    mesh.advance(late.awake_at - mesh.agenda.now + 99.0)
    assert (late.node, len(mesh.mesh.members)) == (None, members)
    mesh.advance(2.0)
    assert late.node is not None
    assert (struck.node, len(mesh.mesh.members)) == (None, members + 1)
