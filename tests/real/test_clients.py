"""What clients and signals do to the exporter as a process: endless heads, idle connections, answers not taken."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

import pytest
import yaml

from exporter.http_protocol import HEAD_BYTES, PIPELINED
from tests.real.hostile import many_workers
from tests.real.process import Process, wait_until
from tests.real.rollcall import Rollcall
from tests.real.web import Answer, Asked, WebServer

MACHINE = {"host": {"enabled": False}, "gpu": {"enabled": False}}
HEALTHY = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"
SCRAPE = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
WITH_BODY = b"Host: localhost\r\nContent-Length: 100\r\n\r\n"


@pytest.fixture(scope="module")
def rollcall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rollcall]:
    """An exporter without sources, which logs at info."""
    with Rollcall(tmp_path_factory.mktemp("clients"), yaml.safe_dump(MACHINE)) as started:
        yield started
        assert quiet(started)


def quiet(rollcall: Rollcall) -> bool:
    """Tell whether it has logged nothing worse than info, and no word of its HTTP server."""
    return not re.search(r"level=(?!info)|ASGI|HTTP|Traceback", rollcall.output())


def connect(rollcall: Rollcall, room: int | None = None) -> socket.socket:
    """A connection; `room` is about how many bytes it takes without being read."""
    client = socket.socket()
    if room is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    client.settimeout(60)
    client.connect(("127.0.0.1", int(rollcall.url.rpartition(":")[2])))
    return client


def read(file: BufferedReader, method: str = "GET") -> Answer:
    """One answer of those that a connection brings."""
    status = int(file.readline().split()[1])
    fields = {}
    while line := file.readline().strip():
        name, _, text = line.decode().partition(": ")
        fields[name.lower()] = text
    body = b"" if method == "HEAD" else file.read(int(fields["content-length"]))
    return Answer(status, body, fields)


def test_a_head_without_end_is_cut_off(rollcall: Rollcall) -> None:
    with connect(rollcall) as client, pytest.raises(ConnectionError):
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: " + b"a," * 2**23)
    assert rollcall.get().status == 200


@pytest.mark.parametrize("behind", [b"", HEALTHY], ids=["first head", "second head"])
def test_the_longest_head(behind: bytes, rollcall: Rollcall) -> None:
    start, end = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nAccept: ", b"\r\n\r\n"
    longest = start + b"a" * (HEAD_BYTES - len(start) - len(end)) + end
    with connect(rollcall) as client, client.makefile("rb") as file:
        if behind:
            client.sendall(behind)
            assert read(file).status == 200
        client.sendall(longest)
        assert read(file).status == 200
        client.sendall(longest.replace(b"\r\n\r\n", b"aaaa"))
        assert read(file) == (431, b"", {"content-length": "0", "connection": "close"})
        assert file.read() == b""


LEFT = {
    "silent": (b"", b""),
    "half a head": (b"", b"GET /metrics HTTP/1.1\r\nHost:"),
    "an empty line": (b"", b"\r\n"),
    "answered": (HEALTHY, b""),
    "answered, then an empty line": (SCRAPE, b"\r\n"),
    "answered, then half a head": (SCRAPE, b"GET / HTTP"),
    "refused, then a byte of its body": (b"POST /metrics HTTP/1.1\r\n" + WITH_BODY, b"x"),
    "the landing page refused": (b"POST / HTTP/1.1\r\n" + WITH_BODY, b"x"),
    "answered, then a byte of a body": (b"GET / HTTP/1.1\r\n" + WITH_BODY, b"x"),
    "heads and empty lines": (HEALTHY + b"\r\n" + HEALTHY, b"\r\n\r\n"),
}


def test_no_connection_is_left_open(rollcall: Rollcall) -> None:
    with contextlib.ExitStack() as stack:
        clients = []
        for name, (asked, behind) in (*LEFT.items(), *LEFT.items()):
            client = stack.enter_context(connect(rollcall))
            file = stack.enter_context(client.makefile("rb"))
            client.sendall(asked)
            for _ in range(asked.count(b"HTTP/1.1")):
                assert read(file).status == (405 if asked.startswith(b"POST") else 200)
            with contextlib.suppress(ConnectionError):
                client.sendall(behind)
            client.setblocking(False)
            clients.append((name, client))
        assert rollcall.get().status == 200
        for name, client in clients:
            wait_until(lambda: closed(client), f"the server to close a connection: {name}")  # noqa: B023


def closed(client: socket.socket) -> bool:
    """Tell whether the server has closed a connection."""
    try:
        return client.recv(4096) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


LAST = {
    "POST": b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    "POST with a body": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
    "DELETE": b"DELETE /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n",
    "OPTIONS of nothing": b"OPTIONS /nothing HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET with a body": b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
    "GET with chunks": b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("asked", LAST.values(), ids=LAST)
def test_what_is_not_for_reading_is_the_last_request(asked: bytes, rollcall: Rollcall) -> None:
    with connect(rollcall) as client, client.makefile("rb") as file:
        client.sendall(HEALTHY + asked + HEALTHY)
        first, last = read(file), read(file)
        assert (first.status, first.headers.get("connection")) == (200, None)
        assert last.status == (200 if asked.startswith(b"GET") else 405)
        assert last.headers["connection"] == "close"
        assert last.headers.get("allow") == (None if asked.startswith(b"GET") else "GET, HEAD")
        assert file.read() == b""


def test_requests_one_behind_the_other(rollcall: Rollcall) -> None:
    asked = [HEALTHY, SCRAPE.replace(b"GET", b"HEAD"), SCRAPE, b"GET /nothing HTTP/1.1\r\n\r\n", HEALTHY]
    with connect(rollcall) as client, client.makefile("rb") as file:
        client.sendall(b"".join(asked))
        answers = [read(file, request.partition(b" ")[0].decode()) for request in asked]
        assert [answer.status for answer in answers] == [200, 200, 200, 404, 200]
        assert int(answers[1].headers["content-length"]) > 1000
        assert b"rollcall_build_info" in answers[2].body
        client.sendall(HEALTHY)
        answers.append(read(file))
        assert answers[-1].status == 200
        assert not [answer for answer in answers if "connection" in answer.headers]
        client.sendall(HEALTHY * (PIPELINED + 10))
        answers = [read(file) for _ in range(PIPELINED)]
        assert ["connection" in answer.headers for answer in answers] == [False] * (PIPELINED - 1) + [True]
        assert file.read() == b""


WRONG = {
    "TLS": bytes.fromhex("16030100c8010000c40303"),
    "unknown method": b"BREW / HTTP/1.1\r\n\r\n",
    "no field": b"GET / HTTP/1.1\r\nHost: x\r\nnothing\r\n\r\n",
    "CONNECT": b"CONNECT x:1 HTTP/1.1\r\n\r\n",
    "not ASCII": b"GET /\xff HTTP/1.1\r\n\r\n",
    "wrong length": b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
}


@pytest.mark.parametrize("asked", WRONG.values(), ids=WRONG)
def test_a_bad_request_is_refused_and_not_logged(asked: bytes, rollcall: Rollcall) -> None:
    for behind, statuses in ((b"", [400]), (HEALTHY, [200, 400])):
        with connect(rollcall) as client, client.makefile("rb") as file:
            for request, status in zip([behind, asked] if behind else [asked], statuses, strict=True):
                client.sendall(request)
                answer = read(file)
                assert (answer.status, answer.headers.get("connection") == "close") == (status, status == 400)
            assert file.read() == b""
    with connect(rollcall) as client, client.makefile("rb") as file:
        client.sendall(SCRAPE + asked)
        assert b"rollcall_build_info" in read(file).body
        file.read()
    assert quiet(rollcall)


def test_an_upgrade_is_ignored_and_not_logged(rollcall: Rollcall) -> None:
    upgrade = HEALTHY.replace(b"Host: x", b"Connection: Upgrade\r\nUpgrade: websocket")
    with connect(rollcall) as client, client.makefile("rb") as file:
        for asked in (upgrade, HEALTHY):
            client.sendall(asked)
            assert read(file).status == 200
    assert quiet(rollcall)


@pytest.fixture
def hung() -> Iterator[WebServer]:
    """A server that takes requests and does not answer them."""
    over = threading.Event()

    def hang(_: Asked) -> Answer:
        over.wait(120)
        return Answer(503, b"")

    with WebServer(hang) as server:
        yield server
        over.set()


def test_sigterm_with_slow_clients_and_hung_upstreams(hung: WebServer, tmp_path: Path) -> None:
    urls = [f"{hung.url}/{number}" for number in range(10)]
    meshes = [{"fleet": "mesh", "urls": urls, "timeout": "5m"}]
    with WebServer(many_workers(500)) as large, contextlib.ExitStack() as stack:
        stores = [{"fleet": f"store-{number}", "url": f"{large.url}/{number}"} for number in range(10)]
        tree = {**MACHINE, "meshes": meshes, "stores": stores}
        rollcall = stack.enter_context(Rollcall(tmp_path, yaml.safe_dump(tree)))
        wait_until(lambda: len(rollcall.get().body) > 5_000_000, "more than sockets buffer")
        wait_until(lambda: hung.taken == 10, "ten requests that hang")
        clients = [stack.enter_context(connect(rollcall, room=4096)) for _ in range(20)]
        for place, client in enumerate(clients):
            client.sendall(SCRAPE * (1 + place % 3))
        for client in clients:
            assert client.recv(1) == b"H"
        for client in clients[::4]:
            client.close()
        assert rollcall.get("/-/healthy").status == 200
        started = time.monotonic()
        rollcall.send(signal.SIGTERM)
        assert rollcall.wait() == 0
        print(f"SIGTERM with slow clients and hung upstreams: ended after {time.monotonic() - started:.2f} s")
        assert quiet(rollcall)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_signals_after_signals(number: signal.Signals, tmp_path: Path) -> None:
    with Rollcall(tmp_path, yaml.safe_dump(MACHINE)) as rollcall:
        assert rollcall.get("/-/healthy").status == 200
        while rollcall.process.poll() is None:
            rollcall.send(number)
            time.sleep(0.001)
        assert rollcall.wait() == 0
        assert quiet(rollcall)


@pytest.mark.parametrize("module", ["msgspec", "uvicorn"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_during_the_imports(number: signal.Signals, module: str, tmp_path: Path) -> None:
    """In the place of a library is one that opens a named pipe, and so can be seen to be imported."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / f"{module}.py").write_text(f"open({str(pipe)!r}).read()\nraise ImportError('too late')\n")
    command = [sys.executable, "-m", "exporter.cli", "serve", "--web.listen-address", "127.0.0.1:0"]
    with Process(command, tmp_path / "log", {"PYTHONPATH": str(tmp_path)}) as process:

        def imported() -> int | None:
            process.ended()
            with contextlib.suppress(OSError):
                return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
            return None

        end = wait_until(imported, f"the import of {module}")
        try:
            process.send(number)
            assert process.wait() == 0, process.output()
        finally:
            os.close(end)
    assert process.output() == ""
