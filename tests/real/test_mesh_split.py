"""A mesh that is split, in both senses: a model whose layers are spread over nodes, and halves that hear nothing of
each other.

A node that died or is cut off stays listed for 290 s: here simulated time runs forty times as fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from exporter.demo import Demo
from exporter.demo.hardware import SPLIT_MODEL
from tests.real.meshes import FLEET, configuration, consistent, counted, names, once, shown, simulated, start
from tests.real.monitoring import Prometheus, adapt
from tests.real.process import wait_until
from tests.real.rollcall import Rollcall, Samples

SPEED = 40.0
MODEL = SPLIT_MODEL.name
RATIO, BYTES = "fleet_model_node:rollcall_node_vram_ratio:max", "fleet_model_node:rollcall_node_vram_bytes:max"


@pytest.fixture
def demo() -> Iterator[Demo]:
    """Three consoles, the last of an old node; the other two's nodes and a third without one serve a split model."""
    with simulated(nodes=6, consoles=3, split=3, speed=SPEED) as running:
        yield running


def stages(samples: Samples) -> dict[str, tuple[int, int]]:
    """From which layer to which the nodes hold the model."""
    found = [labels for labels, _ in samples.find("rollcall_node_stage", fleet=FLEET, model=MODEL)]
    assert len({labels["node"] for labels in found}) == len(found)
    return {labels["node"]: (int(start), int(end)) for labels in found for start, end in [labels["layers"].split("..")]}


def held_by(count: int) -> Callable[[Samples], bool]:
    """Whether so many nodes hold the whole model together."""

    def check(samples: Samples) -> bool:
        layers = sorted(stages(samples).values())
        starts, ends = [start for start, _ in layers], [end for _, end in layers]
        return len(layers) == count and [*starts, SPLIT_MODEL.layers] == [0, *ends]

    return check


def told(samples: Samples) -> bool:
    """Whether every console was read, and all three nodes hold the whole model together."""
    up = [value for _, value in samples.find("rollcall_source_up", fleet=FLEET)]
    return up == [1, 1, 1] and held_by(3)(samples) and target(samples) == (0, False)


def gone(samples: Samples, node: str) -> bool:
    """Whether all that is left of a node is that it is not present."""
    return names(samples, node) == {"rollcall_node_present"}


def related(samples: Samples, relation: str) -> set[str]:
    """The nodes that have a relation to the model."""
    return {labels["node"] for labels, _ in samples.find("rollcall_node_model", model=MODEL, relation=relation)}


def target(samples: Samples) -> tuple[float | None, bool]:
    """Whether the model is wanted (1 or 0), and whether memory is lacking for it."""
    shortfall = samples.value("rollcall_model_shortfall_bytes", fleet=FLEET, model=MODEL)
    return samples.value("rollcall_model_wanted", fleet=FLEET, model=MODEL), (shortfall or 0) > 0


def test_a_model_split_over_three_nodes(demo: Demo, tmp_path: Path) -> None:
    """mesh-llm says of those that hold later layers that they stand by with a model assigned that is not ready."""
    with start(tmp_path, demo) as rollcall:
        samples = once(rollcall, told, "the whole model on three nodes")
        layers = stages(samples)
        coordinator, other, old = demo.console_nodes
        (far,) = layers.keys() - {coordinator, other}
        assert layers[coordinator][0] == 0
        assert old not in layers
        assert related(samples, "hosted") == {coordinator}
        assert related(samples, "serving") == related(samples, "requested") == set(layers)
        for node in (coordinator, other):
            edges = {labels["peer"] for labels, _ in samples.find("rollcall_node_peer", node=node)}
            assert edges >= layers.keys() - {node}
        looks = {node: shown(samples, node) for node in layers}
        assert {node: (look.state, look.basis) for node, look in looks.items() if look} == {
            coordinator: ("serving", "self"),
            other: ("serving", "self"),
            far: ("serving", "quorum"),
        }
        assert samples.words("rollcall_node_state_overridden", "reported", node=other) == ["standby"]
        assert not samples.value("rollcall_node_views_disagree", node=other, kind="expected")
        assert not [value for _, value in samples.find("rollcall_node_views_disagree", kind="real") if value]
        assert not list(samples.find("rollcall_source_drift_total", field="runtime_stages"))
        consistent(samples)


