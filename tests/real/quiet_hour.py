"""Simulated fleets through what operators plan and fleets do by themselves, in virtual time, and mishaps beside it.

`demo` is the simulated fleet: a mesh whose nodes load, unload, wake and leave, with a client that comes and goes, a
store whose runners always find work again, and an inventory of who is put to sleep. `night` is a mesh of one node that
sleeps for a while. `runs` is a store between whose training runs all runners exit; a second exporter reads it too.
`old` is a server of Agent Lightning 1.x, which knows no workers. `leaving` is taken out of the configuration.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import NamedTuple

import yaml

from exporter.demo.api import Api
from exporter.demo.api_1 import ServerApi
from exporter.demo.console import Console
from exporter.demo.nodes import Node
from exporter.demo.runners import Runners
from exporter.demo.server import Answer, Request
from exporter.demo.simulation import DemoOptions, Simulation
from exporter.demo.store import RolloutConfig, Store
from tests.real.scraped import Scrapes
from tests.real.virtual import Clock, Exporter, Respond

EVE = 600.0
"""Seconds of Unix time before it begins, in which the exporters have nothing to read."""

STEP = 5.0
"""Seconds between two looks at what is due: the shortest interval at which something is read."""

NODE_DIES, WAKE_BEGINS, WORKER_DIES = 6.0, 9.0, 30.0
"""Minutes after the beginning at which each mishap happens."""

OVERRUN = 900.0
"""Seconds that the wake takes longer than it promised."""

STORES = ("demo", "runs", "old", "leaving")
FIRST, SECOND = "one:10470", "other:10470"
NOTHING = 'rollcall_build_info{version="0",python_version="3"} 1\n'


def configuration(*stores: str, meshes: bool = True) -> str:
    """An exporter's configuration: the meshes with their inventories, and the fleets with these stores."""
    urls = {"demo": [f"http://gpu-0{number}:3131" for number in (1, 2, 3)], "night": ["http://night-01:3131"]}
    fleets = urls if meshes else {}
    tree = {
        "meshes": [{"fleet": fleet, "urls": each} for fleet, each in fleets.items()],
        "inventories": [{"fleet": fleet, "file": f"{fleet}.yaml"} for fleet in fleets],
        "stores": [{"fleet": fleet, "url": f"http://{fleet}-store:4747"} for fleet in stores],
    }
    return yaml.safe_dump(tree)


