"""A mesh of nodes: who is in it, who lists whom, what sleeps; all that a console tells follows from this state.

Behaviour: mesh-llm 0.66.0, watched on real nodes. A killed node stays listed by its peers for about 290 s. That nodes
which cannot reach each other list each other for as long is assumed.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from exporter.demo.hardware import MACHINES, RESERVES, SPLIT_MODEL, GpuModel
from exporter.demo.hosting import Hosting
from exporter.demo.nodes import Node, Wakeable
from exporter.demo.partition import Partition
from exporter.demo.plans import Plans
from exporter.demo.split import Split

LISTED_AFTER_DEATH = 290.0
GOSSIPED_FROM, GOSSIPED_UNTIL = 1.0, 300.0
"""Simulated seconds after a clean exit between which those whom gossip brings the node back to list it."""


class Mesh:
    """The members in the order they joined, and the wakeable capacity.

    The first `consoles` nodes are those that can be polled; the last of them, if there are two, is of an old version.
    The first `split` nodes that have GPUs and are not old serve one model together.
    """

    def __init__(self, plans: Plans, hosts: int, consoles: int, *, split: int = 0, steady: bool = False) -> None:
        self.agenda, self._plans = plans.agenda, plans
        self._ghosts: list[Node] = []
        self._partition: Partition | None = None
        self.mesh_id = f"{plans.rng.getrandbits(64):016x}"
        self.members: dict[str, Node] = {}
        self.wakeables = {reserve.logical_id: Wakeable(reserve, self._new_id()) for reserve in RESERVES}
        self.hosting = Hosting(plans, self.members, steady=steady)
        self.split = Split(SPLIT_MODEL, split, plans, self.listed)
        for number in range(hosts):
            self._found(number, cpu_only=hosts >= 3 and number == hosts - 1, old=1 <= number == consoles - 1)
        self.consoles = tuple(list(self.members.values())[:consoles])
        self.agenda.after(1.0, self.hosting.serve_requests)

    def listed(self, observer: Node) -> list[Node]:
        """The peers that `observer` lists: living ones, dead and unreachable ones until they are given up, ghosts."""
        now, cut = self.agenda.now, self._partition
        gone = now - LISTED_AFTER_DEATH
        near = [n for n in self.members.values() if n is not observer and (cut is None or cut.same_side(n, observer))]
        far = cut.beyond(observer) if cut is not None and cut.at > gone else []
        return [n for n in [*near, *far] if n.died is None or n.died > gone] + [
            n
            for n in self._ghosts
            if observer.node_id in n.gossiped_to
            and n.died is not None
            and GOSSIPED_FROM <= now - n.died < GOSSIPED_UNTIL
        ]

    def is_ghost(self, node: Node) -> bool:
        """Tell whether a listed node is there by gossip only."""
        return node in self._ghosts

    def join_client(self, hostname: str, vram_gb: float) -> Node:
        """Let a client join, who says that it has so much VRAM, in 10^9 bytes."""
        node = Node(node_id=self._new_id(), hostname=hostname, joined=self.agenda.now, client=True, vram_gb=vram_gb)
        self.members[node.node_id] = node
        node.pid = self._plans.rng.randrange(1000, 60000)
        return node

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

    def partition(self, half: Collection[str]) -> None:
        """Cut the nodes with the ids `half` off from all others: after a while each side lists itself only.

        Who joins later is on the other side. Raises KeyError.
        """
        self._partition = Partition(
            [self.members[node_id].node_id for node_id in half], self.members.values(), self.agenda.now
        )

    def heal(self) -> None:
        """Let the two halves hear of each other again; they list each other at once."""
        self._partition = None

    def want(self, model: str, node_id: str) -> None:
        """Let a node's owner ask for a model, as by `POST /api/model-interests` at its console. Raises KeyError."""
        node = self.members[node_id]
        node.interests = [*dict.fromkeys([*node.interests, model])]
        self.hosting.ask(model)

    def wake(self, logical_id: str, *, succeeds: bool = True, overrun: float = 0.0) -> None:
        """Start waking sleeping capacity; some time later it is a live node, or asleep again. Raises KeyError.

        That takes `overrun` simulated seconds longer than it promises.
        """
        wakeable = self.wakeables[logical_id]
        if wakeable.node is None and wakeable.awake_at is None:
            seconds = self._plans.rng.uniform(45.0, 90.0)
            wakeable.awake_at = self.agenda.now + seconds
            self.agenda.after(seconds + overrun, partial(self._woken if succeeds else self._sleeps, wakeable))

    def strike(self, logical_id: str) -> None:
        """List wakeable capacity no longer; a wake that is under way comes to nothing. Raises KeyError."""
        del self.wakeables[logical_id]

    def _new_id(self) -> str:
        return f"{self._plans.rng.getrandbits(40):010x}"

    def _found(self, number: int, cpu_only: bool, old: bool) -> None:
        gpus = () if cpu_only else MACHINES[number % len(MACHINES)]
        name = "cpu-01" if cpu_only else f"gpu-{number + 1:02d}"
        self._join(self._new_id(), name, gpus, old=old, founder=True)

    def _join(
        self, node_id: str, hostname: str, gpus: tuple[GpuModel, ...], *, old: bool = False, founder: bool = False
    ) -> Node:
        vram = sum(gpu.vram_bytes for gpu in gpus) / 1e9 if gpus else 25.3
        node = Node(node_id=node_id, hostname=hostname, joined=self.agenda.now, gpus=gpus, vram_gb=vram, old=old)
        self.members[node_id] = node
        if founder and gpus and not old:
            self.split.offer(node)
        self._start(node, self.agenda.now)
        return node

    def _start(self, node: Node, now: float) -> None:
        node.epoch += 1
        node.joined = node.started = now
        node.pid = self._plans.rng.randrange(1000, 60000)
        node.interests = []
        if self.split.has(node):
            self.split.declare(node)
            self.hosting.ask(self.split.model.name)
        else:
            self.hosting.unload(node)

    def _woken(self, wakeable: Wakeable) -> None:
        wakeable.awake_at = None
        reserve = wakeable.reserve
        if reserve.logical_id not in self.wakeables:
            return
        wakeable.node = self._join(wakeable.node_id, reserve.logical_id, reserve.gpus)
        self._plans.later(wakeable.node, 240.0, 480.0, lambda node: self.leave(node.node_id))

    def _sleeps(self, wakeable: Wakeable) -> None:
        wakeable.awake_at = None
