"""The demo's servers on loopback: what goes over the wire, and the misbehaviour that can be commanded."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from exporter.demo import Demo, DemoOptions

NOW = 1_800_000_000.0
PATIENCE = 30.0


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def demo(clock: Clock) -> Iterator[Demo]:
    options = DemoOptions(mesh_port=0, store_port=0, calm=True)
    with Demo(options, wall=lambda: NOW, monotonic=clock) as running:
        yield running


def connect(url: str) -> socket.socket:
    parts = urlsplit(url)
    assert parts.hostname is not None
    return socket.create_connection((parts.hostname, parts.port or 80), timeout=PATIENCE)


def raw(url: str, request: str) -> bytes:
    """Send a request and read until the server closes."""
    with connect(url) as connection:
        connection.sendall(request.encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))


def get(url: str, path: str) -> Any:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status == 200
        return json.loads(answer.read())
    finally:
        connection.close()


def worker(demo: Demo, worker_id: str) -> dict[str, Any]:
    found: dict[str, Any] = get(demo.store_url, f"/v1/agl/workers/{worker_id}")
    return found


def test_console_answers_as_mesh_llm_does_and_closes(demo: Demo) -> None:
    answer = raw(demo.mesh_urls[0], "GET /api/status?x=1 HTTP/1.1\r\nHost: a\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.decode().split("\r\n") == [
        "HTTP/1.1 200 OK",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    payload = json.loads(body)
    assert payload["node_id"] == demo.console_nodes[0]
    assert payload["token"] == "demo-join-token"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("HEAD", "/api/status", ""),
        ("POST", "/api/status", '{"error":"Not found"}'),
        ("GET", "/health", '{"error":"Not found"}'),
        ("GET", "/metrics", '{"error":"Not found"}'),
        ("GET", "/", '{"error":"Not found"}'),
    ],
)
def test_console_knows_nothing_else(demo: Demo, method: str, path: str, body: str) -> None:
    answer = raw(demo.mesh_urls[0], f"{method} {path} HTTP/1.1\r\nContent-Length: 2\r\n\r\nxx")
    head = "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\r\n"
    assert answer.decode() == head + body


@pytest.mark.parametrize("request_line", ["nonsense", "GET /api/status", "GET / HTTP/2.0", ""])
def test_what_is_no_http_gets_no_answer(demo: Demo, request_line: str) -> None:
    assert raw(demo.mesh_urls[0], f"{request_line}\r\n\r\n") == b""


def test_store_tells_its_date_and_keeps_the_connection(demo: Demo, clock: Clock) -> None:
    with connect(demo.store_url) as connection, connection.makefile("rb") as stream:
        for moment in ("08:00:00", "08:05:00"):
            connection.sendall(b"GET /v1/agl/health HTTP/1.1\r\nHost: a\r\n\r\n")
            assert [stream.readline().decode().strip() for _ in range(6)] == [
                "HTTP/1.1 200 OK",
                f"date: Fri, 15 Jan 2027 {moment} GMT",
                "server: uvicorn",
                "content-length: 15",
                "content-type: application/json",
                "",
            ]
            assert stream.read(15) == b'{"status":"ok"}'
            demo.set_clock_offset(300.0)


def test_store_closes_when_asked_to(demo: Demo) -> None:
    answer = raw(demo.store_url, "HEAD /v1/agl/workers HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert answer.decode().split("\r\n") == [
        *("HTTP/1.1 405 Method Not Allowed", "date: Fri, 15 Jan 2027 08:00:00 GMT", "server: uvicorn"),
        *("allow: GET", "content-length: 31", "content-type: application/json", "", ""),
    ]


def test_time_passes_on_the_wall_clock(clock: Clock) -> None:
    options = DemoOptions(mesh_port=0, store_port=0, calm=True, speed=10.0)
    with Demo(options, wall=lambda: NOW, monotonic=clock) as demo:
        for seconds in (0.0, 7.0, 600.0):
            clock.now = 50.0 + seconds
            workers = get(demo.store_url, "/v1/agl/workers")["items"]
            ages = [NOW + seconds - item["last_heartbeat_time"] for item in workers]
            assert len(ages) == 24
            assert 0.0 <= min(ages) <= max(ages) <= 1.05
        assert get(demo.store_url, "/v1/agl/statistics")["uptime"] == pytest.approx(609.0)


def test_pages_of_a_large_store_hold_everyone_once() -> None:
    with Demo(DemoOptions(nodes=1, workers=1200, mesh_port=0, store_port=0, calm=True)) as demo:
        pages = [get(demo.store_url, f"/v1/agl/workers?limit=500&offset={at}") for at in (0, 500, 1000)]
    assert [len(page["items"]) for page in pages] == [500, 500, 200]
    assert {page["total"] for page in pages} == {1200}
    assert len({item["worker_id"] for page in pages for item in page["items"]}) == 1200


def test_down_refuses_and_up_answers_on_the_same_port(demo: Demo) -> None:
    url = demo.store_url
    with connect(url) as idle, idle.makefile("rb") as stream:
        idle.sendall(b"GET /v1/agl/health HTTP/1.1\r\n\r\n")
        while stream.readline().strip():
            pass
        assert stream.read(15) == b'{"status":"ok"}'
        demo.store_server.down()
        assert idle.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            connect(url)
        demo.store_server.down()
        demo.store_server.up()
        demo.store_server.up()
    assert get(url, "/v1/agl/health") == {"status": "ok"}


def test_a_paused_server_takes_connections_and_answers_when_it_resumes(demo: Demo) -> None:
    demo.store_server.pause()
    with connect(demo.store_url) as connection:
        connection.sendall(b"GET /v1/agl/health HTTP/1.1\r\n\r\n")
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        demo.store_server.resume()
        connection.settimeout(PATIENCE)
        assert connection.recv(15) == b"HTTP/1.1 200 OK"


def test_a_killed_node_refuses_and_its_peers_list_it(demo: Demo, clock: Clock) -> None:
    victim, url = demo.console_nodes[1], demo.mesh_urls[1]
    demo.kill_node(victim)
    with pytest.raises(ConnectionRefusedError):
        connect(url)

    def listed() -> bool:
        return victim in {peer["id"] for peer in get(demo.mesh_urls[0], "/api/status")["peers"]}

    clock.now += 289.0
    assert listed()
    clock.now += 2.0
    assert not listed()
    demo.restart_node(victim)
    assert get(url, "/api/status")["node_id"] == victim
    demo.exit_node(victim)
    assert not listed()
    with pytest.raises(ConnectionRefusedError):
        connect(url)


def test_a_killed_worker_and_its_replacement(demo: Demo, clock: Clock) -> None:
    demo.kill_worker("trainer-0-runner-1", busy=True)
    killed = worker(demo, "trainer-0-runner-1")
    assert killed["status"] == "busy"
    clock.now += 200.0
    assert worker(demo, "trainer-0-runner-1") == killed
    demo.revive_worker("trainer-0-runner-1")
    assert worker(demo, "trainer-0-runner-1")["last_heartbeat_time"] == pytest.approx(NOW + 200.0)
    demo.restart_store()
    clock.now += 11.0
    assert sorted(demo.workers()) == sorted(f"trainer-{t}-runner-{r}" for t in range(3) for r in range(8))
    assert set(demo.workers("unknown")) < set(demo.workers())


def test_waking_makes_a_node(demo: Demo, clock: Clock) -> None:
    demo.wake("attic-gpu-31")
    entries = {entry["logical_id"]: entry for entry in get(demo.mesh_urls[0], "/api/status")["wakeable_nodes"]}
    assert entries["attic-gpu-31"]["state"] == "waking"
    clock.now += entries["attic-gpu-31"]["wake_eta_secs"] + 1
    assert "attic-gpu-31" in demo.nodes().values()


@pytest.mark.parametrize("name", ["kill_worker", "revive_worker", "kill_node", "restart_node", "exit_node", "wake"])
def test_names_that_do_not_exist_are_errors(demo: Demo, name: str) -> None:
    with pytest.raises(KeyError, match="nobody"):
        getattr(demo, name)("nobody")


def test_configuration_names_every_url(demo: Demo) -> None:
    assert yaml.safe_load(demo.configuration(interval="1s", heartbeat_timeout="20s")) == {
        "meshes": [{"fleet": "demo", "urls": list(demo.mesh_urls), "interval": "1s"}],
        "stores": [{"fleet": "demo", "url": demo.store_url, "interval": "1s", "heartbeat_timeout": "20s"}],
    }
    assert demo.urls == (*demo.mesh_urls, demo.store_url)
    assert len(set(demo.urls)) == 4


def test_stop_leaves_no_thread_and_frees_the_ports() -> None:
    before = set(threading.enumerate())
    demo = Demo(DemoOptions(mesh_port=0, store_port=0))
    demo.start()
    ports = [(server.host, server.port) for server in (demo.store_server, *demo.console_servers)]
    demo.console_servers[0].pause()
    with connect(demo.store_url), connect(demo.mesh_urls[0]) as hanging:
        hanging.sendall(b"GET /api/status HTTP/1.1\r\n\r\n")
        demo.stop()
    assert set(threading.enumerate()) == before
    for address in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)


def test_a_taken_port_is_an_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="Address already in use"):
            Demo(DemoOptions(mesh_port=taken.getsockname()[1], store_port=0, consoles=1))
