"""Whether heartbeats under one worker id come from one process: by host and clock of the snapshots they bring.

Agent Lightning 0.3.0 numbers its runners from `Worker-0` on every host, so that two trainers of one store share ids.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from exporter.records import WorkerReport

KEPT = 900.0
"""Seconds within which heartbeats must come back from where they came before, and for which it is then told. Two
runners and a reader with one period meet in phase for minutes before they drift: captured, half a minute to two."""

ASTRAY = 300.0
"""Seconds by which two clocks differ that are not one: time zones differ by 900 s at least, and a heartbeat that is
held up on its way by a minute or two does not."""

PLACES = 8
"""Places at most that are remembered of one id."""

MOST = 10_000
"""Ids at most of which places are remembered."""

INFINITY = float("inf")


class Place(NamedTuple):
    """Where heartbeats came from: host, seconds by which its clock is ahead of the store's, and when one came last.

    None is "not said", which is like any.
    """

    host: str | None
    ahead: float | None
    seen: float

    def like(self, other: Place) -> bool:
        """Tell whether it may be the same place."""
        hosts = self.host is None or other.host is None or self.host == other.host
        return hosts and (self.ahead is None or other.ahead is None or abs(self.ahead - other.ahead) <= ASTRAY)


class Trail(NamedTuple):
    """The places that the heartbeats of an id left lately, and until when they count as coming from several."""

    left: tuple[Place, ...] = ()
    shared_until: float = -INFINITY


class Senders(NamedTuple):
    """What one read leaves to the next: all reports, the trails of those that moved, and the bare.

    A worker is bare while its newest heartbeat brought no new snapshot, so that nothing can be told by its clock.
    """

    reports: Sequence[WorkerReport] = ()
    read_at: float = INFINITY
    trails: Mapping[str, Trail] = {}
    bare: Collection[str] = frozenset()

    def shared(self) -> list[str]:
        """The ids that count as used from several places now."""
        return [worker for worker, trail in self.trails.items() if self.read_at <= trail.shared_until]


def follow(before: Senders, reports: Sequence[WorkerReport], now: float, moved: Sequence[int]) -> Senders:
    """Compare the reports of two reads: an id is shared when its heartbeats come back from a place that they had left.

    One change of place is a restart elsewhere, or a clock that was set. Times are on the store's clock, which was at
    `now` when it was read. A store lists its workers in the same order at every read, new ones at the end; `moved` are
    the places where another report stands than before.
    """
    now = now if reports else INFINITY
    trails = {worker: trail for worker, trail in before.trails.items() if _lately(trail, now)}
    bare: set[str] = set()
    known: dict[str, WorkerReport] | None = None
    those, count = before.reports, len(before.reports)
    for at in range(len(reports)) if before.bare else moved:
        report, earlier = reports[at], those[at] if at < count else None
        if earlier is None or earlier.worker != report.worker:
            known = known or {each.worker: each for each in those}
            earlier = known.get(report.worker, report)
        if report.last_heartbeat == earlier.last_heartbeat:
            if before.bare and report.worker in before.bare:
                bare.add(report.worker)
        elif report.snapshot_at is not None and report.snapshot_at == earlier.snapshot_at:
            bare.add(report.worker)
        elif _moved(report, earlier) and (report.worker in trails or len(trails) < MOST):
            left = _place(earlier, before.read_at, report.worker in before.bare)
            here = _place(report, now)
            if not left.like(here):
                trails[report.worker] = _moved_on(trails.get(report.worker, Trail()), left, here)
    return Senders(reports, now, trails, bare)


def _moved(report: WorkerReport, earlier: WorkerReport) -> bool:
    if report.host != earlier.host and report.host is not None and earlier.host is not None:
        return True
    if report.snapshot_at is None or earlier.snapshot_at is None:
        return False
    if report.last_heartbeat is None or earlier.last_heartbeat is None:
        return False
    passed, by_own = report.last_heartbeat - earlier.last_heartbeat, report.snapshot_at - earlier.snapshot_at
    return abs(by_own - passed) > ASTRAY


def _moved_on(trail: Trail, left: Place, here: Place) -> Trail:
    lately = [place for place in trail.left if abs(here.seen - place.seen) <= KEPT]
    back = any(place.like(here) for place in lately)
    others = [place for place in lately if not (place.like(here) or place.like(left))]
    return Trail((*others, left)[-PLACES:], here.seen + KEPT if back else trail.shared_until)


def _lately(trail: Trail, now: float) -> bool:
    return now <= trail.shared_until or any(abs(now - place.seen) <= KEPT for place in trail.left)


def _place(report: WorkerReport, read_at: float, bare: bool = False) -> Place:
    return Place(report.host, None if bare else _ahead(report), read_at)


def _ahead(report: WorkerReport) -> float | None:
    if report.snapshot_at is None or report.last_heartbeat is None:
        return None
    return report.snapshot_at - report.last_heartbeat
