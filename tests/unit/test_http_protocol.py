"""Connections of a server that can be written to: bodies kept apart, bounded in size and time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from io import BufferedReader
from typing import Any

import pytest

from exporter.asgi import Receive, Scope, Send
from exporter.http_protocol import HEAD_BYTES, PIPELINED, Answer, Protocol
from tests.unit.test_server import serving

ROOM = 100_000
GET = b"GET /w HTTP/1.1\r\n\r\n"


class Writable(Protocol):
    """Paths below /w can be written to."""

    def room(self, path: str) -> int | None:
        return ROOM if path.startswith("/w") else None


class Short(Writable):
    """Echoes a POST without the application: at once, later, or not at all where the body begins with `!`."""

    def is_short(self, scope: Any) -> bool:
        return scope["method"] == "POST" and scope["path"].startswith("/w") and not scope["path"].endswith("early")

    def shorten(self, scope: Any, body: bytes, answer: Answer) -> bool:
        if body.startswith(b"!"):
            return False
        said = f"{scope['method']} {scope['path']} {len(body)} ".encode() + body[:20]
        if scope["path"].endswith("slow"):
            self.loop.call_later(0.6, answer, 200, (), said)
        elif len(body) % 2:
            self.loop.call_soon(answer, 200, (), said)
        else:
            answer(200, (), said)
        return True


class Hasty(Writable):
    body_timeout = 0.3


class HastyShort(Short):
    body_timeout = 0.3


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with method, path and body, of which it reads a little more than there is room for; /early reads none."""
    body = b""
    if not scope["path"].endswith("early"):
        more = True
        while more and len(body) <= ROOM:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
            more = message["more_body"]
    if scope["path"].endswith("slow"):
        await asyncio.sleep(0.6)
    said = f"{scope['method']} {scope['path']} {len(body)} ".encode() + body[:20]
    headers = [(b"content-length", b"%d" % len(said))] + [(b"connection", b"close")] * (len(body) > ROOM)
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": said})


def post(body: bytes, path: str = "/w", method: str = "POST") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def chunked(*chunks: bytes, path: str = "/w") -> bytes:
    pieces = [b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b"")]
    return f"POST {path} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + b"".join(pieces)