class Place:
    """An exporter that can be ended and begun anew; what it is configured to read, and its state, stays."""

    def __init__(self, said: str, servers: dict[str, Respond], clock: Clock, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._said, self._servers, self._clock, self.folder = said, servers, clock, folder
        self._exporter: Exporter | None = None

    def begin(self) -> None:
        """Start it."""
        self._exporter = Exporter(self._said, self._servers, self._clock, self.folder)

    def end(self) -> None:
        """Stop it."""
        if self._exporter is not None:
            self._exporter.end()
        self._exporter = None

    def follow(self, said: str) -> None:
        """Have it go on by another configuration."""
        assert self._exporter is not None
        self._exporter.follow(said)

    def step(self) -> None:
        """Let happen what is due now."""
        if self._exporter is not None:
            self._exporter.step()

    def scrape(self) -> str | None:
        """What it exposes; None where it does not run."""
        return self._exporter.scrape() if self._exporter is not None else None


class Hours:
    """The fleets, the exporters that read them, and what was scraped of those; nothing is planned at first."""

    def __init__(self, folder: Path, seed: int = 4) -> None:
        self.clock = Clock(EVE)
        self.demo = Simulation(DemoOptions(nodes=8, workers=12, calm=True, seed=seed), EVE)
        self.night = Simulation(DemoOptions(nodes=1, workers=0, consoles=1, calm=True, steady=True), EVE)
        for node in self.night.mesh.members.values():
            node.hostname = "night-01"
        self.runs = Store(self.demo.store_clock, random.Random("runs"))
        self.team = Runners(self.runs, self.demo.agenda, self.demo.timeline, random.Random("team"), 6)
        self.refusing: set[str] = set()
        self.scrapes = Scrapes()
        servers = self._servers()
        self.first = Place(configuration(*STORES), servers, self.clock, folder / "first")
        self.second = Place(configuration("runs", meshes=False), servers, self.clock, folder / "second")
        self._asleep: dict[str, dict[str, str]] = {"demo": {}, "night": {}}
        for fleet in self._asleep:
            self._list(fleet)
        while self.scrapes.now < EVE:
            self.scrapes.take({FIRST: NOTHING, SECOND: NOTHING})
        self.first.begin()
        self.second.begin()

    def at(self, minutes: float, action: Callable[[], object]) -> None:
        """Have something happen so many minutes after the beginning."""
        self.demo.agenda.after(EVE + 60 * minutes - self.clock.now, action)

    def last(self, minutes: float) -> None:
        """Let time pass, up to so many minutes after the beginning."""
        while self.clock.now <= EVE + 60 * minutes:
            for place in (self.first, self.second):
                place.step()
            if self.clock.now >= self.scrapes.now:
                self.scrapes.take({FIRST: self.first.scrape(), SECOND: self.second.scrape()})
            for simulation in (self.demo, self.night):
                simulation.advance(STEP)
            self.clock.now += STEP

    def sleeps(self, fleet: str, hostname: str, state: str | None = "sleeping") -> None:
        """Have an inventory list a host in a state, or no longer."""
        self._asleep[fleet].pop(hostname, None)
        if state is not None:
            self._asleep[fleet][hostname] = state
        self._list(fleet)

    def node(self, hostname: str) -> str:
        """The id of a member of the mesh of `demo`."""
        return next(node.node_id for node in self.demo.mesh.members.values() if node.hostname == hostname)

    def _list(self, fleet: str) -> None:
        entries = [
            {"logical_id": f"host of {name}", "state": state, "becomes": {"hostname": name}, "wake_eta_secs": 90}
            for name, state in self._asleep[fleet].items()
        ]
        (self.first.folder / f"{fleet}.yaml").write_text(yaml.safe_dump(entries))

    def _servers(self) -> dict[str, Respond]:
        stores: dict[str, Callable[[Request], Answer]] = {
            "demo": Api(self.demo.store).answer,
            "runs": Api(self.runs).answer,
            "old": ServerApi(self.demo.store).answer,
            "leaving": Api(self.runs).answer,
        }
        servers: dict[str, Respond] = {
            f"{fleet} {fleet}-store:4747": partial(self._of_store, fleet, answer) for fleet, answer in stores.items()
        }
        for fleet, simulation in (("demo", self.demo), ("night", self.night)):
            for node in simulation.mesh.consoles:
                console = Console(simulation.mesh, simulation.timeline, node)
                servers[f"{fleet} {node.hostname}:3131"] = partial(_of_console, node, console)
        return servers

    def _of_store(self, fleet: str, answer: Callable[[Request], Answer], request: Request) -> Answer | None:
        return None if fleet in self.refusing else answer(request)


def _of_console(node: Node, console: Console, request: Request) -> Answer | None:
    return console.answer(request) if node.up else None


def plan(hours: Hours) -> None:
    """Plan an hour that is all in order; the simulated mesh loads, wakes and has a client by itself beside it."""
    _nodes_restart_and_sleep(hours)
    _runs_end(hours)
    _store_restarts(hours)
    _exporters_come_and_go(hours)


def _nodes_restart_and_sleep(hours: Hours) -> None:
    mesh, night = hours.demo.mesh, hours.night.mesh
    consoles = [node.node_id for node in mesh.consoles]
    hours.at(4, lambda: mesh.kill(hours.node("gpu-02")))
    hours.at(4.5, lambda: mesh.restart(hours.node("gpu-02")))
    # Put to sleep by a clean exit, which gossip undoes for a while, and as a machine is suspended.
    hours.at(12, lambda: hours.sleeps("demo", "gpu-05"))
    hours.at(12.1, lambda: mesh.leave(hours.node("gpu-05"), consoles))
    hours.at(31, lambda: hours.sleeps("demo", "gpu-03"))
    hours.at(31.1, lambda: mesh.kill(hours.node("gpu-03")))
    hours.at(51, lambda: hours.sleeps("demo", "gpu-03", "waking"))
    hours.at(52, lambda: mesh.restart(hours.node("gpu-03")))
    hours.at(52.5, lambda: hours.sleeps("demo", "gpu-03", None))
    (alone,) = night.members
    hours.at(15, lambda: hours.sleeps("night", "night-01"))
    hours.at(15.1, lambda: night.kill(alone))
    hours.at(46, lambda: hours.sleeps("night", "night-01", "waking"))
    hours.at(47, lambda: night.restart(alone))
    hours.at(47.5, lambda: hours.sleeps("night", "night-01", None))


def _runs_end(hours: Hours) -> None:
    team = list(hours.team.runners)
    for begin, end, runners in ((0, 16, team), (38, 50, team[:3])):
        for minutes in range(begin, end, 2):
            hours.at(minutes, partial(_batch, hours.runs, 2 * len(runners)))
        for name in runners:
            hours.at(begin, partial(hours.team.revive, name))
            hours.at(end + 3, partial(hours.team.kill, name))


def _batch(store: Store, size: int) -> None:
    for number in range(size):
        store.enqueue({"task": number}, "train", RolloutConfig())


def _store_restarts(hours: Hours) -> None:
    def back() -> None:
        hours.refusing.clear()
        hours.demo.restart_store()

    hours.at(24, lambda: hours.refusing.add("demo"))
    for worker in list(hours.demo.runners.runners)[4:]:
        hours.at(24.4, partial(hours.demo.runners.occupy, worker))
    hours.at(24.5, back)


def _exporters_come_and_go(hours: Hours) -> None:
    left: Collection[str] = [name for name in STORES if name != "leaving"]
    hours.at(28, hours.first.end)
    hours.at(28.6, hours.first.begin)
    hours.at(34, hours.second.end)
    hours.at(42, hours.second.begin)
    hours.at(45, lambda: hours.first.follow(configuration(*left)))


class Mishap(NamedTuple):
    """What is not in order: so many minutes after the beginning, in `demo`, something happens to a thing."""

    minutes: float
    thing: str
    name: Callable[[], str]
    happens: Callable[[str], object]


def mishaps(hours: Hours) -> dict[str, str]:
    """Plan that a node and a busy worker die, and that a wake takes a quarter of an hour too long.

    What each of them befell is in the answer once it has: `node`, `worker` and `logical_id`.
    """
    mesh, runners = hours.demo.mesh, hours.demo.runners
    befell: dict[str, str] = {}

    def die_at_work(worker: str) -> None:
        runners.occupy(worker)
        runners.kill(worker)

    for mishap in (
        Mishap(NODE_DIES, "node", lambda: hours.node("gpu-04"), mesh.kill),
        Mishap(WAKE_BEGINS, "logical_id", lambda: _sleeper(hours), partial(mesh.wake, overrun=OVERRUN)),
        Mishap(WORKER_DIES, "worker", lambda: "trainer-0-runner-3", die_at_work),
    ):
        hours.at(mishap.minutes, partial(_befall, mishap, befell))
    return befell


def _befall(mishap: Mishap, befell: dict[str, str]) -> None:
    befell[mishap.thing] = mishap.name()
    mishap.happens(befell[mishap.thing])


def _sleeper(hours: Hours) -> str:
    """Capacity of the mesh of `demo` that sleeps now."""
    asleep = (each for each in hours.demo.mesh.wakeables.values() if each.node is None and each.awake_at is None)
    return next(each.reserve.logical_id for each in asleep)
