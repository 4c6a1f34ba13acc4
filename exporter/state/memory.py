"""What is remembered of a fleet's nodes, workers and wakeable nodes, and how a fresh read changes it; no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from itertools import count
from typing import NamedTuple

KINDS = ("node", "worker", "wakeable")

PASSING = "client"
"""The state of a node that leaves no tombstone: a mesh-llm client has a new id at every start."""

Step = tuple[str, str]
"""From which state to which."""


class Held(NamedTuple):
    """What is held of one thing: its state, since when, when it left (None: it is there), and a node's ordinal.

    Times are Unix seconds. `state` is None where a wakeable node's word was not understood.
    """

    state: str | None
    since: float
    gone: float | None = None
    ordinal: int | None = None


class Roster(NamedTuple):
    """What a fresh read of a fleet lists of one kind: each one's state; in `dropped` those listed but not counted.

    `shown` are those that the fleet's limit lets through, None: all. Where the roster is not `whole`, who is missing
    has not left, nor have the `unsure`: those who may know are silent.
    """

    states: Mapping[str, str | None]
    dropped: Collection[str] = ()
    shown: Collection[str] | None = None
    whole: bool = True
    unsure: Collection[str] = ()

    def says(self, other: Roster) -> bool:
        """Tell whether the other one says the same of who is there, and of who is not."""
        return self._replace(shown=None) == other._replace(shown=None)


class Retention(NamedTuple):
    """How long, in seconds, what left is remembered, and how many of one kind and fleet at most."""

    tombstone: float = 3600.0
    most: int = 200_000


class Change(NamedTuple):
    """What a fresh read changes: what is held from now on, who is forgotten, and the transitions that were made.

    `moves` are these by name, and those who left (to None) or came back (from None).
    """

    put: dict[str, Held]
    forgotten: set[str]
    steps: Counter[Step]
    moves: tuple[tuple[str, str | None, str | None], ...] = ()


def change(
    kind: str,
    held: Mapping[str, Held],
    roster: Roster,
    now: float,
    retention: Retention,
    passing: Collection[str] = (),
) -> Change:
    """Compare what is held of a kind with a fresh read at `now`, in Unix seconds.

    Who returns after having left starts anew: that is no transition. `passing` leave no tombstone, nor do clients,
    wakeable nodes and those that the roster dropped. Where the clock went back, what lies in the future becomes now.
    """
    put, steps = _there(held, roster, now)
    moves = [(name, *_states(held[name], each)) for name, each in put.items() if name in held]
    forgotten = set()
    if roster.whole or len(held) > retention.most:
        traceless = {*passing, *roster.dropped}
        for name in held.keys() - roster.states.keys():
            was = held[name]
            if was.gone is None and name in roster.unsure:
                continue
            gone = now if was.gone is None else min(was.gone, now)
            if kind == "wakeable" or was.state == PASSING or name in traceless or now - gone >= retention.tombstone:
                forgotten.add(name)
            elif gone != was.gone:
                put[name] = was._replace(gone=gone)
            if was.gone is None:
                moves.append((name, was.state, None))
    forgotten |= set(_surplus({**held, **put}, forgotten, retention.most))
    if kind == "node":
        _number(held, put, forgotten)
    kept = {name: each for name, each in put.items() if name not in forgotten}
    return Change(kept, forgotten, steps, tuple(move for move in moves if move[1] != move[2]))


def _states(was: Held, now: Held) -> tuple[str | None, str | None]:
    return (was.state if was.gone is None else None), now.state


def _there(held: Mapping[str, Held], roster: Roster, now: float) -> tuple[dict[str, Held], Counter[Step]]:
    """What is held from now on of those who are there, where it differs, and their transitions."""
    put: dict[str, Held] = {}
    steps: Counter[Step] = Counter()
    for name, state in roster.states.items():
        was = held.get(name)
        if was is None or was.gone is not None:
            put[name] = Held(state, now, None, None if was is None else was.ordinal)
        elif was.state != state:
            if was.state is not None and state is not None:
                steps[was.state, state] += 1
            put[name] = was._replace(state=state, since=now)
        elif was.since > now:
            put[name] = was._replace(since=now)
    return put, steps


def _surplus(held: Mapping[str, Held], forgotten: Collection[str], most: int) -> list[str]:
    """The tombstones that are too many, the oldest."""
    left = [(each.gone, name) for name, each in held.items() if each.gone is not None and name not in forgotten]
    return [name for _, name in sorted(left)[: max(0, len(left) - most)]]


def _number(held: Mapping[str, Held], put: dict[str, Held], forgotten: Collection[str]) -> None:
    """Give every node that has none the lowest ordinal that is free."""
    new = sorted(name for name, each in put.items() if each.ordinal is None)
    if new:
        taken = {each.ordinal for name, each in held.items() if name not in forgotten}
        for name, ordinal in zip(new, _free(taken), strict=False):
            put[name] = put[name]._replace(ordinal=ordinal)


def _free(taken: Collection[int | None]) -> Iterator[int]:
    return (ordinal for ordinal in count() if ordinal not in taken)


class Recollection:
    """What is held of one kind of one fleet, and how often it went from which state to which.

    `news` counts the reads that may have changed what is held, or who is listed.
    """

    def __init__(
        self,
        kind: str,
        retention: Retention,
        held: Mapping[str, Held] | None = None,
        steps: Mapping[Step, int] | None = None,
        passing: Collection[str] = (),
    ) -> None:
        self.kind = kind
        self.held = dict(held or {})
        self.steps: Counter[Step] = Counter(steps or {})
        self._retention = retention
        self._passing = passing
        self._roster: Roster | None = None
        self._quiet: tuple[float, float] = (0.0, 0.0)
        self.news = 0

    def observe(self, roster: Roster, now: float) -> Change | None:
        """Take a fresh read; gives what it changed, None for nothing, which costs a comparison."""
        noted, until = self._quiet
        if self._roster is not None and self._roster.says(roster) and noted <= now < until:
            self._quiet = (now, until)
            return None
        made = change(self.kind, self.held, roster, now, self._retention, self._passing)
        self.held.update(made.put)
        for name in made.forgotten:
            del self.held[name]
        self.steps.update(made.steps)
        self._passing = ()
        self._roster = roster
        self.news += 1
        left = [each.gone for each in self.held.values() if each.gone is not None]
        self._quiet = (now, min(left, default=float("inf")) + self._retention.tombstone)
        return made if made.put or made.forgotten else None

    def go_on(self, retention: Retention, passing: Collection[str]) -> None:
        """Go on under another retention; those of `passing` that the next read does not list leave no tombstone."""
        self._retention = retention
        self._passing = {*self._passing, *passing}
        self._roster = None

    def tombstones(self) -> Iterator[str]:
        """Who left and is remembered."""
        return (name for name, each in self.held.items() if each.gone is not None)
