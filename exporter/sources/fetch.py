"""Fetches over HTTP, with one deadline over everything from the look-up of the name to the last byte."""

from __future__ import annotations

import base64
import http.client
import ssl
from collections.abc import Collection
from datetime import UTC
from email.errors import FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPResponse
from types import TracebackType
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from exporter import __version__
from exporter.endpoint import Endpoint, without_credentials
from exporter.sources.body import read_body
from exporter.sources.connect import (
    BoundedSocket,
    BoundedTLSSocket,
    Limits,
    Resolve,
    Trust,
    connect,
    secure,
    tls_context,
)
from exporter.sources.resolve import Resolver
from exporter.sources.source import Deadline, SourceError

__all__ = ["Door", "Fetched", "Resolver", "Session", "tls_context"]

MAX_BYTES = 64 * 2**20
"""Decoded bytes of one answer at most."""

MAX_READ_BYTES = 256 * 2**20
"""Decoded bytes of all answers of one session at most: 450,000 workers of a store."""

_HEAD_BYTES = 2**20
# Headers, chunk sizes and trailers come on top of a body.
_FRAMING_BYTES = 8 * 2**20
_ASCII_SIGNS = "!#$%&'()*+,/:;=?@[]~"
_LOCATION_LETTERS = 100


class Fetched(msgspec.Struct, frozen=True):
    """An answer: its decoded body, its Date header as Unix seconds, and its status."""

    body: bytes
    date: float | None
    status: int = 200


class Request(NamedTuple):
    """What is asked: the path may have a query, and the body is JSON."""

    method: str
    path: str
    body: bytes | None = None

    @property
    def name(self) -> str:
        """How errors name it."""
        return f"{self.method} {self.path.partition('?')[0]}"


