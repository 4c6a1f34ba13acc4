"""The wake ledger: when waking started, how it ended, and how long it took.

A wake is a spell in which a wakeable node is said to be `waking`. It ends `live` when the node that it becomes is
confirmed and no client, `returned` when it is said to sleep again, and `vanished` when it has not been listed for
`SETTLE` and no such node has come. Silence ends no wake: only a fresh answer of somebody who listed it does.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from exporter.records import WAKE_RESULTS, Becomes, WakeableNode, WakeCount
from exporter.state.awake import Awake, Hint, Live, Matches, followed, match

SETTLE = 600.0
"""Seconds that a woken node may take to be confirmed, after whoever listed it as wakeable has struck it off.

Peers may have no measured latency to a newcomer for minutes (mesh-llm 0.66.0).
"""

REMEMBERED = 86400.0
"""Seconds for which a wake is remembered when nobody lists its node any more."""

SEEN_STEP = 3600.0
"""Seconds by which `Wake.seen` moves, so that what is remembered of a steady fleet stays the same."""

MOST_WAKES = 10_000
MOST_PROVIDERS = 100
"""Wakes and providers of one fleet that are remembered at most."""


class Listed(NamedTuple):
    """A wakeable node as it is listed now: its record, who lists it so, and which node it becomes, if that is said."""

    node: WakeableNode
    sources: tuple[str, ...]
    becomes: Becomes | None


class Wake(NamedTuple):
    """The last wake of a wakeable node. `started`, `seen` and `gone` are Unix seconds, `promised` and `took` seconds.

    `sources` are all who ever said that it wakes. `seen` is when it was last listed, to the hour, `gone` since when a
    fresh answer lists it no longer. `taken` tells
    whether a node of its name was live when the wake started. `took` is None until the wake is over; `rested` then
    tells whether it has been anything but waking since.
    """

    provider: str
    sources: tuple[str, ...]
    becomes: Becomes | None
    started: float
    promised: float | None
    taken: bool
    seen: float
    gone: float | None = None
    took: float | None = None
    rested: bool = False


class WakeCounts(NamedTuple):
    """How the wakes of one provider's nodes ended."""

    live: int = 0
    returned: int = 0
    vanished: int = 0


class WakeMemory(NamedTuple):
    """What the next judgement needs of the last: the last wake of each logical id, and the counts by provider.

    `awake` are the entries that are awake, as far as anybody knows, `unclear` those of which it is not clear which node
    they become; both are by logical id, and the latter is needed by none.
    """

    wakes: Mapping[str, Wake] = {}
    counts: Mapping[str, WakeCounts] = {}
    awake: Mapping[str, Awake] = {}
    unclear: tuple[str, ...] = ()


def judge_wakes(
    listed: Mapping[str, Listed], live: Live, answered: Collection[str], memory: WakeMemory, wall: float
) -> WakeMemory:
    """Follow every wake by one step. `listed` is by logical id, `answered` names who gave a fresh answer.

    `wall` is Unix time in seconds; where it jumps back, nothing takes less than no time. The source of the rule is
    Rollcall's own design.
    """
    counts = dict(memory.counts)
    for each in listed.values():
        if len(counts) < MOST_PROVIDERS:
            counts.setdefault(each.node.provider or "", WakeCounts())
    found, awake, unclear = _awake(listed, live, memory)
    wakes: dict[str, Wake] = {}
    for logical_id in listed.keys() | memory.wakes.keys():
        before, entry = memory.wakes.get(logical_id), listed.get(logical_id)
        wake = before if logical_id in awake else _started(before, entry, live, wall)
        if wake is None:
            continue
        result = None if wake.took is not None else _result(wake, entry, logical_id, found, live, answered, wall)
        if result is not None:
            until = wall if entry is not None or wake.gone is None else wake.gone
            wake = wake._replace(took=max(0.0, until - wake.started))
            _count(counts, wake.provider, result)
        wake = _followed(wake, entry, answered, wall)
        if wall - wake.seen <= REMEMBERED:
            wakes[logical_id] = wake
    return WakeMemory(_newest(wakes), counts, awake, unclear)


