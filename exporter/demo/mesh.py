"""A mesh of nodes: who is in it, what they serve, what sleeps; all that a console tells follows from this state.

Behaviour: mesh-llm 0.66.0, watched on real nodes. A killed node stays listed by its peers for about 290 s.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from functools import partial

import msgspec

from exporter.demo.agenda import Agenda
from exporter.demo.hardware import (
    MACHINES,
    RESERVES,
    SECOND_MODEL,
    SECOND_MODEL_FILE,
    GpuModel,
    Model,
    Reserve,
    fitting,
)

VERSION, OLD_VERSION = "0.66.0", "0.61.0"
LISTED_AFTER_DEATH = 290.0
GOSSIPED_FROM, GOSSIPED_UNTIL = 1.0, 300.0
"""Simulated seconds after a clean exit between which those whom gossip brings the node back to list it."""


class Node(msgspec.Struct, kw_only=True, eq=False):
    """One member. `model` is what it is to serve, `ready` whether it does; `died` is when it was killed or left.

    `gossiped_to` are ids of the nodes that list it as a ghost after a clean exit. `epoch` changes whenever the node
    starts or stops, which voids what it had planned. Times are simulated seconds.
    """

    node_id: str
    hostname: str
    joined: float
    client: bool = False
    old: bool = False
    gpus: tuple[GpuModel, ...] = ()
    vram_gb: float = 0.0
    model: Model | None = None
    ready: bool = False
    hosted: list[str] = []
    serving: list[str] = []
    started: float = 0.0
    died: float | None = None
    gossiped_to: frozenset[str] = frozenset()
    epoch: int = 0
    pid: int = 0
    inflight: int = 0
    peak_inflight: int = 0
    succeeded: int = 0
    failed: int = 0
    tokens: int = 0

    @property
    def up(self) -> bool:
        """Whether the process runs, and with it its console."""
        return self.died is None

    @property
    def version(self) -> str:
        """The mesh-llm version it says it is."""
        return OLD_VERSION if self.old else VERSION


class Wakeable(msgspec.Struct, eq=False):
    """Sleeping capacity; `awake_at` is when it will be live while it wakes, `node` the node it has become."""

    reserve: Reserve
    node_id: str
    awake_at: float | None = None
    node: Node | None = None


class Mesh:
    """The members in the order they joined, and the wakeable capacity.

    The first `consoles` nodes are those that can be polled; the last of them, if there are two, is of an old version.
    """

    def __init__(
        self,
        agenda: Agenda,
        rng: random.Random,
        nodes: int,
        consoles: int,
        *,
        client_vram_gb: float = 0.0,
        steady: bool = False,
    ) -> None:
        self.agenda, self._rng = agenda, rng
        self._client_vram_gb, self._steady = client_vram_gb, steady
        self._ghosts: list[Node] = []
        self.mesh_id = f"{rng.getrandbits(64):016x}"
        self.members: dict[str, Node] = {}
        self.wakeables = {reserve.logical_id: Wakeable(reserve, self._new_id()) for reserve in RESERVES}
        self._failures = False
        hosts = nodes - (nodes >= 2)
        for number in range(hosts):
            self._found(number, cpu_only=nodes >= 4 and number == hosts - 1, old=1 <= number == consoles - 1)
        self.consoles = tuple(list(self.members.values())[:consoles])
        if nodes > hosts:
            agenda.after(0.0, self._client_joins)
        agenda.after(1.0, self._serve_requests)

    def start_failures(self, silence: float) -> None:
        """From now on let requests fail, wakes miss, and a node die now and then for `silence` seconds."""
        self._failures = True
        self._agenda_after(180.0, 400.0, partial(self._kill_one, silence))

    def start_wakes(self) -> None:
        """From now on wake something now and then, the first of it soon."""
        self._agenda_after(15.0, 45.0, self._wake_one)

    def listed(self, observer: Node) -> list[Node]:
        """The peers that `observer` lists: living ones, dead ones until they are given up, and ghosts."""
        now = self.agenda.now
        gone = now - LISTED_AFTER_DEATH
        members = [n for n in self.members.values() if n is not observer and (n.died is None or n.died > gone)]
        return members + [
            n
            for n in self._ghosts
            if observer.node_id in n.gossiped_to
            and n.died is not None
            and GOSSIPED_FROM <= now - n.died < GOSSIPED_UNTIL
        ]

    def is_ghost(self, node: Node) -> bool:
        """Tell whether a listed node is there by gossip only."""
        return node in self._ghosts

    def kill(self, node_id: str) -> None:
        """End a node's process without a word: its peers go on listing it for a while. Raises KeyError."""
        node = self.members[node_id]
        if node.died is None:
            node.died, node.inflight = self.agenda.now, 0
            node.epoch += 1

    def restart(self, node_id: str) -> None:
        """Start a killed node again, with the same id. Raises KeyError."""
        node = self.members[node_id]
        if node.died is not None:
            node.died, node.inflight = None, 0
            node.succeeded = node.failed = node.tokens = node.peak_inflight = 0
            self._start(node, self.agenda.now)

    def leave(self, node_id: str, gossiped_to: Collection[str] = ()) -> None:
        """Take a node out of the mesh by a clean exit: it vanishes at once. Raises KeyError.

        To the nodes with the ids `gossiped_to` it is back a moment later, as it was, with a latency that nobody knows.
        """
        node = self.members.pop(node_id)
        node.died = self.agenda.now
        node.gossiped_to = frozenset(gossiped_to)
        node.epoch += 1
        self._ghosts = [ghost for ghost in self._ghosts if self.agenda.now - (ghost.died or 0.0) < GOSSIPED_UNTIL]
        self._ghosts.append(node)
        for wakeable in self.wakeables.values():
            if wakeable.node is node:
                wakeable.node = None

    def wake(self, logical_id: str, *, succeeds: bool = True, overrun: float = 0.0) -> None:
        """Start waking sleeping capacity; some time later it is a live node, or asleep again. Raises KeyError.

        That takes `overrun` simulated seconds longer than it promises.
        """
        wakeable = self.wakeables[logical_id]
        if wakeable.node is None and wakeable.awake_at is None:
            seconds = self._rng.uniform(45.0, 90.0)
            wakeable.awake_at = self.agenda.now + seconds
            self.agenda.after(seconds + overrun, partial(self._woken if succeeds else self._sleeps, wakeable))

    def strike(self, logical_id: str) -> None:
        """List wakeable capacity no longer; a wake that is under way comes to nothing. Raises KeyError."""
        del self.wakeables[logical_id]

    def _new_id(self) -> str:
        return f"{self._rng.getrandbits(40):010x}"

    def _agenda_after(self, least: float, most: float, action: Callable[[], None]) -> None:
        self.agenda.after(self._rng.uniform(least, most), action)

    def _later(self, node: Node, least: float, most: float, step: Callable[[Node], None]) -> None:
        self._agenda_after(least, most, partial(self._if_same_epoch, node, node.epoch, step))

    @staticmethod
    def _if_same_epoch(node: Node, epoch: int, step: Callable[[Node], None]) -> None:
        if node.epoch == epoch:
            step(node)

    def _found(self, number: int, cpu_only: bool, old: bool) -> None:
        gpus = () if cpu_only else MACHINES[number % len(MACHINES)]
        name = "cpu-01" if cpu_only else f"gpu-{number + 1:02d}"
        self._join(self._new_id(), name, gpus, old=old)

    def _join(self, node_id: str, hostname: str, gpus: tuple[GpuModel, ...], *, old: bool = False) -> Node:
        vram = sum(gpu.vram_bytes for gpu in gpus) / 1e9 if gpus else 25.3
        node = Node(node_id=node_id, hostname=hostname, joined=self.agenda.now, gpus=gpus, vram_gb=vram, old=old)
        self.members[node_id] = node
        self._start(node, self.agenda.now)
        return node

    def _start(self, node: Node, now: float) -> None:
        node.epoch += 1
        node.joined = node.started = now
        node.pid = self._rng.randrange(1000, 60000)
        self._unload(node)

    def _unload(self, node: Node) -> None:
        node.model, node.ready, node.hosted, node.serving = None, False, [], []
        if node.gpus:
            self._later(node, 5.0, 40.0, self._load)

    def _load(self, node: Node) -> None:
        node.model = self._rng.choice(fitting(node.gpus))
        node.serving = [node.model.name]
        self._later(node, 4.0, 9.0, self._serve)

    def _serve(self, node: Node) -> None:
        assert node.model is not None
        node.ready, node.hosted = True, [node.model.name]
        if not self._steady:
            self._later(node, 180.0, 600.0, self._unload)
        if len(node.gpus) > 1 and not self._steady:
            self._later(node, 20.0, 120.0, self._load_second)

    def _load_second(self, node: Node) -> None:
        if node.ready and SECOND_MODEL.name not in node.hosted:
            node.hosted = [*node.hosted, SECOND_MODEL.name]
            node.serving = [*node.serving[:1], SECOND_MODEL_FILE, SECOND_MODEL.name]
            self._later(node, 60.0, 150.0, self._unload_second)

    def _unload_second(self, node: Node) -> None:
        if SECOND_MODEL.name in node.hosted:
            node.hosted = node.hosted[:1]
            node.serving = [name for name in node.serving if name != SECOND_MODEL.name]

    def _client_joins(self) -> None:
        node = Node(node_id=self._new_id(), hostname="laptop-1", joined=self.agenda.now, client=True)
        node.vram_gb = self._client_vram_gb
        self.members[node.node_id] = node
        node.pid = self._rng.randrange(1000, 60000)
        if not self._steady:
            self._later(node, 90.0, 300.0, self._client_leaves)

    def _client_leaves(self, node: Node) -> None:
        self.members.pop(node.node_id, None)
        self._agenda_after(20.0, 90.0, self._client_joins)

    def _serve_requests(self) -> None:
        for node in self.members.values():
            if node.ready and node.up:
                done = min(node.inflight, self._rng.randrange(3))
                lost = sum(self._rng.random() < 0.02 for _ in range(done)) if self._failures else 0
                node.succeeded += done - lost
                node.failed += lost
                node.tokens += (done - lost) * self._rng.randrange(40, 900)
                node.inflight = min(12, node.inflight - done + self._rng.randrange(3))
                node.peak_inflight = max(node.peak_inflight, node.inflight)
            else:
                node.inflight = 0
        self.agenda.after(1.0, self._serve_requests)

    def _kill_one(self, silence: float) -> None:
        awake = {wakeable.node_id for wakeable in self.wakeables.values()}
        able = [n for n in list(self.members.values())[1:] if n.up and n.gpus and n.node_id not in awake]
        if able and all(n.up for n in self.members.values()):
            node = self._rng.choice(able)
            self.kill(node.node_id)
            self._later(node, silence, silence, lambda dead: self.restart(dead.node_id))
        self._agenda_after(400.0, 900.0, partial(self._kill_one, silence))

    def _wake_one(self) -> None:
        asleep = [w for w in self.wakeables.values() if w.node is None and w.awake_at is None]
        if len(asleep) > 1:
            succeeds = not self._failures or self._rng.random() < 0.75
            self.wake(self._rng.choice(asleep).reserve.logical_id, succeeds=succeeds)
        self._agenda_after(60.0, 180.0, self._wake_one)

    def _woken(self, wakeable: Wakeable) -> None:
        wakeable.awake_at = None
        reserve = wakeable.reserve
        if reserve.logical_id not in self.wakeables:
            return
        wakeable.node = self._join(wakeable.node_id, reserve.logical_id, reserve.gpus)
        self._later(wakeable.node, 240.0, 480.0, lambda node: self.leave(node.node_id))

    def _sleeps(self, wakeable: Wakeable) -> None:
        wakeable.awake_at = None
