"""What the registry's endpoints refuse, and what happens when nothing works."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.registry.admission import BATCH_BYTES, HEARTBEAT_BYTES, said_twice
from exporter.registry.api import Token
from exporter.registry.asked import Asked, Budget
from exporter.registry.bodies import WrongError
from exporter.registry.request import Request, Unwritten
from exporter.registry.writer import Writer
from tests.unit.registry_http import Registry, W, running
from tests.unit.test_registry_admission import counted


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with running(tmp_path) as started:
        yield started


REFUSED: dict[str, tuple[str, str, object, int, dict[str, int]]] = {
    "null": ("POST", f"{W}/a", {"heartbeat_stats": None}, 400, {}),
    "a number": ("POST", f"{W}/a", {"heartbeat_stats": 5}, 422, {}),
    "a list": ("POST", f"{W}/heartbeats", [], 422, {}),
    "a deep error": ("POST", f"{W}/search", b'{"limit":' + b"[" * 900 + b"]" * 900 + b"}", 400, {}),
    "no order": ("GET", f"{W}?sort_by=heartbeat_stats", b"", 400, {}),
    "a long name": ("POST", f"{W}/{'x' * 513}", b"", 422, {}),
    "the name of a path": ("POST", f"{W}/heartbeats/dequeue", {"claimed": False}, 422, {}),
    "the name of a path among many": ("POST", f"{W}/heartbeats", {"heartbeats": {"heartbeats": None}}, 422, {}),
    "too large": ("POST", f"{W}/a", b" " * (HEARTBEAT_BYTES + 1), 413, {"body": 1}),
    "too many": ("POST", f"{W}/heartbeats", b" " * (BATCH_BYTES + 1), 413, {"body": 1}),
    "too deep": ("POST", f"{W}/a", b'{"heartbeat_stats":' + b'{"a":' * 16 + b"{}" + b"}" * 17, 400, {"depth": 1}),
    "a form": ("POST", f"{W}/a", b"a=1", 415, {"content_type": 1}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str, registry: Registry) -> None:
    for worker in ("x", "y"):
        registry.got("POST", f"{W}/{worker}", {"heartbeat_stats": {}})
    method, path, body, status, counts = REFUSED[name]
    kind = {"content_type": "text/plain"} if name == "a form" else {}
    assert registry.got(method, path, body, **kind)[0] == status
    assert counted(registry.rejections) == counts
    assert registry.got("GET", W)[1]["total"] == 2


def test_a_body_in_chunks_that_is_too_long(registry: Registry) -> None:
    chunks = {"content_length": "", "transfer_encoding": "chunked"}
    answered = registry.ask("POST", f"{W}/a", b" " * (2 * HEARTBEAT_BYTES), **chunks)
    assert answered.status == 413
    assert counted(registry.rejections) == {"body": 1}
    assert registry.got("POST", f"{W}/a", {}, **chunks)[0] == 200


def test_a_client_that_waits_to_send_what_is_refused_is_cut_off(registry: Registry) -> None:
    for path, kind in ((f"{W}/a", "text/plain"), ("/v1/agl/nothing", "application/json")):
        answered = registry.ask("POST", path, b"{}", content_type=kind, expect="100-continue")
        assert answered.headers["connection"] == "close"
    assert "connection" not in registry.ask("POST", f"{W}/a", b"{}", expect="100-continue").headers


def test_limits_of_workers(tmp_path: Path) -> None:
    with running(tmp_path, most=3, per_client=2) as registry:
        assert registry.got("POST", f"{W}/heartbeats", {"heartbeats": {"a": {}, "b": {}}})[0] == 200
        message = {"detail": "Too many workers; expected at most 2 of one client."}
        assert (
            registry.got("POST", f"{W}/c")
            == registry.got("POST", f"{W}/c/dequeue", {"claimed": True})
            == (429, message)
        )
        assert registry.got("POST", f"{W}/heartbeats", {"heartbeats": {"a": {}, "c": {}}}) == (429, message)
        assert registry.got("POST", f"{W}/a")[0] == 200
        assert counted(registry.rejections) == {"workers": 3}


def test_a_token_is_for_everything(tmp_path: Path) -> None:
    with running(tmp_path, token="hush") as registry:
        for method, path in (("GET", W), ("POST", f"{W}/a"), ("GET", "/v1/agl/nothing"), ("GET", "/v1/agl/health")):
            answered = registry.ask(method, path)
            assert (answered.status, answered.headers["www-authenticate"]) == (401, "Bearer")
        assert registry.got("POST", f"{W}/a", authorization="Bearer hush")[0] == 200
        assert counted(registry.rejections) == {"token": 4}


class Unable(Writer[Token]):
    """A writer that takes nothing, and says why in words that are not for clients."""

    reason = "busy"

    def submit(self, request: Request, token: Token) -> Unwritten | None:
        return Unwritten(self.reason, "/secret/path")


@pytest.mark.parametrize(("reason", "counts"), [("busy", {"busy": 1}), ("failed", {}), ("stopped", {})])
def test_what_cannot_be_written_is_not_acknowledged(reason: str, counts: dict[str, int], tmp_path: Path) -> None:
    with running(tmp_path, writer=Unable) as registry:
        assert isinstance(registry.writer, Unable)
        registry.writer.reason = reason
        answered = registry.ask("POST", f"{W}/a")
        assert (answered.status, answered.headers["retry-after"]) == (503, "1")
        assert b"secret" not in answered.body
        assert counted(registry.rejections) == counts


def test_a_registry_that_cannot_be_read(registry: Registry) -> None:
    registry.search.close()
    for path in (W, f"{W}/a", "/v1/agl/statistics"):
        assert registry.got("GET", path) == (503, {"detail": "The registry cannot be read."})


def test_too_many_that_look_something_up(tmp_path: Path) -> None:
    with running(tmp_path, most_looking=0) as registry:
        assert registry.got("POST", f"{W}/a")[0] == 200
        assert registry.got("GET", f"{W}/a") == registry.got("GET", W) == (503, {"detail": "The registry is busy."})
        assert counted(registry.rejections) == {"busy": 2}


@pytest.mark.parametrize("name", [b"host", b"origin", b"authorization", b"content-type"])
def test_a_header_that_decides_must_not_be_there_twice(name: bytes, registry: Registry) -> None:
    assert said_twice([(name, b"a"), (b"x", b"y"), (name, b"b")])
    assert not said_twice([(name, b"a"), (b"x", b"y"), (b"x", b"z")])


def test_bodies_that_arrive_have_a_budget_together() -> None:
    budget = Budget(10)
    assert budget.take(6)
    assert not budget.take(5)
    assert budget.take(4)
    budget.give(6)
    assert budget.take(5)


def test_a_body_without_room_is_refused_and_leaves_the_room_to_others() -> None:
    budget = Budget(10)

    def asked(*pieces: bytes) -> Asked:
        messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]

        async def receive() -> dict[str, object]:
            return messages.pop(0) if messages else {"type": "http.request", "body": b"", "more_body": False}

        return Asked({"query_string": b""}, receive, "", "w", 100, budget)

    assert asyncio.run(asked(b"12345", b"67890").body()) == b"1234567890"
    with pytest.raises(WrongError) as refused:
        asyncio.run(asked(b"12345", b"67890", b"1").body())
    assert (refused.value.status, refused.value.reason) == (503, "busy")
    assert asyncio.run(asked(b"1234567890").body()) == b"1234567890"
