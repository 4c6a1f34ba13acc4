"""What a batch of requests makes of the registry's workers, one after the other; no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from exporter.records.registry import Registered
from exporter.registry.request import Accepted, Goodbye, Heartbeats, Outcome, Refused, Request
from exporter.state.events import Event, Heartbeat, after

Held = tuple[Registered, str]
"""A worker, and the client that brought it."""


class Batch:
    """Takes requests; `beaten`, `changed`, `gone` and `new`, in the order of coming, are then what is to be written.

    `beaten` are those that nothing but heartbeats have changed: their snapshot and its time. `there` are all of those
    asked for that there are then.
    `held` are those of the workers asked for that there are. `count` gives how many workers there are before the batch:
    of a client, or of None in all. There may be `most`, and `per_client` of each.
    """

    def __init__(
        self, held: Mapping[str, Held], count: Callable[[str | None], int], most: int, per_client: int
    ) -> None:
        self.there = dict(held)
        self._count = count
        self._counts: dict[str | None, int] = {}
        self._most = most
        self._per_client = per_client
        self.beaten: dict[str, Registered] = {}
        self.changed: dict[str, Registered] = {}
        self.gone: set[str] = set()
        self.new: dict[str, Held] = {}

    def take(self, request: Request, now: float) -> Outcome:
        """Apply one request at `now`, in Unix seconds."""
        match request.event:
            case Goodbye(worker=worker):
                return self._part(worker)
            case Heartbeats(beats=beats):
                return self._lack({beat.worker for beat in beats}, request.client) or self._all(beats, request, now)
            case event:
                if event.worker not in self.there:
                    refused = self._lack({event.worker}, request.client)
                    if refused is not None:
                        return refused
                return self._apply(event, request.client, now)

    def _all(self, beats: Sequence[Event], request: Request, now: float) -> Accepted:
        for beat in beats:
            self._apply(beat, request.client, now)
        return Accepted(len(beats))

    def _apply(self, event: Event, client: str, now: float) -> Registered:
        name = event.worker
        was = self.there.get(name)
        if was is None:
            worker = after(None, event, now)
            self.there[name] = self.new[name] = (worker, client)
            self._counts[None] = self._number(None) + 1
            self._counts[client] = self._number(client) + 1
            return worker
        worker = after(was[0], event, now)
        if worker is not was[0]:
            self.there[name] = (worker, was[1])
            if name in self.new:
                self.new[name] = (worker, was[1])
            elif isinstance(event, Heartbeat) and name not in self.changed:
                self.beaten[name] = worker
            else:
                self.beaten.pop(name, None)
                self.changed[name] = worker
        return worker

    def _part(self, name: str) -> Registered | None:
        was = self.there.pop(name, None)
        if was is None:
            return None
        self._counts[None] = self._number(None) - 1
        self._counts[was[1]] = self._number(was[1]) - 1
        self.beaten.pop(name, None)
        self.changed.pop(name, None)
        self.new.pop(name, None)
        self.gone.add(name)
        return was[0]

    def _lack(self, names: set[str], client: str) -> Refused | None:
        """Tell whether there is no room for those of the names that are new."""
        new = len(names - self.there.keys())
        if not new:
            return None
        if self._number(client) + new > self._per_client:
            return Refused(self._per_client, of_client=True)
        if self._number(None) + new > self._most:
            return Refused(self._most, of_client=False)
        return None

    def _number(self, client: str | None) -> int:
        if client not in self._counts:
            self._counts[client] = self._count(client)
        return self._counts[client]
