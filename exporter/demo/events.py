"""What happens to the simulated mesh by itself: clients come and go, nodes die, capacity wakes."""

from __future__ import annotations

import zlib
from functools import partial

from exporter.demo.hardware import TOO_LARGE
from exporter.demo.mesh import Mesh
from exporter.demo.nodes import Node
from exporter.demo.plans import Plans


class Events:
    """Events of a mesh, drawn by lot; in a `steady` mesh the client stays and is interested in nothing."""

    def __init__(self, mesh: Mesh, plans: Plans, *, client: bool, client_vram_gb: float, steady: bool) -> None:
        self._mesh, self._plans = mesh, plans
        self._client_vram_gb, self._steady = client_vram_gb, steady
        self._failures = False
        if client:
            plans.agenda.after(0.0, self._client_joins)

    def start_failures(self, silence: float) -> None:
        """From now on let requests fail, wakes miss, and a node die now and then for `silence` seconds."""
        self._failures = self._mesh.hosting.failing = True
        self._plans.after(180.0, 400.0, partial(self._kill_one, silence))

    def start_wakes(self) -> None:
        """From now on wake something now and then, the first of it soon."""
        self._plans.after(15.0, 45.0, self._wake_one)

    def _client_joins(self) -> None:
        node = self._mesh.join_client("laptop-1", self._client_vram_gb)
        if not self._steady:
            node.interests = [TOO_LARGE[zlib.crc32(node.node_id.encode()) % len(TOO_LARGE)].name]
            self._plans.later(node, 90.0, 300.0, self._client_leaves)

    def _client_leaves(self, node: Node) -> None:
        self._mesh.members.pop(node.node_id, None)
        self._plans.after(20.0, 90.0, self._client_joins)

    def _kill_one(self, silence: float) -> None:
        members = self._mesh.members
        awake = {wakeable.node_id for wakeable in self._mesh.wakeables.values()}
        able = [n for n in list(members.values())[1:] if n.up and n.gpus and n.node_id not in awake]
        if able and all(n.up for n in members.values()):
            node = self._plans.rng.choice(able)
            self._mesh.kill(node.node_id)
            self._plans.later(node, silence, silence, lambda dead: self._mesh.restart(dead.node_id))
        self._plans.after(400.0, 900.0, partial(self._kill_one, silence))

    def _wake_one(self) -> None:
        asleep = [w for w in self._mesh.wakeables.values() if w.node is None and w.awake_at is None]
        if len(asleep) > 1:
            succeeds = not self._failures or self._plans.rng.random() < 0.75
            self._mesh.wake(self._plans.rng.choice(asleep).reserve.logical_id, succeeds=succeeds)
        self._plans.after(60.0, 180.0, self._wake_one)
