"""`tls_config` of an upstream, as Prometheus spells it: its CA, our own certificate, and the name it must bear."""

from __future__ import annotations

import re
import ssl
from typing import NamedTuple

from exporter.config.check import Section, WrongValueError, boolean, string
from exporter.config.file import Node
from exporter.config.outside import Outside
from exporter.config.pem import load_pair
from exporter.endpoint import Secret


class ClientTls(NamedTuple):
    """Paths of PEM files, and a host name; None is not said."""

    ca_file: str | None = None
    cert_file: str | None = None
    cert_key_file: str | None = None
    server_name: str | None = None


def read_client_tls(above: Section, outside: Outside) -> ClientTls:
    """Read the section and the files that it names; `ca_file` may be beside it instead."""
    beside = above.get("ca_file", outside.bundle, None)
    section = above.section("tls_config")
    ca_file = section.get("ca_file", outside.bundle, None)
    if above.given("ca_file") and section.given("ca_file"):
        section.complain("ca_file", "expected only one of ca_file and tls_config.ca_file, got both")
    cert = section.get("cert_file", outside.read, None)
    key = section.get("key_file", outside.read, None)
    name = section.get("server_name", _name, None)
    given = section.given("cert_file", "key_file")
    if len(given) == 1:
        other = "key_file" if given == ["cert_file"] else "cert_file"
        section.complain(given[0], f"expected {other} beside it, got none")
    if section.get("insecure_skip_verify", boolean, False):
        section.complain(
            "insecure_skip_verify", "expected false, got true: give ca_file, and server_name where it differs"
        )
    if cert is not None and key is not None:
        wrong = load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), cert[1], Secret(key[1]))
        if wrong is not None:
            section.complain(f"{wrong[0]}_file", wrong[1])
    section.close()
    return ClientTls(ca_file or beside, cert and str(cert[0]), key and str(key[0]), name)


def _name(node: Node) -> str:
    text = string(node)
    if not re.fullmatch(r"[A-Za-z0-9_.:-]{1,253}", text):
        raise WrongValueError("a host name or an address")
    return text
