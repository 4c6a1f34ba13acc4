"""Reads the body of an HTTP answer, decoded, up to a cap."""

from __future__ import annotations

import zlib
from http.client import HTTPResponse
from typing import Protocol

from exporter.sources.source import Deadline, SourceError

_READ_BYTES = 65536
_STEP = 2**22
_GZIP = 31
_ZLIB = zlib.MAX_WBITS
_RAW_DEFLATE = -zlib.MAX_WBITS


class _Decoder(Protocol):
    def feed(self, data: bytes, room: int) -> bytes: ...

    def finish(self) -> None: ...


class _Identity:
    def feed(self, data: bytes, room: int) -> bytes:
        return data[:room]

    def finish(self) -> None:
        pass


class _Inflate:
    """Decodes gzip, of one or many members (RFC 1952, 2.2), or deflate, with or without zlib's header.

    Between two steps it looks whether there is time left.
    """

    def __init__(self, coding: str, deadline: Deadline) -> None:
        self._coding = coding
        self._deadline = deadline
        self._stream: zlib._Decompress | None = None

    def feed(self, data: bytes, room: int) -> bytes:
        decoded = bytearray()
        while data and len(decoded) < room:
            self._deadline.remaining()
            if self._stream is None:
                self._stream = zlib.decompressobj(_GZIP if self._coding == "gzip" else _deflate_format(data))
            elif self._stream.eof:
                if self._coding != "gzip":
                    raise SourceError("malformed", f"expected the end of the {self._coding} body, got more bytes")
                self._stream = zlib.decompressobj(_GZIP)
            try:
                decoded += self._stream.decompress(data, min(_STEP, room - len(decoded)))
            except zlib.error:
                raise SourceError("malformed", f"expected a {self._coding} body, got other bytes") from None
            data = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
        return bytes(decoded)

    def finish(self) -> None:
        if self._stream is None or not self._stream.eof:
            raise SourceError("malformed", f"expected a whole {self._coding} body, got its beginning")


def read_body(response: HTTPResponse, max_bytes: int, deadline: Deadline) -> bytes:
    """Read to the end of the body; gzip, deflate and identity are decoded, `max_bytes` caps what that gives.

    Raises SourceError: "too_large" at the cap, "malformed" for a body that is not what its headers say, "timeout" where
    the deadline ends meanwhile; and what http.client raises.
    """
    decoder = _decoder(response, deadline)
    if response.length is not None and response.length > max_bytes:
        raise SourceError("too_large", f"expected a body of at most {max_bytes} bytes, got one of {response.length}")
    body: bytes | bytearray
    if isinstance(decoder, _Identity) and response.length:
        body = response.read(response.length)
    else:
        body = _decoded(response, decoder, max_bytes)
    # http.client leaves in `length` what Content-Length promised and the connection did not deliver.
    if response.length:
        raise SourceError("malformed", f"expected {response.length} more bytes of body, got the end of the connection")
    decoder.finish()
    return bytes(body)


def _decoded(response: HTTPResponse, decoder: _Decoder, max_bytes: int) -> bytearray:
    body = bytearray()
    while data := response.read(_READ_BYTES):
        body += decoder.feed(data, max_bytes - len(body) + 1)
        if len(body) > max_bytes:
            raise SourceError("too_large", f"expected a body of at most {max_bytes} bytes, got more")
    return body


def _decoder(response: HTTPResponse, deadline: Deadline) -> _Decoder:
    transfer = response.getheader("Transfer-Encoding")
    if transfer is not None and not response.chunked:
        raise SourceError("malformed", f"expected Transfer-Encoding chunked, got {transfer[:40]!r}")
    length = response.getheader("Content-Length")
    if length is not None and response.length is None and not response.chunked:
        raise SourceError("malformed", f"expected a number as Content-Length, got {length[:40]!r}")
    coding = (response.getheader("Content-Encoding") or "identity").strip().lower()
    if coding == "identity":
        return _Identity()
    if coding in ("gzip", "x-gzip", "deflate"):
        return _Inflate(coding.removeprefix("x-"), deadline)
    raise SourceError("malformed", f"expected Content-Encoding gzip, deflate or identity, got {coding[:40]!r}")


def _deflate_format(start: bytes) -> int:
    """Tell zlib's header (RFC 1950, 2.2) from raw deflate, which some servers call deflate too."""
    if len(start) >= 2 and start[0] & 0x0F == 8 and (start[0] << 8 | start[1]) % 31 == 0:
        return _ZLIB
    return _RAW_DEFLATE
