"""What takes minutes or an hour: a simulated mesh read over HTTP, with the times that people use and a clock in hand.

The consoles answer on loopback; nothing waits, the clock is moved on from one read to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from exporter.demo import Demo, DemoOptions
from exporter.endpoint import parse_url
from exporter.exposition import Exposition, Format
from exporter.families import POLLED
from exporter.sources.mesh_name import MeshName
from exporter.sources.resolve import Resolver
from exporter.sources.source import Deadline, Pace, SourceError
from exporter.state.fleet import Fleet, Limits, WorkerRules
from exporter.state.ledger import Ledger
from tests.real.meshes import FLEET, consistent, counted, names, shown
from tests.real.rollcall import Samples, parse

INTERVAL, STALE_AFTER = 5.0, 15.0
LISTED_AFTER_DEATH = 290.0
GHOST_AFTER, GOSSIPED = 120.0, 300.0
TOMBSTONE = 3600.0
SETTLE = 600.0
SLEEPER, PROVIDER = "rack-b-gpu-21", "wake-on-lan"


class Polled:
    """A mesh of five nodes, three consoles of which are polled every five seconds of its own clock."""

    def __init__(self) -> None:
        self.now = 1.7e9
        options = DemoOptions(nodes=5, workers=0, mesh_port=0, store_port=0, calm=True, steady=True)
        self.demo = Demo(options, wall=lambda: self.now, monotonic=lambda: self.now)
        resolve = Resolver()
        self._sources = [
            MeshName(FLEET, parse_url(url, 80), resolve, Pace(INTERVAL, 10.0, STALE_AFTER))
            for url in self.demo.mesh_urls
        ]
        self._fleet = Fleet(FLEET, WorkerRules(), Limits())
        self._ledger = Ledger()
        self._exposition = Exposition(POLLED, 1_000_000)
        self.samples = Samples([])

    def poll(self, step: float = INTERVAL) -> Samples:
        """Move the clock on by `step`, read every console that answers, and give what is exposed."""
        self.now += step
        for source in self._sources:
            try:
                reading = source.read(Deadline(30.0))
            except SourceError:
                continue
            self._fleet.receive(source.name, reading, self.now + STALE_AFTER)
        tables, left_out = self._fleet.tables(self.now, ("mesh-llm",), self.now)
        remembered = self._ledger.observe({FLEET: self._fleet.listing}, self.now)[FLEET]
        snapshot = self._exposition.publish({FLEET: {**tables, **remembered}}, {FLEET: left_out})
        self.samples = Samples(parse(b"".join(snapshot.chunks(Format.TEXT)).decode()))
        consistent(self.samples)
        return self.samples

    def until(self, condition: Callable[[Samples], object], most: float, step: float = INTERVAL) -> float:
        """Poll until a condition holds, for at most so many seconds; gives how many it took."""
        began = self.now
        while not condition(self.poll(step)):
            assert self.now - began <= most, f"expected within {most:g} s of the mesh's clock"
        return self.now - began

    def serving(self) -> str:
        """A node with a console that says that it serves."""
        self.poll()
        found = {node: shown(self.samples, node) for node in self.demo.console_nodes[:2]}
        return next(node for node, each in found.items() if each and each.state == "serving")


@pytest.fixture
def polled() -> Iterator[Polled]:
    """The mesh, up and running."""
    mesh = Polled()
    with mesh.demo:
        yield mesh


def confirmed(samples: Samples, node: str) -> bool:
    """Whether a listed node is confirmed."""
    found = shown(samples, node)
    assert found is not None
    return found.confirmed


def only_present(samples: Samples, node: str) -> bool:
    """Whether all that is left of a node is that it is not present."""
    return names(samples, node) == {"rollcall_node_present"}


def test_a_killed_node_from_its_death_to_the_end_of_its_tombstone(polled: Polled) -> None:
    victim = polled.serving()
    died = polled.now
    polled.demo.kill_node(victim)
    polled.until(lambda samples: not confirmed(samples, victim), STALE_AFTER + INTERVAL)
    while not only_present(polled.samples, victim):
        found = shown(polled.samples, victim)
        assert found is not None
        assert (found.state, found.confirmed, found.ghost, found.present) == ("serving", False, False, True)
        assert set(found.latencies.values()) == {"direct"}
        assert counted(polled.samples)["serving", "unconfirmed"] == 1
        polled.poll()
    left = polled.now
    assert LISTED_AFTER_DEATH <= left - died <= LISTED_AFTER_DEATH + INTERVAL
    assert polled.samples.value("rollcall_node_present", node=victim) == 0
    polled.until(lambda samples: not names(samples, victim), TOMBSTONE, 60.0)
    assert polled.now - left == pytest.approx(TOMBSTONE, abs=60.0)


def test_a_node_that_left_and_is_back_by_gossip_becomes_a_ghost_and_goes(polled: Polled) -> None:
    node = polled.serving()
    before, left = sum(counted(polled.samples).values()), polled.now
    polled.demo.exit_node(node, gossiped_to=polled.demo.console_nodes)
    polled.until(lambda samples: not confirmed(samples, node), STALE_AFTER + INTERVAL)
    assert counted(polled.samples)["serving", "unconfirmed"] == 1
    while not (found := shown(polled.samples, node)) or not found.ghost:
        assert found is not None
        assert (found.state, found.confirmed) == ("serving", False)
        polled.poll()
    assert GHOST_AFTER <= polled.now - left <= GHOST_AFTER + STALE_AFTER + 2 * INTERVAL
    assert counted(polled.samples)["serving", "ghost"] == 1
    assert sum(counted(polled.samples).values()) == before
    polled.until(lambda samples: only_present(samples, node), GOSSIPED)
    assert GOSSIPED <= polled.now - left <= GOSSIPED + STALE_AFTER + INTERVAL
    assert sum(counted(polled.samples).values()) == before - 1


def test_a_wake_that_vanishes(polled: Polled) -> None:
    polled.demo.wake(SLEEPER)
    polled.until(
        lambda samples: samples.words("rollcall_wakeable_state", "state", logical_id=SLEEPER) == ["waking"], 10
    )
    before = counted(polled.samples)
    polled.demo.strike(SLEEPER)

    def vanished(samples: Samples) -> bool:
        assert not [sample for sample in samples.all if ("logical_id", SLEEPER) in sample.labels]
        assert counted(samples) == before
        ends = samples.find("rollcall_wakes_total", provider=PROVIDER)
        return {labels["result"]: count for labels, count in ends if count} == {"vanished": 1}

    assert polled.until(vanished, SETTLE + 2 * INTERVAL) >= SETTLE
