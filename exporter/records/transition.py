"""A change of state or status, for a person to read. As JSON it is an interface."""

from __future__ import annotations

import msgspec


class Transition(msgspec.Struct, frozen=True, rename={"origin": "from", "target": "to"}):
    """A change of state or status, in Unix seconds; None is "not there"."""

    at: float
    origin: str | None
    target: str | None
