"""What is at odds about workers: every kind, when it is told, and what looks like it and is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.records import INCONSISTENCIES, Attempt, Inconsistency, RolloutCount, Store, Worker, WorkerReport
from exporter.records.reading import StoreReading
from exporter.state.consistency import ACTIVE, MEANINGS, STALLED, Recent
from exporter.state.fleet import Fleet, Limits, WorkerRules
from exporter.state.worker_tables import judge_workers

NOW = 1_795_330_870.0
TIMEOUT, FORGET = 45.0, 86_400.0
COUNTS = (RolloutCount("f", "running", 1),)
HELD: dict[str, Any] = {"rollout": "ro-1", "attempt": "at-1"}
FRESH: dict[str, Any] = {"last_heartbeat": NOW - 3, "last_busy": NOW - 900}
SILENT: dict[str, Any] = {"last_heartbeat": NOW - 46, "last_busy": NOW - 900}


def report(word: str = "busy", worker: str = "w", **said: Any) -> WorkerReport:
    return WorkerReport(**{"fleet": "f", "worker": worker, "word": word, **FRESH, **said})


def attempt(worker: str | None = "w", name: str = "1", **said: Any) -> Attempt:
    more = {"status": "running", "last_heartbeat": None, **said}
    return Attempt("f", f"ro-{name}", f"at-{name}", more["status"], worker, more["last_heartbeat"])


def reading(reports: Sequence[WorkerReport], *active: Attempt, **more: Any) -> StoreReading:
    held = {(each.rollout, each.attempt): each for each in active}
    attempts = {each.worker: held[pair] for each in reports if (pair := (each.rollout, each.attempt)) in held}  # type: ignore[index]
    said = {"read_at": NOW, "attempts": attempts, "active": active, "rollouts": COUNTS, **more}
    return StoreReading(store=Store("f", None), workers=tuple(reports), **said)


def odds(*readings: StoreReading) -> list[set[tuple[str, str]]]:
    """What is at odds after each reading: worker and kind."""
    recent, found = Recent(), []
    for each in readings:
        tables, recent = judge_workers(each, TIMEOUT, FORGET, recent)
        rows = [row for row in tables[Inconsistency] if isinstance(row, Inconsistency)]
        assert len({(row.worker, row.kind) for row in rows}) == len(rows)
        assert [row.rank for row in rows] == sorted(row.rank for row in rows)
        found.append({(row.worker, row.kind) for row in rows})
    return found


def test_every_kind_has_its_words() -> None:
    assert set(MEANINGS) == set(INCONSISTENCIES)


LASTING: dict[str, tuple[StoreReading, set[tuple[str, str]]]] = {
    "busy, and holds what is its own": (reading([report(**HELD)], attempt()), set()),
    "idle, and nothing runs": (reading([report("idle")]), set()),
    "idle, and its rollout runs": (reading([report("idle")], attempt()), {("w", "held_by_idle")}),
    "idle, and its rollout is prepared": (
        reading([report("idle")], attempt(status="preparing")),
        {("w", "held_by_idle")},
    ),
    "not listed, and its rollout runs": (reading([report("idle", "v")], attempt("w")), {("w", "held_by_gone")}),
    "nobody is said to run it": (reading([report("idle")], attempt(None)), set()),
    "silent with an assignment": (reading([report(**SILENT, **HELD)], attempt()), {("w", "held_by_unknown")}),
    "silent with an assignment, in a registry": (
        reading([report(**SILENT, **HELD)], rollouts=()),
        {("w", "held_by_unknown")},
    ),
    "silent, and its rollout runs": (reading([report("idle", **SILENT)], attempt()), {("w", "held_by_unknown")}),
    "silent, and was idle with a stale assignment": (reading([report("idle", **SILENT, **HELD)]), set()),
    "heartbeat only, and its rollout runs": (
        reading([report("unknown", last_busy=None)], attempt()),
        {("w", "held_by_unknown")},
    ),
    "flagged, and its rollout was queued again": (reading([report("unknown")]), set()),
    "a word that is none, with an assignment": (reading([report("sleepy", **HELD)]), {("w", "held_by_unknown")}),
    "silent for so long that it is forgotten": (
        reading([report(last_heartbeat=NOW - FORGET - 1, last_busy=None, **HELD)], attempt()),
        set(),
    ),
    "one of two attempts is of somebody else": (
        reading([report(**HELD), report("idle", "v")], attempt(), attempt("v", "2"), attempt("v", "3")),
        {("v", "held_by_idle")},
    ),
    "busy with another rollout": (reading([report(**HELD)], attempt(), attempt(name="2")), set()),
    "two on one attempt": (
        reading([report(**HELD), report(worker="v", **HELD)], attempt()),
        {("w", "shared_attempt"), ("v", "shared_attempt")},
    ),
    "two on attempts of one name": (
        reading([report(**HELD), report(worker="v", rollout="ro-2", attempt="at-1")]),
        set(),
    ),
    "two on attempts of one rollout": (
        reading([report(**HELD), report(worker="v", rollout="ro-1", attempt="x")]),
        set(),
    ),
    "idle beside one on the same attempt": (reading([report(**HELD), report("idle", "v", **HELD)]), set()),
    "three on one attempt, one of them silent": (
        reading([report(**HELD), report(worker="v", **HELD), report(worker="u", **SILENT, **HELD)], attempt()),
        {("w", "shared_attempt"), ("v", "shared_attempt"), ("u", "shared_attempt"), ("u", "held_by_unknown")},
    ),
    "a malformed worker is left out of the list": (
        reading([report("idle", "v")], attempt("w"), drift={"workers": 1}),
        set(),
    ),
}


@pytest.mark.parametrize(("told", "expected"), LASTING.values(), ids=LASTING)
def test_what_two_reads_in_a_row_show(told: StoreReading, expected: set[tuple[str, str]]) -> None:
    assert odds(told, told) == [set(), expected]


BETWEEN = {
    "handed out between the pages": reading([report("idle")], attempt()),
    "a new worker between the pages": reading([report("idle", "v")], attempt()),
    "passed on between the pages": reading([report(**HELD), report(worker="v", **HELD)], attempt("v")),
}
AFTER = reading([report(**HELD)], attempt())


@pytest.mark.parametrize("changed", BETWEEN.values(), ids=BETWEEN)
def test_what_a_store_changed_between_its_pages_is_never_told(changed: StoreReading) -> None:
    assert odds(AFTER, changed, AFTER, changed, AFTER) == [set()] * 5


def test_two_reads_must_show_the_same_attempt() -> None:
    first, second = reading([report("idle")], attempt()), reading([report("idle")], attempt(name="2"))
    assert odds(first, second, first, second) == [set()] * 4
    told = "w", "held_by_idle"
    assert odds(first, first, second, second, AFTER, first, first) == [
        set(),
        {told},
        set(),
        {told},
        set(),
        set(),
        {told},
    ]


def test_what_an_idle_worker_held_is_told_on_as_that_of_a_silent_one() -> None:
    idle, silent = reading([report("idle")], attempt()), reading([report("idle", **SILENT)], attempt())
    assert odds(idle, idle, silent) == [set(), {("w", "held_by_idle")}, {("w", "held_by_unknown")}]


AT_ONCE: dict[str, tuple[StoreReading, bool]] = {
    "busy without an assignment": (reading([report()]), True),
    "busy with half of one": (reading([report(rollout="ro-1")]), True),
    "of a registry, whose workers need none": (reading([report()], rollouts=()), False),
    "idle": (reading([report("idle")]), False),
    "silent, and was busy": (reading([report(**SILENT)]), False),
}


@pytest.mark.parametrize(("told", "expected"), AT_ONCE.values(), ids=AT_ONCE)
def test_busy_without_an_assignment_is_told_at_once(told: StoreReading, expected: bool) -> None:
    assert odds(told)[0] == ({("w", "busy_unassigned")} if expected else set())


LONG = STALLED * TIMEOUT
STALLS: dict[str, tuple[dict[str, Any], Attempt | None, bool]] = {
    "at the limit": ({}, attempt(last_heartbeat=NOW - LONG), False),
    "just after": ({}, attempt(last_heartbeat=NOW - LONG - 0.01), True),
    "while it is prepared": ({}, attempt(status="preparing", last_heartbeat=NOW - LONG - 1), True),
    "a span a minute ago": ({}, attempt(last_heartbeat=NOW - 60), False),
    "never a span": ({}, attempt(), False),
    "the attempt was reported on since": ({"last_busy": NOW - LONG}, attempt(last_heartbeat=NOW - LONG - 9), False),
    "no word of when it was busy": ({"last_busy": None}, attempt(last_heartbeat=NOW - LONG - 9), True),
    "telemetry is dead too": (
        {"last_heartbeat": NOW - 46, "last_dequeue": NOW - 1},
        attempt(last_heartbeat=0.0),
        False,
    ),
    "no telemetry at all": ({"last_heartbeat": None, "last_dequeue": NOW}, attempt(last_heartbeat=0.0), False),
    "the worker is silent": (SILENT, attempt(last_heartbeat=0.0), False),
    "another attempt": ({}, attempt(name="2", last_heartbeat=0.0), False),
    "a finished attempt": ({}, attempt(status="succeeded", last_heartbeat=0.0), False),
    "an unknown attempt": ({}, None, False),
    "idle with a stale assignment": ({"word": "idle"}, attempt(last_heartbeat=0.0), False),
}


@pytest.mark.parametrize(("said", "held", "expected"), STALLS.values(), ids=STALLS)
def test_an_attempt_is_stalled_when_spans_stopped_for_long_under_a_live_worker(
    said: dict[str, Any], held: Attempt | None, expected: bool
) -> None:
    attempts = {} if held is None else {"w": held}
    found = odds(reading([report(**{**HELD, **said})], attempts=attempts))[0]
    assert (("w", "attempt_stalled") in found) == expected


def test_the_time_in_which_a_store_was_away_stalls_no_attempt() -> None:
    held = attempt(last_heartbeat=NOW - LONG - 60)
    told = reading([report(**HELD)], held, outage=(NOW - 100, NOW - 30))
    assert odds(told) == [set()]


def test_a_fleet_tells_from_read_to_read_and_says_what_shows_it() -> None:
    fleet = Fleet("f", WorkerRules(), Limits())
    told = reading([report("idle")], attempt("v"), attempt("v", "2"), attempt("w"))
    for number in range(2):
        fleet.receive("s", StoreReading(**{name: getattr(told, name) for name in told.__struct_fields__}), 9)
        for _ in range(2):
            tables, _ = fleet.tables(number)
    gone, idle = tables[Inconsistency]
    assert gone == Inconsistency("f", "v", "held_by_gone", "ro-1", "at-1")
    assert idle == Inconsistency("f", "w", "held_by_idle", "ro-1", "at-1")


def test_a_shared_id_is_told_while_it_is_listed() -> None:
    hosts = [
        report(worker="w", host=host, last_heartbeat=NOW - 5 + n, snapshot_at=NOW + n) for n, host in enumerate("aba")
    ]
    other = report("idle", "v")
    reads = [reading([other, each], rollouts=()) for each in hosts]
    left = reading([other], rollouts=())
    assert odds(*reads, left, reads[-1]) == [set(), set(), {("w", "shared_id")}, set(), {("w", "shared_id")}]


def test_attempts_of_different_rollouts_may_have_one_name() -> None:
    """A registry's clients name their own."""
    held = {"u": "ro-1", "v": "ro-2", "w": "ro-2"}
    told = reading(
        [report(worker=worker, rollout=rollout, attempt="1") for worker, rollout in held.items()], rollouts=()
    )
    assert odds(told, told)[1] == {("v", "shared_attempt"), ("w", "shared_attempt")}


