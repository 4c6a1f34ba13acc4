"""A judgement that stands from one read to the next is the one that would be made anew."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from exporter.records import Attempt, RolloutCount, Store, Worker, WorkerReport
from exporter.records.reading import StoreReading
from exporter.state.consistency import Recent
from exporter.state.worker_tables import judge_workers

NOW = 1_795_330_870.0
TIMEOUT, FORGET = 45.0, 600.0

REPORTS = [
    WorkerReport("f", "w", word, heartbeat, dequeue, None, idle, rollout, rollout and "at", snapshot_at=taken)
    for word, heartbeat, dequeue, idle, rollout, taken in [
        ("idle", NOW, NOW - 5, NOW - 90, None, NOW + 1),
        ("busy", NOW - 40, None, None, "ro", None),
        ("busy", None, NOW - 30, None, "ro", None),
        ("unknown", NOW - 45, None, None, None, NOW - 45),
        ("unknown", NOW - 500, NOW - 20, 5.0, None, None),
        ("sleepy", NOW + 30, None, None, None, None),
        ("idle", None, None, None, None, None),
    ]
]
ATTEMPTS = [None, Attempt("f", "ro", "at", "running", "w", None), Attempt("f", "ro", "at", "timeout", "w", NOW + 100)]
SECONDS = st.sampled_from([0.0, 0.0005, 1.0, 5.0, 15.0, 25.0, 44.9995, 45.0, 45.0005, 300.0, 555.0, 600.0, -20.0])
TOLD = st.tuples(
    st.sampled_from(range(len(REPORTS))),
    st.sampled_from(range(len(ATTEMPTS))),
    st.sampled_from([None, None, None, (NOW - 60.0, NOW - 20.0), (NOW + 20.0, NOW + 70.0)]),
)
RUNS = st.tuples(TOLD, st.lists(SECONDS, min_size=1, max_size=4))
"""What is told at several reads in a row, and the seconds before each."""


def reading(read_at: float, report: int, attempt: int, outage: tuple[float, float] | None) -> StoreReading:
    held = ATTEMPTS[attempt]
    attempts = {} if held is None else {"w": held}
    return StoreReading(
        store=Store("f", None), workers=(REPORTS[report],), read_at=read_at, attempts=attempts, outage=outage
    )


@settings(max_examples=400)
@given(st.lists(RUNS, min_size=1, max_size=3))
def test_it_is_the_one_that_would_be_made_anew(runs: list[Any]) -> None:
    recent, read_at = Recent(), NOW
    for told, waits in runs:
        for seconds in waits:
            read_at += seconds
            said = reading(read_at, *told)
            tables, recent = judge_workers(said, TIMEOUT, FORGET, recent)
            bare = recent.senders.bare
            anew, _ = judge_workers(said, TIMEOUT, FORGET, Recent(senders=recent.senders._replace(bare=bare)))
            assert tables[Worker] == anew[Worker]


NAMES = st.sampled_from([f"w{number}" for number in range(12)])
CHANGES = st.fixed_dictionaries(
    {
        "says": st.dictionaries(NAMES, st.sampled_from(range(len(REPORTS))), max_size=3),
        "goes": st.sets(NAMES, max_size=1),
        "holds": st.dictionaries(NAMES, st.sampled_from(range(len(ATTEMPTS))), max_size=2),
        "seconds": SECONDS,
        "outage": st.sampled_from([None, None, None, (NOW - 60.0, NOW - 20.0)]),
    }
)
"""What changes in a store between two reads: who says something new, perhaps for the first time, and who goes."""


@settings(max_examples=400)
@given(st.dictionaries(NAMES, st.sampled_from(range(len(REPORTS))), min_size=9), st.lists(CHANGES, max_size=6))
def test_a_fleet_that_is_judged_from_read_to_read_is_as_one_that_is_judged_anew(
    first: dict[str, int], changes: list[dict[str, Any]]
) -> None:
    listed: dict[str, WorkerReport] = {}
    attempts: dict[str, Attempt] = {}
    recent, read_at = Recent(), NOW
    start = {"says": first, "goes": (), "holds": {}, "seconds": 0.0, "outage": None}
    for change in [start, *changes]:
        read_at += change["seconds"]
        for name in change["goes"]:
            listed.pop(name, None)
        for name, number in change["says"].items():
            listed[name] = structs.replace(REPORTS[number], worker=name)
        for name, number in change["holds"].items():
            attempts[name] = ATTEMPTS[number] or Attempt("f", "ro", "at", "running", name, NOW)
        said = StoreReading(
            store=Store("f", None),
            workers=tuple(listed.values()),
            read_at=read_at,
            attempts=dict(attempts),
            rollouts=(RolloutCount("f", "running", 1),),
            active=(Attempt("f", "ro", "at", "running", "w1", None),),
            outage=change["outage"],
            lists_workers=bool(listed),
        )
        anew = judge_workers(said, TIMEOUT, FORGET, Recent(recent.senders, recent.doubtful))
        tables, recent = judge_workers(said, TIMEOUT, FORGET, recent)
        assert tables == anew[0]
        assert (recent.senders, recent.doubtful) == (anew[1].senders, anew[1].doubtful)


@pytest.mark.parametrize("at", [0.0, 1.0, 5.0])
def test_what_stands_is_the_same_object_and_so_is_its_table(at: float) -> None:
    first, recent = judge_workers(reading(NOW, 0, 0, None), TIMEOUT, FORGET, Recent())
    then, recent = judge_workers(reading(NOW + at, 0, 0, None), TIMEOUT, FORGET, recent)
    assert then[Worker] is first[Worker]
    later, _ = judge_workers(reading(NOW + TIMEOUT + 1, 0, 0, None), TIMEOUT, FORGET, recent)
    assert [row.status for row in later[Worker] if isinstance(row, Worker)] == ["unknown"]


def test_a_limit_that_rounding_puts_before_the_read_is_still_to_come() -> None:
    heard, read_at = 0.4389616300445631, 45.43896163004457
    assert heard + TIMEOUT < read_at
    assert read_at - heard <= TIMEOUT
    report = WorkerReport("f", "w", "idle", heard)
    recent, found = Recent(), []
    for now in (read_at, read_at + 1):
        said = StoreReading(store=Store("f", None), workers=(report,), read_at=now)
        tables, recent = judge_workers(said, TIMEOUT, FORGET, recent)
        found += [row.status for row in tables[Worker] if isinstance(row, Worker)]
    assert found == ["idle", "unknown"]
