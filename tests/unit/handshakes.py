"""TLS between two ends of one thread: a real handshake without a socket."""

from __future__ import annotations

import ssl
from typing import NamedTuple


class Shaken(NamedTuple):
    """The two ends after a handshake, and what the server's certificate says."""

    client: ssl.SSLObject
    server: ssl.SSLObject

    @property
    def subject(self) -> str:
        """The common name of the server's certificate."""
        certificate = self.client.getpeercert()
        assert certificate
        return str(dict(part[0] for part in certificate["subject"])["commonName"])  # type: ignore[misc]


def trusting(authority: str, certificate: tuple[str, str] | None = None) -> ssl.SSLContext:
    """A client that trusts a CA (a path), with a certificate and key (paths) of its own or without."""
    context = ssl.create_default_context(cafile=authority)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # the default of Python 3.13; the tests' certificates are plain
    if certificate is not None:
        context.load_cert_chain(*certificate)
    return context


def shake(server: ssl.SSLContext, client: ssl.SSLContext) -> Shaken:
    """Do the handshake, and pass a byte each way; raises what either end raises."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = Shaken(
        client.wrap_bio(to_client, to_server, server_hostname="localhost"),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    waiting = [ends.client, ends.server]
    while waiting:
        for end in tuple(waiting):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(end)
    for one, other in ((ends.client, ends.server), (ends.server, ends.client)):
        one.write(b"x")
        assert other.read(1) == b"x"
    return ends
