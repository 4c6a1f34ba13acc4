"""One worker id used from two places: who comes back to where it was, and nobody else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.records import WorkerReport
from exporter.records.table import others
from exporter.state.sharing import ASTRAY, KEPT, MOST, PLACES, Senders, follow

NOW = 1_795_330_870.0
HOUR = 3600.0


def beat(at: float, host: str | None = "a", ahead: float | None = 0.0, worker: str = "w", **said: Any) -> WorkerReport:
    """A report of a worker after a heartbeat whose snapshot is `ahead` of the store's clock."""
    taken = None if ahead is None else NOW + at + ahead
    more: dict[str, Any] = {"last_heartbeat": NOW + at, "snapshot_at": taken, **said}
    return WorkerReport(fleet="f", worker=worker, word="idle", host=host, **more)


def read(before: Senders, reports: Sequence[WorkerReport]) -> Senders:
    """Follow reports that are read 3 s after the newest heartbeat."""
    heard = reports[-1].last_heartbeat if reports else None
    now = before.read_at if heard is None else heard + 3
    return follow(before, reports, now, others(before.reports, reports))


def shared(*reads: WorkerReport | Sequence[WorkerReport]) -> list[list[str]]:
    """The shared ids after each of some reads."""
    senders, found = Senders(), []
    for each in reads:
        senders = read(senders, [each] if isinstance(each, WorkerReport) else each)
        found.append(senders.shared())
    return found


TOLD: dict[str, tuple[Sequence[WorkerReport], bool]] = {
    "one host": ([beat(0), beat(10), beat(20), beat(30)], False),
    "there and back": ([beat(0, "a"), beat(10, "b"), beat(20, "a")], True),
    "a restart elsewhere": ([beat(0, "a"), beat(10, "b"), beat(20, "b"), beat(30, "b")], False),
    "two restarts elsewhere": ([beat(0, "a"), beat(10, "b"), beat(20, "c")], False),
    "three in a circle": ([beat(0, "a"), beat(10, "b"), beat(20, "c"), beat(30, "a")], True),
    "back after a long time": ([beat(0, "a"), beat(10, "b"), beat(10 + KEPT + 1, "a")], False),
    "back in time": ([beat(0, "a"), beat(10, "b"), beat(KEPT, "a")], True),
    "a store that forgets it for a read": (
        [beat(0, "a"), beat(5, None, None, last_heartbeat=None), beat(10, "b"), beat(20, "a")],
        False,
    ),
    "two zones under one host name": ([beat(0), beat(10, ahead=-5 * HOUR), beat(20)], True),
    "two zones without a host name": ([beat(0, None), beat(10, None, -5 * HOUR), beat(20, None)], True),
    "two clocks an hour apart that swap": ([beat(0), beat(10, ahead=HOUR), beat(20)], True),
    "a clock that was set": ([beat(0), beat(10, ahead=-HOUR), beat(20, ahead=-HOUR), beat(30, ahead=-HOUR)], False),
    "a clock that was set twice": ([beat(0), beat(10, ahead=-HOUR), beat(20, ahead=HOUR)], False),
    "a heartbeat that was held up": ([beat(0), beat(130, ahead=-ASTRAY + 1), beat(140)], False),
    "clocks too near each other to be told apart": ([beat(0), beat(10, ahead=ASTRAY), beat(20)], False),
    "no snapshots": ([beat(0, None, None), beat(10, None, None), beat(20, None, None)], False),
    "snapshots without a time": ([beat(0, "a", None), beat(10, "b", None), beat(20, "a", None)], True),
    "one of two says no host": ([beat(0, "a"), beat(10, None), beat(20, "a")], False),
    "the same heartbeat again": ([beat(0, "a"), beat(10, "b"), beat(10, "a")], False),
    "few snapshots among many heartbeats": (
        [beat(0), beat(200, ahead=-200), beat(400, ahead=-400), beat(410), beat(900, ahead=-490), beat(910)],
        False,
    ),
    "who never sent one": ([beat(0, None, None, last_heartbeat=None)] * 3, False),
}


