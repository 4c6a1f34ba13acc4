"""What goes over the wire: requests, credentials, connections kept and lost, TLS; and where secrets must not go."""

from __future__ import annotations

import base64
import socket
import struct
import traceback

import pytest

from exporter import __version__
from exporter.endpoint import Secret
from exporter.sources.fetch import Resolver, Session
from exporter.sources.source import Deadline, SourceError
from tests.unit.fetching import CA, TLS, endpoint, failure, get, server_tls
from tests.unit.loopback import Loopback, Peer, answer, sends

CANARY = "CANARY-9f2c"


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        ({"key": Secret(CANARY)}, f"Bearer {CANARY}"),
        ({"username": "me", "password": Secret(CANARY)}, basic(f"me:{CANARY}")),
        ({"username": "me"}, basic("me:")),
        ({"username": "", "password": Secret("ü:@")}, basic(":ü:@")),
        ({"username": "me", "password": Secret("p"), "key": Secret(CANARY)}, f"Bearer {CANARY}"),
    ],
    ids=["none", "key", "user and password", "user alone", "password alone", "key before password"],
)
def test_the_request_carries_what_it_needs_and_credentials_in_one_place(
    changes: dict[str, object], expected: str | None
) -> None:
    with Loopback(sends(answer(b"{}"))) as server:
        get(endpoint(f"http://127.0.0.1:{server.port}/base", **changes), "/x?limit=1&a=ü b")
    lines = server.heads[0].split("\r\n")
    assert lines[0] == "GET /base/x?limit=1&a=%C3%BC%20b HTTP/1.1"
    assert dict(line.split(": ", 1) for line in lines[1:] if line) == {
        "Host": f"127.0.0.1:{server.port}",
        "User-Agent": f"rollcall/{__version__}",
        "Accept": "application/json",
        "Accept-Encoding": "gzip",
    } | ({} if expected is None else {"Authorization": expected})


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://node.test", "node.test"),
        ("http://node.test:3131", "node.test:3131"),
        ("http://node.test:443", "node.test:443"),
        ("http://[fe80::1]", "[fe80::1]"),
        ("http://[fe80::1%25eth0]:3131", "[fe80::1]:3131"),
        ("http://u:p@bücher.test:81", "xn--bcher-kva.test:81"),
        ("https://localhost:80", "localhost:80"),
        ("https://localhost", "localhost"),
    ],
)
def test_the_host_header(url: str, host: str) -> None:
    tls = server_tls() if url.startswith("https") else None
    with Loopback(sends(answer(b"{}")), tls=tls) as server:
        there = [(socket.AF_INET, ("127.0.0.1", server.port))]
        get(endpoint(url, ca_file=CA), resolve=lambda *_: there)
    assert f"\r\nHost: {host}\r\n" in server.heads[0]


def test_a_path_without_a_slash_is_a_mistake_of_the_caller() -> None:
    with (
        Session(endpoint("http://node.test"), Deadline(20), resolve=Resolver()) as session,
        pytest.raises(ValueError, match="expected a path that starts with '/'"),
    ):
        session.get("http://u:p@other.test/")


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with Loopback(sends(answer(b"proxy"))) as proxy, Loopback(sends(answer(b"direct"))) as server:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert get(endpoint(f"http://127.0.0.1:{server.port}")).body == b"direct"
        assert proxy.connections == 0


def two_gets(server: Loopback, scheme: str = "http") -> list[bytes]:
    place = endpoint(f"{scheme}://localhost:{server.port}", ca_file=CA)
    there = [(socket.AF_INET, ("127.0.0.1", server.port))]
    with Session(place, Deadline(20), resolve=lambda *_: there) as session:
        return [session.get("/1").body, session.get("/2").body]


SCHEMES = pytest.mark.parametrize("scheme", ["http", "https"])


def listening(scheme: str, *scripts: object) -> Loopback:
    return Loopback(*scripts, tls=server_tls() if scheme == "https" else None)


