"""A web configuration that changes under a running server."""

from __future__ import annotations

import logging
import shutil
import ssl
from pathlib import Path

import pytest

from exporter.config import ConfigError
from exporter.records import WebConfigLoad
from exporter.web.current import Current
from tests.unit.certificates import Authority
from tests.unit.handshakes import shake, trusting
from tests.unit.test_web_file import HASH

FILE = "tls_server_config: {cert_file: s.pem, key_file: s.key}\n"
WRONG_KEY = "tls_server_config.key_file: expected the private key of the certificate, got another one"


class World:
    """A folder with a web configuration and the certificates `one` and `two`; `one` is served."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority(folder)
        self.authority.sign("one")
        self.authority.sign("two")
        self.serve("one")
        self.write(FILE)

    def write(self, text: str) -> None:
        (self.folder / "web.yml").write_text(text)

    def serve(self, name: str, *suffixes: str) -> None:
        for suffix in suffixes or ("pem", "key"):
            shutil.copy(self.folder / f"{name}.{suffix}", self.folder / f"s.{suffix}")

    def current(self) -> Current:
        return Current(self.folder / "web.yml")

    def served(self, context: ssl.SSLContext) -> str:
        return shake(context, trusting(str(self.authority.pem))).subject


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def listening(current: Current) -> ssl.SSLContext:
    context = current.context
    assert context is not None
    return context


def load(current: Current) -> WebConfigLoad:
    (row,) = current.tables()[WebConfigLoad]
    assert isinstance(row, WebConfigLoad)
    return row


def test_a_new_certificate_is_for_new_handshakes(world: World) -> None:
    current = world.current()
    context = listening(current)
    old = shake(context, trusting(str(world.authority.pem)))
    assert old.subject == "one"
    world.serve("two")
    assert world.served(context) == "one"
    current.look()
    assert world.served(context) == "two"
    old.client.write(b"y")
    assert old.server.read(1) == b"y"
    assert load(current) == WebConfigLoad(1, 0)


def test_a_certificate_without_its_key_waits_for_it(world: World, caplog: pytest.LogCaptureFixture) -> None:
    current = world.current()
    context = listening(current)
    world.serve("two", "pem")
    for _ in range(5):
        current.look()
        assert world.served(context) == "one"
    (logged,) = caplog.records
    assert logged.__dict__["said"]["error"] == f"{WRONG_KEY} ({world.folder / 'web.yml'}:1)"
    assert load(current) == WebConfigLoad(0, 1)
    world.serve("two", "key")
    current.look()
    assert world.served(context) == "two"
    assert load(current) == WebConfigLoad(1, 1)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{", "expected"),
        ("tls_server_config: {cert_file: gone, key_file: s.key}", "expected a readable file"),
        ("\udcff", "expected UTF-8"),
        (None, "expected a readable file"),
        ("{}", "tls_server_config: expected TLS, as at the start, got none"),
    ],
)
def test_what_cannot_be_followed_leaves_what_was(
    text: str | None, error: str, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    current = world.current()
    before = current.web
    file = world.folder / "web.yml"
    file.unlink() if text is None else file.write_text(text, errors="surrogateescape")
    for _ in range(3):
        current.look()
    assert current.web is before
    assert [error in record.__dict__["said"]["error"] for record in caplog.records] == [True]
    assert load(current) == WebConfigLoad(0, 1)
    world.write(FILE)
    current.look()
    assert world.served(listening(current)) == "one"
    assert load(current) == WebConfigLoad(1, 1)


def test_tls_cannot_begin_under_a_running_server(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.write("{}")
    current = world.current()
    assert current.context is None
    world.write(FILE)
    current.look()
    assert current.web.context is None
    assert "expected no TLS, as at the start, got some" in caplog.records[0].__dict__["said"]["error"]


def test_everything_else_can_change(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    current = world.current()
    context = listening(current)
    more = "client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem, min_version: TLS13"
    world.write(
        f"tls_server_config: {{cert_file: s.pem, key_file: s.key, {more}}}\nbasic_auth_users: {{bob: {HASH}}}\n"
    )
    current.look()
    assert set(current.web.users) == {b"bob"}
    with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
        world.served(context)
    pair = (str(world.folder / "two.pem"), str(world.folder / "two.key"))
    assert shake(context, trusting(str(world.authority.pem), pair)).client.version() == "TLSv1.3"
    Authority(world.folder)
    current.look()
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        shake(context, trusting(str(world.authority.pem), pair))
    assert [record.message for record in caplog.records] == ["the web configuration is loaded again"] * 2


def test_files_that_stay_are_not_parsed_again(world: World) -> None:
    current = world.current()
    before = current.web
    current.look()
    assert current.web is before
    world.serve("one")
    current.look()
    assert current.web is before


def test_a_file_that_cannot_be_used_at_the_start(world: World) -> None:
    world.write("tls: {}")
    with pytest.raises(ConfigError, match="tls: unknown key"):
        world.current()
    with pytest.raises(ConfigError, match="expected a readable file"):
        Current(world.folder / "none.yml")


def test_http2_is_said_not_to_be_served(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    world.write(FILE + "http_server_config: {http2: true}\n")
    world.current()
    assert [record.message for record in caplog.records] == [
        "http_server_config.http2: clients are served HTTP/1.1, for there is no HTTP/2 here"
    ]
