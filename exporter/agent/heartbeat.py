"""Keeps a registry told: when the next heartbeat is due, what is still to be told, and what to do while it is away."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from exporter.agent.duty import Duty, steps
from exporter.agent.wire import NO_SUCH_VERB, Answer, Dial, Line, Registry, Rollouts
from exporter.sources.source import SourceError

log = logging.getLogger("rollcall")

REQUESTS = 5.0
"""Seconds for all requests of one step, and for the snapshot that one of them sends."""

JITTER = 0.1
"""By how much of the interval a heartbeat may come sooner or later than it is due."""

GAP = 0.1
"""Seconds between the ends of two steps that tell something: of what changes faster, only the last is told."""

LONGEST = 3.0
"""The longest pause between two attempts at a registry that is away, in intervals; the first is a tenth of one."""


class Reporting(NamedTuple):
    """What a reporter works with.

    `place` is the registry's URL, for the log. `interval` is in seconds. `snapshot` describes the machine, None for
    heartbeats without. With `rollouts`, a LightningStore gets a rollout for what the worker works on. `clock` is
    monotonic; `spread(low, high)` gives a random number in between.
    """

    worker_id: str
    place: str
    dial: Dial
    interval: float
    snapshot: Callable[[], dict[str, Any]] | None
    spread: Callable[[float, float], float]
    rollouts: bool = False
    clock: Callable[[], float] = time.monotonic


class Reporter:
    """Reports for one worker. It is used by one thread, and waits for nothing but the requests of a `step`."""

    def __init__(self, reporting: Reporting) -> None:
        self._how = reporting
        self._registry = Registry(reporting.worker_id)
        self._rollouts = Rollouts(reporting.worker_id)
        self._told: Duty | None = None
        self._duty = Duty()
        self._beat_at = reporting.clock()
        self._retry_at = self._tell_at = self._beat_at
        self._failures = 0
        self._is_store = False
        self._outage: set[int | None] = set()
        self._said: set[str] = set()

    def change(self, change: Callable[[Duty], Duty]) -> None:
        """Take note of what the worker does now; the next step tells it."""
        self._duty = change(self._duty)

    def step(self) -> float:
        """Send what is due; gives the seconds until something is again, if nothing changes before."""
        now = self._how.clock()
        if now < self._retry_at:
            return self._retry_at - now
        if (due := self._due()) > now:
            return due - now
        try:
            with self._how.dial(REQUESTS) as line:
                self._tell(line)
                if self._how.clock() >= self._beat_at:
                    self._beat(line)
        except SourceError as error:
            return self._lost(error)
        self._found()
        now = self._how.clock()
        self._tell_at = now + GAP
        return max(0.0, self._due() - now)

    def goodbye(self, seconds: float) -> None:
        """Tell what is still to be told, and leave, within so many seconds."""
        try:
            with self._how.dial(max(seconds, 0.0)) as line:
                self._tell(line)
                if not self._is_store:
                    self._registry.goodbye(line)
        except SourceError as error:
            if error.status not in NO_SUCH_VERB and not self._outage:
                log.info("left without a goodbye: %s", error)

    def _due(self) -> float:
        """When the next step is due: for a heartbeat, or for something to tell."""
        return self._beat_at if self._told == self._duty else min(self._beat_at, self._tell_at)

    def _tell(self, line: Line) -> None:
        """Bring the registry from what it was told to what the worker does."""
        if self._told == self._duty:
            return
        plan = steps(self._told, self._duty)
        if not self._is_store:
            try:
                for step in plan:
                    self._registry.tell(line, step)
            except SourceError as error:
                if error.status not in NO_SUCH_VERB:
                    raise
                self._is_store = True
        if self._is_store and self._how.rollouts:
            for step in plan:
                self._rollouts.tell(line, step)
        self._told = self._duty

    def _beat(self, line: Line) -> None:
        """Send a heartbeat, and see whether the answer is what the registry was told."""
        now = self._how.clock()
        stats = None if self._how.snapshot is None else self._how.snapshot()
        answer = self._registry.beat(line, stats)
        self._beat_at = now + self._how.interval * self._how.spread(1 - JITTER, 1 + JITTER)
        if self._is_store:
            self._compare_store(answer)
        else:
            self._compare(answer)

    def _compare(self, answer: Answer) -> None:
        """Tell a registry everything again that forgot it, or was told otherwise by somebody else."""
        held = self._duty.held
        right = answer.status == ("idle" if held is None else "busy")
        if right and held is not None and held.rollout is not None:
            right = answer.held == held
        if right:
            return
        self._told = None
        if answer.status != "unknown":
            self._say_once("somebody else reports as worker %s too; its id must be its own", self._how.worker_id)

    def _compare_store(self, answer: Answer) -> None:
        """Say what a store cannot be told, and start a rollout again that it lost."""
        if self._how.rollouts:
            what = "worker %s is unknown there until its first rollout, and no goodbye is possible"
        else:
            what = "worker %s stays unknown there, with heartbeats only, unless it may add rollouts (--rollouts)"
        self._say_once("%s is a LightningStore, not a registry: " + what, self._how.place, self._how.worker_id)
        if self._how.rollouts and answer.status == "unknown" and self._duty.held is not None:
            self._rollouts.forget()
            self._told = None

    def _lost(self, error: SourceError) -> float:
        """Put the next attempt off, longer each time; gives the seconds until then."""
        if self._is_store:
            self._is_store, self._told = False, None
        if error.status not in self._outage:
            self._outage.add(error.status)
            log.warning("cannot report to %s, and go on trying: %s%s", self._how.place, error, _hint(error))
        first, longest = self._how.interval / 10, self._how.interval * LONGEST
        pause = min(longest, first * 2.0 ** min(self._failures, 10)) * self._how.spread(0.5, 1.0)
        self._failures += 1
        self._retry_at = self._how.clock() + pause
        return pause

    def _found(self) -> None:
        if self._outage:
            log.info("reports to %s again", self._how.place)
        self._failures = 0
        self._outage.clear()

    def _say_once(self, message: str, *about: str) -> None:
        if message not in self._said:
            self._said.add(message)
            log.warning(message, *about)


def _hint(error: SourceError) -> str:
    """What an answer that is an error usually means."""
    if error.status == 401:
        return "; it wants a token, or another one"
    if error.status == 403:
        return "; it does not take this token, or this name of its host"
    if error.status in NO_SUCH_VERB:
        return "; there is no registry, or it is off, or the URL has a path too much"
    if error.status == 429:
        return "; it has too many requests or workers of this client"
    return ""
