"""Nothing that a client or an upstream says has the exporter connect anywhere, and each key goes to its own server."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import socket
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from tests.promises.recording import Measured
from tests.real.process import free_port, wait_until
from tests.real.rollcall import Rollcall
from tests.real.web import Answer, Asked, WebServer, ask
from tests.unit.loopback import Loopback, Peer

PACE = {"interval": "200ms", "timeout": "2s"}
PARAMETERS = ("target", "url", "host", "module", "source", "fleet", "registry", "config", "file", "proxy", "callback")
PATHS = ("/metrics", "/", "/probe", "/-/reload", "/-/ready", "/api/v1/nodes/a", "/api/v1/workers/w", "/v1/agl/workers")
REDIRECTS = (301, 302, 303, 307, 308)
CAPTURED = Path(__file__).parents[1] / "golden/mesh-llm-0.66.0/status-serving.json"


@pytest.fixture
def trap() -> Iterator[Loopback]:
    """Somebody whom nobody is to call; who does is counted."""

    def nothing(peer: Peer) -> None:
        peer.head()

    with Loopback(nothing) as server:
        yield server


def is_set(trap: Loopback) -> bool:
    """Fall into it."""
    before = trap.connections
    with socket.create_connection(("127.0.0.1", trap.port), 60):
        wait_until(lambda: trap.connections > before, "the trap to count")
    return True


def tree(**sources: Any) -> str:
    return yaml.safe_dump({**sources, "host": {"enabled": False}, "gpu": {"enabled": False}})


def requests(elsewhere: str) -> Iterator[tuple[str, str, dict[str, str], bytes | None]]:
    """Method, target, headers and body of what asks the exporter to call somebody."""
    beat = json.dumps({"heartbeat_stats": {"host": elsewhere, "url": elsewhere, "os": elsewhere}}).encode()
    fields = ("X-Forwarded-Host", "X-Forwarded-For", "Forwarded", "Referer", "X-Original-URL", "X-Rewrite-URL", "From")
    for path in PATHS:
        for method in ("GET", "POST"):
            for name in PARAMETERS:
                body = json.dumps({name: elsewhere}).encode() if method == "POST" else None
                yield method, f"{path}?{name}={quote(elsewhere, safe='')}", {"Content-Type": "application/json"}, body
        yield "GET", elsewhere + path, {}, None
        yield "GET", path, dict.fromkeys(fields, elsewhere), None
    for name in (quote(elsewhere, safe=""), elsewhere.removeprefix("http://")):
        yield "POST", f"/v1/agl/workers/{name}", {"Content-Type": "application/json"}, beat
        yield "GET", f"/api/v1/workers/{name}", {}, None
        yield "GET", f"/api/v1/nodes/{name}?fleet={name}", {}, None


@pytest.mark.promise("Access", "No parameter, path, header or body of a request becomes a target")
def test_no_request_becomes_a_target(trap: Loopback, tmp_path: Path, measured: Measured) -> None:
    elsewhere = f"http://127.0.0.1:{trap.port}"
    statuses = []
    with (
        WebServer(lambda asked: Answer(200, CAPTURED.read_bytes())) as console,
        Rollcall(tmp_path, tree(meshes=[{"fleet": "eu", "urls": [console.url], **PACE}])) as rollcall,
    ):
        rollcall.until("eu", up=True)
        for method, target, headers, body in requests(elsewhere):
            statuses.append(_asked(rollcall, method, target, headers, body))
        with contextlib.suppress(OSError, HTTPException):
            ask(rollcall.url + "/", method="CONNECT")
        read = console.taken
        wait_until(lambda: console.taken > read + 2, "further reads")
        assert trap.connections == 0
        assert {200, 404, 405} <= set(statuses)
        assert [status for status in statuses if status >= 500] == []
    measured("requests", len(statuses), "")
    assert is_set(trap)


def _asked(rollcall: Rollcall, method: str, target: str, headers: dict[str, str], body: bytes | None) -> int:
    """The status of an answer to a request whose target is sent as it is."""
    fields = {"Host": "localhost", "Connection": "close", "Content-Length": str(len(body or b"")), **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    with socket.create_connection(("127.0.0.1", int(rollcall.url.rpartition(":")[2])), 60) as client:
        client.sendall(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode() + (body or b""))
        with client.makefile("rb") as answer:
            return int(answer.readline().split()[1])


@pytest.mark.promise("Access", "No address in what an upstream says is called")
def test_no_answer_becomes_a_target(trap: Loopback, tmp_path: Path, measured: Measured) -> None:
    elsewhere = f"http://127.0.0.1:{trap.port}"
    told = {"url": elsewhere, "my_hostname": f"127.0.0.1:{trap.port}", "launch_pi": elsewhere}
    answer = {**_with_ports(json.loads(CAPTURED.read_text()), trap.port), **told}
    answer["peers"] = [{"id": "b", "hostname": elsewhere, "url": elsewhere, "api_port": trap.port, "rtt_ms": 1.0}]
    body = json.dumps(answer).encode()
    with (
        WebServer(lambda asked: Answer(200, body)) as console,
        Rollcall(tmp_path, tree(meshes=[{"fleet": "eu", "urls": [console.url], **PACE}])) as rollcall,
    ):
        samples = rollcall.until("eu", up=True)
        assert list(samples.find("rollcall_node_info", node="b"))
        read = console.taken
        wait_until(lambda: console.taken > read + 20, "further reads, of what is optional too")
        assert trap.connections == 0
        measured("reads of a console that names another address everywhere", console.taken, "")
    assert is_set(trap)


def _with_ports(value: Any, port: int) -> Any:
    """The same with this for every port."""
    match value:
        case dict():
            return {key: port if key.endswith("port") else _with_ports(each, port) for key, each in value.items()}
        case list():
            return [_with_ports(each, port) for each in value]
    return value


class Keyed:
    """A server that notes who says what it is authorized by, and sends who asks elsewhere."""

    def __init__(self, status: int, place: str) -> None:
        self.said: set[str] = set()
        self._answer = Answer(status, b"", {"Location": place})

    def __call__(self, asked: Asked) -> Answer:
        self.said.add(asked.headers.get("authorization", "nothing"))
        return self._answer


@pytest.mark.promise("Access", "No redirect is followed, and no server sees the credentials of another")
def test_credentials_go_nowhere_else(trap: Loopback, tmp_path: Path, measured: Measured) -> None:
    places = (f"http://127.0.0.1:{trap.port}/x", f"//localhost:{trap.port}/", f"http://u:p@127.0.0.1:{trap.port}")
    with contextlib.ExitStack() as stack:
        servers = [Keyed(status, place) for status in REDIRECTS for place in places]
        webs = [stack.enter_context(WebServer(each)) for each in servers]
        stores = [
            {"fleet": f"s{number}", "url": web.url, "key": f"key-{number}-of-its-own", **PACE}
            for number, web in enumerate(webs)
        ]
        users = Keyed(302, webs[0].url)
        web = stack.enter_context(WebServer(users))
        meshes = [{"fleet": "eu", "urls": [web.url.replace("http://", "http://reader:word@")], **PACE}]
        silent = {
            "fleet": "gone",
            "url": f"http://127.0.0.1:{free_port()}",
            "key": "key-of-one-that-is-not-there",
            **PACE,
        }
        proxies = dict.fromkeys(("http_proxy", "HTTP_PROXY", "ALL_PROXY"), f"http://127.0.0.1:{trap.port}")
        text = tree(meshes=meshes, stores=[*stores, silent])
        rollcall = stack.enter_context(Rollcall(tmp_path, text, environ=proxies))
        wait_until(lambda: all(each.taken > 2 for each in (*webs, web)), "requests to each")
        wait_until(lambda: _redirected(rollcall) == len(webs) + 1, "a read of each that ends with a redirect")
        assert trap.connections == 0
        for number, server in enumerate(servers):
            assert {*server.said} - {"nothing"} <= {f"Bearer key-{number}-of-its-own"}
        assert any(server.said - {"nothing"} for server in servers)
        assert users.said == {"Basic " + base64.b64encode(b"reader:word").decode()}
        assert not re.search(r"of-its-own|word|not-there", rollcall.output())
    measured("servers that redirect", len(servers) + 1, "")
    assert is_set(trap)


def _redirected(rollcall: Rollcall) -> int:
    """How many sources have sent the exporter elsewhere."""
    return sum(value > 0 for _, value in rollcall.scrape().find("rollcall_source_reads_total", result="redirect"))
