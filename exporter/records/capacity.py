"""Tables of how busy a mesh is and how wanted its models are: slots, stages of split models, and model targets."""

from __future__ import annotations

from exporter.records.table import Record


class NodeSlots(Record, frozen=True, gc=False):
    """The slots in which a node's ready instances of a model serve requests, and how many of them do."""

    KEY = ("fleet", "node", "model")
    fleet: str
    node: str
    model: str
    slots: int
    busy: int


class NodeStage(Record, frozen=True, gc=False):
    """The layers of a split model that a node holds, as mesh-llm writes them: `0..16` is 0 up to and without 16."""

    KEY = ("fleet", "node", "model", "layers")
    fleet: str
    node: str
    model: str
    layers: str


class ModelLoad(Record, frozen=True, gc=False):
    """How long a node took, the last time, to load a model that it hosts."""

    KEY = ("fleet", "node", "model")
    fleet: str
    node: str
    model: str
    seconds: float


class ModelTarget(Record, frozen=True, gc=False):
    """How wanted a model is, as one console counts it. The name may come from a client's request."""

    KEY = ("fleet", "model")
    fleet: str
    model: str
    shortfall_bytes: int | None
    explicit_interest: int | None
    wanted: int | None

    @property
    def rank(self) -> int:
        """Those that do not fit first, then the wanted."""
        return 0 if self.shortfall_bytes else 1 if self.wanted else 2
