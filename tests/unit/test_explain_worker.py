"""Why a worker has its status: the evidence says what the tables say, and an id finds the worker that is meant."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given

from exporter.explain.worker_lookup import WorkerLookup
from exporter.exposition.labels import guard
from exporter.records import Inconsistency, Worker, WorkerMemory
from exporter.records.reading import StoreReading
from exporter.records.worker_evidence import UnknownWorker, WorkerEvidence, WorkerName
from exporter.state.evidence import FleetEvidence
from exporter.state.fleet import Fleet, Limits, WorkerRules
from exporter.state.history import History
from exporter.state.worker import FLAGGED
from exporter.state.worker_words import REASONS
from tests.unit.test_consistency import HELD, NOW, SILENT, attempt, reading, report, told
from tests.unit.test_worker_rules import RELAYED


def fleet_of(*readings: StoreReading, name: str = "f", fresh_until: float = 15) -> Fleet:
    fleet = Fleet(name, WorkerRules(), Limits())
    for each in readings:
        fleet.receive("trainer:4747", msgspec.structs.replace(each), fresh_until, at=0)
        fleet.tables(0)
    return fleet


def explained(fleet: Fleet, worker: str = "w", now: float = 2.0) -> WorkerEvidence:
    found = fleet.evidence.workers.of(worker, now, 1000 + now)
    assert found is not None
    return found


@given(told, told)
def test_the_evidence_is_what_the_tables_say(before: StoreReading, last: StoreReading) -> None:
    fleet = fleet_of(before, last)
    tables, _ = fleet.tables(0)
    rows = {row.worker: row for row in tables[Worker] if isinstance(row, Worker)}
    odd = [row for row in tables[Inconsistency] if isinstance(row, Inconsistency)]
    for name in {each.worker for each in last.workers} | {row.worker for row in odd}:
        found = explained(fleet, name)
        assert [each.kind for each in found.inconsistencies] == [row.kind for row in odd if row.worker == name]
        if name not in rows:
            assert (found.status, found.forgotten) == (None, any(each.worker == name for each in last.workers))
            continue
        row = rows[name]
        assert (found.status, found.reported, found.host) == (row.status, row.reported, row.host)
        assert row.reason == (found.reason if found.status == "unknown" else None)
        assert (found.clock_skew_seconds, found.telemetry_stale) == (row.clock_skew_seconds, bool(row.telemetry_stale))
        assert REASONS[found.reason or ""] == found.rule


def test_every_rule_has_its_words() -> None:
    reasons = {reason for _, _, _, reason in RELAYED.values()} | {"silent", *FLAGGED.values(), "attempt_flagged"}
    assert set(REASONS) == reasons


def test_a_runner_that_was_killed_while_busy() -> None:
    killed = reading(
        [report(**SILENT, **HELD, last_dequeue=NOW - 910, last_idle=NOW - 1)], attempt(last_heartbeat=NOW - 50)
    )
    found = explained(fleet_of(killed, killed), now=4)
    assert (found.status, found.reason, found.reported, found.word) == ("unknown", "silent", "busy", "busy")
    assert (found.source, found.fresh, found.read_at, found.read_seconds_ago) == ("trainer:4747", True, NOW, 4.0)
    assert (found.silence_seconds, found.heartbeat_timeout_seconds, found.outage_seconds) == (46.0, 45.0, 0.0)
    assert [(sign.what, sign.age_seconds, sign.counts, sign.newest) for sign in found.signs] == [
        ("heartbeat", 46.0, True, True),
        ("dequeue", 910.0, True, False),
        ("busy", 900.0, True, False),
        ("attempt_heartbeat", 50.0, True, False),
        ("idle", 1.0, False, False),
    ]
    assert (found.rollout, found.attempt, found.attempt_status) == ("ro-1", "at-1", "running")
    assert [(each.kind, each.rollout, each.attempt) for each in found.inconsistencies] == [
        ("held_by_unknown", "ro-1", "at-1")
    ]


def test_a_worker_whose_telemetry_is_dead_lives_by_its_attempt() -> None:
    found = explained(fleet_of(reading([report(**SILENT, **HELD)], attempt(last_heartbeat=NOW - 2))))
    assert (found.status, found.telemetry_stale, found.silence_seconds) == ("busy", True, 2.0)
    assert [sign.what for sign in found.signs if sign.newest] == ["attempt_heartbeat"]


def test_the_attempt_that_was_taken_away_is_no_sign_of_life() -> None:
    flagged = reading([report("unknown")], attempts={"w": attempt(status="timeout", last_heartbeat=NOW)})
    found = explained(fleet_of(flagged))
    assert (found.reason, found.attempt_status) == ("attempt_timeout", "timeout")
    assert [sign.at for sign in found.signs if sign.what == "attempt_heartbeat"] == [None]


def test_an_outage_is_said_and_does_not_count() -> None:
    away = reading([report("idle", last_heartbeat=NOW - 100, last_busy=None)], outage=(NOW - 90, NOW - 10))
    found = explained(fleet_of(away))
    assert (found.status, found.silence_seconds, found.outage_seconds) == ("idle", 100.0, 80.0)


def test_without_any_evidence_there_is_no_age() -> None:
    found = explained(fleet_of(reading([report("idle", last_heartbeat=None, last_busy=None)])))
    assert (found.status, found.silence_seconds, [sign.newest for sign in found.signs]) == (
        "unknown",
        None,
        [False] * 5,
    )


def test_a_reading_that_is_no_longer_fresh_says_what_was_said_and_no_status() -> None:
    fleet = fleet_of(reading([report(**HELD)], attempt()))
    fleet.tables(100)
    found = explained(fleet, now=100)
    assert (found.fresh, found.status, found.word, found.read_seconds_ago) == (False, None, "busy", 100.0)
    assert (found.rule, found.inconsistencies) == (None, ())


def test_one_that_is_forgotten() -> None:
    found = explained(fleet_of(reading([report(last_heartbeat=NOW - 90_000, last_busy=None)])))
    assert (found.status, found.forgotten, found.reason) == (None, True, "silent")


def test_who_left_is_explained_by_what_is_remembered_and_who_is_gone_by_what_is_at_odds() -> None:
    gone = reading([report("idle")], attempt("v"))
    evidence = fleet_of(gone, gone).evidence.workers
    history = History()
    history.note("f", "worker", [("u", "busy", None), ("w", "busy", "idle")], 900.0)
    memories = (WorkerMemory("f", "w", 1, 900.0), WorkerMemory("f", "u", 0))
    evidence = evidence._replace(remembered=memories, history=history)
    here, left, odd = (evidence.of(name, 0, 1000) for name in "wuv")
    assert here is not None
    assert left is not None
    assert odd is not None
    assert (here.present, here.since, [(each.origin, each.target) for each in here.transitions]) == (
        True,
        900,
        [("busy", "idle")],
    )
    assert (left.present, left.since, left.word, left.transitions_since) == (False, None, None, 900.0)
    assert msgspec.to_builtins(left.transitions[0]) == {"at": 900.0, "from": "busy", "to": None}
    assert (odd.present, odd.word, [each.kind for each in odd.inconsistencies]) == (None, None, ["held_by_gone"])
    assert evidence.of("nobody", 0, 1000) is None


def lookup(*fleets: Fleet) -> WorkerLookup:
    evidence: dict[str, FleetEvidence] = {fleet.name: fleet.evidence for fleet in fleets}
    return WorkerLookup(lambda: evidence, lambda: 4.0, lambda: 1004.0)


def test_a_worker_is_found_by_its_id_and_by_its_label() -> None:
    odd = "n\x1b[31m" + "x" * 200
    find = lookup(fleet_of(reading([report(), report(worker=odd), report(worker="a/b?")])))
    for name, worker in {"w": "w", odd: odd, guard(odd): odd, "a/b?": "a/b?"}.items():
        answer = find(name, None)
        assert (answer.status, json.loads(answer.body)["worker"]) == (200, worker)
        assert answer.body.isascii()
        assert b"\x1b" not in answer.body


def test_an_id_that_two_fleets_have_is_ambiguous_and_a_fleet_narrows() -> None:
    find = lookup(fleet_of(reading([report(host="a")]), name="eu"), fleet_of(reading([report()]), name="us"))
    answer = find("w", None)
    said = msgspec.json.decode(answer.body, type=UnknownWorker)
    assert (answer.status, said.candidates) == (409, (WorkerName("eu", "w", "a"), WorkerName("us", "w", None)))
    assert said.error == "expected the id of a worker, got 'w', which 2 workers have"
    assert [json.loads(find("w", fleet).body)["fleet"] for fleet in ("eu", "us")] == ["eu", "us"]
    assert json.loads(find("w", "asia").body)["error"] == "expected a fleet that is read (eu, us), got 'asia'"


def test_an_id_that_nobody_has_brings_those_like_it() -> None:
    find = lookup(fleet_of(reading([report(worker="trainer-0-runner-7", host="node-a")])))
    for name in ("runner-7", "TRAINER", "trainer-0-runner-9"):
        answer = find(name, None)
        said = msgspec.json.decode(answer.body, type=UnknownWorker)
        assert (answer.status, said.near) == (404, (WorkerName("f", "trainer-0-runner-7", "node-a"),))
        assert said.error == f"expected the id of a worker, got {name!r}, which none has"
    assert find("nobody", "f").body.startswith(
        b"{\n  \"error\": \"expected the id of a worker of fleet 'f', got 'nobody'"
    )
    assert lookup()("", None).status == lookup()("x" * 10_000, None).status == 404
    assert len(lookup()("x" * 10_000, None).body) < 400


@pytest.mark.parametrize("said", [{"last_heartbeat": -1e308, "snapshot_at": 1e308}, {"last_busy": 1e308}], ids=str)
def test_numbers_that_are_out_of_all_bounds_are_answered(said: dict[str, Any]) -> None:
    answer = lookup(fleet_of(reading([report(**said)])))("w", None)
    assert (answer.status, json.loads(answer.body)["worker"]) == (200, "w")
