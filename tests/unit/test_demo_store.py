"""The demo's store follows the real store's rules, and answers queries as it does (agentlightning 0.3.0)."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from exporter.demo.api import Api
from exporter.demo.machine import Machine
from exporter.demo.server import Answer, Request
from exporter.demo.store import Attempt, RolloutConfig, Store

GOLDEN = Path(__file__).parents[1] / "golden" / "agentlightning-0.3.0"
LIMITED = RolloutConfig(timeout_seconds=30.0, max_attempts=2, retry_condition=["timeout"])


class Bench:
    """A store with a clock that a test moves: it starts at 1000 and each `at` sets it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.store = Store(lambda: self.now, random.Random(1))
        self._snapshot = Machine(1, random.Random(1)).snapshot(0.0, 0.0, None)

    def at(self, now: float) -> Store:
        self.now = now
        return self.store

    def beat(self, now: float, worker_id: str = "w") -> None:
        self.at(now).heartbeat(worker_id, self._snapshot)

    def task(self, config: RolloutConfig | None = None) -> None:
        self.store.enqueue({"q": 1}, None, config or RolloutConfig())

    def take(self, now: float, worker_id: str = "w") -> Attempt:
        attempt = self.at(now).dequeue(worker_id)
        assert attempt is not None
        return attempt

    def row(self, worker_id: str = "w") -> tuple[Any, ...]:
        """Status, then the times of heartbeat, dequeue, busy and idle, then whether there is an assignment."""
        w = self.store.workers[worker_id]
        times = (w.last_heartbeat_time, w.last_dequeue_time, w.last_busy_time, w.last_idle_time)
        return (w.status, *times, (w.current_rollout_id, w.current_attempt_id) != (None, None))

    def ask(self, query: str, method: str = "GET") -> Answer:
        path, _, parameters = query.partition("?")
        return Api(self.store).answer(Request(method, f"/v1/agl/{path}", parameters))

    def ids(self, query: str) -> list[str]:
        return [item["worker_id"] for item in json.loads(self.ask(query).body)["items"]]


def test_first_heartbeat_makes_an_unknown_worker() -> None:
    bench = Bench()
    bench.beat(1001.0)
    assert bench.row() == ("unknown", 1001.0, None, None, None, False)


def test_empty_dequeue_makes_idle_and_moves_idle_time_once() -> None:
    bench = Bench()
    assert bench.at(1001.0).dequeue("w") is None
    assert bench.at(1006.0).dequeue("w") is None
    assert bench.row() == ("idle", None, 1006.0, None, 1001.0, False)


def test_dequeue_span_and_heartbeat_of_a_busy_worker() -> None:
    bench = Bench()
    bench.task()
    attempt = bench.take(1001.0)
    assert (attempt.status, bench.row()) == ("preparing", ("busy", None, 1001.0, 1001.0, None, True))
    bench.at(1002.0).span(attempt)
    assert (attempt.status, attempt.last_heartbeat_time, bench.row()[3]) == ("running", 1002.0, 1002.0)
    bench.at(1003.0).span(attempt)
    bench.beat(1004.0)
    assert (attempt.last_heartbeat_time, bench.row()) == (1003.0, ("busy", 1004.0, 1001.0, 1002.0, None, True))


@pytest.mark.parametrize(
    ("outcome", "status", "rollout", "end"),
    [
        ("succeeded", "idle", "succeeded", 1009.0),
        ("failed", "idle", "failed", 1009.0),
        ("timeout", "unknown", "failed", None),
        ("unresponsive", "unknown", "failed", None),
    ],
)
def test_end_of_an_attempt(outcome: str, status: str, rollout: str, end: float | None) -> None:
    bench = Bench()
    bench.task()
    attempt = bench.take(1001.0)
    assert bench.at(1009.0).update(attempt, outcome)
    assert bench.row() == (status, None, 1001.0, 1001.0, 1009.0, False)
    assert attempt.end_time == end
    found = bench.store.rollouts[attempt.rollout_id]
    assert (found.status, found.end_time) == (rollout, 1009.0)
    assert +bench.store.counts == {rollout: 1}


