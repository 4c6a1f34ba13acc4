"""Every field of a web configuration, and every value that it does not take."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from exporter.config import ConfigError
from exporter.endpoint import Secret
from exporter.web.file import Rate, Web, parse
from exporter.web.tls import CURVES, MODERN, SUITES
from tests.unit.certificates import Authority
from tests.unit.handshakes import shake, trusting

HASH = "$2y$04$" + "abcdefghijklmnopqrstuO" + "0123456789abcdefghijklmnopqrstu"
FOLDER = Path("/etc/rollcall")
PAIR = "cert_file: s.pem, key_file: s.key"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """The text of files by name, and `folder` of where they are."""
    folder = tmp_path_factory.mktemp("pki")
    authority, other = Authority(folder), Authority(folder, "other-ca")
    for name in ("s", "t"):
        authority.sign(name)
    authority.sign("c", "DNS:c.example", "email:c@x.example", "URI:spiffe://x/c", "IP:2001:db8::1", "IP:10.0.0.1")
    other.sign("stranger", "DNS:c.example")
    weak, weak_key = authority.weak()
    made = {path.name: path.read_text() for path in folder.glob("*.[pk]e[my]")}
    odd = {"weak.pem": weak, "weak.key": weak_key, "locked.key": authority.encrypted(folder / "s.key"), "junk": "x"}
    return made | odd | {"folder": str(folder)}


def read(files: Mapping[str, str], text: str) -> Web:
    def read_file(path: Path) -> str:
        if path.name not in files or path.parent != FOLDER:
            raise FileNotFoundError(2, "No such file or directory")
        return files[path.name]

    return parse(text, str(FOLDER / "web.yml"), read_file)


def secured(files: Mapping[str, str], more: str = "") -> ssl.SSLContext:
    context = read(files, f"tls_server_config: {{{PAIR}{', ' * bool(more)}{more}}}").context
    assert context is not None
    return context


def client(files: Mapping[str, str], certificate: str | None = None) -> ssl.SSLContext:
    folder = Path(files["folder"])
    pair = None if certificate is None else (str(folder / f"{certificate}.pem"), str(folder / f"{certificate}.key"))
    return trusting(str(folder / "ca.pem"), pair)


@pytest.mark.parametrize("text", ["", "{}", "tls_server_config: {}", "basic_auth_users: {}", "http_server_config: {}"])
def test_what_says_nothing_changes_nothing(text: str) -> None:
    assert read({}, text) == Web()


def test_a_certificate_and_its_key_from_files_beside_the_configuration(files: Mapping[str, str]) -> None:
    ends = shake(secured(files), client(files))
    assert (ends.subject, ends.client.version()) == ("s", "TLSv1.3")


def test_a_certificate_its_key_and_a_ca_in_the_configuration_itself(files: Mapping[str, str]) -> None:
    def block(name: str) -> str:
        return "|\n    " + files[name].replace("\n", "\n    ")

    text = f"tls_server_config:\n  cert: {block('s.pem')}\n  key: {block('s.key')}\n  client_ca: {block('ca.pem')}\n"
    web = read(files, text + "  client_auth_type: RequireAndVerifyClientCert\n")
    assert web.context is not None
    assert shake(web.context, client(files, "c")).subject == "s"
    assert files["s.key"] not in repr(web)


@pytest.mark.parametrize(
    ("mode", "certificate", "error"),
    [
        ("NoClientCert", None, None),
        ("NoClientCert", "stranger", None),
        ("VerifyClientCertIfGiven", None, None),
        ("VerifyClientCertIfGiven", "c", None),
        ("VerifyClientCertIfGiven", "stranger", "CERTIFICATE_VERIFY_FAILED"),
        ("RequireAndVerifyClientCert", None, "PEER_DID_NOT_RETURN_A_CERTIFICATE"),
        ("RequireAndVerifyClientCert", "c", None),
        ("RequireAndVerifyClientCert", "stranger", "CERTIFICATE_VERIFY_FAILED"),
    ],
)
def test_whose_certificates_are_asked_for(
    mode: str, certificate: str | None, error: str | None, files: Mapping[str, str]
) -> None:
    authority = "" if mode == "NoClientCert" else ", client_ca_file: ca.pem"
    context = secured(files, f"client_auth_type: {mode}{authority}")
    if error is None:
        given = shake(context, client(files, certificate)).server.getpeercert()
        assert bool(given) == (certificate == "c")
        return
    with pytest.raises(ssl.SSLError) as caught:
        shake(context, client(files, certificate))
    assert caught.value.reason == error


@pytest.mark.parametrize(
    ("names", "right"),
    [
        ("c.example", True),
        ("c@x.example", True),
        ("spiffe://x/c", True),
        ("2001:db8::1", True),
        ("10.0.0.1", True),
        ("nobody, 10.0.0.1", True),
        ("C.example", False),
        ("example", False),
        ("c", False),
    ],
)
def test_the_names_that_a_clients_certificate_may_bear(names: str, right: bool, files: Mapping[str, str]) -> None:
    more = f"client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem, client_allowed_sans: ['{names}']"
    context = secured(files, more.replace(", 10", "', '10"))
    if right:
        assert shake(context, client(files, "c")).subject == "s"
        return
    with pytest.raises(ssl.SSLCertVerificationError, match="bears none of client_allowed_sans"):
        shake(context, client(files, "c"))


def _at_most(context: ssl.SSLContext) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2


def _at_least(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_3


@pytest.mark.parametrize(
    ("more", "restrict", "version"),
    [
        ("", _at_most, "TLSv1.2"),
        ("min_version: TLS12", _at_most, "TLSv1.2"),
        ("max_version: TLS13", _at_least, "TLSv1.3"),
        ("min_version: TLS13", _at_least, "TLSv1.3"),
        ("max_version: TLS12", _at_most, "TLSv1.2"),
        ("min_version: TLS13", _at_most, None),
        ("max_version: TLS12", _at_least, None),
    ],
)
def test_versions(
    more: str, restrict: Callable[[ssl.SSLContext], None], version: str | None, files: Mapping[str, str]
) -> None:
    other = client(files)
    restrict(other)
    if version is not None:
        assert shake(secured(files, more), other).client.version() == version
        return
    with pytest.raises(ssl.SSLError, match=r"(?i)version|protocol"):
        shake(secured(files, more), other)


@pytest.mark.parametrize(("name", "suite"), [pair for pair in SUITES.items() if "ECDSA" in pair[0]])
def test_each_cipher_suite_that_this_key_can_use(name: str, suite: str, files: Mapping[str, str]) -> None:
    ends = shake(secured(files, f"cipher_suites: [{name}], max_version: TLS12"), client_of_all(files))
    assert (ends.client.cipher() or ("",))[0] == suite


def client_of_all(files: Mapping[str, str]) -> ssl.SSLContext:
    context = client(files)
    context.set_ciphers("ALL")
    return context


def test_every_cipher_suite_is_one_of_openssls(files: Mapping[str, str]) -> None:
    context = secured(files, f"cipher_suites: [{', '.join(SUITES)}]")
    assert set(SUITES.values()) <= {str(cipher["name"]) for cipher in context.get_ciphers()}


def test_suites_of_tls_1_3_alone_are_for_tls_1_3_alone(files: Mapping[str, str]) -> None:
    context = secured(files, f"cipher_suites: [{', '.join(MODERN)}], min_version: TLS13")
    assert shake(context, client(files)).client.version() == "TLSv1.3"


@pytest.mark.parametrize(
    ("servers", "suite"), [("true", "ECDHE-ECDSA-AES256-SHA"), ("false", "ECDHE-ECDSA-AES128-SHA")]
)
def test_whose_order_of_suites_holds(servers: str, suite: str, files: Mapping[str, str]) -> None:
    suites = "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"
    other = client(files)
    other.set_ciphers("ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA")
    more = f"cipher_suites: [{suites}], max_version: TLS12, prefer_server_cipher_suites: {servers}"
    assert (shake(secured(files, more), other).client.cipher() or ("",))[0] == suite


@pytest.mark.parametrize("name", CURVES)
def test_a_curve(name: str, files: Mapping[str, str]) -> None:
    context, other = secured(files, f"curve_preferences: [{name}]"), client(files)
    other.set_ecdh_curve(CURVES[name])
    assert shake(context, other).subject == "s"
    other.set_ecdh_curve(next(curve for each, curve in CURVES.items() if each != name))
    with pytest.raises(ssl.SSLError):
        shake(context, other)


@pytest.mark.parametrize(("said", "asked"), [("true", True), ("false", False)])
def test_http2_is_taken_and_http1_served(said: str, asked: bool, files: Mapping[str, str]) -> None:
    assert read(files, f"http_server_config: {{http2: {said}}}").http2 is asked
    other = client(files)
    other.set_alpn_protocols(["h2", "http/1.1"])
    assert shake(secured(files), other).client.selected_alpn_protocol() == "http/1.1"


HEADERS = """
http_server_config:
  headers:
    Strict-Transport-Security: max-age=31536000
    X-Content-Type-Options: nosniff
    X-Frame-Options: sameorigin
    X-XSS-Protection: ''
    Content-Security-Policy: default-src 'self'
