"""Explanations over HTTP, from what the poller publishes beside the text."""

from __future__ import annotations

import json
import threading
import time

import pytest

from exporter.collection import Collection
from exporter.explain.lookup import Lookup
from exporter.exposition import Exposition
from exporter.families import LIVE, POLLED
from exporter.poller import Poller
from exporter.records import NodeView
from exporter.records.reading import MeshReading, Sighting
from exporter.scrape import Scrape
from exporter.server import application
from exporter.sources.source import SourceError
from tests.unit.asgi import ask
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


def served(status: int = 200) -> tuple[object, list[tuple[str, str | None, str]]]:
    asked: list[tuple[str, str | None, str]] = []

    def answer(name: str, fleet: str | None) -> tuple[int, bytes]:
        asked.append((name, fleet, threading.current_thread().name))
        return status, b"{}\n"

    snapshot = Exposition(POLLED, 10**6).publish({})
    scrape = Scrape(lambda: snapshot, Collection([], 1.0, lambda *_: None, time.monotonic), LIVE)
    return application(scrape, lambda: True, lambda: "", answer), asked


@pytest.mark.parametrize(
    ("path", "name", "fleet"),
    [
        ("/api/v1/nodes/n1", "n1", None),
        ("/api/v1/nodes/a/b", "a/b", None),
        ("/api/v1/nodes/", "", None),
        ("/api/v1/nodes/n1?fleet=eu%26u", "n1", "eu&u"),
        ("/api/v1/nodes/n1?fleet=", "n1", ""),
        ("/api/v1/nodes/..", "..", None),
    ],
)
def test_the_route_asks_for_that_name_and_fleet_in_a_thread(path: str, name: str, fleet: str | None) -> None:
    app, asked = served()
    answer = ask(app, path)  # type: ignore[arg-type]
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["x-content-type-options"] == "nosniff"
    ((got, narrowed, thread),) = asked
    assert (got, narrowed) == (name, fleet)
    assert thread != threading.main_thread().name


@pytest.mark.parametrize("status", [404, 409])
def test_the_status_is_that_of_the_lookup_and_head_is_get(status: int) -> None:
    app, asked = served(status)
    assert ask(app, "/api/v1/nodes/n").status == ask(app, "/api/v1/nodes/n", "HEAD").status == status  # type: ignore[arg-type]
    assert len(asked) == 2
    assert ask(app, "/api/v1/nodes/n", "POST").status == 405  # type: ignore[arg-type]
    assert len(asked) == 2
