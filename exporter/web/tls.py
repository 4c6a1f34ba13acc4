"""`tls_server_config`: certificate, client certificates, versions and ciphers become a context of Python's ssl.

Names and defaults are those of exporter-toolkit's web/tls_config.go (0.14); what Python's ssl cannot do is refused by
name.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import TypeVar

from exporter.config.check import Section, WrongValueError, boolean, string
from exporter.config.file import Node
from exporter.config.outside import Outside
from exporter.config.pem import has_certificates, load_pair
from exporter.endpoint import Secret
from exporter.web.clients import with_clients

T = TypeVar("T")

VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}

OUTDATED = ("TLS10", "TLS11")

CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}

MODERN = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
"""The suites of TLS 1.3, which neither Go nor Python 3.11 lets anybody choose."""

SUITES = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
}
"""The suites of TLS 1.2 that Go 1.22 calls secure, and OpenSSL's names of them."""


def read_tls(section: Section, outside: Outside) -> ssl.SSLContext | None:
    """Read the section; None where it is empty: HTTP without TLS. What is wrong is complained about in the section."""
    cert = _pem(section, "cert", outside, _certificates)
    key = _pem(section, "key", outside, Secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    given = with_clients(section, context, _pem(section, "client_ca", outside, _certificates))
    given += _with_versions(section, context) + _with_suites(section, context) + _with_curve(section, context)
    if not given and not section.given("cert", "cert_file", "key", "key_file"):
        section.close()
        return None
    for name, text in (("cert", cert), ("key", key)):
        if text is None and not section.given(name, f"{name}_file"):
            section.complain(f"{name}_file", f"expected {name}_file or {name}, got neither")
    if cert is not None and key is not None:
        wrong = load_pair(context, cert, key)
        if wrong is not None:
            section.complain(section.given(f"{wrong[0]}_file", wrong[0])[0], wrong[1])
    section.close()
    return context


def _pem(section: Section, name: str, outside: Outside, take: Callable[[str], T]) -> T | None:
    """Take what is in the file under `name`_file, or under `name` itself."""

    def written(node: Node) -> T:
        return take(hidden(node))

    def filed(node: Node) -> T:
        return take(outside.read(node)[1])

    found = section.get(name, written, None)
    from_file = section.get(f"{name}_file", filed, None)
    if len(section.given(name, f"{name}_file")) > 1:
        section.complain(f"{name}_file", f"expected only one of {name} and {name}_file, got both")
    return found if from_file is None else from_file


def hidden(node: Node) -> str:
    """Take a string that no message may show."""
    try:
        return string(node)
    except WrongValueError:
        raise WrongValueError("a string", got="something else") from None


def _certificates(text: str) -> str:
    if not has_certificates(text):
        raise WrongValueError("certificates in PEM", got="something else")
    return text


def _with_versions(section: Section, context: ssl.SSLContext) -> list[str]:
    least = section.get("min_version", _version, ssl.TLSVersion.TLSv1_2)
    most = section.get("max_version", _version, ssl.TLSVersion.TLSv1_3)
    if least > most:
        section.complain("max_version", "expected at least min_version, TLS13, got TLS12")
        most = least
    context.minimum_version, context.maximum_version = least, most
    return section.given("min_version", "max_version")


def _version(node: Node) -> ssl.TLSVersion:
    text = string(node)
    if text in OUTDATED:
        raise WrongValueError("TLS12 or TLS13", why="Python's ssl has given it up, and OpenSSL 3 does not serve it")
    if text not in VERSIONS:
        raise WrongValueError("TLS12 or TLS13")
    return VERSIONS[text]


def _with_suites(section: Section, context: ssl.SSLContext) -> list[str]:
    names = [name for _, name in section.each("cipher_suites", _suite)]
    wanted = [SUITES[name] for name in names if name in SUITES]
    if section.get("prefer_server_cipher_suites", boolean, True):
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if wanted:
        context.set_ciphers(":".join(wanted))
    elif names and context.minimum_version < ssl.TLSVersion.TLSv1_3:
        section.complain("cipher_suites", "expected a suite of TLS 1.2 too, or min_version TLS13, got those of TLS 1.3")
    return section.given("cipher_suites", "prefer_server_cipher_suites")


def _suite(node: Node) -> str:
    text = string(node)
    if text not in SUITES and text not in MODERN:
        raise WrongValueError("one of Go's secure cipher suites")
    return text


def _with_curve(section: Section, context: ssl.SSLContext) -> list[str]:
    curves = [name for _, name in section.each("curve_preferences", _curve)]
    if len(curves) > 1:
        section.complain(
            "curve_preferences", f"expected one curve, got {len(curves)}: Python's ssl can be told to use one, or all"
        )
    elif curves:
        context.set_ecdh_curve(CURVES[curves[0]])
    return section.given("curve_preferences")


def _curve(node: Node) -> str:
    if string(node) not in CURVES:
        raise WrongValueError(f"one of {', '.join(CURVES)}")
    return string(node)
