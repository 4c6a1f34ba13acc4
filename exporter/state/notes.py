"""What a fleet's judgement remembers, as texts to keep and back: whose console is whose, and the wakes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

import msgspec

from exporter.state.awake import Awake
from exporter.state.consoles import url_of
from exporter.state.reconcile import GHOST_AFTER
from exporter.state.wakes import Wake, WakeCounts, WakeMemory

Notes = Mapping[tuple[str, str], str]
"""Texts by kind and name."""

UNMEASURED = 30.0
"""Seconds in steps of which it is kept for how long nobody has measured a latency of a node."""

COARSE = 600.0
"""Seconds to which the time that a wake was last listed is kept: it moves with every read."""


class Recalled(NamedTuple):
    """What is known at the start: the console of each node, the wakes, and the nodes' states.

    `unmeasured` is for how many seconds, at least, nobody had measured a latency of a node, `loads` how many a model
    took on a node, by node and model.
    """

    consoles: Mapping[str, str] = {}
    wakes: WakeMemory = WakeMemory()
    states: Mapping[str, str] = {}
    unmeasured: Mapping[str, float] = {}
    loads: Mapping[tuple[str, str], float] = {}


def to_notes(kept: Recalled, sources: Collection[str] = ()) -> dict[tuple[str, str], str]:
    """Write down what must outlive a restart, but for the states, which are held anyway."""
    notes = {("console", node): source for node, source in kept.consoles.items()}
    notes |= {("source", name): "" for name in sources}
    for node, seconds in kept.unmeasured.items():
        steps = min(seconds, GHOST_AFTER) // UNMEASURED
        if steps:
            notes["unmeasured", node] = f"{steps * UNMEASURED:g}"
    loads: dict[str, dict[str, float]] = {}
    for (node, model), seconds in kept.loads.items():
        loads.setdefault(node, {})[model] = seconds
    notes |= {("loads", node): msgspec.json.encode(each).decode() for node, each in loads.items()}
    wakes = kept.wakes
    for name, wake in wakes.wakes.items():
        coarse = wake._replace(seen=wake.seen // COARSE * COARSE)
        notes["wake", name] = msgspec.json.encode(coarse).decode()
    for name, awake in wakes.awake.items():
        notes["awake", name] = msgspec.json.encode(awake).decode()
    for provider, counts in wakes.counts.items():
        notes["wakes", provider] = msgspec.json.encode(counts).decode()
    return notes


def from_notes(notes: Notes, sources: Collection[str]) -> Recalled:
    """Read notes; a console that is not among the `sources` any more is nobody's.

    Raises msgspec.ValidationError or msgspec.DecodeError for a text that `to_notes` never wrote.
    """
    unmeasured: dict[str, float] = {}
    loads: dict[tuple[str, str], float] = {}
    consoles: dict[str, str] = {}
    wakes: dict[str, Wake] = {}
    counts: dict[str, WakeCounts] = {}
    awake: dict[str, Awake] = {}
    for (kind, name), text in notes.items():
        if kind == "console" and url_of(text) in sources:
            consoles[name] = text
        elif kind == "unmeasured":
            unmeasured[name] = msgspec.json.decode(text, type=float)
        elif kind == "loads":
            seconds = msgspec.json.decode(text, type=dict[str, float])
            loads |= {(name, model): each for model, each in seconds.items()}
        elif kind == "wake":
            wakes[name] = msgspec.json.decode(text, type=Wake)
        elif kind == "awake":
            awake[name] = msgspec.json.decode(text, type=Awake)
        elif kind == "wakes":
            counts[name] = msgspec.json.decode(text, type=WakeCounts)
    return Recalled(consoles, WakeMemory(wakes, counts, awake), unmeasured=unmeasured, loads=loads)