@SCHEMES
def test_a_connection_that_the_server_keeps_is_used_again(scheme: str) -> None:
    with listening(scheme, sends(answer(b"1"), answer(b"2"))) as server:
        assert two_gets(server, scheme) == [b"1", b"2"]
        assert server.connections == 1


@SCHEMES
@pytest.mark.parametrize("header", ["Connection: close", "X: y"], ids=["announced", "not announced"])
def test_a_connection_that_the_server_closes_is_opened_again(scheme: str, header: str) -> None:
    with listening(scheme, sends(answer(b"1", header)), sends(answer(b"2", header))) as server:
        assert two_gets(server, scheme) == [b"1", b"2"]
        assert server.connections == 2


def test_all_answers_of_a_read_together_have_a_cap() -> None:
    with Loopback(sends(answer(b"12345"), answer(b"67890"))) as server:
        place = endpoint(f"http://127.0.0.1:{server.port}")
        with Session(place, Deadline(20), resolve=Resolver(), max_total=9) as session:
            assert session.get("/1").body == b"12345"
            with pytest.raises(SourceError) as caught:
                session.get("/2")
    assert caught.value.result == "too_large"


def test_credentials_that_a_server_sends_back_are_not_quoted() -> None:
    echo = b"HTTP/1.1 200 OK\r\nContent-Encoding: canary-key\r\nContent-Length: 2\r\n\r\n{}"
    with Loopback(sends(echo)) as server:
        error = failure(endpoint(f"http://127.0.0.1:{server.port}", key=Secret("canary-key")))
    assert "***" in str(error)
    assert "canary" not in str(error)


def test_a_request_is_repeated_once_only() -> None:
    with Loopback(sends(answer(b"1")), sends(b""), sends(answer(b"2"))) as server:
        with pytest.raises(SourceError, match=r"^GET /2: expected an answer, got a closed connection$") as caught:
            two_gets(server)
        assert server.connections == 2
    assert caught.value.result == "refused"


@pytest.mark.parametrize(
    ("linger", "message"),
    [
        (struct.pack("ii", 0, 0), "expected an HTTP/1 answer, got something else"),
        (struct.pack("ii", 1, 0), "expected an answer, got: Connection reset by peer"),
    ],
    ids=["closed", "reset"],
)
def test_a_request_is_not_repeated_once_its_answer_has_begun(linger: bytes, message: str) -> None:
    def breaks_off(peer: Peer) -> None:
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        sends(answer(b"1"), b"HTTP/1.1 2")(peer)

    with Loopback(breaks_off, sends(answer(b"2"))) as server:
        with pytest.raises(SourceError, match=f"^GET /2: {message}$"):
            two_gets(server)
        assert server.connections == 1


def test_a_new_connection_that_ends_without_an_answer_is_refused_at_once() -> None:
    with Loopback(sends(b"")) as server:
        error = failure(endpoint(f"http://127.0.0.1:{server.port}"))
        assert server.connections == 1
    assert (error.result, str(error)) == ("refused", "GET /x: expected an answer, got a closed connection")


def test_a_session_goes_on_after_a_failure_over_a_new_connection() -> None:
    kept = sends(answer(b"{}", status="404 Not Found"), answer(b"out of step"))
    with Loopback(kept, sends(answer(b"2"))) as server:
        place = endpoint(f"http://127.0.0.1:{server.port}")
        with Session(place, Deadline(20), resolve=Resolver()) as session:
            with pytest.raises(SourceError, match="got 404"):
                session.get("/1")
            assert session.get("/2").body == b"2"