class Session:
    """The requests of one read, over one connection where the server keeps it open; a context manager.

    `deadline` covers all of them together; `max_bytes` caps each decoded body, `max_total` all of them. `context` saves
    the loading of the CA certificates at every read (36 ms for Debian's); without it, `endpoint.ca_file` or the
    system's are loaded. An answer whose status is not among the `statuses`, or that redirects, is an error.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        deadline: Deadline,
        *,
        resolve: Resolve,
        max_bytes: int = MAX_BYTES,
        max_total: int = MAX_READ_BYTES,
        context: ssl.SSLContext | None = None,
        statuses: Collection[int] = (200,),
    ) -> None:
        self._endpoint = endpoint
        self._deadline = deadline
        self._statuses = statuses
        self._resolve = resolve
        self._max_bytes = max_bytes
        self._left = max_total
        self._context = context
        self._connection: HTTPConnection | None = None
        self._limits = Limits(deadline, max_bytes + _FRAMING_BYTES, _HEAD_BYTES)

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def get(self, path: str) -> Fetched:
        """GET `endpoint.path` + `path`, which starts with a slash; raises SourceError, and ValueError without slash."""
        return self._fetch(Request("GET", path))

    def post(self, path: str, body: bytes) -> Fetched:
        """POST JSON, as `get`; sent again where a kept connection turns out to have been closed."""
        return self._fetch(Request("POST", path, body))

    def delete(self, path: str) -> Fetched:
        """DELETE, as `get`."""
        return self._fetch(Request("DELETE", path))

    def _fetch(self, request: Request) -> Fetched:
        path = request.path
        if not path.startswith("/"):
            raise ValueError("expected a path that starts with '/'")
        target = quote(self._endpoint.path + path, safe=_ASCII_SIGNS, errors="replace")
        outcome = self._outcome(request._replace(path=target))
        # Raised outside of any `except`, so that no context drags in what the server or the request said.
        if isinstance(outcome, SourceError):
            self.close()
            raise SourceError(outcome.result, self._redacted(str(outcome)), outcome.status)
        return outcome

    def _redacted(self, message: str) -> str:
        """What an error says, without the credentials that a server may have sent back."""
        for secret in (self._endpoint.key, self._endpoint.password):
            if secret is not None and secret.reveal():
                message = message.replace(secret.reveal(), "***")
        return message

    def _outcome(self, request: Request) -> Fetched | SourceError:
        try:
            response = self._answer(request)
            with response:
                most = min(self._max_bytes, self._left)
                fetched = _whole(response, most, self._statuses, self._limits)
            self._left -= len(fetched.body)
            if response.will_close:
                self.close()
        except SourceError as error:
            return SourceError(error.result, f"{request.name}: {error}", error.status)
        # OverflowError is what http.client makes of a chunk size below -2**63.
        except (OSError, http.client.HTTPException, ValueError, OverflowError) as error:
            return _explained(error, request.name, self._endpoint.server_name or self._endpoint.host)
        return fetched

    def _answer(self, request: Request) -> HTTPResponse:
        """Send the request and read the head of its answer; once more if a kept connection turns out to be closed."""
        if self._connection is not None:
            try:
                return self._ask(self._connection, request)
            except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
                if self._limits.received:
                    raise
            self.close()
        self._connection = HTTPConnection(self._endpoint.host, self._endpoint.port)
        self._connection.auto_open = 0
        self._connection.sock = self._connected()
        return self._ask(self._connection, request)

    def _connected(self) -> BoundedSocket | BoundedTLSSocket:
        host = _ascii_host(self._endpoint)
        if self._endpoint.scheme != "https":
            return connect(self._endpoint, host, self._limits, self._resolve)
        if self._context is None:
            self._context = tls_context(self._endpoint)
        plain = connect(self._endpoint, host, self._limits, self._resolve)
        return secure(plain, self._endpoint.server_name or host.partition("%")[0], self._context)

    def _ask(self, connection: HTTPConnection, request: Request) -> HTTPResponse:
        self._limits.renew()
        connection.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", _host_header(self._endpoint))
        connection.putheader("User-Agent", f"rollcall/{__version__}")
        connection.putheader("Accept", "application/json")
        connection.putheader("Accept-Encoding", "gzip")
        authorization = _authorization(self._endpoint)
        if authorization is not None:
            connection.putheader("Authorization", authorization)
        if request.body is not None:
            connection.putheader("Content-Type", "application/json")
            connection.putheader("Content-Length", str(len(request.body)))
        connection.endheaders(request.body)
        response = connection.getresponse()
        self._limits.expected = True
        return response


class Door:
    """Opens the sessions with one endpoint, a read each, and keeps its TLS context from one to the next."""

    def __init__(self, endpoint: Endpoint, resolve: Resolve) -> None:
        self._endpoint = endpoint
        self._resolve = resolve
        self._trust = Trust(endpoint)

    def __call__(self, deadline: Deadline) -> Session:
        """A session within a deadline; raises SourceError("tls") where the certificates cannot be loaded."""
        return Session(self._endpoint, deadline, resolve=self._resolve, context=self._trust())


def _whole(response: HTTPResponse, max_bytes: int, statuses: Collection[int], limits: Limits) -> Fetched:
    defects = (FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect)
    if limits.ended or any(isinstance(defect, defects) for defect in response.headers.defects):
        raise SourceError("malformed", "expected HTTP headers that end in an empty line, got something else")
    if 300 <= response.status < 400:
        place = _location(response.getheader("Location"))
        raise SourceError("redirect", f"expected status 200, got {response.status} {place}")
    if response.status not in statuses:
        raise SourceError("http", f"expected status 200, got {response.status}", response.status)
    return Fetched(
        read_body(response, max_bytes, limits.deadline), _unix_seconds(response.getheader("Date")), response.status
    )


def _location(location: str | None) -> str:
    if not location:
        return "without a Location"
    place = without_credentials(location).partition("?")[0].partition("#")[0]
    return f"to {place!r}" if len(place) <= _LOCATION_LETTERS else f"to {place[:_LOCATION_LETTERS] + '…'!r}"


def _unix_seconds(date: str | None) -> float | None:
    """Read a Date header; its older forms (RFC 9110, 5.6.7) have no zone and are UTC. None when it is not one."""
    if date is None:
        return None
    try:
        moment = parsedate_to_datetime(date)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _explained(error: Exception, place: str, host: str) -> SourceError:
    """Turn what sockets, ssl and http.client raise into words of ours: theirs may quote the server."""
    match error:
        case TimeoutError():
            return SourceError("timeout", f"{place}: no whole answer in time")
        case ssl.SSLCertVerificationError():
            return SourceError(
                "tls", f"{place}: expected a trusted certificate for {host!r}, got: {error.verify_message}"
            )
        case ssl.SSLError():
            return SourceError("tls", f"{place}: expected TLS, got: {error.reason or type(error).__name__}")
        case http.client.RemoteDisconnected():
            return SourceError("refused", f"{place}: expected an answer, got a closed connection")
        case OSError():
            return SourceError("refused", f"{place}: expected an answer, got: {error.strerror or type(error).__name__}")
        case http.client.IncompleteRead():
            return SourceError("malformed", f"{place}: expected a whole body, got its beginning")
        case http.client.LineTooLong():
            return SourceError("malformed", f"{place}: expected lines of at most 65536 bytes, got a longer one")
        case _:
            return SourceError("malformed", f"{place}: expected an HTTP/1 answer, got something else")


def _ascii_host(endpoint: Endpoint) -> str:
    try:
        return endpoint.host.encode("idna").decode("ascii")
    except UnicodeError:
        found = f"expected a host name, got {endpoint.host!r}"
    raise SourceError("refused", found)


def _host_header(endpoint: Endpoint) -> str:
    host = _ascii_host(endpoint).partition("%")[0]
    if ":" in host:
        host = f"[{host}]"
    usual = 443 if endpoint.scheme == "https" else 80
    return host if endpoint.port == usual else f"{host}:{endpoint.port}"


def _authorization(endpoint: Endpoint) -> str | None:
    if endpoint.key is not None:
        key = endpoint.key.reveal()
        if not key or not all("!" <= letter <= "~" for letter in key):
            raise SourceError("refused", "expected a key of printable ASCII without spaces, got another one")
        return f"Bearer {key}"
    if endpoint.username is None and endpoint.password is None:
        return None
    password = "" if endpoint.password is None else endpoint.password.reveal()
    credentials = f"{endpoint.username or ''}:{password}".encode(errors="replace")
    return f"Basic {base64.b64encode(credentials).decode('ascii')}"
