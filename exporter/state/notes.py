"""What a fleet's judgement remembers, as texts to keep and back: whose console is whose, and the wakes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

import msgspec

from exporter.state.reconcile import GHOST_AFTER
from exporter.state.wakes import Wake, WakeCounts, WakeMemory

Notes = Mapping[tuple[str, str], str]
"""Texts by kind and name."""

UNMEASURED = 30.0
"""Seconds in steps of which it is kept for how long nobody has measured a latency of a node."""

COARSE = 600.0
"""Seconds to which the time that a wake was last listed is kept: it moves with every read."""


class Recalled(NamedTuple):
    """What is known at the start: the source where each node's console answered, the wakes, and the nodes' states.

    `unmeasured` is for how many seconds, at least, nobody had measured a latency of a node.
    """

    consoles: Mapping[str, str] = {}
    wakes: WakeMemory = WakeMemory()
    states: Mapping[str, str] = {}
    unmeasured: Mapping[str, float] = {}


def to_notes(
    consoles: Mapping[str, str], wakes: WakeMemory, unmeasured: Mapping[str, float] | None = None
) -> dict[tuple[str, str], str]:
    """Write down what must outlive a restart; `unmeasured` as in `Recalled`, of which no more is kept than counts."""
    notes = {("console", node): source for node, source in consoles.items()}
    for node, seconds in (unmeasured or {}).items():
        steps = min(seconds, GHOST_AFTER) // UNMEASURED
        if steps:
            notes["unmeasured", node] = f"{steps * UNMEASURED:g}"
    for name, wake in wakes.wakes.items():
        kept = wake._replace(seen=wake.seen // COARSE * COARSE)
        notes["wake", name] = msgspec.json.encode(kept).decode()
    for provider, counts in wakes.counts.items():
        notes["wakes", provider] = msgspec.json.encode(counts).decode()
    return notes


def from_notes(notes: Notes, sources: Collection[str]) -> Recalled:
    """Read notes; a console that is not among the `sources` any more is nobody's.

    Raises msgspec.ValidationError or msgspec.DecodeError for a text that `to_notes` never wrote.
    """
    unmeasured: dict[str, float] = {}
    consoles: dict[str, str] = {}
    wakes: dict[str, Wake] = {}
    counts: dict[str, WakeCounts] = {}
    for (kind, name), text in notes.items():
        if kind == "console" and text in sources:
            consoles[name] = text
        elif kind == "unmeasured":
            unmeasured[name] = msgspec.json.decode(text, type=float)
        elif kind == "wake":
            wakes[name] = msgspec.json.decode(text, type=Wake)
        elif kind == "wakes":
            counts[name] = msgspec.json.decode(text, type=WakeCounts)
    return Recalled(consoles, WakeMemory(wakes, counts), unmeasured=unmeasured)
