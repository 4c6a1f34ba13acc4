"""The demo's store behind the API of Agent Lightning 1.x: answers and error bodies of agentlightning 1.0.0."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from exporter.demo import Demo, DemoOptions
from exporter.demo.api_1 import ServerApi
from exporter.demo.server import Answer, Request
from exporter.demo.store import KEPT_FINISHED_ROLLOUTS, RolloutConfig, Store
from exporter.endpoint import parse_url
from exporter.sources.fetch import Resolver
from exporter.sources.lightning import AgentLightning
from exporter.sources.lightning_1_payload import parse_log, parse_unfinished
from exporter.sources.source import Deadline, Pace

CONFIG = RolloutConfig()


@pytest.fixture
def store() -> Store:
    return Store(lambda: 1000.0, random.Random(1))


def ask(store: Store, path: str, method: str = "GET") -> Answer:
    name, _, query = path.partition("?")
    return ServerApi(store).answer(Request(method, name, query))


def said(store: Store, path: str) -> Any:
    answer = ask(store, path)
    assert answer.status == 200
    return json.loads(answer.body)


def end(store: Store, status: str) -> str:
    """Let a new rollout end; gives its id."""
    rollout = store.enqueue({"q": 1}, "train", CONFIG, first=True)
    if status == "cancelled":
        store.cancel(rollout.rollout_id)
        return rollout.rollout_id
    attempt = store.dequeue("w")
    assert attempt is not None
    assert store.update(attempt, status)
    return rollout.rollout_id


def test_health_and_no_api_of_before(store: Store) -> None:
    assert said(store, "/healthz") == {"status": "ok"}
    assert ask(store, "/v1/agl/health") == Answer(404, b'{"detail":"Not Found"}')
    assert ask(store, "/healthz", "POST").status == 405


def test_rollouts_by_state(store: Store) -> None:
    store.enqueue({"q": 1}, "train", CONFIG)
    store.enqueue({"q": 2}, None, CONFIG)
    assert store.dequeue("w") is not None
    ends = [end(store, status) for status in ("succeeded", "failed", "cancelled")]
    found = parse_unfinished(
        ask(store, "/api/rollouts?state_in=queuing&state_in=running&limit=500").body, 500, Counter()
    )
    assert sorted(found.states.values()) == ["queuing", "running"]
    for state, expected in (("succeeded", ends[:1]), ("failed", ends[1:])):
        assert [each["rollout_id"] for each in said(store, f"/api/rollouts?state_in={state}")] == expected
    assert len(said(store, "/api/rollouts?state_in=failed&limit=1")) == 1
    shown = said(store, "/api/rollouts?state_in=queuing")[0]
    assert list(shown) == ["rollout_id", "input", "is_train", "config", "metadata", "status"]
    assert (shown["is_train"], shown["status"]["created_at"]) == (False, 1000.0)


REJECTED = {
    "no state": ("/api/rollouts", ["query", "state_in"], "missing"),
    "a state of before": ("/api/rollouts?state_in=preparing", ["query", "state_in", 0], "literal_error"),
    "a limit that is none": ("/api/rollouts?state_in=running&limit=x", ["query", "limit"], "int_parsing"),
    "a cursor that is none": ("/api/rollouts/terminal?after=x", ["query", "after"], "int_parsing"),
}


@pytest.mark.parametrize(("path", "place", "kind"), REJECTED.values(), ids=REJECTED)
def test_wrong_parameters(store: Store, path: str, place: list[Any], kind: str) -> None:
    answer = ask(store, path)
    (error,) = json.loads(answer.body)["detail"]
    assert (answer.status, error["loc"], error["type"]) == (422, place, kind)


def test_the_log_has_everything_that_ended_but_what_the_store_forgot(store: Store) -> None:
    ends = [end(store, "succeeded") for _ in range(KEPT_FINISHED_ROLLOUTS + 3)]
    drift: Counter[str] = Counter()
    first = parse_log(ask(store, "/api/rollouts/terminal?after=0&limit=10").body, 0, 10, drift)
    assert (first.next_after, first.total, [entry.rollout for entry in first.entries]) == (10, len(ends), ends[3:10])
    assert (first.first, first.last) == (None, None)
    last = parse_log(ask(store, "/api/rollouts/terminal?after=500&limit=10").body, 500, 10, drift)
    assert (last.next_after, [entry.rollout for entry in last.entries]) == (503, ends[500:])
    assert said(store, "/api/rollouts/terminal?after=503") == {"items": [], "next_after": 503, "total_terminal": 503}
    assert said(store, "/api/rollouts/terminal?after=900") == {"items": [], "next_after": 900, "total_terminal": 503}
    assert not +drift


@pytest.fixture
def demo() -> Iterator[Demo]:
    options = DemoOptions(mesh_port=0, store_port=0, calm=True, store_version="1")
    with Demo(options, wall=lambda: 1_800_000_000.0, monotonic=lambda: 50.0) as running:
        yield running


def test_a_demo_of_1_can_be_read_and_replaced(demo: Demo) -> None:
    endpoint = parse_url(demo.store_url, 4747)
    source = AgentLightning("demo", endpoint, Resolver(), Pace(10, 30, 30))
    reading = source.read(Deadline(30))
    counts = {row.status: row.count for row in reading.rollouts}
    assert not reading.lists_workers
    assert counts["running"] > 0
    assert {row.status: row.finished for row in reading.finished}["succeeded"] == counts["succeeded"] > 0
    assert reading.drift == {}
    demo.restart_store("0.3")
    assert source.read(Deadline(30)).lists_workers
    demo.restart_store()
    assert source.read(Deadline(30)).lists_workers
    demo.restart_store("1")
    assert source.read(Deadline(30)).finished[0].finished == 0


def test_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^store_version: expected 0\.3 or 1, got '1\.x'$"):
        DemoOptions(store_version="1.x")
