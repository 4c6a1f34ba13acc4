"""How many rollouts finished, from the pages of an Agent Lightning 1.x server's log of them.

The log only grows (agentlightning 1.0.0, `server/routes/rollouts.py`), in the server's memory: a restart empties it. A
rollout that was deleted keeps its position and loses its state, and the trainers delete what they have fetched, by
default within seconds (`verl/agl_rollout_manager.py`).
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from exporter.sources.lightning_1_payload import LogPage

UNFINISHED = ("queuing", "running")
STATES = (*UNFINISHED, "succeeded", "failed")


class Finished(NamedTuple):
    """Finished rollouts by how they ended; `unknown` are those that were deleted before anybody saw how."""

    succeeded: int = 0
    failed: int = 0
    unknown: int = 0


class FinishedLog(NamedTuple):
    """A log as far as it was read: up to, without, `cursor`; `last` is the id before it, None where not certain.

    `whole` are the counts when the end was last reached, None before that. What was deleted before the end was reached
    for the first time is in no count: nobody knows for how long it has been gone.
    """

    cursor: int = 0
    last: str | None = None
    finished: Finished = Finished()
    whole: Finished | None = None

    @property
    def after(self) -> int:
        """Where to read on: at the last known id, which tells whether the log is still the same."""
        return self.cursor if self.last is None else self.cursor - 1

    def reached(self, page: LogPage) -> bool:
        """Tell whether the end is reached with this page."""
        return self.whole is not None and self.cursor >= page.total


def advance(log: FinishedLog, page: LogPage, drift: Counter[str]) -> FinishedLog:
    """Take the page from `log.after` on; gives an empty log where the server's is another one than it was.

    A state that no finished rollout has is counted as drift, unless the rollout was deleted and made anew.
    """
    overlaps = page.after < log.cursor
    if page.total < log.cursor or (overlaps and page.first not in (None, log.last)):
        return FinishedLog()
    entries = page.entries
    if overlaps and entries and entries[0].rollout == log.last:
        entries = entries[1:]
    states = Counter(entry.state for entry in entries)
    drift["rollout_status"] += sum(
        states[state] for state in states if state not in (*UNFINISHED, "succeeded", "failed")
    )
    lost = page.next_after - log.cursor - states["succeeded"] - states["failed"]
    before = log.finished
    finished = Finished(
        before.succeeded + states["succeeded"],
        before.failed + states["failed"],
        before.unknown + (0 if log.whole is None else lost),
    )
    whole = finished if page.next_after >= page.total else log.whole
    return FinishedLog(page.next_after, page.last, finished, whole)
