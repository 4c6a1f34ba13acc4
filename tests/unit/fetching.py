"""What the tests of fetching share: a read of one path, and the failure of one."""

from __future__ import annotations

import ssl
from pathlib import Path

import msgspec
import pytest

from exporter.endpoint import Endpoint, parse_url
from exporter.sources.connect import Resolve
from exporter.sources.fetch import Fetched, Resolver, Session
from exporter.sources.source import Deadline, SourceError

TLS = Path(__file__).parent / "tls"
CA = str(TLS / "ca.pem")


def endpoint(url: str, **changes: object) -> Endpoint:
    return msgspec.structs.replace(parse_url(url, 80), **changes)


def get(
    place: Endpoint, path: str = "/x", seconds: float = 20, max_bytes: int = 2**20, resolve: Resolve | None = None
) -> Fetched:
    with Session(place, Deadline(seconds), resolve=resolve or Resolver(), max_bytes=max_bytes) as session:
        return session.get(path)


def failure(
    place: Endpoint, path: str = "/x", seconds: float = 20, max_bytes: int = 2**20, resolve: Resolve | None = None
) -> SourceError:
    with pytest.raises(SourceError) as caught:
        get(place, path, seconds, max_bytes, resolve)
    return caught.value


def server_tls() -> ssl.SSLContext:
    """A server's side of TLS with the certificate of `localhost`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "localhost.pem", TLS / "localhost.key")
    return context
