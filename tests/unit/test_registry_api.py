"""The registry's endpoints over a real file and writer: answers, refusals, and what happens when nothing works."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter.registry.api import Token, resolve
from exporter.registry.request import Unwritten
from exporter.registry.search import PAGE
from tests.unit.registry_http import Registry, W, running
from tests.unit.test_registry_admission import counted

NEVER = {"last_dequeue_time": None, "last_busy_time": None, "last_idle_time": None}
FREE = {"current_rollout_id": None, "current_attempt_id": None}


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with running(tmp_path) as started:
        yield started


def test_the_life_of_a_worker(registry: Registry) -> None:
    born = {"worker_id": "a b", "status": "unknown", "heartbeat_stats": {"x": 1}, "last_heartbeat_time": 1000.0}
    assert registry.got("POST", f"{W}/a b", {"heartbeat_stats": {"x": 1}}) == (200, {**born, **NEVER, **FREE})
    registry.now = 1001.0
    assert registry.got("POST", f"{W}/a b")[1] == {**born, "last_heartbeat_time": 1001.0, **NEVER, **FREE}
    _, idle = registry.got("POST", f"{W}/a b/dequeue", {"claimed": False})
    assert (idle["status"], idle["last_idle_time"], idle["last_dequeue_time"]) == ("idle", 1001.0, 1001.0)
    _, busy = registry.got("POST", f"{W}/a b/dequeue", {"claimed": True, "rollout_id": "r", "attempt_id": "t"})
    assert (busy["status"], busy["current_rollout_id"], busy["current_attempt_id"]) == ("busy", "r", "t")
    done = {"rollout_id": "r", "attempt_id": "t", "status": "succeeded"}
    _, free = registry.got("POST", f"{W}/a b/attempt", done)
    assert (free["status"], free["current_rollout_id"]) == ("idle", None)
    assert registry.got("POST", f"{W}/a b/attempt", {**done, "status": "running"})[1]["status"] == "idle"
    listed = {"items": [free], "limit": -1, "offset": 0, "total": 1}
    assert registry.got("GET", W) == registry.got("POST", f"{W}/search", {}) == (200, listed)
    assert registry.got("GET", f"{W}/a b") == registry.got("DELETE", f"{W}/a b") == (200, free)
    assert registry.got("GET", f"{W}/a b") == registry.got("DELETE", f"{W}/a b") == (200, None)
    assert registry.got("GET", W)[1]["total"] == 0


def test_health_statistics_and_many_heartbeats(registry: Registry) -> None:
    assert registry.got("GET", "/v1/agl/health") == (200, {"status": "ok"})
    beats = {"heartbeats": {"a": None, "b": {}, "c": {"x": 1}}}
    assert registry.got("POST", f"{W}/heartbeats", beats) == (200, {"accepted": 3})
    assert registry.got("POST", f"{W}/heartbeats", {"heartbeats": {}}) == (200, {"accepted": 0})
    assert [each["heartbeat_stats"] for each in registry.got("GET", W)[1]["items"]] == [None, None, {"x": 1}]
    _, statistics = registry.got("GET", "/v1/agl/statistics")
    nothing = dict.fromkeys(["total_rollouts", "total_attempts", "total_spans", "total_resources"], 0)
    assert statistics == {"name": "Rollcall", **nothing, "total_workers": 3, "uptime": 5.0}
    many = {"heartbeats": {f"w{number}": {"text": "x" * 100} for number in range(2000)}}
    assert registry.got("POST", f"{W}/heartbeats", many) == (200, {"accepted": 2000})


def test_a_long_list_comes_in_pieces(registry: Registry) -> None:
    names = [f"w{number}" for number in range(2 * PAGE + 1)]
    registry.got("POST", f"{W}/heartbeats", {"heartbeats": dict.fromkeys(names)})
    registry.search._at_once = 1
    answered = registry.ask("GET", f"{W}?limit=1000")
    assert "content-length" not in answered.headers
    listed = json.loads(answered.body)
    assert ([each["worker_id"] for each in listed["items"]], listed["total"]) == (names[:1000], 2 * PAGE + 1)


NOT_FOUND, NOT_ALLOWED = (404, {"detail": "Not Found"}), (405, {"detail": "Method Not Allowed"})
NOWHERE = {
    "GET /v1/agl/": (NOT_FOUND, None),
    "GET /v1/agl/workers/": (NOT_FOUND, None),
    "GET /v1/agl/workers/a/": (NOT_FOUND, None),
    "GET /v1/agl/workers/a/b": (NOT_FOUND, None),
    "GET /v1/agl/workers/{}/dequeue/": (NOT_FOUND, None),
    "GET /v1/agl/queues/rollouts/dequeue": (NOT_FOUND, None),
    "POST /v1/agl/queues/rollouts/dequeue": (NOT_ALLOWED, "GET"),
    "POST /v1/agl/workers/": (NOT_ALLOWED, "GET"),
    "POST /v1/agl/workers": (NOT_ALLOWED, "GET"),
    "POST /v1/agl/workers//dequeue": (NOT_ALLOWED, "GET"),
    "PUT /v1/agl/workers/a": (NOT_ALLOWED, "GET, POST, DELETE"),
    "PUT /v1/agl/workers/search": (NOT_ALLOWED, "POST, GET, DELETE"),
    "GET /v1/agl/workers/a/dequeue": (NOT_ALLOWED, "POST"),
    "HEAD /v1/agl/workers": (NOT_ALLOWED, "GET"),
    "POST /v1/agl/health": (NOT_ALLOWED, "GET"),
}


@pytest.mark.parametrize("asked", NOWHERE)
def test_what_is_not_there(asked: str, registry: Registry) -> None:
    method, path = asked.split(" ")
    answer, allowed = NOWHERE[asked]
    answered = registry.ask(method, path, content_type="")
    assert (answered.status, json.loads(answered.body), answered.headers.get("allow")) == (*answer, allowed)


def test_names_that_are_paths_too(registry: Registry) -> None:
    assert registry.got("GET", f"{W}/search") == registry.got("GET", f"{W}/heartbeats") == (200, None)
    assert registry.got("POST", f"{W}/search/dequeue", {"claimed": False})[0] == 200
    assert registry.got("DELETE", f"{W}/search")[1]["worker_id"] == "search"
    assert registry.got("POST", f"{W}/{{}}")[1]["worker_id"] == "{}"


def test_what_was_written_is_told_on_the_loop_and_to_nobody_after_its_end() -> None:
    told: list[object] = []

    async def write() -> Token:
        token = Token(asyncio.get_running_loop(), told.append)
        resolve([(token, None), (token, Unwritten("failed", ""))])
        assert told == []
        await asyncio.sleep(0)
        return token

    resolve([(asyncio.run(write()), None)])
    resolve([])
    assert told == [None, Unwritten("failed", "")]


SHORT = {
    f"POST {W}/a": True,
    f"POST {W}/{{}}": True,
    f"GET {W}/a": False,
    f"POST {W}/": False,
    f"POST {W}": False,
    f"POST {W}/search": False,
    f"POST {W}/heartbeats": False,
    f"POST {W}/a/dequeue": False,
    "POST /v1/agl/health": False,
    "POST /metrics": False,
}
BODY = {
    "nothing": (b"", 200),
    "a snapshot": (b'{"heartbeat_stats":{"a":1}}', 200),
    "a form": (b"{}", 415),
    "null": (b'{"heartbeat_stats":null}', None),
    "no JSON": (b"{", None),
    "too deep": (b'{"heartbeat_stats":' + b'{"a":' * 16 + b"{}" + b"}" * 17, None),
}


@pytest.mark.parametrize("name", BODY)
def test_a_usual_heartbeat_needs_no_task(name: str, registry: Registry) -> None:
    body, status = BODY[name]
    kind = b"text/plain" if name == "a form" else b"application/json"
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
    scope = {"method": "POST", "path": f"{W}/a", "headers": headers, "client": ("10.0.0.1", 1)}

    async def short() -> tuple[int, bytes] | None:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[tuple[int, bytes]] = loop.create_future()
        taken = registry.api.shorten(scope, body, lambda code, fields, said: answered.set_result((code, said)), loop)
        return await answered if taken else None

    said = asyncio.run(short())
    assert (said and said[0]) == status
    assert counted(registry.rejections) == ({"content_type": 1} if status == 415 else {})
    assert {
        asked: registry.api.is_short({"method": asked.split(" ")[0], "path": asked.split(" ")[1]}) for asked in SHORT
    } == SHORT


def test_a_client_that_leaves_in_the_middle_of_its_body(registry: Registry) -> None:
    sent: list[Any] = []
    messages = [{"type": "http.disconnect"}, {"type": "http.request", "body": b"{", "more_body": True}]
    scope = {"type": "http", "method": "POST", "path": f"{W}/a", "headers": [], "client": None, "query_string": b""}

    async def receive() -> Any:
        return messages.pop()

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(registry.api(scope, receive, send))
    assert sent == []
    assert registry.got("GET", W)[1]["total"] == 0
