"""Certificates and their private keys in PEM, as Python's ssl takes them."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from exporter.endpoint import Secret

NO_PASSWORD = ""
"""Given with a key that must have no password: without one, OpenSSL asks for it on the terminal."""


def has_certificates(text: str) -> bool:
    """Tell whether a text has certificates, and nothing wrong with them."""
    blocks = re.findall("-----BEGIN CERTIFICATE-----[\t\n\r -~]*?-----END CERTIFICATE-----", text)
    if not blocks:
        return False
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata="\n".join(blocks))
    except (ssl.SSLError, ValueError):
        return False
    return True


def load_pair(context: ssl.SSLContext, chain: str, key: Secret) -> tuple[str, str] | None:
    """Have a context show a certificate; gives `cert` or `key` and what is wrong with it, None where all is well."""
    try:
        with _in_memory(chain) as first, _in_memory(key.reveal()) as second:
            context.load_cert_chain(first, second, NO_PASSWORD)
    except ssl.SSLError as error:
        reason = error.reason or ""
    else:
        return None
    if reason == "KEY_VALUES_MISMATCH":
        return "key", "expected the private key of the certificate, got another one"
    if "TOO_" in reason:
        return "cert", f"expected a certificate that OpenSSL takes, got one that it calls {reason}"
    if "ENCRYPTED" in key.reveal():
        return "key", "expected a private key that is not encrypted, got one that is"
    return "key", "expected a private key in PEM, got something else"


@contextmanager
def _in_memory(text: str) -> Iterator[str]:
    """Give the path of a file that is on no disk: Python's ssl loads a key from a path only."""
    number = os.memfd_create("pem")
    try:
        with os.fdopen(number, "w", closefd=False, errors="replace") as file:
            file.write(text)
        yield f"/proc/self/fd/{number}"
    finally:
        os.close(number)
