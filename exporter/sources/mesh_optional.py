"""Asks a console in the background for what it may answer beside its status, which never waits for that."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from threading import Lock, Thread
from typing import Generic, NamedTuple, TypeVar

import msgspec

from exporter.records import ModelTarget, NodeSlots, NodeStage
from exporter.records.reading import MeshReading
from exporter.sources.fetch import Session
from exporter.sources.mesh_capacity import parse_slots, parse_stages, parse_targets
from exporter.sources.source import Deadline, SourceError

T = TypeVar("T")

PAUSE = 10
"""Readings for which a console is not asked again for what it does not have."""

Start = Callable[[str, Callable[[], None]], None]
"""Begins some work that has a name; raises RuntimeError where it cannot."""


def in_background(name: str, work: Callable[[], None]) -> None:
    """Begin some work in a thread of its own, which does not keep the process alive."""
    Thread(target=work, name=name, daemon=True).start()


class _Said(NamedTuple, Generic[T]):
    """An answer: whose it is, and when it came."""

    observer: str
    at: float
    what: T


class _Answer(Generic[T]):
    """The newest answer at one path; what goes wrong is drift of `field`."""

    def __init__(self, path: str, field: str) -> None:
        self.path = path
        self.field = field
        self.said: _Said[T] | None = None
        self._pause = 0

    def due(self) -> bool:
        """Tell whether to ask at this turn."""
        self._pause = max(0, self._pause - 1)
        return self._pause == 0

    def ask(
        self,
        observer: str,
        session: Callable[[], Session],
        parse: Callable[[bytes, Counter[str]], T],
        clock: Callable[[], float],
    ) -> Counter[str]:
        """Ask; gives the drift. What was said before stands while there is no answer, but not where there is none."""
        drift: Counter[str] = Counter()
        try:
            with session() as opened:
                what = parse(opened.get(self.path).body, drift)
            self.said = _Said(observer, clock(), what)
        except SourceError as error:
            if error.status != 404:
                return Counter({self.field: 1})
            self.said, self._pause = None, PAUSE + 1
        return drift

    def newest(self, observer: str, since: float) -> T | None:
        """What an observer said, unless that was before `since`."""
        said = self.said
        return said.what if said is not None and said.observer == observer and said.at >= since else None


class OptionalAnswers:
    """What one console answers beside its status; one thread at a time asks, and ends after three `timeout`s at most.

    Each answer has `timeout` to come, and counts for `stale_after`, both in seconds. `clock` is monotonic. Beside that
    thread only one other may use it.
    """

    def __init__(
        self,
        connect: Callable[[Deadline], Session],
        fleet: str,
        name: str,
        *,
        timeout: float,
        stale_after: float,
        start: Start = in_background,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self._fleet = fleet
        self._name = name
        self._timeout = timeout
        self._stale_after = stale_after
        self._start = start
        self._clock = clock
        self._slots = _Answer[tuple[NodeSlots, ...]]("/api/runtime/llama", "runtime_llama")
        self._targets = _Answer[tuple[ModelTarget, ...]]("/api/model-targets", "model_targets")
        self._stages = _Answer[tuple[NodeStage, ...]]("/api/runtime/stages", "runtime_stages")
        self._asking = False
        self._counting = Lock()
        self._drift: Counter[str] = Counter()

    def added_to(self, reading: MeshReading) -> MeshReading:
        """`reading` with the newest of what the console answered; it is asked anew, unless that is still under way.

        That it has no such answer (404) is no drift, everything else is. Stages are asked for only where the status
        shows one: the answer adds those of nodes that the status does not speak of.
        """
        if not self._asking:
            self._ask(reading)
        since, me = self._clock() - self._stale_after, reading.observer
        with self._counting:
            drift, self._drift = self._drift + Counter(reading.drift), Counter()
        spoken = {stage.node for stage in reading.stages}
        others = (self._stages.newest(me, since) or ()) if reading.stages else ()
        return msgspec.structs.replace(
            reading,
            slots=self._slots.newest(me, since) or (),
            targets=self._targets.newest(me, since),
            stages=(*reading.stages, *(stage for stage in others if stage.node not in spoken)),
            drift=dict(drift),
        )

    def _ask(self, reading: MeshReading) -> None:
        fleet, me = self._fleet, reading.observer
        known = {sighting.view.node for sighting in reading.sightings}
        work = []
        if self._slots.due():
            work.append(partial(self._slots.ask, me, self._session, partial(parse_slots, fleet, me), self._clock))
        if self._targets.due():
            work.append(partial(self._targets.ask, me, self._session, partial(parse_targets, fleet), self._clock))
        if reading.stages and self._stages.due():
            parse = partial(parse_stages, fleet, me, known)
            work.append(partial(self._stages.ask, me, self._session, parse, self._clock))
        if not work:
            return
        self._asking = True
        try:
            self._start(f"answers of {self._name}", partial(self._run, work))
        except RuntimeError:
            self._asking = False

    def _run(self, work: Sequence[Callable[[], Counter[str]]]) -> None:
        try:
            for ask in work:
                drift = ask()
                with self._counting:
                    self._drift += drift
        finally:
            self._asking = False

    def _session(self) -> Session:
        return self._connect(Deadline(self._timeout, self._clock))