def test_a_limit_leaves_the_worst_in() -> None:
    fleet = Fleet("f", WorkerRules(), Limits(objects=1))
    for number in range(2):
        fleet.receive("s", reading([report(), report("idle", "v")], attempt("u"), attempt("v", "2")), 9)
        tables, left_out = fleet.tables(number)
    assert [row.kind for row in tables[Inconsistency] if isinstance(row, Inconsistency)] == ["held_by_gone"]
    assert left_out[Inconsistency] == 2
    assert left_out[Worker] == 1


names = st.sampled_from(["u", "v", "w"])
pairs = st.sampled_from([("ro-1", "at-1"), ("ro-2", "at-2"), (None, None), ("ro-1", None)])
reports = st.builds(
    lambda worker, word, pair, age: report(word, worker, rollout=pair[0], attempt=pair[1], last_heartbeat=NOW - age),
    names,
    st.sampled_from(["idle", "busy", "unknown", "odd"]),
    pairs,
    st.sampled_from([0.0, 44.0, 46.0, FORGET * 2]),
)
actives = st.builds(
    lambda worker, name, age: attempt(worker, name, last_heartbeat=age),
    st.none() | names,
    st.sampled_from("12"),
    st.none() | st.just(0.0),
)
told = st.builds(
    lambda workers, active: reading(workers, *active),
    st.lists(reports, max_size=4, unique_by=lambda each: each.worker),
    st.lists(actives, max_size=4, unique_by=lambda each: each.rollout),
)


@given(st.lists(told, max_size=5))
def test_whatever_is_read_rows_are_unique_the_worst_first_and_right_about_who_holds(
    history: list[StoreReading],
) -> None:
    for found, said in zip(odds(*history), history, strict=True):
        listed = {each.worker: each for each in said.workers}
        said_to_hold = {each.worker for each in said.active if each.status in ACTIVE}
        for worker, kind in found:
            if kind == "held_by_gone":
                assert worker not in listed
                assert worker in said_to_hold
            if kind == "held_by_idle":
                assert listed[worker].word == "idle"
            if kind == "shared_attempt":
                assert (
                    sum(
                        (each.rollout, each.attempt) == (listed[worker].rollout, listed[worker].attempt)
                        for each in said.workers
                    )
                    > 1
                )
