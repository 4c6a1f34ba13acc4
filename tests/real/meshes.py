"""A simulated mesh, the exporter that polls it, and what a scrape says of its nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from exporter.demo import Demo, DemoOptions
from tests.real.process import PATIENCE, wait_until
from tests.real.rollcall import Rollcall, Samples

FLEET = "demo"
INTERVAL = 0.2
TIMING = {"interval": f"{INTERVAL * 1000:.0f}ms", "timeout": "2s", "stale_after": "1s"}


def simulated(**options: Any) -> Demo:
    """A mesh on free ports, without workers and failures, and steady unless an option says otherwise."""
    return Demo(DemoOptions(**{"workers": 0, "mesh_port": 0, "store_port": 0, "calm": True, "steady": True, **options}))


def configuration(urls: Iterable[str], *, tombstone: str = "1h", **timing: str) -> str:
    """An exporter's configuration for these consoles only."""
    mesh = {"fleet": FLEET, "urls": list(urls), **TIMING, **timing}
    tree = {"meshes": [mesh], "tombstone": tombstone, "host": {"enabled": False}, "gpu": {"enabled": False}}
    return yaml.safe_dump(tree)


class Shown(NamedTuple):
    """What a scrape says of a node; `views` is by state how many consoles see it so, `latencies` by who lists it."""

    state: str
    basis: str
    confirmed: bool
    ghost: bool
    present: bool
    since: float
    views: dict[str, float]
    latencies: dict[str, str]


def shown(samples: Samples, node: str) -> Shown | None:
    """What a scrape says of a node; None where it is not among those that are listed."""
    states = samples.words("rollcall_node_state", "state", node=node)
    if not states:
        return None
    (state,), (basis,) = states, [labels["basis"] for labels, _ in samples.find("rollcall_node_info", node=node)]
    return Shown(
        state,
        basis,
        samples.value("rollcall_node_confirmed", node=node) == 1,
        samples.value("rollcall_node_ghost", node=node) == 1,
        samples.value("rollcall_node_present", node=node) == 1,
        samples.value("rollcall_node_state_since_timestamp_seconds", node=node) or 0.0,
        {labels["state"]: count for labels, count in samples.find("rollcall_node_views", node=node) if count},
        {labels["node"]: labels["latency"] for labels, _ in samples.find("rollcall_node_peer", peer=node)},
    )


def names(samples: Samples, node: str) -> set[str]:
    """The metrics that have a sample of a node, or of a peer's link to it."""
    return {sample.name for sample in samples.all if {("node", node), ("peer", node)} & sample.labels}


def once(rollcall: Rollcall, condition: Callable[[Samples], object], what: str, seconds: float = PATIENCE) -> Samples:
    """The first scrape that fulfils a condition."""

    def look() -> Samples | None:
        rollcall.ended()
        samples = rollcall.scrape()
        return samples if condition(samples) else None

    return wait_until(look, what, seconds)


def serving(rollcall: Rollcall, nodes: Iterable[str]) -> str:
    """One of the nodes that says itself that it serves; waits until there is one."""
    nodes = list(nodes)

    def look() -> str | None:
        samples = rollcall.scrape()
        found = {node: shown(samples, node) for node in nodes}
        return next((n for n, s in found.items() if s and (s.state, s.basis) == ("serving", "self")), None)

    return wait_until(look, "a node that serves")


def counted(samples: Samples) -> dict[tuple[str, str], float]:
    """The nodes of the fleet by state and standing, where there are any."""
    found = samples.find("rollcall_nodes", fleet=FLEET)
    return {(labels["state"], labels["standing"]): count for labels, count in found if count}


def consistent(samples: Samples) -> None:
    """Fail unless the counts of nodes are those of the nodes that the same scrape shows."""
    listed = {labels["node"] for labels, _ in samples.find("rollcall_node_info", fleet=FLEET)}
    nodes = {node: shown(samples, node) for node in listed}
    by_state = Counter(
        (each.state, "confirmed" if each.confirmed else "ghost" if each.ghost else "unconfirmed")
        for each in nodes.values()
        if each is not None
    )
    assert counted(samples) == by_state
    assert sum(by_state.values()) == len(listed)
    assert {labels["node"] for labels, value in samples.find("rollcall_node_present") if value == 1} == listed


def start(folder: Path, demo: Demo, **options: str) -> Rollcall:
    """An exporter that polls all consoles of a simulated mesh."""
    return Rollcall(folder, configuration(demo.mesh_urls, **options))
