"""What the registry is asked to write, and what comes of it."""

from __future__ import annotations

import msgspec

from exporter.records.registry import Registered
from exporter.state.events import Event, Heartbeat


class Goodbye(msgspec.Struct, frozen=True, gc=False):
    """A worker leaves, and is to be forgotten."""

    worker: str


class Heartbeats(msgspec.Struct, frozen=True, gc=False):
    """Heartbeats of many workers: all of them are taken, or none."""

    beats: tuple[Heartbeat, ...]


class Request(msgspec.Struct, frozen=True, gc=False):
    """What is to be written, and for whom: `client` is the key that its limit of workers goes by."""

    event: Event | Heartbeats | Goodbye
    client: str

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        match self.event:
            case Heartbeat(stats=stats):
                return 500 + len(stats or b"")
            case Heartbeats(beats=beats):
                return 500 + sum(300 + len(beat.stats or b"") for beat in beats)
            case _:
                return 500


class Refused(msgspec.Struct, frozen=True, gc=False):
    """Nothing was written: there would be more than `limit` workers, `of_client` or in all.

    `reason` is one of `rejections.REASONS`.
    """

    limit: int
    of_client: bool
    reason: str = "workers"


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """So many heartbeats of a batch were taken: all of them."""

    count: int


Outcome = Registered | Accepted | Refused | None
"""The worker after an event; of a Goodbye the worker before it, None where there was none; of Heartbeats Accepted."""


class Unwritten(msgspec.Struct, frozen=True, gc=False):
    """Nothing was written, nor will it be: too much waits (`busy`), the file cannot be written (`failed`), or the
    writer ends (`stopped`).

    `text` says why, for the log of whoever runs the registry.
    """

    reason: str
    text: str
