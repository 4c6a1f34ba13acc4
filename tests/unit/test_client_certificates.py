"""`tls_config` of an upstream: our own certificate, its renewal, and the name that the upstream must bear."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.config import Config, ConfigError, load
from exporter.endpoint import Endpoint
from exporter.sources.connect import Trust
from exporter.sources.fetch import Door, Resolver
from exporter.sources.source import Deadline, SourceError
from tests.unit.certificates import Authority
from tests.unit.loopback import Loopback, answer, sends

OWN = "tls_config: {ca_file: ca.pem, cert_file: own.pem, key_file: own.key}"


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with certificates that tests copy."""
    folder = tmp_path_factory.mktemp("signed")
    authority = Authority(folder)
    authority.sign("server", "DNS:console.example")
    authority.sign("own")
    authority.sign("later")
    Authority(folder, "other-ca").sign("stranger")
    return folder


@pytest.fixture
def folder(signed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(signed, tmp_path / "r"))


@pytest.fixture
def server(folder: Path) -> Iterator[Loopback]:
    """An upstream that answers only who shows a certificate of its CA."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(folder / "ca.pem")
    with Loopback(sends(answer()), tls=context) as started:
        yield started


def config(folder: Path, given: str, url: str = "https://127.0.0.1:1") -> Config:
    (folder / "r.yaml").write_text(f"stores:\n- fleet: eu\n  url: {url}\n  {given}\n")
    return load(folder / "r.yaml", {})


def store(folder: Path, server: Loopback, more: str = "server_name: console.example", own: str = OWN) -> Endpoint:
    given = own.replace("}", f", {more}}}") if more else own
    return config(folder, given, f"https://127.0.0.1:{server.port}").stores[0].endpoint


def read(door: Door) -> bytes:
    with door(Deadline(20)) as session:
        return session.get("/x").body


@pytest.mark.promise(
    "Configuration", "An upstream that asks for a client certificate is shown the one of its tls_config"
)
def test_who_shows_its_certificate_is_answered(folder: Path, server: Loopback) -> None:
    assert read(Door(store(folder, server), Resolver())) == b"{}"


@pytest.mark.promise(
    "Configuration", "An upstream that asks for a client certificate and gets none, or a stranger's, gets no request"
)
@pytest.mark.parametrize("own", ["tls_config: {ca_file: ca.pem}", OWN.replace("own", "stranger")])
def test_who_shows_none_or_a_strangers_is_not(own: str, folder: Path, server: Loopback) -> None:
    with pytest.raises(SourceError) as caught:
        read(Door(store(folder, server, own=own), Resolver()))
    assert caught.value.result in ("tls", "refused")
    assert server.heads == []


@pytest.mark.promise("Configuration", "An upstream whose certificate bears another name is not talked to")
def test_the_name_that_the_upstream_must_bear(folder: Path, server: Loopback) -> None:
    with pytest.raises(SourceError, match=r"expected a trusted certificate for '127\.0\.0\.1'") as caught:
        read(Door(store(folder, server, ""), Resolver()))
    assert caught.value.result == "tls"
    with pytest.raises(SourceError, match=r"expected a trusted certificate for 'other\.example'"):
        read(Door(store(folder, server, "server_name: other.example"), Resolver()))
    assert read(Door(store(folder, server), Resolver())) == b"{}"
    assert f"Host: 127.0.0.1:{server.port}" in server.heads[0]


@pytest.mark.promise(
    "Configuration", "A renewed client certificate is shown without a restart, and half a renewal waits"
)
def test_a_renewed_certificate_is_shown_and_half_a_renewal_waits(folder: Path, server: Loopback) -> None:
    trust = Trust(store(folder, server))
    first = trust()
    assert trust() is first
    shutil.copy(folder / "later.pem", folder / "own.pem")
    assert trust() is first
    shutil.copy(folder / "later.key", folder / "own.key")
    second = trust()
    assert second is not first
    assert trust() is second
    door = Door(store(folder, server), Resolver())
    assert read(door) == b"{}"


def test_files_that_are_gone_leave_what_was_loaded(folder: Path, server: Loopback) -> None:
    endpoint = store(folder, server)
    door, late = Door(endpoint, Resolver()), Door(endpoint, Resolver())
    assert read(door) == b"{}"
    (folder / "own.key").unlink()
    assert read(door) == b"{}"
    with pytest.raises(
        SourceError, match=r"expected a certificate in \S+own.pem and its key in \S+own.key, got: No such"
    ):
        read(late)


def test_a_key_with_a_password_is_no_question_on_the_terminal(folder: Path, server: Loopback) -> None:
    endpoint = store(folder, server)
    (folder / "own.key").write_text(Authority(folder, "x").encrypted(folder / "own.key"))
    with pytest.raises(SourceError, match="expected a certificate in") as caught:
        Trust(endpoint)()
    assert caught.value.result == "tls"


def test_every_upstream_can_have_it(folder: Path) -> None:
    (folder / "r.yaml").write_text(
        f"meshes: [{{fleet: m, urls: ['https://a', 'http://b'], {OWN}}}]\n"
        f"stores: [{{fleet: s, url: 'https://a', {OWN}}}]\n"
        f"inventories: [{{fleet: i, url: 'https://a/x', {OWN}}}]\n"
    )
    read = load(folder / "r.yaml", {})
    secure, plain = read.meshes[0].endpoints
    inventory = read.inventories[0].endpoint
    assert inventory
    expected = (str(folder / "ca.pem"), str(folder / "own.pem"), str(folder / "own.key"), None)
    for each in (secure, read.stores[0].endpoint, inventory):
        assert (each.ca_file, each.cert_file, each.cert_key_file, each.server_name) == expected
    assert (plain.ca_file, plain.cert_file, plain.cert_key_file) == (None, None, None)


KEYS = "ca_file, cert_file, key_file, server_name, insecure_skip_verify"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("tls_config: {cert_file: own.pem}", "cert_file: expected key_file beside it, got none"),
        ("tls_config: {key_file: own.key}", "key_file: expected cert_file beside it, got none"),
        ("tls_config: {ca_file: own.key}", "ca_file: expected a PEM file with certificates, got '/"),
        (
            "tls_config: {cert_file: own.pem, key_file: gone}",
            "key_file: expected a readable file, got '/",
        ),
        (
            "tls_config: {cert_file: own.pem, key_file: later.key}",
            "key_file: expected the private key of the certificate, got another one",
        ),
        (
            "tls_config: {cert_file: own.key, key_file: own.key}",
            "key_file: expected a private key in PEM, got something else",
        ),
        ("tls_config: {server_name: 'a b'}", "server_name: expected a host name or an address, got 'a b'"),
        (
            "tls_config: {insecure_skip_verify: true}",
            "insecure_skip_verify: expected false, got true: give ca_file, and server_name where it differs",
        ),
        ("tls_config: {min_version: TLS12}", f"min_version: unknown key, expected one of {KEYS}"),
        (
            "tls_config: {ca_file: ca.pem}\n  ca_file: ca.pem",
            "ca_file: expected only one of ca_file and tls_config.ca_file, got both",
        ),
    ],
)
def test_wrong_values(given: str, message: str, folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        config(folder, given)
    (line,) = caught.value.lines
    assert line.startswith(f"stores[0].tls_config.{message}")
    assert line.endswith(f" ({folder / 'r.yaml'}:4)")


def test_it_is_for_https_and_for_servers(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"stores\[0\].tls_config: expected an https URL beside it, got http"):
        config(folder, OWN, "http://a")
    (folder / "r.yaml").write_text(f"inventories: [{{fleet: i, file: w.yaml, {OWN}}}]\n")
    with pytest.raises(ConfigError, match=r"inventories\[0\].tls_config: expected a url beside it, got a file"):
        load(folder / "r.yaml", {})