def test_time_limit_requeues_once_and_the_late_worker_may_still_finish() -> None:
    bench = Bench()
    bench.task(LIMITED)
    first = bench.take(1001.0)
    bench.at(1031.0).scan()
    assert first.status == "preparing"
    bench.at(1031.5).scan()
    rollout = bench.store.rollouts[first.rollout_id]
    assert (first.status, rollout.status, bench.row()[0]) == ("timeout", "requeuing", "unknown")
    assert bench.store.queue_length == 1
    second = bench.take(1032.0, "v")
    assert (second.sequence_id, rollout.status) == (2, "preparing")
    bench.at(1040.0).update(first, "succeeded")
    assert (rollout.status, bench.row()[0]) == ("preparing", "idle")
    bench.at(1070.0).scan()
    assert (second.status, rollout.status) == ("timeout", "failed")
    bench.at(1080.0).update(second, "succeeded")
    assert rollout.status == "succeeded"


def test_cancelled_rollouts_are_not_handed_out() -> None:
    bench = Bench()
    bench.task()
    bench.store.cancel(next(iter(bench.store.rollouts)))
    assert bench.store.dequeue("w") is None
    assert +bench.store.counts == {"cancelled": 1}


def test_a_cleared_store_knows_no_attempt() -> None:
    bench = Bench()
    bench.task()
    attempt = bench.take(1001.0)
    bench.store.clear()
    bench.store.span(attempt)
    assert bench.store.update(attempt, "succeeded") is False
    assert (bench.store.workers, attempt.status) == ({}, "preparing")


@pytest.fixture
def three() -> Bench:
    """Workers b-1 (busy), a-2 (idle since 1003) and c-1 (unknown), in this order."""
    bench = Bench()
    bench.task()
    bench.take(1001.0, "b-1")
    assert bench.at(1003.0).dequeue("a-2") is None
    bench.beat(1004.0, "c-1")
    return bench


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        pytest.param("workers", ["b-1", "a-2", "c-1"], id="insertion order"),
        pytest.param("workers?status_in=busy&status_in=idle", ["b-1", "a-2"], id="repeated status"),
        pytest.param("workers?worker_id_contains=-1", ["b-1", "c-1"], id="part of the id"),
        pytest.param("workers?status_in=busy&worker_id_contains=c", [], id="and"),
        pytest.param("workers?status_in=busy&worker_id_contains=c&filter_logic=or", ["b-1", "c-1"], id="or"),
        pytest.param("workers?filter_logic=or", ["b-1", "a-2", "c-1"], id="or of nothing"),
        pytest.param("workers?sort_by=worker_id", ["a-2", "b-1", "c-1"], id="sorted"),
        pytest.param("workers?sort_by=worker_id&sort_order=desc", ["c-1", "b-1", "a-2"], id="descending"),
        pytest.param("workers?sort_by=last_idle_time", ["a-2", "b-1", "c-1"], id="no time is last"),
        pytest.param("workers?sort_by=current_rollout_id", ["a-2", "c-1", "b-1"], id="no text is first"),
        pytest.param("workers?limit=1&offset=1", ["a-2"], id="page"),
        pytest.param("workers?limit=2&offset=2", ["c-1"], id="last page"),
        pytest.param("workers?offset=9", [], id="past the end"),
        pytest.param("workers?unheard_of=1", ["b-1", "a-2", "c-1"], id="unknown parameter"),
    ],
)
def test_worker_queries(three: Bench, query: str, ids: list[str]) -> None:
    assert three.ids(query) == ids


def test_a_page_tells_the_whole_count(three: Bench) -> None:
    page = json.loads(three.ask("workers?limit=1&status_in=idle&status_in=busy").body)
    assert (page["limit"], page["offset"], page["total"], len(page["items"])) == (1, 0, 2, 1)


