"""What of the dashboards may be without an answer on the fleets that are watched, and why."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatch
from typing import NamedTuple


class Excuse(NamedTuple):
    """A query `uid: title: ref`; `*` stands for anything."""

    place: str
    reason: str


def excused(place: str, excuses: Iterable[Excuse]) -> bool:
    """Tell whether one of the excuses is for that place."""
    return any(fnmatch(place, excuse.place) for excuse in excuses)


EVERYWHERE = (
    Excuse("*: annotation Workers are back", "nobody comes back while the fleet is watched"),
    Excuse("rollcall-hosts: Hottest: B", "a virtual machine has no sensor"),
    Excuse("rollcall-hosts: Sensors*", "a virtual machine has no sensor"),
    Excuse("rollcall-self: Series that are dropped: A", "a small fleet is within all limits"),
    Excuse("rollcall-self: Sources: F", "the fleet is understood"),
    Excuse("rollcall-self: What was not understood: A", "the fleet is understood"),
)

EXCUSES = (
    *EVERYWHERE,
    Excuse("rollcall-fleet: Models nobody serves: C", "a model that was served fits into the mesh"),
    Excuse("rollcall-node: Who it is: D", "a node's word is mostly its state"),
    Excuse("rollcall-node: annotation Not confirmed", "the node that is looked at is well"),
    Excuse(
        "rollcall-wakeable: Live against wakeable VRAM, per model: [CD]", "nothing loads, or stands by with a model"
    ),
)
"""On the simulated fleet."""

OF_A_STORE = (
    *EVERYWHERE,
    Excuse("rollcall-fleet: Fleets: [B-FK-M]", "a store has no nodes, and no mesh's models"),
    Excuse("rollcall-fleet: Models nobody serves*", "a store serves no models"),
    Excuse("rollcall-fleet: annotation Nodes are lost", "no node is known to a store"),
    Excuse("rollcall-runner: Clock skew*", "its runners send the same time again and again, which tells of no clock"),
    Excuse("rollcall-self: Sources: E", "the store is read without a failure"),
    Excuse("rollcall-self: Sources that were down*", "the store is up all the time"),
)
"""On the fleet of a real LightningStore, on the dashboards about workers."""
