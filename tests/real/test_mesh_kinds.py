"""Members of a mesh that are unlike the others: one of an old version, and a client with VRAM."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from exporter.demo import Demo
from tests.real.meshes import consistent, counted, once, shown, simulated, start
from tests.real.rollcall import Rollcall, Samples

Started = tuple[Demo, Rollcall]
CLIENT_VRAM = 24.0


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """Six nodes: three consoles, of which the last is old, a client with VRAM, and two more."""
    with (
        simulated(nodes=6, consoles=3, client_vram_gb=CLIENT_VRAM) as demo,
        start(tmp_path_factory.mktemp("kinds"), demo) as rollcall,
    ):
        once(rollcall, lambda samples: sum(counted(samples).values()) == 6, "six nodes")
        yield demo, rollcall


def states(samples: Samples) -> dict[str, str]:
    """Every node's state."""
    return {labels["node"]: labels["state"] for labels, value in samples.find("rollcall_node_state") if value == 1}


def test_a_client_with_vram_adds_none(started: Started) -> None:
    _, rollcall = started
    samples = rollcall.scrape()
    clients = [node for node, state in states(samples).items() if state == "client"]
    assert len(clients) == 1
    assert samples.value("rollcall_node_vram_bytes", node=clients[0]) == 0
    vram = {labels["node"]: value for labels, value in samples.find("rollcall_node_vram_bytes")}
    assert sorted(vram) == sorted(states(samples))
    assert all(value > 0 for node, value in vram.items() if node not in clients)
    assert CLIENT_VRAM * 1e9 not in vram.values()


def test_an_old_node_among_new_ones(started: Started) -> None:
    """It sends flags instead of states, of itself and of its peers; then it is the only one that can be asked."""
    demo, rollcall = started
    old = demo.console_nodes[2]
    samples = once(rollcall, lambda samples: len(set(counted(samples)) & {("serving", "confirmed")}) == 1, "a host")
    by_all = states(samples)
    found = shown(samples, old)
    assert found is not None
    assert next(labels["version"] for labels, _ in samples.find("rollcall_node_info", node=old)) == "0.61.0"
    assert (found.basis, found.state, found.views) == ("self", "serving", {"serving": 3})
    assert not list(samples.find("rollcall_node_state_overridden"))
    assert not list(samples.find("rollcall_source_drift_total", field="node_state"))
    for server in demo.console_servers[:2]:
        server.pause()
    samples = once(
        rollcall,
        lambda samples: all(value == 1 for _, value in samples.find("rollcall_node_views") if value),
        "one view of each node",
    )
    consistent(samples)
    assert states(samples) == by_all
    for node in by_all:
        found = shown(samples, node)
        assert found is not None
        assert found.basis == ("self" if node == old else "single")
        assert found.confirmed == (node not in demo.console_nodes[:2])
    for server in demo.console_servers[:2]:
        server.resume()
    everybody = {("client", "confirmed"), ("serving", "confirmed"), ("standby", "confirmed")}
    once(rollcall, lambda samples: set(counted(samples)) <= everybody, "everybody confirmed")
