"""Which Agent Lightning a store is: asked at the first read, kept, and asked again when it answers otherwise."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from exporter.endpoint import Secret, parse_url
from exporter.sources.fetch import Resolver
from exporter.sources.lightning import AgentLightning
from exporter.sources.source import Deadline, Pace, SourceError
from tests.golden.canned_server import CannedServer
from tests.unit.loopback import Loopback, answer, sends

PROBES = ["/v1/agl/health", "/healthz"]
KEY = "canary-key"


def source_of(server: CannedServer | None, url: str = "http://trainer:4747", key: str | None = None) -> AgentLightning:
    endpoint = parse_url(url, 4747)
    if key is not None:
        endpoint = msgspec.structs.replace(endpoint, key=Secret(key))
    return AgentLightning("training", endpoint, Resolver(), Pace(10, 5, 30), connect=server)


def read(source: AgentLightning) -> bool:
    """Read once; tells whether that was a store with workers."""
    return source.read(Deadline(20)).lists_workers


def probes(server: CannedServer) -> list[str]:
    """Which probes were sent since the last call."""
    found = [path for path in server.asked if path in PROBES]
    server.asked.clear()
    return found


@pytest.mark.parametrize(("version", "asked"), [("0.3", PROBES[:1]), ("1.x", PROBES)])
def test_a_store_is_recognised_once(version: str, asked: list[str]) -> None:
    server = CannedServer(version)
    source = source_of(server)
    assert [read(source), probes(server)] == [version == "0.3", asked]
    assert [read(source), probes(server)] == [version == "0.3", []]


@pytest.mark.parametrize(("before", "after"), [("0.3", "1.x"), ("1.x", "0.3")])
def test_another_version_in_its_place_is_noticed_in_the_same_read(before: str, after: str) -> None:
    server = CannedServer(before)
    source = source_of(server)
    read(source)
    for version in (after, before, after):
        server.version = version
        assert read(source) == (version == "0.3")


def test_a_server_that_is_back_is_counted_anew() -> None:
    server = CannedServer()
    server.finish("a", "b", "c")
    source = source_of(server)
    assert source.read(Deadline(20)).finished[0].finished == 3
    server.version = "0.3"
    assert source.read(Deadline(20)).finished == ()
    server.version = "1.x"
    del server.rollouts["a"]
    assert source.read(Deadline(20)).finished[0].finished == 2


FAILURES: dict[str, tuple[SourceError, bool]] = {
    "an internal error": (SourceError("http", "expected status 200, got 500", 500), True),
    "another shape": (SourceError("malformed", "expected a list of rollouts, got no JSON"), True),
    "a timeout": (SourceError("timeout", "no whole answer within 5 s"), False),
    "refused": (SourceError("refused", "expected an answer, got: Connection refused"), False),
    "a redirect": (SourceError("redirect", "expected status 200, got 302"), False),
    "a lost key": (SourceError("http", "expected status 200, got 401", 401), False),
}


@pytest.mark.parametrize(("failure", "probed"), FAILURES.values(), ids=FAILURES)
def test_a_read_that_fails_otherwise_keeps_its_error_and_what_is_known(failure: SourceError, probed: bool) -> None:
    server = CannedServer()
    server.finish("a")
    source = source_of(server)
    read(source)
    probes(server)

    def broken(path: str) -> Any:
        if path.startswith("/api"):
            raise failure

    server.broken = broken
    with pytest.raises(SourceError) as raised:
        read(source)
    assert (raised.value.result, raised.value.status) == (failure.result, failure.status)
    assert str(raised.value).startswith(str(failure))
    assert probes(server) == (PROBES if probed else [])
    server.broken = lambda path: None
    del server.rollouts["a"]
    assert source.read(Deadline(20)).finished[0].finished == 1


def test_a_probe_that_fails_leaves_the_reads_own_error() -> None:
    server = CannedServer()
    source = source_of(server)
    read(source)

    def broken(path: str) -> Any:
        raise SourceError("http", f"GET {path.partition('?')[0]}: expected status 200, got 502", 502)

    server.broken = broken
    with pytest.raises(SourceError, match=r"^GET /api/rollouts: expected status 200, got 502$"):
        read(source)
    server.broken = lambda path: None
    assert not read(source)


def test_what_is_neither_is_said() -> None:
    source = source_of(CannedServer(None))
    message = r"^expected an Agent Lightning store of 0\.3 or 1\.x, got 404 for /v1/agl/health and /healthz$"
    with pytest.raises(SourceError, match=message) as raised:
        read(source)
    assert raised.value.result == "http"


def test_another_service_with_a_healthz_is_no_server() -> None:
    server = CannedServer(None)

    def kubernetes(path: str) -> Any:
        return b"ok" if path == "/healthz" else None

    server.broken = kubernetes
    with pytest.raises(SourceError, match=r"^expected the health of an Agent Lightning server, got no JSON$"):
        read(source_of(server))


REFUSED: dict[str, tuple[str, str | None, str]] = {
    "no key": ("http://trainer", None, "; the store wants a key: set key_file"),
    "a wrong key": ("http://trainer", KEY, "; the store refuses the key: check key_file"),
    "a password": (
        "http://reader:canary-key@trainer",
        None,
        "; the store refuses the username and password: check them, or set key_file instead",
    ),
}


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("refused", ["/api/rollouts", "/v1/agl/health", "/healthz"])
@pytest.mark.parametrize(("url", "key", "advice"), REFUSED.values(), ids=REFUSED)
def test_a_store_that_refuses_says_which_key_to_set(
    url: str, key: str | None, advice: str, refused: str, status: int
) -> None:
    server = CannedServer()

    def broken(path: str) -> Any:
        if path.startswith(refused):
            raise SourceError("http", f"GET {refused}: expected status 200, got {status}", status)

    server.broken = broken
    with pytest.raises(SourceError) as raised:
        read(source_of(server, url, key))
    assert str(raised.value) == f"GET {refused}: expected status 200, got {status}{advice}"
    assert (raised.value.result, raised.value.status) == ("http", status)
    assert KEY not in str(raised.value)


def test_over_http_the_key_is_a_bearer_token() -> None:
    health, listed = b'{"status": "ok"}', b'[{"rollout_id": "a", "status": {"state": "running"}}]'
    log = b'{"items": [], "next_after": 0, "total_terminal": 0}'
    missing = answer(b"{}", status="404 Not Found")
    with Loopback(sends(missing), sends(answer(health)), sends(answer(listed), answer(log))) as upstream:
        endpoint = parse_url(f"http://127.0.0.1:{upstream.port}/agl", 4747)
        endpoint = msgspec.structs.replace(endpoint, key=Secret(KEY))
        source = AgentLightning("f", endpoint, Resolver(), Pace(10, 20, 30))
        reading = source.read(Deadline(20))
    assert {row.status: row.count for row in reading.rollouts}["running"] == 1
    assert [head.split(" ")[1] for head in upstream.heads] == [
        "/agl/v1/agl/health",
        "/agl/healthz",
        "/agl/api/rollouts?state_in=queuing&state_in=running&limit=500",
        "/agl/api/rollouts/terminal?after=0&limit=1000",
    ]
    assert all(f"Authorization: Bearer {KEY}\r\n" in head for head in upstream.heads)
