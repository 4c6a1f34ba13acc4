"""The HTTP endpoints, and collectors that are read when they are asked."""

from __future__ import annotations

import gzip
import logging
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

import pytest
import uvicorn

from exporter.asgi import ASGIApp, Receive, Scope, Send
from exporter.collection import Collection
from exporter.exposition import Exposition, Format
from exporter.families import LIVE, POLLED
from exporter.http_protocol import Protocol
from exporter.records import Host, Store
from exporter.records.table import Tables
from exporter.scrape import Scrape
from exporter.server import PIECE, application, configure, gathered, listen
from exporter.sources.collector import Collector, CollectorError
from tests.unit.asgi import OnePage, ask

TEXT = Format.TEXT.value


class Fixed:
    """A collector that gives what the test says, or raises it, or waits."""

    def __init__(self, name: str, read: Callable[[], Tables]) -> None:
        self.name = name
        self.read = read


def make(
    *collectors: Collector, ready: bool = True, stores: int = 1, timeout: float = 5.0
) -> tuple[ASGIApp, list[str]]:
    log: list[str] = []
    tables: Tables = {Store: tuple(Store(f"fleet-{number}", 5.0) for number in range(stores))}
    snapshot = Exposition(POLLED, 10**9).publish({"a": tables})
    collection = Collection(collectors, timeout, lambda name, message: log.append(f"{name}: {message}"))
    scrape = Scrape(lambda: snapshot, collection, LIVE)
    return application(scrape, lambda: ready, OnePage(), {"nodes": lambda name, fleet: (404, b"{}\n")}), log


def test_metrics_in_both_formats_and_compressed() -> None:
    app, _ = make(Fixed("host", lambda: {Host: (Host(load1=0.5),)}))
    plain = ask(app, "/metrics")
    assert (plain.status, plain.headers["content-type"], int(plain.headers["content-length"])) == (
        200,
        TEXT,
        len(plain.body),
    )
    assert b'rollcall_store_start_timestamp_seconds{fleet="fleet-0"} 5.0\n' in plain.body
    assert b"\nrollcall_host_load1 0.5\n" in plain.body
    assert b"\nprocess_cpu_seconds_total " in plain.body
    assert b"# EOF" not in plain.body
    other = ask(app, "/metrics", accept="application/openmetrics-text;version=1.0.0", accept_encoding="gzip")
    assert (other.headers["content-encoding"], other.headers["content-type"]) == ("gzip", Format.OPENMETRICS.value)
    assert gzip.decompress(other.body).endswith(b"\n# EOF\n")


def test_a_large_body_is_sent_in_pieces_and_whole() -> None:
    app, _ = make(stores=20_000)
    body = ask(app, "/metrics").body
    assert len(body) > 3 * PIECE
    assert body.count(b"rollcall_store_start_timestamp_seconds{") == 20_000


PIECES = {
    "nothing": [],
    "empty ones": [b"", b""],
    "small ones": [b"ab", b"", b"c"],
    "many small ones": [b"abc" * 7] * 100_000,
    "a large one": [b"x" * (3 * PIECE + 5)],
    "exactly": [b"x" * PIECE, b"y" * PIECE],
    "small and large": [b"a", b"x" * (2 * PIECE), b"b" * (PIECE - 1), b"c"],
}


@pytest.mark.parametrize("pieces", PIECES.values(), ids=PIECES)
def test_pieces_are_gathered_into_such_of_one_size(pieces: list[bytes]) -> None:
    found = list(gathered(pieces))
    assert b"".join(found) == b"".join(pieces)
    assert all(len(piece) == PIECE for piece in found[:-1])
    assert all(0 < len(piece) <= PIECE for piece in found)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "BREW"])
def test_only_reading_is_allowed(method: str) -> None:
    app, _ = make()
    assert (ask(app, "/metrics", method).status, ask(app, "/metrics", method).headers["allow"]) == (405, "GET, HEAD")
    assert ask(app, "/", method).status == ask(app, "/nothing", method).status == 405


def test_head_says_what_get_would_without_the_body() -> None:
    app, _ = make()
    answer = ask(app, "/metrics", "HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["content-length"]) > 1000


@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text;version=1.x",
        "\xff",
        ";;q=",
        "*/*;q=2",
        pytest.param("a" * 8000, id="long"),
        pytest.param("a," * 4096 + "application/openmetrics-text", id="OpenMetrics behind 8,192 characters"),
    ],
)
def test_no_accept_header_is_an_error(accept: str) -> None:
    app, _ = make()
    answer = ask(app, "/metrics", accept=accept)
    assert (answer.status, answer.headers["content-type"]) == (200, TEXT)