"""


def test_headers_and_a_blank_one_is_none() -> None:
    assert read({}, HEADERS).headers == (
        (b"strict-transport-security", b"max-age=31536000"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"sameorigin"),
        (b"content-security-policy", b"default-src 'self'"),
    )


@pytest.mark.parametrize("version", ["2a", "2b", "2y"])
def test_users(version: str) -> None:
    hashed = HASH.replace("2y", version)
    web = read({}, f"basic_auth_users: {{bob: {hashed}, 7: {hashed}}}")
    assert web.users == {b"bob": Secret(hashed), b"7": Secret(hashed)}
    assert hashed not in repr(web)


@pytest.mark.parametrize(
    ("interval", "seconds"),
    [("100ms", 0.1), ("1.5s", 1.5), ("1m30s", 90.0), ("2us", 2e-6), ("3µs", 3e-6), ("5ns", 5e-9), ("1h", 3600.0)],
)
def test_a_rate(interval: str, seconds: float) -> None:
    assert read({}, f"rate_limit: {{interval: {interval}, burst: 7}}").rate == Rate(seconds, 7)


@pytest.mark.parametrize("text", ["{interval: 0}", "{interval: 0s, burst: 3}", "{burst: 3}"])
def test_no_rate(text: str) -> None:
    assert read({}, f"rate_limit: {text}").rate is None


def problems(files: Mapping[str, str], text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(files, text)
    return list(caught.value.lines)
