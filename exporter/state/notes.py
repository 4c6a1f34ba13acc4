"""What a fleet's judgement remembers, as texts to keep and back: whose console is whose, and the wakes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

import msgspec

from exporter.state.wakes import Wake, WakeCounts, WakeMemory

Notes = Mapping[tuple[str, str], str]
"""Texts by kind and name."""

COARSE = 600.0
"""Seconds to which the time that a wake was last listed is kept: it moves with every read."""


class Recalled(NamedTuple):
    """What is known at the start: the source where each node's console answered, the wakes, and the nodes' states."""

    consoles: Mapping[str, str] = {}
    wakes: WakeMemory = WakeMemory()
    states: Mapping[str, str] = {}


def to_notes(consoles: Mapping[str, str], wakes: WakeMemory) -> dict[tuple[str, str], str]:
    """Write down what must outlive a restart."""
    notes = {("console", node): source for node, source in consoles.items()}
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
    consoles: dict[str, str] = {}
    wakes: dict[str, Wake] = {}
    counts: dict[str, WakeCounts] = {}
    for (kind, name), text in notes.items():
        if kind == "console" and text in sources:
            consoles[name] = text
        elif kind == "wake":
            wakes[name] = msgspec.json.decode(text, type=Wake)
        elif kind == "wakes":
            counts[name] = msgspec.json.decode(text, type=WakeCounts)
    return Recalled(consoles, WakeMemory(wakes, counts))