class Talk:
    """A connection, and the answers it brings."""

    def __init__(self, client: socket.socket, file: BufferedReader) -> None:
        self.client = client
        self.file = file

    def say(self, *data: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            for piece in data:
                self.client.sendall(piece)

    def hear(self) -> tuple[int, str, bool]:
        """Status, body, and whether it is said to be the last answer."""
        status = int(self.file.readline().split()[1])
        fields = {}
        while line := self.file.readline().strip():
            name, _, text = line.decode().partition(": ")
            fields[name.lower()] = text
        return status, self.file.read(int(fields["content-length"])).decode(), fields.get("connection") == "close"

    def over(self) -> bool:
        """Tell whether the server has closed the connection without another byte."""
        with contextlib.suppress(ConnectionError):
            return self.file.read() == b""
        return True


@pytest.fixture(params=[Writable, Short])
def talk(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[Talk]:
    """A connection to an echoing server; nothing that a client does is logged."""
    with serving(echo, request.param) as (_, client), client.makefile("rb") as file:
        yield Talk(client, file)
    assert not [record for record in caplog.records if record.levelno >= logging.INFO]


def test_writes_keep_the_connection(talk: Talk) -> None:
    asked = [
        (post(b"abc"), "POST /w 3 abc"),
        (post(b""), "POST /w 0 "),
        (b"POST /w HTTP/1.1\r\n\r\n", "POST /w 0 "),
        (chunked(b"ab", b"c" * 10), "POST /w 12 abcccccccccc"),
        (GET, "GET /w 0 "),
        (post(b"", method="DELETE"), "DELETE /w 0 "),
        (post(b"body of a look", method="GET"), "GET /w 14 body of a look"),
        (post(b"x" * ROOM, "/w/large"), f"POST /w/large {ROOM} {'x' * 20}"),
        (post(b"!abc"), "POST /w 4 !abc"),
        (post(b"abcd"), "POST /w 4 abcd"),
    ]
    for request, expected in asked:
        talk.say(request)
        assert talk.hear() == (200, expected, False)
    for request, _ in asked:
        talk.say(*(request[at : at + 1000] for at in range(0, len(request), 1000)))
    assert [talk.hear() for _ in asked] == [(200, expected, False) for _, expected in asked]


@pytest.mark.parametrize("size", [HEAD_BYTES - 100, HEAD_BYTES - 40, HEAD_BYTES, HEAD_BYTES + 1, ROOM])
def test_no_body_counts_as_a_head(size: int, talk: Talk) -> None:
    for _ in range(3):
        talk.say(post(b"x" * size) + post(b"y" * size) + GET[:-2])
        talk.say(b"\r\n")
        assert [talk.hear()[:2] for _ in range(3)] == [
            (200, f"POST /w {size} " + "x" * 20),
            (200, f"POST /w {size} " + "y" * 20),
            (200, "GET /w 0 "),
        ]
    talk.say(b"GET /w HTTP/1.1\r\nX: " + b"a" * 2 * HEAD_BYTES)
    assert talk.hear() == (431, "", True)
    assert talk.over()


@pytest.mark.parametrize("asked", [post(b"abc", "/other"), chunked(b"abc", path="/other"), post(b"", "/", "DELETE")])
def test_elsewhere_a_write_is_the_last_request(asked: bytes, talk: Talk) -> None:
    talk.say(post(b"1"), asked.replace(b" HTTP", b"/early HTTP", 1) + post(b"2"))
    assert talk.hear() == (200, "POST /w 1 1", False)
    status, _, last = talk.hear()
    assert (status, last) == (200, True)
    assert talk.over()


def test_requests_ahead_of_their_answers_are_bounded(talk: Talk) -> None:
    talk.say(b"".join(post(b"%d" % number, "/w/slow" if not number else "/w") for number in range(PIPELINED + 10)))
    answers = [talk.hear() for _ in range(PIPELINED)]
    assert [body.rpartition(" ")[2] for _, body, _ in answers] == [str(number) for number in range(PIPELINED)]
    assert [last for _, _, last in answers] == [False] * (PIPELINED - 1) + [True]
    assert talk.over()


def test_the_last_request_has_its_whole_body(talk: Talk) -> None:
    whole = post(b"z" * ROOM)
    talk.say(post(b"", "/w/slow") + GET * (PIPELINED - 2) + whole[:100])
    assert talk.hear() == (200, "POST /w/slow 0 ", False)
    talk.say(whole[100:] + GET)
    assert {talk.hear() for _ in range(PIPELINED - 2)} == {(200, "GET /w 0 ", False)}
    assert talk.hear() == (200, f"POST /w {ROOM} {'z' * 20}", True)
    assert talk.over()


def test_a_declared_body_beyond_the_room_is_not_read(talk: Talk) -> None:
    talk.say(GET, post(b"x" * (ROOM + 1), "/w/early"), GET)
    assert talk.hear() == (200, "GET /w 0 ", False)
    assert talk.hear() == (200, "POST /w/early 0 ", True)
    assert talk.over()


def test_a_body_in_chunks_beyond_the_room_is_read_little_further(talk: Talk) -> None:
    talk.say(chunked(*[b"x" * 1000] * 10_000))
    status, body, last = talk.hear()
    assert (status, last) == (200, True)
    assert ROOM < int(body.split()[2]) <= ROOM + 5 * HEAD_BYTES
    assert talk.over()


def test_a_body_in_chunks_behind_its_answer_is_read_little_further(talk: Talk) -> None:
    talk.say(chunked(*[b"x" * 1000] * 10_000, path="/w/early"))
    assert talk.hear() == (200, "POST /w/early 0 ", False)
    assert talk.over()


def test_a_body_behind_its_answer_is_no_request(talk: Talk) -> None:
    request = post(GET * 100, "/w/early")
    for _ in range(3):
        talk.say(request[:-500])
        assert talk.hear() == (200, "POST /w/early 0 ", False)
        talk.say(request[-500:])
    talk.say(GET)
    assert talk.hear() == (200, "GET /w 0 ", False)


@pytest.mark.parametrize("talk", [Hasty, HastyShort], indirect=True)
@pytest.mark.parametrize(
    "asked",
    [
        post(b"abc")[:-1],
        chunked(b"abc")[:-1],
        post(b"abc", "/w/early")[:-1],
        chunked(b"abc", path="/w/early")[:-5] + b"0;" + b"x" * 500_000,
        chunked(b"abc")[:-2] + b"X: y\r\n" * 100_000,
    ],
    ids=["short", "chunks without end", "behind its answer", "an endless extension", "endless trailers"],
)
def test_a_body_that_does_not_come_is_cut_off(asked: bytes, talk: Talk) -> None:
    talk.say(asked)
    if b"early" in asked:
        assert talk.hear()[0] == 200
    assert talk.over()


@pytest.mark.parametrize("talk", [Hasty, HastyShort], indirect=True)
def test_an_answer_may_take_longer_than_a_body(talk: Talk) -> None:
    for _ in range(2):
        talk.say(post(b"abc", "/w/slow") + post(b"d", "/w/slow"))
        assert talk.hear() == (200, "POST /w/slow 3 abc", False)
        assert talk.hear() == (200, "POST /w/slow 1 d", False)


@pytest.mark.parametrize("talk", [Short], indirect=True)
def test_an_answer_that_nobody_waits_for_is_dropped(talk: Talk) -> None:
    with socket.socket() as other:
        other.connect(talk.client.getpeername())
        other.sendall(post(b"", "/w/slow") + post(b"abc")[:-1])
    talk.say(post(b"1", "/w/slow"))
    assert talk.hear() == (200, "POST /w/slow 1 1", False)


@pytest.mark.parametrize("talk", [Short], indirect=True)
def test_a_client_that_wants_to_be_asked_for_its_body(talk: Talk) -> None:
    head, _, body = post(b"abc").partition(b"\r\n\r\n")
    talk.say(head + b"\r\nExpect: 100-continue\r\n\r\n")
    assert talk.file.readline() == b"HTTP/1.1 100 Continue\r\n"
    assert talk.file.readline() == b"\r\n"
    talk.say(body)
    assert talk.hear() == (200, "POST /w 3 abc", False)


BAD_CHUNK = b"POST /w HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n"


@pytest.mark.parametrize("cut", [0, 52, len(BAD_CHUNK) - 5], ids=["at once", "a body apart", "a chunk apart"])
def test_a_broken_body_is_refused_once_others_are_answered(cut: int, talk: Talk) -> None:
    talk.say(post(b"", "/w/slow") + post(b"1") + BAD_CHUNK[:cut])
    talk.say(BAD_CHUNK[cut:])
    first = [talk.hear()[:2], talk.hear()[:2]]
    assert first == [(200, "POST /w/slow 0 "), (200, "POST /w 1 1")]
    assert talk.file.read().partition(b"\r\n")[0] in (b"", b"HTTP/1.1 400 Bad Request")


def test_a_broken_body_alone_is_told(talk: Talk) -> None:
    talk.say(BAD_CHUNK)
    assert talk.hear() == (400, "", True)
    assert talk.over()


@pytest.mark.parametrize(
    "head",
    [
        b"POST /w HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /w HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST /w HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /w HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
    ],
    ids=["length and chunks", "two lengths", "negative", "not chunked in the end"],
)
def test_a_body_of_two_lengths_is_refused(head: bytes, talk: Talk) -> None:
    talk.say(head + b"0\r\n\r\n" + GET)
    assert talk.hear() == (400, "", True)
    assert talk.over()
