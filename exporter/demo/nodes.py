"""What there is in the simulated mesh: its members, and capacity that sleeps."""

from __future__ import annotations

import msgspec

from exporter.demo.hardware import GpuModel, Model, Reserve

VERSION, OLD_VERSION = "0.66.0", "0.61.0"


class Node(msgspec.Struct, kw_only=True, eq=False):
    """One member. `model` is what it is to serve, `ready` whether it does; `died` is when it was killed or left.

    `interests` are models that its owner asked for. `gossiped_to` are ids of the nodes that list it as a ghost after a
    clean exit. `epoch` changes whenever the node starts or stops, which voids what it had planned. Times are simulated
    seconds.
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
    interests: list[str] = []
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

    @property
    def vram_bytes(self) -> int:
        """The VRAM that it offers."""
        return round(self.vram_gb * 1e9)

    @property
    def assigned(self) -> list[str]:
        """The name of the model that it is to serve, if there is one."""
        return [self.model.name] if self.model else []


class Wakeable(msgspec.Struct, eq=False):
    """Sleeping capacity; `awake_at` is when it will be live while it wakes, `node` the node it has become."""

    reserve: Reserve
    node_id: str
    awake_at: float | None = None
    node: Node | None = None
