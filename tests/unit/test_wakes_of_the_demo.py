"""Wakes of the simulated mesh, as a console tells of them: one that succeeds, one that does not, one that vanishes."""

from __future__ import annotations

import pytest

from exporter.demo.console import Console
from exporter.demo.server import Request
from exporter.demo.simulation import DemoOptions, Simulation
from exporter.records import Node, WakeableNode, WakeCount
from exporter.records.table import Tables
from exporter.sources.mesh_llm import parse
from exporter.state.fleet import Fleet, Limits, WorkerRules
from exporter.state.wakes import SETTLE

INTERVAL = 5.0
SLEEPER = "attic-gpu-31"


class Polled:
    """A fleet that polls the first console of a calm simulation, and never sleeps."""

    def __init__(self) -> None:
        self.simulation = Simulation(DemoOptions(workers=0, consoles=1, calm=True), now=1.7e9)
        self.mesh = self.simulation.mesh
        self._console = Console(self.mesh, self.simulation.timeline, self.mesh.consoles[0])
        self._fleet = Fleet("eu", WorkerRules(), Limits())
        self.tables: Tables = {}
        self.poll()

    def poll(self) -> None:
        now = self.simulation.wall()
        body = self._console.answer(Request("GET", "/api/status")).body
        self._fleet.receive("gpu-01:3131", parse(body, "eu"), now + 3 * INTERVAL)
        self.tables, _ = self._fleet.tables(now, ("mesh-llm",), now)
        self.simulation.advance(INTERVAL)

    def until(self, over: float) -> None:
        """Poll for `over` seconds."""
        for _ in range(int(over // INTERVAL)):
            self.poll()

    @property
    def sleeper(self) -> WakeableNode | None:
        rows = [row for row in self.tables[WakeableNode] if isinstance(row, WakeableNode)]
        return next((row for row in rows if row.logical_id == SLEEPER), None)

    @property
    def live(self) -> bool:
        return any(isinstance(row, Node) and row.hostname == SLEEPER for row in self.tables[Node])

    def ended(self, result: str) -> int:
        """Wakes of sleepers without a provider, of which there is one."""
        rows = [row for row in self.tables[WakeCount] if isinstance(row, WakeCount)]
        return next(row.wakes for row in rows if (row.provider, row.result) == ("", result))

    @property
    def ends(self) -> tuple[int, int, int]:
        return self.ended("live"), self.ended("returned"), self.ended("vanished")


@pytest.fixture
def polled() -> Polled:
    return Polled()


def test_a_wake_that_succeeds(polled: Polled) -> None:
    assert polled.sleeper is not None
    polled.mesh.wake(SLEEPER)
    polled.poll()
    began = polled.sleeper
    assert began.state == "waking"
    assert began.wake_eta_seconds is not None
    while polled.sleeper is not None:
        assert (polled.sleeper.state, polled.sleeper.wake_eta_seconds) == ("waking", began.wake_eta_seconds)
        took = polled.sleeper.wake_duration_seconds
        assert (polled.ends, polled.live) == ((0, 0, 0), False)
        polled.poll()
    assert took is not None
    assert abs(took - began.wake_eta_seconds) <= 2 * INTERVAL
    # For its first 60 s nobody may know a latency to a newcomer.
    polled.until(65)
    assert (polled.ends, polled.live) == ((1, 0, 0), True)


def test_a_wake_that_goes_back_to_sleep(polled: Polled) -> None:
    polled.mesh.wake(SLEEPER, succeeds=False)
    polled.until(100)
    assert polled.sleeper is not None
    assert (polled.sleeper.state, polled.live, polled.ends) == ("sleeping", False, (0, 1, 0))
    assert 40 <= (polled.sleeper.wake_duration_seconds or 0) <= 95


def test_a_wake_that_vanishes(polled: Polled) -> None:
    polled.mesh.wake(SLEEPER, succeeds=False)
    polled.until(20)
    del polled.mesh.wakeables[SLEEPER]
    polled.until(SETTLE)
    assert (polled.sleeper, polled.ends) == (None, (0, 0, 0))
    polled.until(2 * INTERVAL)
    assert polled.ends == (0, 0, 1)
