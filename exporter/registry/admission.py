"""Who may talk to the registry: by address and rate, Host, token, Origin and kind of content."""

from __future__ import annotations

import hmac
import math
import re
from collections.abc import Callable, Sequence

import msgspec

from exporter.endpoint import Secret
from exporter.http_protocol import READING
from exporter.loopback import names_loopback
from exporter.registry.rejections import Rejections

PREFIX = "/v1/agl/"
"""What all paths of the registry begin with."""

BATCH = PREFIX + "workers/heartbeats"
"""The path that many heartbeats at once go to."""

HEARTBEAT_BYTES = 2**16
"""The most bytes of one request's body."""

BATCH_BYTES = 2**22
"""The most bytes of a body that brings many heartbeats."""

READ_BYTES = 2**24
"""The most bytes of a body that is refused which are read: a client that has not sent all cannot see why."""

CLIENTS = 4096
"""Client addresses whose rate is counted apart; those beyond share one allowance."""

DECIDING = (b"host", b"origin", b"authorization", b"content-type")
"""The headers that decide who may do what."""

JSON = re.compile(rb"\s*application/(?:[^;]*\+)?json\s*(?:;.*)?", re.I | re.S)


def room(path: str) -> int | None:
    """Give the most bytes of a body that are read at a path, wanted or not; None where it is not the registry's."""
    return READ_BYTES if path.startswith(PREFIX) else None


def most_of(path: str) -> int:
    """Give the most bytes of a body that a request to one of the registry's paths may have."""
    return BATCH_BYTES if path == BATCH else HEARTBEAT_BYTES


class Refusal(msgspec.Struct, frozen=True):
    """An answer instead of the one asked for; `reason` is one of those that are counted."""

    status: int
    reason: str
    detail: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Allowance:
    """Token buckets, one per client, each of `rate` requests that are back after a second. Bounded in number."""

    def __init__(self, rate: int, clock: Callable[[], float], most: int = CLIENTS) -> None:
        self._rate = rate
        self._clock = clock
        self._most = most
        self._buckets: dict[str, tuple[float, float]] = {}
        self._swept = -math.inf

    @property
    def size(self) -> int:
        """How many clients are told apart now."""
        return len(self._buckets)

    def wait(self, client: str) -> float:
        """Take one request of a client's; gives 0, or for how many seconds there is none to take."""
        now = self._clock()
        if client not in self._buckets and len(self._buckets) >= self._most:
            self._sweep(now)
            client = client if len(self._buckets) < self._most else ""
        left, at = self._buckets.get(client, (float(self._rate), now))
        left = min(float(self._rate), left + (now - at) * self._rate)
        if left < 1.0:
            self._buckets[client] = (left, now)
            return (1.0 - left) / self._rate
        self._buckets[client] = (left - 1.0, now)
        return 0.0

    def _sweep(self, now: float) -> None:
        """Forget who has all of its allowance again; at most once a second, for it looks at everybody."""
        if now - self._swept >= 1.0:
            self._swept = now
            self._buckets = {client: (left, at) for client, (left, at) in self._buckets.items() if now - at < 1.0}


class Admission:
    """Decides whether a request may go on to the registry, and counts those that may not.

    `token` is what every request must bear, None where none must; `local` tells that the server listens on loopback.
    """

    def __init__(self, token: Secret | None, local: bool, allowance: Allowance, rejections: Rejections) -> None:
        self._token = None if token is None else token.reveal().encode()
        self._local = local
        self._allowance = allowance
        self._rejections = rejections

    def refusal(self, method: str, headers: dict[bytes, bytes], client: str, most: int) -> Refusal | None:
        """Give why a request is refused, None for one that is admitted; `most` is for its body, in bytes."""
        wait = self._allowance.wait(client)
        refused = _too_often(wait) if wait else self._wrong(method, headers, most)
        if refused is not None:
            self._rejections.count(refused.reason)
        return refused

    def count(self, reason: str) -> None:
        """Count a request that was refused after it was admitted."""
        self._rejections.count(reason)

    def _wrong(self, method: str, headers: dict[bytes, bytes], most: int) -> Refusal | None:
        host = headers.get(b"host", b"")
        if self._local and not names_loopback(host):
            return Refusal(403, "host", "Host is invalid; expected localhost or a loopback address.")
        if self._token is not None and not _bears(headers.get(b"authorization", b""), self._token):
            return Refusal(401, "token", "Not authenticated", ((b"www-authenticate", b"Bearer"),))
        if method in READING:
            return None
        origin = headers.get(b"origin")
        if origin is not None and origin.lower() not in (b"http://" + host.lower(), b"https://" + host.lower()):
            return Refusal(403, "origin", "Origin is invalid; expected none or this server's own.")
        length = headers.get(b"content-length", b"0")
        if b"transfer-encoding" not in headers and not int(length):
            return None
        kind = headers.get(b"content-type", b"")
        if kind != b"application/json" and not JSON.fullmatch(kind):
            return Refusal(415, "content_type", "Content-Type is invalid; expected application/json.")
        return None if int(length) <= most else Refusal(413, "body", too_large(most))


def said_twice(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Tell whether a header that decides who may do what is there twice: who reads the other one decides otherwise."""
    if len(dict(headers)) == len(headers):
        return False
    names = [name for name, _ in headers if name in DECIDING]
    return len(set(names)) < len(names)


def too_large(most: int) -> str:
    """Tell a client that its body has more than `most` bytes."""
    return f"The body is too large; expected at most {most} bytes."


def _too_often(wait: float) -> Refusal:
    seconds = str(max(1, math.ceil(wait))).encode()
    return Refusal(429, "rate", "Too many requests", ((b"retry-after", seconds),))


def _bears(authorization: bytes, token: bytes) -> bool:
    scheme, _, given = authorization.partition(b" ")
    return hmac.compare_digest(given.strip(), token) and scheme.lower() == b"bearer"