@pytest.mark.parametrize(("reads", "expected"), TOLD.values(), ids=TOLD)
def test_an_id_is_shared_when_its_heartbeats_come_back(reads: Sequence[WorkerReport], expected: bool) -> None:
    assert shared(*reads)[-1] == (["w"] if expected else [])
    assert not any(shared(*reads)[:-1])


def test_it_is_told_for_some_minutes_after_the_last_return() -> None:
    quiet = [beat(20 + seconds, "a") for seconds in (10, KEPT - 1, KEPT, KEPT + 1)]
    assert shared(beat(0, "a"), beat(10, "b"), beat(20, "a"), *quiet)[3:] == [["w"], ["w"], ["w"], []]


def test_what_is_remembered_is_forgotten_in_time_and_bounded() -> None:
    senders = read(read(Senders(), [beat(0, "a")]), [beat(10, "b")])
    assert list(senders.trails) == ["w"]
    assert read(senders, [beat(15 + KEPT, "b")]).trails == {}
    assert read(senders, []).trails == {}
    for number in range(20):
        senders = read(senders, [beat(20 + 10 * number, f"host-{number}")])
    assert len(senders.trails["w"].left) == PLACES


def test_only_so_many_ids_are_followed_and_those_are_followed_on() -> None:
    names = [f"w{number}" for number in range(MOST + 5)]
    reads = [[beat(10 * n, host, worker=name) for name in names] for n, host in enumerate("aba")]
    assert shared(*reads)[-1] == names[:MOST]


def test_workers_are_told_apart_whatever_their_order_and_number() -> None:
    first = [beat(0, "a", worker="v"), beat(0, "x", worker="w")]
    second = [beat(10, "y", worker="w"), beat(10, "n", worker="u"), beat(10, "a", worker="v")]
    third = [beat(20, "a", worker="v"), beat(20, "x", worker="w")]
    assert shared(first, second, third)[-1] == ["w"]


def test_a_heartbeat_without_a_new_snapshot_is_bare_until_the_next_one() -> None:
    taken = NOW
    reads = [
        beat(0),
        beat(10, snapshot_at=taken),
        beat(10, snapshot_at=taken),
        beat(20, snapshot_at=taken),
        beat(30),
        beat(30),
        beat(40, "a", None),
    ]
    senders, bare = Senders(), []
    for each in reads:
        senders = read(senders, [each])
        bare.append("w" in senders.bare)
    assert bare == [False, True, True, True, False, False, False]


steady = st.tuples(st.floats(0.1, 400), st.floats(-1, 1), st.booleans())


@given(st.lists(steady, max_size=30), st.sampled_from(["a", None]), st.floats(-1e5, 1e5))
def test_one_process_is_never_shared_however_it_beats(beats: list[Any], host: str | None, ahead: float) -> None:
    """Its clock is off by anything, beats are late by up to a minute, and some bring no snapshot."""
    at, taken, reads = 0.0, None, []
    for gap, jitter, bare in beats:
        at += gap
        taken = taken if bare and taken is not None else NOW + at + ahead - 60 * abs(jitter)
        reads.append(beat(at, host, snapshot_at=taken))
    assert not any(shared(*reads))


@given(st.lists(st.sampled_from("ab"), min_size=1, max_size=30))
def test_of_two_hosts_it_is_told_with_the_first_return(hosts: list[str]) -> None:
    """Reads come every 10 s, so that a return is never later than the memory lasts."""
    found = shared(*(beat(10.0 * number, host) for number, host in enumerate(hosts)))
    changes = [number for number in range(1, len(hosts)) if hosts[number] != hosts[number - 1]]
    assert [bool(each) for each in found] == [len(changes) > 1 and number >= changes[1] for number in range(len(hosts))]
