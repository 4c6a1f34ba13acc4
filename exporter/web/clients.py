"""Which certificates clients must have: `client_auth_type`, the CA that signs them, and the names they may bear."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

from exporter.config.check import Section, WrongValueError, string
from exporter.config.file import Node

UNVERIFIED = ("RequestClientCert", "RequireAnyClientCert", "RequireClientCert")
"""Modes that ask for a certificate and trust any; RequireClientCert is an old name of RequireAnyClientCert."""

MODES = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}


def with_clients(section: Section, context: ssl.SSLContext, authority: str | None) -> list[str]:
    """Have the context check clients; gives the keys of all this that the file has.

    `authority` is PEM. Without one nobody's certificate is good: Go would trust every CA that the system trusts.
    """
    mode = section.get("client_auth_type", _mode, ssl.CERT_NONE)
    names = frozenset(text for _, text in section.each("client_allowed_sans", string, least=_least(section)))
    authorities = section.given("client_ca", "client_ca_file")
    if authorities and mode is ssl.CERT_NONE and section.sound("client_auth_type"):
        section.complain(
            authorities[0], f"expected client_auth_type {' or '.join(list(MODES)[1:])} beside it, got none"
        )
    if mode is not ssl.CERT_NONE and not authorities:
        section.complain("client_auth_type", "expected client_ca_file or client_ca beside it, got neither")
    if names and mode is not ssl.CERT_REQUIRED and section.sound("client_auth_type"):
        section.complain("client_allowed_sans", "expected client_auth_type RequireAndVerifyClientCert beside it")
    context.verify_mode = mode
    if authority is not None:
        context.load_verify_locations(cadata=authority)
    if names:
        context.sslobject_class = _knowing(names)
    return section.given("client_auth_type", "client_allowed_sans") + authorities


def _least(section: Section) -> int:
    return 1 if section.given("client_allowed_sans") else 0


def _mode(node: Node) -> ssl.VerifyMode:
    text = string(node)
    if text in UNVERIFIED:
        why = "Python's ssl cannot ask for a certificate without verifying it"
        raise WrongValueError(f"one of {', '.join(MODES)}", why=why)
    if text not in MODES:
        raise WrongValueError(f"one of {', '.join(MODES)}")
    return MODES[text]


def _knowing(names: frozenset[str]) -> type[ssl.SSLObject]:
    class Known(ssl.SSLObject):
        """A connection whose handshake fails unless the client's certificate bears one of the names."""

        def do_handshake(self) -> None:
            super().do_handshake()
            if names.isdisjoint(_names(self)):
                raise ssl.SSLCertVerificationError("the client's certificate bears none of client_allowed_sans")

    return Known


def _names(connection: ssl.SSLObject) -> Iterator[str]:
    """The subject's alternative names: DNS, e-mail, URI, and IP addresses as Go writes them."""
    certificate: dict[str, Any] = connection.getpeercert() or {}
    for kind, name in certificate.get("subjectAltName", ()):
        if kind == "IP Address":
            yield str(ip_address(name))
        elif kind in ("DNS", "email", "URI"):
            yield name