def test_health_readiness_and_the_rest() -> None:
    app, _ = make()
    assert ask(app, "/-/healthy").status == ask(app, "/-/ready").status == 200
    stuck, _ = make(ready=False)
    assert (ask(stuck, "/-/healthy").status, ask(stuck, "/-/ready").status) == (200, 503)
    assert ask(app, "/nothing").status == 404


SIZE = 2**25
"""Bytes of an answer that no socket takes at once."""


async def at_once(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % SIZE)]})
    await send({"type": "http.response.body", "body": bytes(SIZE)})


async def in_pieces(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % SIZE)]})
    for _ in range(SIZE // PIECE):
        await send({"type": "http.response.body", "body": bytes(PIECE), "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def crash(scope: Scope, receive: Receive, send: Send) -> None:
    raise ZeroDivisionError


class Hasty(Protocol):
    answer_timeout = 0.2


class Patient(Protocol):
    answer_timeout = 300.0


@contextmanager
def serving(app: ASGIApp, protocol: type[Protocol] = Protocol) -> Iterator[tuple[uvicorn.Server, socket.socket]]:
    """A server in a thread, and a client that has little room for what it has not read."""
    server = uvicorn.Server(configure(app, protocol))
    listener = listen("127.0.0.1", 0)
    address = listener.getsockname()
    thread = Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(60)
            client.connect(address)
            yield server, client
    finally:
        server.should_exit = True
        thread.join(60)
    assert not thread.is_alive()


def take(client: socket.socket) -> int:
    """Read until the server closes; the number of bytes."""
    taken = 0
    with suppress(ConnectionError):
        while data := client.recv(2**20):
            taken += len(data)
    return taken


@pytest.mark.parametrize("requests", [1, 3])
@pytest.mark.parametrize("app", [at_once, in_pieces])
def test_a_client_that_does_not_take_its_answer_is_cut_off(
    app: ASGIApp, requests: int, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(app, Hasty) as (server, client):
        client.sendall(b"GET / HTTP/1.1\r\n\r\n" * requests)
        with suppress(ConnectionError):
            client.recv(1)
        until = time.monotonic() + 60
        while server.server_state.connections or server.server_state.tasks:
            assert time.monotonic() < until, "expected the connection to be closed"
            time.sleep(0.05)
        assert take(client) < SIZE
    assert not [record for record in caplog.records if record.levelno >= logging.INFO]


@pytest.mark.parametrize("app", [at_once, in_pieces])
def test_a_client_that_takes_its_answers_gets_them_whole(app: ASGIApp) -> None:
    with serving(app, Patient) as (_, client):
        client.sendall(b"GET / HTTP/1.1\r\n\r\n" * 2 + b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert 3 * SIZE < take(client) < 3 * SIZE + 1000


def test_an_answer_that_is_written_but_not_taken_is_under_way() -> None:
    class Impatient(Patient):
        def on_headers_complete(self) -> None:
            super().on_headers_complete()
            self.head_timeout = 0.0

    with serving(at_once, Impatient) as (_, client):
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert SIZE < take(client) < SIZE + 1000


def test_an_exception_of_the_application_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with serving(crash) as (_, client):
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 500 ")
    [record] = [record for record in caplog.records if record.levelno >= logging.INFO]
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


def test_a_collector_that_fails_costs_only_its_own_samples() -> None:
    def fail() -> Tables:
        raise CollectorError("gpu: expected a driver, found none")

    def crash() -> Tables:
        raise ZeroDivisionError

    app, log = make(
        Fixed("gpu", fail), Fixed("crash", crash), Fixed("host", lambda: {Host: (Host(load1=0.5),)}), timeout=30
    )
    body = ask(app, "/metrics").body.decode()
    assert 'rollcall_collector_success{collector="gpu"} 0\n' in body
    assert 'rollcall_collector_success{collector="crash"} 0\n' in body
    assert 'rollcall_collector_success{collector="host"} 1\n' in body
    assert "rollcall_host_load1 0.5\n" in body
    assert sorted(log) == ["crash: unforeseen ZeroDivisionError", "gpu: gpu: expected a driver, found none"]


def test_a_collector_that_hangs_is_left_out_asked_once_and_back_when_it_answers() -> None:
    release, asked = Event(), []

    def hang() -> Tables:
        asked.append(1)
        release.wait(60)
        return {Host: (Host(load1=0.25),)}

    app, log = make(Fixed("host", hang), timeout=0.05)
    for _ in range(3):
        assert 'rollcall_collector_success{collector="host"} 0\n' in ask(app, "/metrics").body.decode()
    assert (len(asked), log[0]) == (1, "host: no answer within 0.05 s")
    release.set()
    until = 400
    while "rollcall_host_load1 0.25" not in ask(app, "/metrics").body.decode():
        until -= 1
        assert until
