"""A LightningStore of Agent Lightning 0.3: its workers, what they hold, and its rollouts by status."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol
from urllib.parse import quote

from exporter.endpoint import Endpoint
from exporter.records import ROLLOUT_STATUSES, Attempt, RolloutCount, Store
from exporter.records.reading import StoreReading
from exporter.sources.fetch import Door, Fetched, Resolver
from exporter.sources.lightning_payload import parse_attempts, parse_rollouts, parse_uptime
from exporter.sources.lightning_workers import Known, parse_workers
from exporter.sources.source import Deadline, Pace, SourceError

API = "/v1/agl"
PAGE = 500
"""Items of a page: a store takes 13 ms for 500 workers, and answers nobody else meanwhile."""

ACTIVE = ("preparing", "running")
MOST = 1_000_000
"""Workers, or active rollouts, that are read from one store at most."""

LOOK_UPS = 20
"""Given up attempts looked up at most in one read."""

UNKNOWN = (404, 500)
"""What says that a store does not know a rollout: 0.3.0 answers 500."""

SAME_START = 2.0
"""Seconds that two computed start times of one store may differ by: its Date header has whole seconds."""

Pair = tuple[str, str]
"""A rollout and one of its attempts."""


class Asked(Protocol):
    """What answers the requests of one read; a `Session`, unless it was handed in."""

    def get(self, path: str) -> Fetched:
        """GET a path of the store; raises SourceError."""
        ...


class LightningStore:
    """The source of one store. `clock` gives Unix time where the store names no Date.

    `connect` opens what answers a read within its deadline; by default a `Session` with the endpoint. Between two
    reads the source keeps what was said of each worker, which is not decoded again where it is the same, and the
    attempt that each held, to tell why a store gave up on one.
    """

    kind = "agent-lightning"

    def __init__(
        self,
        fleet: str,
        endpoint: Endpoint,
        resolve: Resolver,
        pace: Pace,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        connect: Callable[[Deadline], AbstractContextManager[Asked]] | None = None,
    ) -> None:
        self.fleet = fleet
        self.name = endpoint.name
        self.pace = pace
        self._connect = connect or Door(endpoint, resolve)
        self._clock = clock
        self._monotonic = monotonic
        self._known: dict[str, Known] = {}
        self._held: dict[str, Pair] = {}
        self._given_up: dict[str, Attempt] = {}
        self._started: float | None = None
        self._doubted: float | None = None
        self._failed = False
        self._last: tuple[float, float] | None = None
        self._outage: tuple[float, float] | None = None

    def read(self, deadline: Deadline) -> StoreReading:
        """Ask the store for workers, rollouts and its uptime, in pages; raises SourceError."""
        drift: Counter[str] = Counter()
        failed, self._failed = self._failed, True
        with self._connect(deadline) as session:
            workers, asked_at = self._workers(session, drift)
            counts, active = self._rollouts(session, drift)
            started, read_at = self._start(session, failed)
            attempts = self._attempts(session, workers, active, drift)
        self._failed = False
        self._note(read_at)
        self._known = workers
        return StoreReading(
            store=Store(self.fleet, started),
            workers=tuple([known.report for known in workers.values()]),
            read_at=asked_at,
            gpus=tuple([gpu for known in workers.values() for gpu in known.gpus]),
            attempts=attempts,
            active=tuple(active.values()),
            rollouts=tuple(RolloutCount(self.fleet, status, counts[status]) for status in ROLLOUT_STATUSES),
            outage=self._outage,
            drift=dict(+drift),
        )

    def _note(self, read_at: float) -> None:
        """Remember a read that succeeded, and the outage before it if there was one: longer than `stale_after`.

        A store that was stopped and continued goes on with the Date of before for up to a second (uvicorn renews it
        once a second), so that the end of an outage is at least as much later as our own clock says.
        """
        now = self._monotonic()
        if self._last is not None and now - self._last[0] > self.pace.stale_after:
            before, start = self._last
            self._outage = (start, max(read_at, start + now - before))
        self._last = (now, read_at)

    def _workers(self, session: Asked, drift: Counter[str]) -> tuple[dict[str, Known], float]:
        """All workers by id, and the store's clock when it gave the first of them."""
        workers: dict[str, Known] = {}
        began: float | None = None
        offset, total = 0, 1
        while offset < total:
            fetched, read_at = self._ask(session, f"/workers?limit={PAGE}&offset={offset}")
            began = read_at if began is None else min(began, read_at)
            page = parse_workers(fetched.body, self.fleet, drift, self._known, PAGE)
            _bounded("workers", page.size, offset)
            before = len(workers)
            workers.update([(known.report.worker, known) for known in page.known])
            drift["workers"] += before + len(page.known) - len(workers)
            offset, total = offset + page.size, page.total if page.size else 0
        return workers, began or 0.0

    def _rollouts(self, session: Asked, drift: Counter[str]) -> tuple[Counter[str], dict[Pair, Attempt]]:
        """Count rollouts by status; those that are active are listed, the others only counted.

        Filtered pages of a store can repeat a rollout, so that each is counted by its id.
        """
        statuses: dict[str, str] = {}
        attempts: dict[Pair, Attempt] = {}
        wanted = "&".join(f"status_in={status}" for status in ACTIVE)
        offset, total = 0, 1
        while offset < total:
            fetched, _ = self._ask(session, f"/rollouts?{wanted}&limit={PAGE}&offset={offset}")
            page = parse_rollouts(fetched.body, self.fleet, drift, PAGE)
            _bounded("rollouts", page.size, offset)
            statuses.update(page.statuses)
            attempts |= {(attempt.rollout, attempt.attempt): attempt for attempt in page.attempts}
            offset, total = offset + page.size, page.total if page.size else 0
        counts = Counter(statuses.values())
        drift["rollout_status"] += sum(counts[status] for status in counts if status not in ROLLOUT_STATUSES)
        for status in ROLLOUT_STATUSES:
            if status not in ACTIVE:
                fetched, _ = self._ask(session, f"/rollouts?status_in={status}&limit=1")
                counts[status] = parse_rollouts(fetched.body, self.fleet, Counter()).total
        return counts, attempts

    def _start(self, session: Asked, failed: bool) -> tuple[float | None, float]:
        """When the store started, steady while it runs (None where it does not say); and its clock now.

        A store that was stopped and continued answers for up to a second with the Date of before, and seems to have
        started earlier by as long as it was stopped. An earlier start, or the first one after a read that failed, is
        not told before the next read says the same, or another.
        """
        fetched, read_at = self._ask(session, "/statistics")
        uptime = parse_uptime(fetched.body)
        known, doubted, self._doubted = self._started, self._doubted, None
        if uptime is None:
            self._started = None
            return None, read_at
        said = read_at - uptime
        odd = failed if known is None else said < known - SAME_START
        if odd and (doubted is None or abs(said - doubted) > SAME_START):
            self._doubted = said
        elif known is None or abs(said - known) > SAME_START:
            self._started = said
        return self._started, read_at

    def _attempts(
        self, session: Asked, workers: dict[str, Known], active: dict[Pair, Attempt], drift: Counter[str]
    ) -> dict[str, Attempt]:
        """By worker: the attempt that it holds, or the one that the store took from it since it held it."""
        attempts: dict[str, Attempt] = {}
        looked_up = 0
        for worker, known in workers.items():
            report = known.report
            if report.rollout is not None and report.attempt is not None:
                self._held[worker] = (report.rollout, report.attempt)
                self._given_up.pop(worker, None)
            elif worker not in self._held:
                continue
            elif report.word != "unknown":
                del self._held[worker]
                self._given_up.pop(worker, None)
                continue
            held = self._held[worker]
            if held in active:
                attempts[worker] = active[held]
            elif report.attempt is None:
                if worker not in self._given_up and looked_up < LOOK_UPS:
                    looked_up += 1
                    found = self._look_up(session, *held, drift)
                    self._given_up |= {} if found is None else {worker: found}
                if worker in self._given_up:
                    attempts[worker] = self._given_up[worker]
        self._held = {worker: held for worker, held in self._held.items() if worker in workers}
        self._given_up = {worker: attempt for worker, attempt in self._given_up.items() if worker in workers}
        return attempts

    def _look_up(self, session: Asked, rollout: str, attempt: str, drift: Counter[str]) -> Attempt | None:
        """Ask what became of an attempt; one that the store no longer knows has no status.

        None where the store does not say now, as a proxy's 503: that is to be asked again.
        """
        gone = Attempt(self.fleet, rollout, attempt, "", None, None)
        try:
            fetched, _ = self._ask(session, f"/rollouts/{quote(rollout, safe='')}/attempts")
        except SourceError as error:
            if error.result != "http":
                raise
            return gone if error.status in UNKNOWN else None
        found = parse_attempts(fetched.body, self.fleet, rollout, drift)
        return next((each for each in found if each.attempt == attempt), gone)

    def _ask(self, session: Asked, path: str) -> tuple[Fetched, float]:
        """Fetch a path; gives the answer and the store's clock when it was given, never later."""
        asked_at = self._clock()
        fetched = session.get(API + path)
        return fetched, asked_at if fetched.date is None else fetched.date


def _bounded(what: str, size: int, offset: int) -> None:
    """Refuse a list without end."""
    if offset + size > MOST:
        raise SourceError("too_large", f"expected at most {MOST} {what}, got more")
