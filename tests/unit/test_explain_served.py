"""Explanations over HTTP, from what the poller publishes beside the text."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest

from exporter.asgi import ASGIApp
from exporter.collection import Collection
from exporter.explain.lookup import Lookup
from exporter.explain.worker_lookup import WorkerLookup
from exporter.exposition import Exposition
from exporter.families import LIVE, POLLED
from exporter.poller import Poller
from exporter.records import NodeView, Store, WorkerReport
from exporter.records.reading import MeshReading, Sighting, StoreReading
from exporter.scrape import Scrape
from exporter.server import EXPLAINED, Explain, application
from exporter.sources.source import SourceError
from tests.unit.asgi import OnePage, ask
from tests.unit.test_poller import Clock, Scripted, mesh, polling, samples, soon


def explain(poller: Poller, name: str, fleet: str | None = None, now: float = 1000.0) -> tuple[int, dict[str, object]]:
    status, body = Lookup(lambda: poller.evidence, lambda: now, lambda: 1.7e9)(name, fleet)
    return status, json.loads(body)


def test_what_is_explained_is_what_is_shown() -> None:
    clock = Clock()
    source = Scripted("eu", "n1:1", mesh("eu", "n1", "n2"))
    row = 'rollcall_node_present{fleet="eu",node="n2"}'
    with polling(source, clock=clock) as poller:
        soon(lambda: samples(poller).get(row) == "1" and bool(poller.evidence))
        status, said = explain(poller, "n2", now=1003.0)
        assert (status, said["state"], said["present"], said["since"]) == (200, "standby", True, 1.7e9)
        assert [view["age_seconds"] for view in said["views"]] == [3.0]  # type: ignore[attr-defined]
        source.answers.put(mesh("eu", "n1"))
        soon(lambda: explain(poller, "n2")[1].get("present") is False)
        assert explain(poller, "n2")[1]["state"] is None
        assert explain(poller, "n2")[1]["transitions"] == [{"at": 1.7e9, "from": "standby", "to": None}]
        assert explain(poller, "n1")[1]["transitions"] == []
        assert explain(poller, "n1")[1]["transitions_since"] == 1.7e9
        clock.now += 101.0
        soon(lambda: explain(poller, "n1")[1].get("state", "") is None)
        assert [view["fresh"] for view in explain(poller, "n1")[1]["views"]] == [False]  # type: ignore[attr-defined]


def test_a_fleet_that_cannot_be_judged_is_not_explained_and_costs_no_other_its_explanation() -> None:
    view = NodeView(fleet="bad", observer="n", node="n", own=True)
    unjudged = Scripted("bad", "bad:1", MeshReading(observer="n", sightings=(Sighting(view, 7),)))  # type: ignore[arg-type]
    fine = Scripted("good", "good:1", mesh("good", "n1"))
    store = Scripted("down", "down:1", SourceError("refused", "x"))
    with polling(unjudged, fine, store) as poller:
        soon(lambda: explain(poller, "n1")[0] == 200 and "down" in poller.evidence)
        assert "bad" not in poller.evidence
        assert explain(poller, "n")[0] == 404


def served(status: int = 200, slow: Explain | None = None) -> tuple[ASGIApp, list[tuple[str, str | None, str]]]:
    asked: list[tuple[str, str | None, str]] = []

    def quick(name: str, fleet: str | None) -> tuple[int, bytes]:
        asked.append((name, fleet, threading.current_thread().name))
        return status, b"{}\n"

    answer = slow or quick
    snapshot = Exposition(POLLED, 10**6).publish({})
    scrape = Scrape(lambda: snapshot, Collection([], 1.0, lambda *_: None, time.monotonic), LIVE)
    return application(scrape, lambda: True, OnePage(), {"nodes": answer, "workers": answer}), asked


@pytest.mark.parametrize(
    ("path", "name", "fleet"),
    [
        ("/api/v1/nodes/n1", "n1", None),
        ("/api/v1/nodes/a/b", "a/b", None),
        ("/api/v1/nodes/", "", None),
        ("/api/v1/nodes/n1?fleet=eu%26u", "n1", "eu&u"),
        ("/api/v1/nodes/n1?fleet=", "n1", ""),
        ("/api/v1/nodes/..", "..", None),
        ("/api/v1/workers/a/b?fleet=eu", "a/b", "eu"),
        ("/api/v1/workers/a\nb\n?fleet=eu", "a\nb\n", "eu"),
    ],
)
def test_the_route_asks_for_that_name_and_fleet_in_a_thread(path: str, name: str, fleet: str | None) -> None:
    app, asked = served()
    answer = ask(app, path)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["x-content-type-options"] == "nosniff"
    ((got, narrowed, thread),) = asked
    assert (got, narrowed) == (name, fleet)
    assert thread != threading.main_thread().name


@pytest.mark.parametrize("status", [404, 409])
def test_the_status_is_that_of_the_lookup_and_head_is_get(status: int) -> None:
    app, asked = served(status)
    assert ask(app, "/api/v1/nodes/n").status == ask(app, "/api/v1/nodes/n", "HEAD").status == status
    assert len(asked) == 2
    assert ask(app, "/api/v1/nodes/n", "POST").status == 405
    assert len(asked) == 2


def test_workers_are_explained_as_they_are_shown() -> None:
    report = WorkerReport(fleet="training", worker="w", word="idle", last_heartbeat=1.7e9 - 2)
    reading = StoreReading(store=Store("training", None), workers=(report,), read_at=1.7e9)
    source = Scripted("training", "trainer:4747", reading, kind="agent-lightning")
    row = 'rollcall_worker_present{fleet="training",worker="w"}'
    with polling(source, clock=Clock()) as poller:

        def said(name: str = "w", fleet: str | None = None) -> dict[str, Any]:
            explained: dict[str, Any] = json.loads(
                WorkerLookup(lambda: poller.evidence, lambda: 1003.0, lambda: 1.7e9)(name, fleet).body
            )
            return explained

        soon(lambda: samples(poller).get(row) == "1" and "training" in poller.evidence)
        assert [said()[name] for name in ("status", "present", "since")] == ["idle", True, 1.7e9]
        assert (said()["transitions"], said()["transitions_since"]) == ([], 1.7e9)
        source.answers.put(msgspec.structs.replace(reading, workers=(msgspec.structs.replace(report, word="busy"),)))
        soon(lambda: said()["status"] == "busy")
        assert said()["transitions"] == [{"at": 1.7e9, "from": "idle", "to": "busy"}]
        source.answers.put(msgspec.structs.replace(reading, workers=()))
        soon(lambda: said()["present"] is False)
        assert said("v")["near"] == []


def test_only_a_few_explanations_are_made_at_a_time_of_nodes_and_workers_together() -> None:
    entered, opened = threading.Semaphore(0), threading.Event()

    def slow(name: str, fleet: str | None) -> tuple[int, bytes]:
        entered.release()
        assert opened.wait(30)
        return 200, b"{}\n"

    app, _ = served(slow=slow)
    paths = ["/api/v1/nodes/n", "/api/v1/workers/w"] * (EXPLAINED // 2)
    with ThreadPoolExecutor(EXPLAINED) as pool:
        under_way = [pool.submit(ask, app, path) for path in paths]
        assert all(entered.acquire(timeout=30) for _ in paths)
        refused = ask(app, "/api/v1/workers/w")
        assert (refused.status, refused.headers["content-type"]) == (503, "application/json")
        assert json.loads(refused.body) == {"error": "4 explanations are under way: ask again"}
        opened.set()
        assert [each.result().status for each in under_way] == [200] * EXPLAINED