def shares(prometheus: Prometheus) -> dict[str, float]:
    """The part of each node in the model's VRAM, by the shipped recording rules."""
    found = prometheus.query(f'{RATIO}{{fleet="{FLEET}",model="{MODEL}"}}')
    return {each["metric"]["node"]: float(each["value"][1]) for each in found}


def test_the_share_of_each_node_in_the_models_vram(demo: Demo, tmp_path: Path) -> None:
    """As a real Prometheus records it with the shipped rules, before and after one of the nodes has died."""
    folder = tmp_path / "prometheus"
    folder.mkdir()
    with start(tmp_path, demo) as rollcall:
        samples = once(rollcall, told, "the whole model on three nodes")
        vram = {node: samples.value("rollcall_node_vram_bytes", node=node) or 0.0 for node in stages(samples)}
        adapt(folder, [rollcall.url.removeprefix("http://")], None, hold=60, keep=60)
        with Prometheus(folder) as prometheus:
            wait_until(lambda: len(shares(prometheus)) == 3, "a share of each node")
            assert shares(prometheus) == pytest.approx({node: each / sum(vram.values()) for node, each in vram.items()})
            dead = demo.console_nodes[1]
            demo.kill_node(dead)
            left = vram.keys() - {dead}
            expected = {node: vram[node] / sum(vram[each] for each in left) for node in left}
            wait_until(lambda: shares(prometheus) == pytest.approx(expected), "the shares of those that are left")


@pytest.mark.timeout(240)
def test_a_split_model_that_loses_its_nodes(demo: Demo, tmp_path: Path) -> None:
    """Two make up for the third; without the coordinator there is too little room, and with it the model is back."""
    coordinator, other, _ = demo.console_nodes
    with start(tmp_path, demo) as rollcall:
        before = stages(once(rollcall, told, "the whole model on three nodes"))
        demo.kill_node(other)
        dead = once(rollcall, lambda samples: (look := shown(samples, other)) and not look.confirmed, "an unconfirmed")
        assert stages(dead) == before
        consistent(dead)
        again = once(rollcall, lambda samples: held_by(2)(samples) and gone(samples, other), "the model on two nodes")
        assert stages(again).keys() == before.keys() - {other}
        consistent(again)
        demo.restart_node(other)
        once(rollcall, lambda samples: (look := shown(samples, other)) and look.confirmed, "the node again")
        demo.kill_node(coordinator)
        lost = once(rollcall, lambda s: target(s) == (1, True) and gone(s, coordinator), "a model that is wanted")
        assert (stages(lost), related(lost, "hosted")) == ({}, set())
        assert related(lost, "requested") == before.keys() - {coordinator}
        consistent(lost)
        demo.restart_node(coordinator)
        assert related(once(rollcall, told, "the whole model on three nodes again"), "hosted") == {coordinator}


def links(samples: Samples) -> set[tuple[str, str]]:
    """Who lists whom."""
    return {(labels["node"], labels["peer"]) for labels, _ in samples.find("rollcall_node_peer", fleet=FLEET)}


def between(samples: Samples, half: Iterable[str]) -> bool:
    """Whether any node of one half lists one of the other."""
    return any((node in half) != (peer in half) for node, peer in links(samples))


def transitions(samples: Samples) -> dict[tuple[str, str], float]:
    """How often nodes went from one state to another."""
    found = samples.find("rollcall_node_state_transitions_total", fleet=FLEET)
    return {(labels["from"], labels["to"]): count for labels, count in found}


class Halves:
    """A mesh of seven nodes, two consoles and a node without one on either side, and a client on the second."""

    def __init__(self, demo: Demo) -> None:
        self.demo = demo
        self.nodes = list(demo.nodes())
        cpu = next(node for node, hostname in demo.nodes().items() if hostname == "cpu-01")
        self.one = {*demo.console_nodes[:2], cpu}
        self.two = set(self.nodes) - self.one

    def polled(self, half: set[str]) -> set[str]:
        """Those of a half that are polled."""
        return half & set(self.demo.console_nodes)

    def unpolled(self, half: set[str]) -> set[str]:
        """Those of a half that are not."""
        return half - set(self.demo.console_nodes)