def test_rollout_queries(three: Bench) -> None:
    three.task()
    first, second = three.store.rollouts

    def ids(query: str) -> tuple[list[str], int]:
        page = json.loads(three.ask(f"rollouts?{query}").body)
        return [item["rollout_id"] for item in page["items"]], page["total"]

    assert ids("") == ([first, second], 2)
    assert ids("status_in=queuing&limit=1") == ([second], 1)
    assert ids("status_in=queuing&status_in=preparing&limit=1") == ([first], 2)
    assert ids(f"rollout_id_in={second}&rollout_id_in=nope") == ([second], 1)
    assert ids(f"rollout_id_contains={first[5:]}") == ([first], 1)
    assert ids(f"rollout_id_in={second}&status_in=preparing") == ([], 0)
    items = json.loads(three.ask("rollouts").body)["items"]
    assert ["attempt" in item for item in items] == [True, False]
    attempts = json.loads(three.ask(f"rollouts/{first}/attempts").body)
    assert attempts["items"] == [items[0]["attempt"]]
    assert json.loads(three.ask("rollouts/nope/attempts").body)["items"] == []


@pytest.mark.parametrize("capture", ["workers-bad-status", "workers-bad-sort", "workers-limit-zero"])
def test_errors_are_those_captured(three: Bench, capture: str) -> None:
    captured = json.loads((GOLDEN / f"{capture}.json").read_text())
    answer = three.ask(captured["request"]["path"].removeprefix("/v1/agl/"))
    assert (answer.status, answer.body.decode()) == (captured["status"], captured["response"])


def literal(name: str, found: str, expected: str) -> dict[str, Any]:
    place = ["query", *name.split()]
    where = [int(part) if part.isdigit() else part for part in place]
    message = f"Input should be {expected}"
    return {"type": "literal_error", "loc": where, "msg": message, "input": found, "ctx": {"expected": expected}}


def integer(name: str, found: str) -> dict[str, Any]:
    message = "Input should be a valid integer, unable to parse string as an integer"
    return {"type": "int_parsing", "loc": ["query", name], "msg": message, "input": found}


ORDERS = "'asc' or 'desc'"
STATUSES = "'idle', 'busy' or 'unknown'"


@pytest.mark.parametrize(
    ("query", "status", "detail"),
    [
        ("workers?limit=abc", 422, [integer("limit", "abc")]),
        ("workers?limit=", 422, [integer("limit", "")]),
        ("workers?limit=1.5", 422, [integer("limit", "1.5")]),
        ("workers?status_in=busy,idle", 422, [literal("status_in 0", "busy,idle", STATUSES)]),
        ("workers?status_in=busy&status_in=x", 422, [literal("status_in 1", "x", STATUSES)]),
        ("workers?sort_order=up", 422, [literal("sort_order", "up", ORDERS)]),
        ("workers?filter_logic=xor", 422, [literal("filter_logic", "xor", "'and' or 'or'")]),
        (
            "workers?limit=x&status_in=y&sort_order=z",
            422,
            [
                literal("status_in 0", "y", STATUSES),
                integer("limit", "x"),
                literal("sort_order", "z", "'asc' or 'desc'"),
            ],
        ),
        ("workers?limit=-2", 400, "Limit must be greater than 0 or -1 for no limit"),
        ("workers?offset=-1", 400, "Offset must be greater than or equal to 0"),
        ("rollouts?limit=0", 400, "Limit must be greater than 0 or -1 for no limit"),
        ("workers?sort_by=heartbeat_stats", 500, "Internal server error"),
        ("workers/", 404, "Not Found"),
        ("workers/a/b", 404, "Not Found"),
        ("nothing", 404, "Not Found"),
    ],
)
def test_errors_are_those_of_the_store(three: Bench, query: str, status: int, detail: Any) -> None:
    three.beat(1005.0, "b-1")
    answer = three.ask(query)
    assert (answer.status, json.loads(answer.body)) == (status, {"detail": detail})


@pytest.mark.parametrize("method", ["POST", "DELETE", "HEAD"])
def test_other_methods_are_not_allowed(three: Bench, method: str) -> None:
    answer = three.ask("workers", method)
    assert (answer.status, answer.headers) == (405, (("allow", "GET"),))
    assert answer.body == b'{"detail":"Method Not Allowed"}'
