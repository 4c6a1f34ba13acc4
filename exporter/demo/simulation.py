"""The whole simulated fleet without any server: advance it, look at it, interfere with it."""

from __future__ import annotations

import random

import msgspec

from exporter.demo.agenda import Agenda, Timeline
from exporter.demo.events import Events
from exporter.demo.mesh import Mesh
from exporter.demo.plans import Plans
from exporter.demo.runners import Runners, Trainer
from exporter.demo.store import Store

WARM_UP = 90.0
LEAST_SILENCE = 180.0
LEAST_NODE_SILENCE = 350.0


class DemoOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How large, how fast and how healthy the fleet is, and where it listens (port 0 is any free one).

    `speed` is simulated seconds per real second. `consoles` nodes can be polled. A `calm` fleet has no failures;
    otherwise what falls silent stays so for at least `silence` real seconds. `clock_offset` is how many seconds the
    store's clock is ahead. In a `steady` mesh nodes keep what they serve, the client stays, and nothing wakes by
    itself; `client_vram_gb` is the VRAM in 10^9 bytes that the client says it has. The first `split` nodes that can (0
    for none; see exporter/demo/mesh.py) serve one large model together. `store_version` is that of the store's API, 0.3
    or 1. Raises ValueError for what makes no sense.
    """

    nodes: int = 8
    workers: int = 24
    speed: float = 1.0
    seed: int = 1
    host: str = "127.0.0.1"
    mesh_port: int = 3131
    store_port: int = 4747
    consoles: int = 3
    calm: bool = False
    silence: float = 120.0
    clock_offset: float = 0.0
    steady: bool = False
    client_vram_gb: float = 0.0
    store_version: str = "0.3"
    split: int = 0

    def __post_init__(self) -> None:
        for name, least in (("nodes", 1), ("workers", 0), ("consoles", 1), ("silence", 0), ("split", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}: expected at least {least}, got {getattr(self, name)}")
        if self.split == 1:
            raise ValueError("split: expected 0 or at least 2, got 1")
        if not 0.01 <= self.speed <= 100.0:
            raise ValueError(f"speed: expected 0.01 to 100, got {self.speed:g}")
        if self.store_version not in ("0.3", "1"):
            raise ValueError(f"store_version: expected 0.3 or 1, got {self.store_version!r}")


class Simulation:
    """A mesh and a store with runners, already busy at Unix time `now`, when simulated time is `WARM_UP`.

    Equal options and equal calls give equal states, whatever the steps of `advance`.
    """

    def __init__(self, options: DemoOptions, now: float) -> None:
        speed = options.speed
        self.clock_offset = options.clock_offset
        self.agenda = Agenda()
        self.timeline = Timeline(now - WARM_UP / speed, speed)
        plans = Plans(self.agenda, random.Random(f"mesh {options.seed}"))
        client, steady = options.nodes >= 2, options.steady
        self.mesh = Mesh(plans, options.nodes - client, options.consoles, split=options.split, steady=steady)
        events = Events(self.mesh, plans, client=client, client_vram_gb=options.client_vram_gb, steady=steady)
        rng = random.Random(f"store {options.seed}")
        self.store = Store(self.store_clock, rng)
        self.trainer = Trainer(self.store, self.agenda, self.timeline, rng, options.workers)
        self.runners = Runners(self.store, self.agenda, self.timeline, rng, options.workers)
        self.advance(WARM_UP)
        if not options.steady:
            events.start_wakes()
        if not options.calm:
            self.runners.start_failures(max(LEAST_SILENCE, options.silence * speed))
            events.start_failures(max(LEAST_NODE_SILENCE, options.silence * speed))

    def advance(self, seconds: float) -> None:
        """Let simulated seconds pass."""
        self.agenda.advance(seconds)

    def wall(self) -> float:
        """Unix time of this simulated moment."""
        return self.timeline.wall(self.agenda.now)

    def store_clock(self) -> float:
        """Unix time of this moment on the store's clock."""
        return self.wall() + self.clock_offset

    def restart_store(self) -> None:
        """Restart the store: it forgets everything; idle runners are back at once, busy ones by heartbeat only."""
        self.store.clear()
        self.runners.rejoin()


def simulate(options: DemoOptions, now: float) -> Simulation:
    """Make the pure simulation of a fleet that is in full swing at Unix time `now`."""
    return Simulation(options, now)
