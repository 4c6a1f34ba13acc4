"""The effective status of a worker: every row of the rules, and what is evidence of life."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.records import WORKER_STATUSES, Assignment, Attempt, Worker, WorkerCount, WorkerGpu, WorkerReport
from exporter.records.reading import StoreReading
from exporter.records.worker import Store
from exporter.state.fleet import Fleet, Limits, WorkerRules
from exporter.state.worker import WorkerVerdict, silence, telemetry_stale, worker_status
from exporter.state.worker_tables import count_workers, drift_of, worker_tables

NOW = 1_000_000.0
TIMEOUT = 45.0
FORGET = 86_400.0
LONG_AGO = NOW - 5000


def report(word: str = "idle", **said: Any) -> WorkerReport:
    return WorkerReport(**{"fleet": "f", "worker": "w", "word": word, **said})


def attempt(status: str = "running", last_heartbeat: float | None = None, name: str = "at-1") -> Attempt:
    return Attempt("f", "ro-1", name, status, "w", last_heartbeat)


def reading(*reports: WorkerReport, **more: Any) -> StoreReading:
    return StoreReading(store=Store("f", None), workers=reports, read_at=NOW, **more)


HELD = {"rollout": "ro-1", "attempt": "at-1"}
WORKED = {"last_heartbeat": NOW - 3, "last_dequeue": NOW - 60, "last_busy": NOW - 60, "last_idle": NOW - 30}
RELAYED = {
    "first heartbeat of a new worker": (report("unknown", last_heartbeat=NOW), None, "unknown", "heartbeat_only"),
    "heartbeat of an idle one": (report("idle", **WORKED), None, "idle", "reported"),
    "heartbeat of a busy one": (report("busy", **WORKED, **HELD), attempt(), "busy", "reported"),
    "dequeue with work": (report("busy", last_dequeue=NOW, last_busy=NOW, **HELD), attempt(), "busy", "reported"),
    "dequeue without work": (report("idle", last_dequeue=NOW, last_idle=LONG_AGO), None, "idle", "reported"),
    "attempt preparing": (report("busy", last_busy=NOW, **HELD), attempt("preparing"), "busy", "reported"),
    "attempt running": (report("busy", last_busy=NOW, **HELD), attempt("running"), "busy", "reported"),
    "attempt succeeded": (report("idle", **WORKED), attempt("succeeded"), "idle", "reported"),
    "attempt failed": (report("idle", **WORKED), attempt("failed"), "idle", "reported"),
    "attempt timeout": (report("unknown", **WORKED), attempt("timeout"), "unknown", "attempt_timeout"),
    "attempt unresponsive": (report("unknown", **WORKED), attempt("unresponsive"), "unknown", "attempt_unresponsive"),
    "attempt flagged, then seen running": (report("unknown", **WORKED), attempt(), "unknown", "attempt_flagged"),
    "attempt flagged, status unknown": (report("unknown", **WORKED), attempt(""), "unknown", "attempt_flagged"),
    "attempt flagged, never seen": (report("unknown", **WORKED), None, "unknown", "attempt_flagged"),
    "a word that is none": (report("sleepy", **WORKED), None, "unknown", "unrecognised"),
    "the empty word": (report("", **WORKED), None, "unknown", "unrecognised"),
    "idle with a stale assignment": (report("idle", **WORKED, **HELD), None, "idle", "reported"),
}


@pytest.mark.parametrize(("said", "held", "status", "reason"), RELAYED.values(), ids=RELAYED)
def test_what_the_store_says_of_a_live_worker(
    said: WorkerReport, held: Attempt | None, status: str, reason: str
) -> None:
    assert worker_status(said, held, NOW, TIMEOUT) == WorkerVerdict(status, reason, None)


EVIDENCE = ["last_heartbeat", "last_dequeue", "last_busy"]
AGES = {"at the timeout": (TIMEOUT, "idle"), "just after": (TIMEOUT + 0.001, "unknown"), "fresh": (0.0, "idle")}


@pytest.mark.parametrize(("age", "status"), AGES.values(), ids=AGES)
@pytest.mark.parametrize("field", EVIDENCE)
def test_silent_is_older_than_the_timeout(field: str, age: float, status: str) -> None:
    stale = {other: LONG_AGO for other in EVIDENCE if other != field}
    verdict = worker_status(report("idle", **stale, **{field: NOW - age}), None, NOW, TIMEOUT)
    assert (verdict.status, verdict.reason) == (status, "silent" if status == "unknown" else "reported")


@pytest.mark.parametrize("field", EVIDENCE)
def test_evidence_from_the_future_has_age_0(field: str) -> None:
    assert silence(report(**{field: NOW + 300}), None, NOW) == 0.0


def test_any_one_piece_of_evidence_is_enough() -> None:
    for field in EVIDENCE:
        assert silence(report(**{field: NOW - 7}), None, NOW) == 7.0


def test_without_any_evidence_a_worker_is_silent() -> None:
    assert silence(report(last_idle=NOW), None, NOW) == float("inf")
    assert worker_status(report("idle"), None, NOW, TIMEOUT) == WorkerVerdict("unknown", "silent", "idle")


def test_last_idle_is_no_evidence() -> None:
    said = report("unknown", last_heartbeat=LONG_AGO, last_dequeue=LONG_AGO, last_busy=LONG_AGO, last_idle=NOW)
    assert worker_status(said, attempt("timeout"), NOW, TIMEOUT) == WorkerVerdict("unknown", "silent")


ATTEMPTS = {
    "of the attempt it holds": (HELD, attempt("running", NOW - 1), 1.0),
    "from the future": (HELD, attempt("running", NOW + 9), 0.0),
    "of another attempt": (HELD, attempt("running", NOW - 1, name="at-2"), NOW - LONG_AGO),
    "of one that it lost": ({}, attempt("timeout", NOW - 1), NOW - LONG_AGO),
    "never sent": (HELD, attempt("running", None), NOW - LONG_AGO),
}


@pytest.mark.parametrize(("held", "found", "expected"), ATTEMPTS.values(), ids=ATTEMPTS)
def test_an_attempts_heartbeat_counts_while_the_worker_holds_it(
    held: dict[str, str], found: Attempt, expected: float
) -> None:
    assert silence(report("busy", last_heartbeat=LONG_AGO, **held), found, NOW) == expected


OVERRIDDEN = {"idle": "idle", "busy": "busy", "unknown": None, "sleepy": None, "": None}


@pytest.mark.parametrize(("word", "reported"), OVERRIDDEN.items(), ids=[word or "empty" for word in OVERRIDDEN])
def test_silence_comes_first_and_keeps_what_the_store_claims(word: str, reported: str | None) -> None:
    said = report(word, last_heartbeat=LONG_AGO)
    assert worker_status(said, attempt("timeout"), NOW, TIMEOUT) == WorkerVerdict("unknown", "silent", reported)


ORDER = {
    "silent before unrecognised": (report("sleepy", last_heartbeat=LONG_AGO), None, "silent"),
    "silent before attempt": (report("unknown", last_busy=LONG_AGO, last_idle=NOW), attempt("timeout"), "silent"),
    "silent before heartbeat_only": (report("unknown", last_heartbeat=LONG_AGO), None, "silent"),
    "unrecognised before attempt": (report("sleepy", **WORKED), attempt("timeout"), "unrecognised"),
    "unrecognised before heartbeat_only": (report("sleepy", last_heartbeat=NOW), None, "unrecognised"),
    "attempt before heartbeat_only": (
        report("unknown", last_heartbeat=NOW, last_idle=NOW),
        attempt("unresponsive"),
        "attempt_unresponsive",
    ),
    "heartbeat_only last": (report("unknown", last_heartbeat=NOW), attempt("timeout"), "heartbeat_only"),
}


@pytest.mark.parametrize(("said", "held", "reason"), ORDER.values(), ids=ORDER)
def test_order_of_reasons(said: WorkerReport, held: Attempt | None, reason: str) -> None:
    assert worker_status(said, held, NOW, TIMEOUT).reason == reason


@pytest.mark.parametrize("field", ["last_dequeue", "last_busy", "last_idle"])
def test_heartbeat_only_means_nothing_else_ever(field: str) -> None:
    verdict = worker_status(report("unknown", last_heartbeat=NOW, **{field: NOW}), None, NOW, TIMEOUT)
    assert verdict.reason == "attempt_flagged"


STALE = {
    "no heartbeat ever": (None, None),
    "fresh": (NOW, False),
    "at the timeout": (NOW - TIMEOUT, False),
    "older": (NOW - TIMEOUT - 0.001, True),
    "from the future": (NOW + 60, False),
}


@pytest.mark.parametrize(("last", "stale"), STALE.values(), ids=STALE)
def test_telemetry_stale(last: float | None, stale: bool | None) -> None:
    assert telemetry_stale(report(last_heartbeat=last), NOW, TIMEOUT) is stale


TELEMETRY = {
    "cpu_usage_ratio": 0.5,
    "memory_used_bytes": 1.0,
    "memory_total_bytes": 2.0,
    "disk_used_bytes": 3.0,
    "disk_total_bytes": 4.0,
    "network_sent_bytes": 5.0,
    "network_received_bytes": 6.0,
}


def only(said: StoreReading, forget_after: float = FORGET) -> Worker:
    (worker,) = worker_tables(said, TIMEOUT, forget_after)[Worker]
    assert isinstance(worker, Worker)
    return worker


def test_a_fresh_attempt_with_a_stale_heartbeat_is_busy_without_telemetry() -> None:
    said = report("busy", last_heartbeat=NOW - 50, host="h", **HELD, **TELEMETRY)
    gpus = (WorkerGpu("f", "w", "0", 0.1, 1.0, 2.0, 3.0),)
    told = reading(said, gpus=gpus, attempts={"w": attempt("running", NOW - 2)})
    worker = only(told)
    assert (worker.status, worker.reason, worker.telemetry_stale, worker.host) == ("busy", None, 1, "h")
    assert [getattr(worker, field) for field in TELEMETRY] == [None] * len(TELEMETRY)
    assert worker_tables(told, TIMEOUT, FORGET)[WorkerGpu] == ()


def test_telemetry_is_shown_while_heartbeats_are_fresh() -> None:
    gpus = (WorkerGpu("f", "w", "0", 0.1, 1.0, 2.0, 3.0),)
    told = reading(report("idle", last_heartbeat=NOW - TIMEOUT, **TELEMETRY), gpus=gpus)
    worker = only(told)
    assert {field: getattr(worker, field) for field in TELEMETRY} == TELEMETRY
    assert (worker.telemetry_stale, worker_tables(told, TIMEOUT, FORGET)[WorkerGpu]) == (0, gpus)


FORGOTTEN = {
    "at the limit": (NOW - FORGET, 1),
    "just after": (NOW - FORGET - 0.01, 0),
    "no evidence at all": (None, 1),
}


@pytest.mark.parametrize(("last", "left"), FORGOTTEN.values(), ids=FORGOTTEN)
def test_a_worker_silent_for_longer_than_forget_after_is_dropped(last: float | None, left: int) -> None:
    gpus = (WorkerGpu("f", "w", "0", 0.1, 1.0, 2.0, 3.0),)
    tables = worker_tables(reading(report("busy", last_heartbeat=last, **HELD), gpus=gpus), TIMEOUT, FORGET)
    assert {record.__name__: len(rows) for record, rows in tables.items()} == {
        "Worker": left,
        "WorkerGpu": 0,
        "Assignment": left,
        "Inconsistency": 0,
        "RolloutsFinished": 0,
        "Store": 1,
        "RolloutCount": 0,
        "WorkerCount": len(WORKER_STATUSES),
    }


def test_counts_are_of_all_and_a_limit_leaves_the_unknown_in_first() -> None:
    words = ["idle", "busy", "unknown", "idle", "sleepy"]
    told = reading(*(report(word, worker=f"w{n}", last_heartbeat=NOW, **HELD) for n, word in enumerate(words)))
    fleet = Fleet("f", WorkerRules(), Limits(objects=3, assignments=2))
    fleet.receive("s", told, fresh_until=1)
    tables, left_out = fleet.tables(0)
    assert [row.worker for row in tables[Worker] if isinstance(row, Worker)] == ["w2", "w4", "w1"]
    assert [row.worker for row in tables[Assignment] if isinstance(row, Assignment)] == ["w2", "w4"]
    assert (left_out[Worker], left_out[Assignment]) == (2, 3)
    counts = {row.status: row.count for row in tables[WorkerCount] if isinstance(row, WorkerCount)}
    assert counts == {"idle": 2, "busy": 1, "unknown": 2}


def test_a_fleet_without_workers_has_every_count_at_0() -> None:
    counts = [row for rows in count_workers("f", {}).values() for row in rows]
    assert [row.count for row in counts] == [0] * 10
    assert [row.status for row in counts][:3] == list(WORKER_STATUSES)


def test_a_status_that_is_none_is_drift() -> None:
    told = reading(report("sleepy"), report("idle"), report(""), drift={"workers": 3})
    assert drift_of(told) == {"workers": 3, "status": 2}