def test_a_reset_in_the_body_is_refused() -> None:
    def reset(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with Loopback(reset) as server:
        error = failure(endpoint(f"http://127.0.0.1:{server.port}"))
    assert (error.result, str(error)) == ("refused", "GET /x: expected an answer, got: Connection reset by peer")


def test_a_port_nobody_listens_on_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    error = failure(endpoint(f"http://127.0.0.1:{port}"))
    expected = f"GET /x: expected a connection to 127.0.0.1:{port}, got: Connection refused"
    assert (error.result, str(error)) == ("refused", expected)


def test_tls_with_a_certificate_of_the_given_authority() -> None:
    with Loopback(sends(answer(b"{}")), tls=server_tls()) as server:
        assert get(endpoint(f"https://localhost:{server.port}", ca_file=CA)).body == b"{}"


@pytest.mark.parametrize(
    ("host", "ca_file", "message"),
    [
        ("localhost", "other-ca.pem", "expected a trusted certificate for 'localhost', got: unable to get local"),
        ("localhost", None, "expected a trusted certificate for 'localhost', got: unable to get local"),
        ("127.0.0.1", "ca.pem", "expected a trusted certificate for '127.0.0.1', got: IP address mismatch"),
        ("localhost", "missing.pem", f"expected CA certificates in {TLS}/missing.pem, got: No such file or directory"),
        ("localhost", "README", f"expected CA certificates in {TLS}/README, got: NO_CERTIFICATE_OR_CRL_FOUND"),
    ],
    ids=["another authority", "the system's authorities", "another host", "no CA file", "a CA file without CA"],
)
def test_what_cannot_be_trusted_is_a_tls_failure(host: str, ca_file: str | None, message: str) -> None:
    with Loopback(sends(answer(b"{}")), tls=server_tls()) as server:
        error = failure(endpoint(f"https://{host}:{server.port}", ca_file=ca_file and str(TLS / ca_file)))
    assert error.result == "tls"
    assert str(error).startswith(f"GET /x: {message}")
    assert server.heads == []


def test_a_server_without_tls_is_a_tls_failure() -> None:
    def plain(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        while peer.sock.recv(4096):
            pass

    with Loopback(plain) as server:
        error = failure(endpoint(f"https://localhost:{server.port}", ca_file=CA))
    assert error.result == "tls"
    assert str(error).startswith("GET /x: expected TLS, got: ")


BASIC = basic(f"me:{CANARY}")
LEAKS = {
    "redirect": answer(b"", f"Location: http://me:{CANARY}@x.test/?{CANARY}", status="302 Found"),
    "status": answer(CANARY.encode(), f"WWW-Authenticate: {CANARY}", status=f"401 {CANARY}"),
    "status line": f"{CANARY} 200\r\n\r\n".encode(),
    "header line": f"HTTP/1.1 200 OK\r\n{CANARY}\r\n\r\n".encode(),
    "short body": f"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{CANARY}".encode(),
    "short chunk": f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n{CANARY}".encode(),
    "wrong gzip": f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n{CANARY}".encode(),
    "echo": f"Authorization: Bearer {CANARY}\r\nAuthorization: {BASIC}\r\n\r\n".encode(),
    "no answer": b"",
}


@pytest.mark.parametrize("key", [None, Secret(CANARY)], ids=["password", "key"])
@pytest.mark.parametrize("kind", LEAKS)
def test_no_failure_tells_a_secret(kind: str, key: Secret | None) -> None:
    with Loopback(sends(LEAKS[kind])) as server:
        error = failure(endpoint(f"http://me:{CANARY}@127.0.0.1:{server.port}", key=key))
    assert f"\r\nAuthorization: {f'Bearer {CANARY}' if key else BASIC}\r\n" in server.heads[0]
    assert_tells_nothing(error)


@pytest.mark.parametrize("key", [f"{CANARY}\n", f"{CANARY} x", f"ü{CANARY}", f"{CANARY}\r\nX: y", ""])
def test_a_key_that_fits_in_no_header_is_not_sent_and_not_told(key: str) -> None:
    with Loopback(sends(answer(b"{}"))) as server:
        error = failure(endpoint(f"http://127.0.0.1:{server.port}", key=Secret(key)))
    expected = "GET /x: expected a key of printable ASCII without spaces, got another one"
    assert (error.result, str(error), server.heads) == ("refused", expected, [])
    assert_tells_nothing(error)


def assert_tells_nothing(error: SourceError) -> None:
    assert (error.__cause__, error.__context__) == (None, None)
    told = "".join(traceback.format_exception(error)) + repr(error) + repr(error.args)
    assert CANARY not in told
    assert BASIC.split()[1] not in told
