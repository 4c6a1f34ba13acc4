"""Judgements of workers that stand from one read to the next: what follows from them is changed where they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

import msgspec

from exporter.records import Assignment, Attempt, Worker, WorkerReport
from exporter.records.reading import StoreReading
from exporter.records.table import SPARSE, kept
from exporter.state.worker import INFINITY, Outage

_until = attrgetter("until")
_status = attrgetter("status")


class Judged(msgspec.Struct, frozen=True, gc=False):
    """How a worker is judged, until when if nothing new is said of it, and from what; `worker` is None if forgotten.

    `plain` tells that by itself nothing can be at odds about it: it is idle, or is busy with an attempt of which
    nothing is told.
    """

    report: WorkerReport
    attempt: Attempt | None
    until: float
    worker: Worker | None
    assignment: Assignment | None = None
    plain: bool = False


class Standing(NamedTuple):
    """The judgements of one read in the order of its reports, what they were made from, and what follows from them.

    None ends before `until`; `odd` are the places of those that are not plain. `workers` are those that are not
    forgotten, `statuses` how many of them have each, `held` what they hold, `distinct` whether that is one attempt
    each.
    """

    judged: Sequence[Judged] = ()
    read_at: float = INFINITY
    outage: Outage | None = None
    attempts: Mapping[str, Attempt] = {}
    until: float = INFINITY
    odd: Sequence[int] = ()
    workers: tuple[Worker, ...] = ()
    statuses: Mapping[str, int] = {}
    held: tuple[Assignment, ...] = ()
    distinct: bool = True

    def at(self, read_at: float, outage: Outage | None) -> Standing:
        """What of it stands at a later read: nothing where the clock went back, or another outage counts."""
        if self.read_at <= read_at and self.outage == outage:
            return self
        return self._replace(judged=(), until=INFINITY, odd=())

    def due(self, reading: StoreReading, moved: Sequence[int]) -> Sequence[int]:
        """The places, in order, of the reports to judge: those that `moved` are others, and those whose time is up."""
        if not self.judged:
            return range(len(reading.workers))
        if reading.read_at <= self.until and reading.attempts == self.attempts:
            return moved
        read_at, attempts = reading.read_at, reading.attempts
        both = enumerate(zip(reading.workers, self.judged, strict=False))
        ended = [at for at, (said, was) in both if read_at > was.until or attempts.get(said.worker) != was.attempt]
        return sorted({*moved, *ended})

    def renewed(
        self, reading: StoreReading, outage: Outage | None, places: Sequence[int], again: list[Judged]
    ) -> Standing:
        """What stands after those at some places, in order, were judged again."""
        judged = self._judged(len(reading.workers), places, again)
        swept = reading.read_at > self.until
        until = min(map(_until, judged if swept else again), default=INFINITY)
        after = self._replace(
            judged=judged,
            read_at=reading.read_at,
            outage=outage,
            attempts=reading.attempts,
            until=until if swept else min(until, self.until),
        )
        if judged is self.judged:
            return after
        odd = [at for at, each in zip(places, again, strict=True) if not each.plain]
        if self.odd:
            odd = sorted({at for at in self.odd if at < len(judged)}.difference(places).union(odd))
        sparse = SPARSE * len(places) <= len(judged) == len(self.judged)
        workers, statuses = (sparse and self._replaced(after, places)) or self._listed(after)
        held, distinct = (sparse and self._still_held(after, places)) or self._held(after)
        return after._replace(odd=odd, workers=workers, statuses=statuses, held=held, distinct=distinct)

    def _judged(self, count: int, places: Sequence[int], again: list[Judged]) -> Sequence[Judged]:
        """Those of before, others at some places: all that are new are at the end."""
        if len(places) == count:
            return again
        if not places and count == len(self.judged):
            return self.judged
        judged = list(self.judged)
        del judged[count:]
        judged += again[len(again) - count + len(judged) :]
        for at, each in zip(places, again, strict=True):
            judged[at] = each
        return judged

    def _listed(self, after: Standing) -> tuple[tuple[Worker, ...], Mapping[str, int]]:
        workers = kept(self.workers, tuple([each.worker for each in after.judged if each.worker is not None]))
        return workers, Counter(map(_status, workers))

    def _replaced(self, after: Standing, places: Sequence[int]) -> tuple[tuple[Worker, ...], Mapping[str, int]] | None:
        """What `_listed` gives, from the workers of before; None where somebody was forgotten or is."""
        now = [each.worker for each in map(after.judged.__getitem__, places) if each.worker is not None]
        if len(self.workers) != len(self.judged) or len(now) != len(places):
            return None
        workers = list(self.workers)
        for at, worker in zip(places, now, strict=True):
            workers[at] = worker
        statuses = Counter(self.statuses)
        statuses.subtract([self.workers[at].status for at in places])
        statuses.update(map(_status, now))
        return kept(self.workers, tuple(workers)), statuses

    def _held(self, after: Standing) -> tuple[tuple[Assignment, ...], bool]:
        held = kept(self.held, tuple([each.assignment for each in after.judged if each.assignment is not None]))
        distinct = self.distinct if held is self.held else len({each.attempt for each in held}) == len(held)
        return held, distinct

    def _still_held(self, after: Standing, places: Sequence[int]) -> tuple[tuple[Assignment, ...], bool] | None:
        """What `_held` gives, if it is what was held before; None if it is not."""
        same = all(after.judged[at].assignment == self.judged[at].assignment for at in places)
        return (self.held, self.distinct) if same else None
