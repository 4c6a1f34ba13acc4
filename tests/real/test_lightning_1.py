"""An Agent Lightning 1.x server through `rollcall serve`: its key, its rollouts, and a 0.3 store in its place."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exporter.sources.source import SourceError
from tests.golden.canned_server import CannedServer
from tests.real.process import wait_until
from tests.real.rollcall import Rollcall, Samples
from tests.real.web import Answer, Asked, WebServer

KEY = "canary-key-3Xb7"

CONFIGURATION = """\
    host: {{enabled: false}}
    gpu: {{enabled: false}}
    stores:
      - fleet: training
        url: {url}
        key_file: {folder}/store-key
        interval: 200ms
        timeout: 5s
        stale_after: 20s
      - fleet: keyless
        url: {url}
        interval: 200ms
        timeout: 5s
"""


class Server:
    """A 1.x server that wants a key, over HTTP; or a 0.3 store, which wants none, where its `version` says so."""

    def __init__(self) -> None:
        self._canned = CannedServer()
        self._lock = threading.Lock()

    @contextmanager
    def changed(self) -> Iterator[CannedServer]:
        """What it holds, while it answers nobody."""
        with self._lock:
            yield self._canned

    def respond(self, asked: Asked) -> Answer:
        key = asked.headers.get("authorization")
        with self.changed() as canned:
            if asked.target.startswith("/api") and canned.version == "1.x" and key != f"Bearer {KEY}":
                return Answer(401, b'{"detail":"Invalid or missing API key"}')
            try:
                return Answer(200, canned.get(asked.target).body)
            except SourceError as error:
                return Answer(error.status or 500, json.dumps({"detail": str(error)}).encode())


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def rollcall(server: Server, tmp_path: Path) -> Iterator[Rollcall]:
    (tmp_path / "store-key").write_text(f"{KEY}\n")
    with WebServer(server.respond) as web:
        with Rollcall(tmp_path, CONFIGURATION.format(url=web.url, folder=tmp_path)) as exporter:
            exporter.until("training", up=True)
            yield exporter
        assert KEY not in exporter.output()


def statuses(samples: Samples, name: str) -> dict[str, float]:
    return {labels["status"]: value for labels, value in samples.find(name, fleet="training")}


def finished(samples: Samples) -> dict[str, float]:
    return statuses(samples, "rollcall_rollouts_finished_total")


def test_rollouts_and_exact_counters_of_what_finished(server: Server, rollcall: Rollcall) -> None:
    assert finished(rollcall.fresh("training")) == {"succeeded": 0, "failed": 0, "unknown": 0}
    with server.changed() as canned:
        canned.rollouts |= {"q1": "queuing", "q2": "queuing", "r": "running"}
        canned.finish(*(f"s{number}" for number in range(1_500)))
        canned.finish("f", state="failed")
    samples = rollcall.fresh("training")
    assert finished(samples) == {"succeeded": 1_500, "failed": 1, "unknown": 0}
    counts = statuses(samples, "rollcall_rollouts")
    assert {status: count for status, count in counts.items() if count} == {
        "queuing": 2,
        "running": 1,
        "succeeded": 1_500,
        "failed": 1,
    }
    assert len(counts) == 7
    assert statuses(samples, "rollcall_workers") == {}


def test_another_version_in_its_place_needs_no_restart(server: Server, rollcall: Rollcall) -> None:
    with server.changed() as canned:
        canned.finish("a", "b")
    assert finished(rollcall.fresh("training"))["succeeded"] == 2
    with server.changed() as canned:
        canned.version = "0.3"
    samples = rollcall.fresh("training")
    assert statuses(samples, "rollcall_workers") == {"idle": 0, "busy": 0, "unknown": 0}
    assert finished(samples) == {}
    with server.changed() as canned:
        canned.restart()
        canned.finish("c", state="failed")
        canned.version = "1.x"
    samples = rollcall.fresh("training")
    assert statuses(samples, "rollcall_workers") == {}
    assert finished(samples) == {"succeeded": 0, "failed": 1, "unknown": 0}
    bad = [labels for labels, value in samples.find("rollcall_source_reads_total", fleet="training") if value]
    assert [labels["result"] for labels in bad] == ["ok"]


def test_a_store_without_its_key_says_what_to_set(rollcall: Rollcall) -> None:
    samples = rollcall.until("keyless", up=False)
    assert (samples.value("rollcall_source_reads_total", fleet="keyless", result="http") or 0) > 0
    said = "GET /api/rollouts: expected status 200, got 401; the store wants a key: set key_file"
    line = wait_until(lambda: re.search(f".*{re.escape(said)}.*", rollcall.output()), "a line that names key_file")
    assert "keyless" in line[0]
    assert KEY not in rollcall.get().body.decode()
    assert KEY not in rollcall.get("/").body.decode()
