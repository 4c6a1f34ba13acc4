"""Tables of wakeable capacity: what sleeps and could be woken, what it would serve, and how wakes ended."""

from __future__ import annotations

import msgspec

from exporter.records.table import Record

WAKEABLE_STATES = ("sleeping", "waking")
WAKE_RESULTS = ("live", "returned", "vanished")


class Becomes(msgspec.Struct, frozen=True):
    """Which node a wakeable one is once it is awake: that of a host name, or that of an id."""

    hostname: str | None = None
    node: str | None = None


class WakeableNode(Record, frozen=True, gc=False):
    """Sleeping capacity that could be woken; never a peer. `state` is None where the word was not recognised.

    `inventory` tells who listed it: `mesh-llm`, or the name of an inventory's source. While it wakes,
    `wake_eta_seconds` is what was promised when that began, and `wake_duration_seconds` how long it has taken so far;
    otherwise how long its last wake took.
    """

    KEY = ("fleet", "logical_id")
    fleet: str
    logical_id: str
    provider: str | None
    inventory: str
    state: str | None
    vram_bytes: float | None
    wake_eta_seconds: float | None
    wake_duration_seconds: float | None = None


class WakeableModel(Record, frozen=True, gc=False):
    """A model that a wakeable node would serve."""

    KEY = ("fleet", "logical_id", "model")
    fleet: str
    logical_id: str
    model: str


class WakeableBecomes(Record, frozen=True, gc=False):
    """Which node a wakeable one becomes, where that is said: one of a host name, or one of an id."""

    KEY = ("fleet", "logical_id")
    fleet: str
    logical_id: str
    node: str | None
    hostname: str | None


class WakeableCount(Record, frozen=True, gc=False):
    """How many wakeable nodes of a fleet are in a state."""

    KEY = ("fleet", "state")
    fleet: str
    state: str
    count: int


class WakeCount(Record, frozen=True, gc=False):
    """How many wakes of a provider's nodes ended how; the provider is empty where none was named."""

    KEY = ("fleet", "provider", "result")
    fleet: str
    provider: str
    result: str
    wakes: int
