"""An Agent Lightning 1.x server: its rollouts by state, and how many finished. It has no workers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager

from exporter.records import ROLLOUT_STATUSES, RolloutCount, RolloutsFinished, Store
from exporter.records.reading import StoreReading
from exporter.sources.agent_lightning import Asked
from exporter.sources.lightning_1_log import UNFINISHED, Finished, FinishedLog, advance
from exporter.sources.lightning_1_payload import RolloutList, parse_log, parse_unfinished
from exporter.sources.source import Deadline, SourceError

LIMITS = (50, 500, 4_000, 20_000)
"""Rollouts that a list is asked for: the server has no cursor there. A list that is full is asked for anew, for more of
it, one that is too large for less. A server answers nobody else while it writes a list."""

USUAL = 1
"""The first of `LIMITS` that is asked for."""

RETRY = 30
"""Full lists after which more is asked for again than failed."""

LOG_PAGE = 1_000
"""Positions of the log in a page."""


class Reach:
    """Which of `LIMITS` a list is asked for: the least that holds all, as far as the server and the time allow."""

    def __init__(self) -> None:
        self._step = USUAL
        self._most = len(LIMITS) - 1
        self._full = 0

    @property
    def limit(self) -> int:
        """Rollouts to ask for."""
        return LIMITS[self._step]

    def raised(self) -> bool:
        """Ask for more; False where that is too much."""
        higher = self._step < self._most
        self._step += higher
        return higher

    def lowered(self) -> bool:
        """Ask for less for a while; False where there is no less."""
        lower = self._step > 0
        self._step -= lower
        self._most = self._step
        return lower

    def settle(self, size: int) -> None:
        """Take the size of the list that was read, for the next read."""
        self._full = self._full + 1 if size == self.limit else 0
        if self._full % RETRY == 0:
            self._most = len(LIMITS) - 1
        if not self._full:
            self._step = next(step for step in range(USUAL, len(LIMITS)) if size < LIMITS[step])


class LightningServer:
    """The source of one 1.x server; `connect` opens what answers a read within its deadline, `timeout` is in seconds.

    Between two reads the source keeps how far it read the log, and how many rollouts a list had to be asked for.
    """

    def __init__(
        self, fleet: str, *, timeout: float, connect: Callable[[Deadline], AbstractContextManager[Asked]]
    ) -> None:
        self._fleet = fleet
        self._timeout = timeout
        self._connect = connect
        self._reach = Reach()
        self._log = FinishedLog()
        self._log_drift: Counter[str] = Counter()

    def read(self, deadline: Deadline) -> StoreReading:
        """Ask for unfinished rollouts, and for what was added to the log since the last read; raises SourceError."""
        drift: Counter[str] = Counter()
        with self._connect(deadline) as session:
            counts = self._unfinished(session, drift)
            self._read_log(session, deadline)
        drift, self._log_drift = drift + self._log_drift, Counter()
        whole = self._log.whole
        if whole is not None:
            counts |= {"succeeded": whole.succeeded, "failed": whole.failed}
        return StoreReading(
            store=Store(self._fleet, None),
            workers=(),
            lists_workers=False,
            rollouts=tuple(RolloutCount(self._fleet, status, counts.get(status, 0)) for status in ROLLOUT_STATUSES),
            finished=() if whole is None else _rows(self._fleet, whole),
            drift=dict(drift),
        )

    def _unfinished(self, session: Asked, drift: Counter[str]) -> dict[str, int]:
        """Count unfinished rollouts by state; where there are more than a list can hold, that is drift."""
        listed, strange = self._ask(session)
        while listed.size == self._reach.limit and self._reach.raised():
            try:
                listed, strange = self._ask_once(session)
            except SourceError as error:
                if error.result != "too_large" or not self._reach.lowered():
                    raise
                break
        drift["rollouts_beyond"] += listed.size == self._reach.limit
        self._reach.settle(listed.size)
        counts = Counter(listed.states.values())
        drift["rollout_status"] += sum(counts[state] for state in counts if state not in UNFINISHED)
        drift.update(strange)
        return {state: counts[state] for state in UNFINISHED}

    def _ask(self, session: Asked) -> tuple[RolloutList, Counter[str]]:
        """List what is unfinished, or the part of it that is not too large; gives the drift beside it."""
        while True:
            try:
                return self._ask_once(session)
            except SourceError as error:
                if error.result != "too_large" or not self._reach.lowered():
                    raise

    def _ask_once(self, session: Asked) -> tuple[RolloutList, Counter[str]]:
        wanted = "&".join(f"state_in={state}" for state in UNFINISHED)
        limit = self._reach.limit
        drift: Counter[str] = Counter()
        try:
            body = session.get(f"/api/rollouts?{wanted}&limit={limit}").body
        except SourceError as error:
            if error.result == "timeout" and limit > LIMITS[USUAL]:
                self._reach.lowered()
            raise
        return parse_unfinished(body, limit, drift), drift

    def _read_log(self, session: Asked, deadline: Deadline) -> None:
        """Read on in the log until its end, or while more than half of the time is left; the rest follows."""
        while True:
            after = self._log.after
            body = session.get(f"/api/rollouts/terminal?after={after}&limit={LOG_PAGE}").body
            page = parse_log(body, after, LOG_PAGE, self._log_drift)
            self._log = advance(self._log, page, self._log_drift)
            if self._log.reached(page) or deadline.remaining() < self._timeout / 2:
                return


def _rows(fleet: str, finished: Finished) -> tuple[RolloutsFinished, ...]:
    return tuple(RolloutsFinished(fleet, status, count) for status, count in finished._asdict().items())