@pytest.fixture
def halves() -> Iterator[Halves]:
    """The mesh, still in one piece."""
    with simulated(nodes=7, consoles=4, speed=SPEED) as running:
        yield Halves(running)


class Unmoved:
    """Fails when a scrape counts a node twice or not at all, or shows that one went from one state to another."""

    def __init__(self, rollcall: Rollcall, samples: Samples) -> None:
        self._rollcall, self._first = rollcall, samples

    def until(self, condition: Callable[[Samples], object], what: str) -> Samples:
        """The first scrape that fulfils a condition, all before it being as they should."""

        def look(samples: Samples) -> object:
            consistent(samples)
            assert transitions(samples) == transitions(self._first)
            for name in ("rollcall_node_state", "rollcall_node_state_since_timestamp_seconds"):
                assert sorted(map(str, samples.find(name))) == sorted(map(str, self._first.find(name)))
            assert sum(counted(samples).values()) == sum(counted(self._first).values())
            return condition(samples)

        return once(self._rollcall, look, what)


def settled(rollcall: Rollcall, halves: Halves) -> Samples:
    """The first scrape in which all consoles list everybody and nobody is about to change."""

    def whole(samples: Samples) -> bool:
        listed = {(node, peer) for node in halves.demo.console_nodes for peer in halves.nodes if node != peer}
        states = {state for state, _ in counted(samples)}
        return links(samples) == listed and states == {"serving", "standby", "client"}

    return once(rollcall, whole, "all of the mesh")


def test_two_halves_that_list_only_themselves(halves: Halves, tmp_path: Path) -> None:
    """Polled from both sides nothing is lost, counted twice or said to have changed; the links show the two halves."""
    demo = halves.demo
    with start(tmp_path, demo, stale_after="3s") as rollcall:
        first = settled(rollcall, halves)
        unmoved = Unmoved(rollcall, first)
        demo.partition(halves.one)
        cut = unmoved.until(lambda samples: not between(samples, halves.one), "halves that list only themselves")
        for half in (halves.one, halves.two):
            for node in half:
                look = shown(cut, node)
                assert look is not None
                assert (look.confirmed, look.present, sum(look.views.values())) == (True, True, 2)
                assert look.basis == ("self" if node in halves.polled(half) else "quorum")
                assert look.latencies.keys() == halves.polled(half) - {node}
        silent, speaking = sorted(halves.polled(halves.two))
        server = demo.console_servers[demo.console_nodes.index(silent)]
        server.pause()
        alone = unmoved.until(lambda samples: (look := shown(samples, silent)) and not look.confirmed, "one view")
        for node in halves.unpolled(halves.two):
            look = shown(alone, node)
            assert look is not None
            assert (look.basis, look.confirmed, look.latencies.keys()) == ("single", True, {speaking})
        server.resume()
        demo.heal()
        unmoved.until(lambda samples: links(samples) == links(first) and counted(samples) == counted(first), "one mesh")


def test_a_half_that_nobody_asks_is_gone_until_the_mesh_is_whole_again(halves: Halves, tmp_path: Path) -> None:
    """A client that is gone is no loss: of it nothing is left."""
    demo = halves.demo
    (client,) = [node for node, hostname in demo.nodes().items() if hostname == "laptop-1"]
    with Rollcall(tmp_path, configuration(demo.mesh_urls[:2], stale_after="3s")) as rollcall:
        first = once(rollcall, lambda samples: len(present(samples, 1)) == len(halves.nodes), "all nodes")
        demo.partition(halves.one)
        cut = once(rollcall, lambda samples: present(samples, 1) == halves.one, "half of the nodes")
        consistent(cut)
        assert present(cut, 0) == halves.two - {client}
        assert all(names(cut, node) <= {"rollcall_node_present"} for node in halves.two)
        demo.heal()
        once(rollcall, lambda samples: counted(samples) == counted(first), "all nodes again")


def present(samples: Samples, value: int) -> set[str]:
    """The nodes that are there (1), or were (0)."""
    return {labels["node"] for labels, said in samples.find("rollcall_node_present", fleet=FLEET) if said == value}
