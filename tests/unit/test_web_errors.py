"""Values that a web configuration does not take: where, what was expected, what was found, and no secret."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from exporter.web.file import HEADERS
from tests.unit.test_web_file import HASH, PAIR, files, problems

__all__ = ["files"]

SECTIONS = "http_server_config, tls_server_config, basic_auth_users, rate_limit"
MODES = "NoClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert"
UNVERIFIED = "Python's ssl cannot ask for a certificate without verifying it"
GONE = "Python's ssl has given it up, and OpenSSL 3 does not serve it"
CLIENTS = "client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem"

TLS = {
    "no-key": ("cert_file: s.pem", "key_file: expected key_file or key, got neither"),
    "no-cert": ("key_file: s.key", "cert_file: expected cert_file or cert, got neither"),
    "cert-twice": (f"cert: x, {PAIR}", "cert: expected certificates in PEM, got something else"),
    "cert-missing": (
        "cert_file: gone, key_file: s.key",
        "cert_file: expected a readable file, got '/etc/rollcall/gone': No such file or directory",
    ),
    "key-missing": (
        "cert_file: s.pem, key_file: gone",
        "key_file: expected a readable file, got '/etc/rollcall/gone': No such file or directory",
    ),
    "ca-missing": (
        f"{PAIR}, client_auth_type: RequireAndVerifyClientCert, client_ca_file: gone",
        "client_ca_file: expected a readable file, got '/etc/rollcall/gone': No such file or directory",
    ),
    "cert-path": ("cert_file: [], key_file: s.key", "cert_file: expected a string, got []"),
    "cert-null": ("cert_file: , key_file: s.key", "cert_file: expected a string, got null"),
    "cert-empty": ("cert_file: '', key_file: s.key", "cert_file: expected a path, got ''"),
    "cert-junk": ("cert_file: junk, key_file: s.key", "cert_file: expected certificates in PEM, got something else"),
    "key-junk": ("cert_file: s.pem, key_file: junk", "key_file: expected a private key in PEM, got something else"),
    "key-cert": ("cert_file: s.pem, key_file: s.pem", "key_file: expected a private key in PEM, got something else"),
    "key-other": (
        "cert_file: s.pem, key_file: t.key",
        "key_file: expected the private key of the certificate, got another one",
    ),
    "key-locked": (
        "cert_file: s.pem, key_file: locked.key",
        "key_file: expected a private key that is not encrypted, got one that is",
    ),
    "cert-weak": (
        "cert_file: weak.pem, key_file: weak.key",
        "cert_file: expected a certificate that OpenSSL takes, got one that it calls EE_KEY_TOO_SMALL",
    ),
    "key-text": ("cert_file: s.pem, key: CANARY", "key: expected a private key in PEM, got something else"),
    "key-number": ("cert_file: s.pem, key: 5550123", "key: expected a string, got something else"),
    "ca-junk": (
        f"{PAIR}, {CLIENTS.replace('ca.pem', 'junk')}",
        "client_ca_file: expected certificates in PEM, got something else",
    ),
    "ca-text": (
        f"{PAIR}, client_auth_type: RequireAndVerifyClientCert, client_ca: x",
        "client_ca: expected certificates in PEM, got something else",
    ),
    "ca-alone": (
        f"{PAIR}, client_ca_file: ca.pem",
        f"client_ca_file: expected client_auth_type {MODES.partition(', ')[2].replace(',', ' or')} beside it, got none",
    ),
    "mode-alone": (
        f"{PAIR}, client_auth_type: RequireAndVerifyClientCert",
        "client_auth_type: expected client_ca_file or client_ca beside it, got neither",
    ),
    "mode-request": (
        f"{PAIR}, client_auth_type: RequestClientCert",
        f"client_auth_type: expected one of {MODES}, got 'RequestClientCert': {UNVERIFIED}",
    ),
    "mode-any": (
        f"{PAIR}, client_auth_type: RequireAnyClientCert",
        f"client_auth_type: expected one of {MODES}, got 'RequireAnyClientCert': {UNVERIFIED}",
    ),
    "mode-old": (
        f"{PAIR}, client_auth_type: RequireClientCert",
        f"client_auth_type: expected one of {MODES}, got 'RequireClientCert': {UNVERIFIED}",
    ),
    "mode": (f"{PAIR}, client_auth_type: yes", f"client_auth_type: expected one of {MODES}, got 'yes'"),
    "sans-mode": (
        f"{PAIR}, client_auth_type: VerifyClientCertIfGiven, client_ca_file: ca.pem, client_allowed_sans: [a]",
        "client_allowed_sans: expected client_auth_type RequireAndVerifyClientCert beside it",
    ),
    "sans-empty": (
        f"{PAIR}, {CLIENTS}, client_allowed_sans: []",
        "client_allowed_sans: expected a list that is not empty, got []",
    ),
    "sans-text": (
        f"{PAIR}, {CLIENTS}, client_allowed_sans: a",
        "client_allowed_sans: expected a list that is not empty, got 'a'",
    ),
    "sans-number": (
        f"{PAIR}, {CLIENTS}, client_allowed_sans: [a, 5]",
        "client_allowed_sans[1]: expected a string, got 5",
    ),
    "least-10": (f"{PAIR}, min_version: TLS10", f"min_version: expected TLS12 or TLS13, got 'TLS10': {GONE}"),
    "least-11": (f"{PAIR}, min_version: TLS11", f"min_version: expected TLS12 or TLS13, got 'TLS11': {GONE}"),
    "most-11": (f"{PAIR}, max_version: TLS11", f"max_version: expected TLS12 or TLS13, got 'TLS11': {GONE}"),
    "least": (f"{PAIR}, min_version: '1.2'", "min_version: expected TLS12 or TLS13, got '1.2'"),
    "most": (f"{PAIR}, max_version: TLS14", "max_version: expected TLS12 or TLS13, got 'TLS14'"),
    "none": (
        f"{PAIR}, min_version: TLS13, max_version: TLS12",
        "max_version: expected at least min_version, TLS13, got TLS12",
    ),
    "suite": (
        f"{PAIR}, cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]",
        "cipher_suites[0]: expected one of Go's secure cipher suites, got 'TLS_RSA_WITH_RC4_128_SHA'",
    ),
    "suites": (f"{PAIR}, cipher_suites: ALL", "cipher_suites: expected a list, got 'ALL'"),
    "suites-13": (
        f"{PAIR}, cipher_suites: [TLS_AES_128_GCM_SHA256]",
        "cipher_suites: expected a suite of TLS 1.2 too, or min_version TLS13, got those of TLS 1.3",
    ),
    "curve": (
        f"{PAIR}, curve_preferences: [P256]",
        "curve_preferences[0]: expected one of CurveP256, CurveP384, CurveP521, X25519, got 'P256'",
    ),
    "curves": (
        f"{PAIR}, curve_preferences: [X25519, CurveP256]",
        "curve_preferences: expected one curve, got 2: Python's ssl can be told to use one, or all",
    ),
    "prefer": (
        f"{PAIR}, prefer_server_cipher_suites: 1",
        "prefer_server_cipher_suites: expected true or false, got 1",
    ),
    "version-alone": ("min_version: TLS13", "cert_file: expected cert_file or cert, got neither"),
}

OTHERS = {
    "root": ("[]", "expected a mapping, got []"),
    "unknown": ("tls: {}", f"tls: unknown key, expected one of {SECTIONS}"),
    "tls-null": ("tls_server_config:", "tls_server_config: expected a mapping, got null"),
    "users-null": ("basic_auth_users:", "basic_auth_users: expected a mapping, got null"),
    "users-list": ("basic_auth_users: [a]", "basic_auth_users: expected a mapping, got [..]"),
    "user-plain": (
        "basic_auth_users: {bob: CANARY}",
        "basic_auth_users.bob: expected a password's bcrypt hash, got another text",
    ),
    "user-null": ("basic_auth_users: {bob: }", "basic_auth_users.bob: expected a string, got something else"),
    "user-2x": (
        f"basic_auth_users: {{bob: {HASH.replace('2y', '2x')}}}",
        "basic_auth_users.bob: expected a password's bcrypt hash, got another text",
    ),
    "user-slow": (
        f"basic_auth_users: {{bob: {HASH.replace('$04', '$19')}}}",
        "basic_auth_users.bob: expected a bcrypt hash of cost 4 to 18, got one of cost 19",
    ),
    "user-fast": (
        f"basic_auth_users: {{bob: {HASH.replace('$04', '$03')}}}",
        "basic_auth_users.bob: expected a bcrypt hash of cost 4 to 18, got one of cost 3",
    ),
    "user-colon": (
        f"basic_auth_users: {{'a:b': {HASH}}}",
        "basic_auth_users.a:b: expected a user name without ':', got an empty one or one with it",
    ),
    "http": (
        "http_server_config: {http3: true}",
        "http_server_config.http3: unknown key, expected one of headers, http2; did you mean http2?",
    ),
    "http2": ("http_server_config: {http2: maybe}", "http_server_config.http2: expected true or false, got 'maybe'"),
    "header": (
        "http_server_config: {headers: {Server: x}}",
        f"http_server_config.headers.Server: unknown key, expected one of {', '.join(HEADERS)}",
    ),
    "frame": (
        "http_server_config: {headers: {X-Frame-Options: DENY}}",
        "http_server_config.headers.X-Frame-Options: expected deny or sameorigin, got 'DENY'",
    ),
    "sniff": (
        "http_server_config: {headers: {X-Content-Type-Options: ''}}",
        "http_server_config.headers.X-Content-Type-Options: expected nosniff, got ''",
    ),
    "split": (
        'http_server_config: {headers: {Content-Security-Policy: "a\\r\\nb"}}',
        "http_server_config.headers.Content-Security-Policy: expected printable ASCII, got 'a\\r\\nb'",
    ),
    "interval": (
        "rate_limit: {interval: fast, burst: 1}",
        "rate_limit.interval: expected a duration of Go's such as 100ms, 1.5s or 1m30s, got 'fast'",
    ),
    "interval-number": (
        "rate_limit: {interval: 5, burst: 1}",
        "rate_limit.interval: expected a duration of Go's such as 100ms, 1.5s or 1m30s, got 5",
    ),
    "burst": ("rate_limit: {interval: 1s, burst: 0}", "rate_limit.burst: expected an integer greater than 0, got 0"),
    "burst-none": (
        "rate_limit: {interval: 1s}",
        "rate_limit.burst: expected an integer greater than 0 beside interval, got nothing",
    ),
    "hash for users": ("basic_auth_users: $2y$04$abc", "basic_auth_users: expected a mapping, got '$2..'"),
    "hash for a name": (
        "basic_auth_users: {$2y$04$abc: bob}",
        "basic_auth_users.$2..: expected a password's bcrypt hash, got another text",
    ),
    "hash elsewhere": (
        "rate_limit: {burst: $2y$04$abc}",
        "rate_limit.burst: expected an integer greater than 0, got '$2..'",
    ),
    "rate": ("rate_limit: {per: 1s}", "rate_limit.per: unknown key, expected one of interval, burst"),
}


@pytest.mark.parametrize(("text", "message"), TLS.values(), ids=TLS)
def test_wrong_tls(text: str, message: str, files: Mapping[str, str]) -> None:
    lines = problems(files, f"tls_server_config: {{{text}}}")
    assert f"tls_server_config.{message} (/etc/rollcall/web.yml:1)" in lines
    assert "CANARY" not in "".join(lines)
    assert "5550123" not in "".join(lines)


@pytest.mark.parametrize(("text", "message"), OTHERS.values(), ids=OTHERS)
def test_wrong_values(text: str, message: str) -> None:
    assert problems({}, text) == [f"{message} (/etc/rollcall/web.yml:1)"]


def test_two_of_one(files: Mapping[str, str]) -> None:
    for name, file in (("cert", "s.pem"), ("key", "s.key"), ("client_ca", "ca.pem")):
        text = files[file].replace("\n", "\n    ")
        lines = problems(files, f"tls_server_config:\n  {name}: |\n    {text}\n  {name}_file: {file}\n")
        assert any(f"{name}_file: expected only one of {name} and {name}_file, got both" in line for line in lines)


def test_every_problem_with_its_line() -> None:
    text = "tls_server_config:\n  min_version: TLS10\nrate_limit:\n  interval: 1s\n"
    assert [line.rpartition(" (")[2] for line in problems({}, text)] == [
        "/etc/rollcall/web.yml:1)",
        "/etc/rollcall/web.yml:1)",
        "/etc/rollcall/web.yml:2)",
        "/etc/rollcall/web.yml:3)",
    ]
