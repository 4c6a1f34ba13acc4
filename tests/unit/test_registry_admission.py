"""Who may talk to the registry, and what every refusal is counted by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.endpoint import Secret
from exporter.loopback import is_loopback, names_loopback
from exporter.records import RegistryRejections
from exporter.registry.admission import BATCH_BYTES, HEARTBEAT_BYTES, READ_BYTES, Admission, Allowance, most_of, room
from exporter.registry.rejections import REASONS, Rejections

HERE = {b"host": b"localhost:10470"}
JSON = {**HERE, b"content-type": b"application/json"}


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def admission(token: str | None = None, local: bool = True, rate: int = 10**6) -> tuple[Admission, Rejections]:
    rejections = Rejections()
    allowance = Allowance(rate, Clock())
    return Admission(None if token is None else Secret(token), local, allowance, rejections), rejections


def counted(rejections: Rejections) -> dict[str, int]:
    """What was counted, without the zeros."""
    (rows,) = rejections.tables().values()
    found = {row.reason: row.count for row in rows if isinstance(row, RegistryRejections)}
    assert set(found) == set(REASONS)
    return {reason: count for reason, count in found.items() if count}


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST",
        "localhost:1",
        "127.0.0.1",
        "127.0.0.1:10470",
        "127.255.3.4",
        "[::1]",
        "[::1]:65535",
        "[0:0:0:0:0:0:0:1]:1",
        "[::ffff:127.0.0.1]",
    ],
)
def test_names_of_this_machine(host: str) -> None:
    assert names_loopback(host.encode())


@pytest.mark.promise("Access", "No Host header that merely looks like a loopback address passes for one")
@pytest.mark.parametrize(
    "host",
    [
        *(
            "",
            "x",
            "evil.example",
            "localhost.evil.example",
            "evil.localhost",
            "localhost.",
            "localhost:",
            "localhost:a",
        ),
        *(
            "localhost:123456",
            "127.0.0.1.nip.io",
            "127.0.0.256",
            "127.0.0",
            "127.1",
            "2130706433",
            "0.0.0.0",
            "10.0.0.1",
        ),
        *("::1", "[::2]", "[::1", "[fe80::1]", "[::ffff:10.0.0.1]", "[]", "[::1].evil", " localhost", "localhost\n"),
    ],
)
def test_names_of_others(host: str) -> None:
    assert not names_loopback(host.encode())


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("::1", True), ("::ffff:127.0.0.1", True), ("0.0.0.0", False), ("::", False), ("x", False)],
)
def test_loopback_addresses(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


ADMITTED = {
    "a look": ("GET", HERE, None),
    "a look from another page": ("GET", {**HERE, b"origin": b"http://evil.example"}, None),
    "an empty heartbeat": ("POST", HERE, None),
    "an empty heartbeat that says so": ("POST", {**HERE, b"content-length": b"0"}, None),
    "an empty heartbeat of aiohttp": ("POST", {**HERE, b"content-type": b"application/octet-stream"}, None),
    "a goodbye": ("DELETE", HERE, None),
    "JSON": ("POST", {**JSON, b"content-length": b"7"}, None),
    "JSON with a charset": ("POST", {**HERE, b"content-type": b"Application/JSON ; charset=utf-8"}, None),
    "JSON of a kind": ("POST", {**HERE, b"content-type": b"application/vnd.x+json", b"content-length": b"7"}, None),
    "as much as there may be": ("POST", {**JSON, b"content-length": b"65536"}, None),
    "chunks": ("POST", {**JSON, b"transfer-encoding": b"chunked"}, None),
    "its own page": ("POST", {**JSON, b"origin": b"http://localhost:10470"}, None),
    "its own page behind TLS": ("POST", {**JSON, b"origin": b"https://LOCALHOST:10470"}, None),
    "a token that nobody wants": ("POST", {**JSON, b"authorization": b"Bearer x"}, None),
}
REFUSED = {
    "no host": ("GET", {}, (403, "host")),
    "another host": ("POST", {**JSON, b"host": b"evil.example"}, (403, "host")),
    "another page": ("POST", {**JSON, b"origin": b"http://evil.example"}, (403, "origin")),
    "another port": ("POST", {**JSON, b"origin": b"http://localhost:8080"}, (403, "origin")),
    "a file": ("DELETE", {**JSON, b"origin": b"null"}, (403, "origin")),
    "a form": ("POST", {**HERE, b"content-type": b"text/plain", b"content-length": b"7"}, (415, "content_type")),
    "no type": ("POST", {**HERE, b"content-length": b"7"}, (415, "content_type")),
    "no type, in chunks": ("POST", {**HERE, b"transfer-encoding": b"chunked"}, (415, "content_type")),
    "nearly JSON": (
        "POST",
        {**HERE, b"content-type": b"application/jsonp", b"content-length": b"7"},
        (415, "content_type"),
    ),
    "too much": ("POST", {**JSON, b"content-length": b"65537"}, (413, "body")),
}


@pytest.mark.promise("Access", "The registry of a loopback address takes nothing that another page has a browser send")
@pytest.mark.parametrize(
    ("method", "headers", "refused"), [*ADMITTED.values(), *REFUSED.values()], ids=[*ADMITTED, *REFUSED]
)
def test_what_is_refused(method: str, headers: dict[bytes, bytes], refused: tuple[int, str] | None) -> None:
    door, rejections = admission()
    answer = door.refusal(method, headers, "127.0.0.1", HEARTBEAT_BYTES)
    assert (answer and (answer.status, answer.reason)) == refused
    assert counted(rejections) == ({refused[1]: 1} if refused else {})


@pytest.mark.parametrize(
    "headers", [{}, {b"host": b"evil.example"}, {b"host": b"gpu-box:10470"}], ids=["no", "any", "own"]
)
def test_a_public_registry_has_any_name(headers: dict[bytes, bytes]) -> None:
    door, _ = admission("hush", local=False)
    bearing = {**headers, b"authorization": b"Bearer hush"}
    assert door.refusal("GET", bearing, "10.0.0.1", HEARTBEAT_BYTES) is None


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        b"",
        b"hush",
        b"Bearer",
        b"Bearer ",
        b"Bearer hus",
        b"Bearer hushh",
        b"Bearer HUSH",
        b"Basic hush",
        b"Bearer \xff",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_who_lacks_the_token(method: str, authorization: bytes | None) -> None:
    door, rejections = admission("hush")
    headers = HERE if authorization is None else {**HERE, b"authorization": authorization}
    answer = door.refusal(method, headers, "127.0.0.1", HEARTBEAT_BYTES)
    assert answer is not None
    assert (answer.status, answer.detail, answer.headers) == (
        401,
        "Not authenticated",
        ((b"www-authenticate", b"Bearer"),),
    )
    assert counted(rejections) == {"token": 1}


@pytest.mark.parametrize("authorization", [b"Bearer hush", b"bearer hush", b"BEARER  hush "])
def test_who_has_the_token(authorization: bytes) -> None:
    door, rejections = admission("hush")
    assert door.refusal("GET", {**HERE, b"authorization": authorization}, "x", HEARTBEAT_BYTES) is None
    assert counted(rejections) == {}


def test_room_by_path() -> None:
    assert room("/metrics") is room("/v1/agl") is room("/v1/agle/workers") is None
    assert room("/v1/agl/workers/a") == room("/v1/agl/workers/heartbeats") == READ_BYTES
    assert most_of("/v1/agl/workers/a") == most_of("/v1/agl/nothing") == HEARTBEAT_BYTES
    assert most_of("/v1/agl/workers/heartbeats") == BATCH_BYTES


def test_a_rate_is_per_client_and_comes_back() -> None:
    clock = Clock()
    allowance = Allowance(3, clock)
    assert [allowance.wait("a") for _ in range(3)] == [0.0, 0.0, 0.0]
    assert allowance.wait("a") == pytest.approx(1 / 3)
    assert allowance.wait("b") == 0.0
    clock.now += 0.34
    assert (allowance.wait("a"), allowance.wait("a") > 0) == (0.0, True)
    clock.now += 3600
    assert [bool(allowance.wait("a")) for _ in range(4)] == [False, False, False, True]


def test_who_comes_too_often_is_told_when_to_come_back() -> None:
    door, rejections = admission(rate=1)
    assert door.refusal("GET", HERE, "a", HEARTBEAT_BYTES) is None
    answer = door.refusal("GET", {}, "a", HEARTBEAT_BYTES)
    assert answer is not None
    assert (answer.status, answer.detail, answer.headers) == (429, "Too many requests", ((b"retry-after", b"1"),))
    assert counted(rejections) == {"rate": 1}


def test_clients_beyond_those_that_are_told_apart_share_one_allowance() -> None:
    clock = Clock()
    allowance = Allowance(2, clock, most=10)
    for client in range(10):
        assert [bool(allowance.wait(str(client))) for _ in range(3)] == [False, False, True]
    others = [allowance.wait(f"other {client}") for client in range(100)]
    assert [bool(wait) for wait in others] == [False] * 2 + [True] * 98
    assert allowance.size <= 11
    clock.now += 1.5
    assert [bool(allowance.wait("newcomer")) for _ in range(3)] == [False, False, True]
    assert allowance.size <= 11


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.floats(0, 2)), max_size=60))
def test_no_client_has_more_than_its_rate(asked: list[tuple[str, float]]) -> None:
    clock = Clock()
    allowance = Allowance(5, clock, most=4)
    taken: dict[str, list[float]] = {}
    for client, pause in asked:
        clock.now += pause
        if not allowance.wait(client):
            taken.setdefault(client, []).append(clock.now)
    for times in taken.values():
        for start in times:
            assert sum(start <= time < start + 1 for time in times) <= 2 * 5


def test_no_reason_is_made_up() -> None:
    with pytest.raises(KeyError, match="made up"):
        Rejections().count("made up")
