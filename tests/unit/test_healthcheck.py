"""`python -m exporter.healthcheck`: a server that answers in any way is well, one that does not is not."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator

import pytest

from exporter.asgi import ASGIApp, Receive, Scope, Send
from exporter.healthcheck import main, status
from exporter.http_protocol import Protocol
from exporter.server import configure, listen
from tests.unit.certificates import Authority
from tests.unit.handshakes import trusting
from tests.unit.test_web_server import Threaded, running

served = contextlib.contextmanager(running)


def answering(status: int) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["path"] == "/-/healthy"
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    return answer


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


def context(authority: Authority, version: ssl.TLSVersion, clients: bool) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(*authority.sign("server"))
    made.minimum_version = made.maximum_version = version
    if clients:
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_verify_locations(authority.pem)
    return made


@contextlib.contextmanager
def server(app: ASGIApp, secured: ssl.SSLContext | None, authority: Authority) -> Iterator[str]:
    with listen("127.0.0.1", 0) as listener:
        made = Threaded(configure(app, Protocol, secured))
        with served(made, listener, trusting(str(authority.pem))) as (_, port, _):
            yield f"127.0.0.1:{port}"


@pytest.mark.parametrize("said", [200, 401, 429])
@pytest.mark.parametrize("version", [None, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_who_answers_is_well(
    version: ssl.TLSVersion | None, said: int, authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    secured = None if version is None else context(authority, version, clients=False)
    with server(answering(said), secured, authority) as address:
        assert main([address]) == 0
    assert capsys.readouterr().out == f"status {said}\n"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_who_wants_a_client_s_certificate_is_well(
    version: ssl.TLSVersion, authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    with server(answering(200), context(authority, version, clients=True), authority) as address:
        assert main([address]) == 0
    assert capsys.readouterr().out == "wants a certificate\n"


def test_who_fails_is_not_well(authority: Authority, capsys: pytest.CaptureFixture[str]) -> None:
    with server(answering(503), None, authority) as address:
        assert main([address]) == 1
    assert capsys.readouterr().out == "status 503\n"


def test_nobody_there(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert main([f"127.0.0.1:{port}"]) == 1
    assert "Connection refused" in capsys.readouterr().err


def test_who_says_nothing_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(TimeoutError):
        status(*silent.getsockname(), timeout=0.1)


@pytest.mark.parametrize("arguments", [["10470"], ["localhost:"], ["localhost:x"], ["a:1", "b:2"]])
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err == f"rollcall: expected HOST:PORT, got {' '.join(arguments)!r}\n"
