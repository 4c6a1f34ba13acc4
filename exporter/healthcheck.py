"""`python -m exporter.healthcheck [HOST:PORT]`: whether an exporter on this machine answers, for a container's engine.

It sends no secret and checks no certificate, so that it works as it is with any web configuration. Who refuses it, for
want of a password or of a client's certificate, is well: a process that hangs neither answers nor hangs up.
"""

from __future__ import annotations

import http.client
import ssl
import sys
from collections.abc import Sequence

ADDRESS = "127.0.0.1:10470"

TIMEOUT = 2.0
"""Seconds to wait for each step of an answer."""


def status(host: str, port: int, timeout: float = TIMEOUT) -> int | None:
    """The status of an exporter's answer over HTTP or TLS; None where it hangs up on who has no certificate.

    Raises OSError where nothing listens or nothing comes.
    """
    try:
        return _asked(http.client.HTTPConnection(host, port, timeout=timeout))
    except (ConnectionResetError, http.client.HTTPException):
        # A server of TLS hangs up on a request that is none.
        return _secured(host, port, timeout)


def _secured(host: str, port: int, timeout: float) -> int | None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        return _asked(http.client.HTTPSConnection(host, port, timeout=timeout, context=context))
    except (ssl.SSLError, ConnectionResetError, BrokenPipeError):
        # In TLS 1.3 the client's handshake is over when the server looks at its certificate (RFC 8446, 4.4.2.4).
        return None


def _asked(connection: http.client.HTTPConnection) -> int:
    try:
        connection.request("GET", "/-/healthy", headers={"Connection": "close"})
        return connection.getresponse().status
    finally:
        connection.close()


def main(arguments: Sequence[str]) -> int:
    """Say how it answers; the exit status is 1 where it does not."""
    address = arguments[0] if arguments else ADDRESS
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or len(arguments) > 1:
        sys.stderr.write(f"rollcall: expected HOST:PORT, got {' '.join(arguments)!r}\n")
        return 2
    try:
        found = status(host.strip("[]"), int(port))
    except (OSError, OverflowError, http.client.HTTPException) as error:
        sys.stderr.write(f"rollcall: expected an answer of {address}, got: {error or type(error).__name__}\n")
        return 1
    sys.stdout.write(f"{'wants a certificate' if found is None else f'status {found}'}\n")
    return 0 if found is None or found < 500 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