def _awake(
    listed: Mapping[str, Listed], live: Live, memory: WakeMemory
) -> tuple[dict[str, str], dict[str, Awake], tuple[str, ...]]:
    """The live nodes of entries, who is awake, and whose hint is not clear.

    A node that a listed entry does not become, an unfinished wake may become whose entry is listed no longer.
    """
    hints = {name: Hint(entry.becomes, entry.node.state) for name, entry in listed.items() if entry.becomes is not None}
    matches = match({name: hint.becomes for name, hint in hints.items()}, live, memory.awake)
    awake = followed(hints, listed, matches, live, memory.awake)
    gone = {
        name: wake.becomes
        for name, wake in memory.wakes.items()
        if name not in listed and wake.took is None and wake.becomes is not None
    }
    taken = set(matches.nodes.values())
    left = {node: hostname for node, hostname in live.hostnames.items() if node not in taken}
    woken = match(gone, Live(left), {}) if gone else Matches({}, ())
    return {**woken.nodes, **matches.nodes}, awake, matches.unclear


def wake_counts(fleet: str, memory: WakeMemory) -> tuple[WakeCount, ...]:
    """The ended wakes of a fleet; every result has a row for each provider."""
    return tuple(
        WakeCount(fleet, provider, result, getattr(counts, result))
        for provider, counts in sorted(memory.counts.items())
        for result in WAKE_RESULTS
    )


def duration(wake: Wake | None, wall: float) -> float | None:
    """How long a wake has taken so far, or took; None where there was none."""
    if wake is None:
        return None
    return max(0.0, wall - wake.started) if wake.took is None else wake.took


def _started(wake: Wake | None, entry: Listed | None, live: Live, wall: float) -> Wake | None:
    """A new wake where one starts, else the one there was."""
    may_start = wake is None or (wake.took is not None and wake.rested)
    if entry is None or entry.node.state != "waking" or not may_start:
        return wake
    node = entry.node
    taken = bool(live.named(node.logical_id))
    return Wake(node.provider or "", entry.sources, entry.becomes, wall, node.wake_eta_seconds, taken, wall)


def _result(
    wake: Wake,
    entry: Listed | None,
    logical_id: str,
    found: Mapping[str, str],
    live: Live,
    answered: Collection[str],
    wall: float,
) -> str | None:
    if logical_id in found:
        return "live"
    if answered and not set(answered).isdisjoint(wake.sources):
        if entry is not None:
            return "returned" if entry.node.state == "sleeping" else None
        namesakes = live.named(logical_id) if wake.becomes is None and not wake.taken else set()
        if len(namesakes) == 1 and namesakes.isdisjoint(found.values()):
            return "live"
        return "vanished" if wake.gone is not None and wall - wake.gone >= SETTLE else None
    return None


def _followed(wake: Wake, entry: Listed | None, answered: Collection[str], wall: float) -> Wake:
    """A wake with what is now known of its node: who lists it, since when nobody does, whether it has rested."""
    over = wake.took is not None
    if entry is None:
        if set(answered).isdisjoint(wake.sources):
            return wake
        return wake._replace(gone=wall if wake.gone is None else min(wake.gone, wall), rested=over)
    waking = entry.node.state == "waking"
    return wake._replace(
        sources=tuple(dict.fromkeys((*wake.sources, *entry.sources))) if waking else wake.sources,
        becomes=entry.becomes,
        promised=entry.node.wake_eta_seconds if wake.promised is None and waking else wake.promised,
        seen=wall if abs(wall - wake.seen) >= SEEN_STEP else wake.seen,
        gone=None,
        rested=over and (wake.rested or entry.node.state == "sleeping"),
    )


def _count(counts: dict[str, WakeCounts], provider: str, result: str) -> None:
    if provider in counts:
        counts[provider] = counts[provider]._replace(**{result: getattr(counts[provider], result) + 1})


def _newest(wakes: dict[str, Wake]) -> dict[str, Wake]:
    if len(wakes) <= MOST_WAKES:
        return wakes
    newest = sorted(wakes, key=lambda logical_id: (-wakes[logical_id].seen, logical_id))[:MOST_WAKES]
    return {logical_id: wakes[logical_id] for logical_id in newest}
