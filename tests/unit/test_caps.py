"""Caps on clients: beyond them a 503, nothing held for who takes nothing, no answer made for who is gone."""

from __future__ import annotations

import asyncio
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from threading import Event

import pytest

from exporter.asgi import Receive, Scope, Send
from exporter.caps import BUSY, SPARE
from exporter.http_protocol import Protocol
from tests.unit.test_server import SIZE, at_once, in_pieces, serving

ASKED = b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n"


class Small(Protocol):
    most_answers = 2


class Few(Protocol):
    most_connections = 4


class Gate:
    """An application that answers /wait once it may, and anything else at once."""

    def __init__(self) -> None:
        self.open = Event()
        self.waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/wait":
            self.waiting += 1
            while not self.open.is_set():
                await asyncio.sleep(0.01)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


@contextmanager
def clients(client: socket.socket, count: int) -> Iterator[list[socket.socket]]:
    """More connections to where a client is connected, itself the first."""
    with ExitStack() as stack:
        others = [stack.enter_context(socket.create_connection(client.getpeername(), 60)) for _ in range(count - 1)]
        yield [client, *others]


def answer(client: socket.socket) -> tuple[int, bytes, bool]:
    """Status and body of an answer, and whether it is the last of its connection."""
    with client.makefile("rb") as file:
        status = int(file.readline().split()[1])
        fields = dict(line.strip().lower().split(b": ") for line in iter(file.readline, b"\r\n"))
        return status, file.read(int(fields[b"content-length"])), fields.get(b"connection") == b"close"


def until(happens: object, what: str) -> None:
    end = time.monotonic() + 60
    while not happens():  # type: ignore[operator]
        assert time.monotonic() < end, what
        time.sleep(0.01)


def test_more_answers_than_there_may_be_are_refused_until_others_end() -> None:
    gate = Gate()
    with serving(gate, Small) as (server, client), clients(client, 4) as (one, two, three, four):
        for each in (one, two):
            each.sendall(ASKED % b"/wait")
        until(lambda: gate.waiting == 2, "expected two answers under way")
        three.sendall(ASKED % b"/metrics")
        assert answer(three) == (503, BUSY, True)
        four.sendall(ASKED % b"/-/healthy")
        assert answer(four) == (200, b"ok", False)
        gate.open.set()
        assert [answer(each) for each in (one, two)] == [(200, b"ok", False)] * 2
        until(lambda: not server.server_state.tasks, "expected no answer under way")
        four.sendall(ASKED % b"/metrics")
        assert answer(four) == (200, b"ok", False)


def test_who_connects_beyond_the_cap_is_refused() -> None:
    gate = Gate()
    with serving(gate, Few) as (server, client), clients(client, 6) as connected:
        until(lambda: len(server.server_state.connections) == 6, "expected six connections")
        for each in connected:
            each.sendall(ASKED % b"/metrics")
        assert [answer(each)[0] for each in connected] == [200] * 4 + [503] * 2
        until(lambda: len(server.server_state.connections) == 4, "expected four connections")
    with serving(gate, Few) as (_, client):
        client.sendall(ASKED % b"/metrics")
        assert answer(client)[0] == 200


@pytest.mark.parametrize("limit", [SPARE, SPARE + 2])
def test_connections_leave_files_for_everything_else(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Gate(), Small) as (server, client):
        until(lambda: server.server_state.connections, "expected a connection")
        monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
        with clients(client, 4) as connected:
            shut = [each for each in connected[1:] if closed(each)]
            assert len(shut) == 3 - max(0, limit - SPARE - 1)


def closed(client: socket.socket) -> bool:
    """Tell whether the server has closed a connection; one that is open answers."""
    with suppress(ConnectionError):
        client.sendall(ASKED % b"/-/healthy")
        return client.recv(1) == b""
    return True


class Impatient(Protocol):
    taken_timeout = 0.2


@pytest.mark.parametrize("app", [at_once, in_pieces])
def test_who_takes_nothing_is_cut_off_long_before_the_answer_must_be_taken(app: object) -> None:
    with serving(app, Impatient) as (server, client):  # type: ignore[arg-type]
        client.sendall(ASKED % b"/metrics")
        assert client.recv(1) == b"H"
        until(lambda: not server.server_state.connections, "expected the connection to be closed")
        assert Impatient.answer_timeout == Protocol.answer_timeout


class Pressed(Small):
    taken_timeout = 0.2
    look = 0.1


@pytest.mark.promise("Clients", "Answers that take long make room once there are as many as may be")
def test_answers_that_take_long_are_cut_off_once_there_are_too_many() -> None:
    gate = Gate()
    with serving(gate, Pressed) as (server, client), clients(client, 3) as (one, two, three):
        one.sendall(ASKED % b"/wait")
        until(lambda: gate.waiting == 1, "expected an answer under way")
        time.sleep(1)
        assert len(server.server_state.tasks) == 1, "alone, it is in nobody's way"
        two.sendall(ASKED % b"/wait")
        assert [gone(each) for each in (one, two)] == [True, True]
        gate.open.set()
        until(lambda: not server.server_state.tasks, "expected no answer under way")
        three.sendall(ASKED % b"/metrics")
        assert answer(three) == (200, b"ok", False)


def gone(client: socket.socket) -> bool:
    """Wait for a connection to be closed without an answer."""
    client.settimeout(60)
    with suppress(ConnectionError):
        return client.recv(1) == b""
    return True


class Patient(Protocol):
    taken_timeout = 5.0


def test_who_takes_a_piece_now_and_then_gets_it_all() -> None:
    with serving(in_pieces, Patient) as (_, client):
        client.sendall(ASKED % b"/metrics")
        taken = 0
        while taken < SIZE:
            taken += len(client.recv(2**22))


def test_no_answer_is_made_for_who_is_gone() -> None:
    made = [0]

    async def large(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % SIZE)]})
        for _ in range(SIZE // 2**16):
            made[0] += 1
            await send({"type": "http.response.body", "body": bytes(2**16), "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    with serving(large) as (server, client):
        client.sendall(ASKED % b"/metrics")
        assert client.recv(1) == b"H"
        client.close()
        until(lambda: not server.server_state.tasks, "expected no answer under way")
    assert made[0] < SIZE // 2**16 // 2
