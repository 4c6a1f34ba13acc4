"""What becomes of each kind of HTTP answer: a body and a date, or a result and a message."""

from __future__ import annotations

import gzip
import itertools
import tracemalloc
import zlib

import pytest

from tests.unit.fetching import endpoint, failure, get
from tests.unit.loopback import Loopback, Peer, answer, sends

MIB = 2**20
TEXT = b'{"a": 1}' * 1000
RAW_DEFLATE = zlib.compressobj(wbits=-15)
CODED = {
    "identity": ("identity", TEXT),
    "no coding": (None, TEXT),
    "gzip": ("gzip", gzip.compress(TEXT)),
    "upper case": ("GZIP", gzip.compress(TEXT)),
    "x-gzip": ("x-gzip", gzip.compress(TEXT)),
    "gzip of two members": ("gzip", gzip.compress(TEXT[:3000]) + gzip.compress(TEXT[3000:])),
    "deflate with a zlib header": ("deflate", zlib.compress(TEXT)),
    "raw deflate": ("deflate", RAW_DEFLATE.compress(TEXT) + RAW_DEFLATE.flush()),
}


def chunked(body: bytes, size: int, *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked", *headers]
    pieces = (body[start : start + size] for start in range(0, len(body), size))
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + chunks + b"0\r\n\r\n"


@pytest.mark.parametrize("framing", ["length", "chunked", "until the end"])
@pytest.mark.parametrize("kind", CODED)
def test_a_body_arrives_whole_however_it_is_coded_and_framed(kind: str, framing: str) -> None:
    coding, body = CODED[kind]
    headers = () if coding is None else (f"Content-Encoding: {coding}",)
    whole = {
        "length": answer(body, *headers),
        "chunked": chunked(body, 7, *headers),
        "until the end": "\r\n".join(["HTTP/1.0 200 OK", *headers]).encode() + b"\r\n\r\n" + body,
    }
    with Loopback(sends(whole[framing])) as server:
        assert get(endpoint(f"http://127.0.0.1:{server.port}")).body == TEXT


def test_a_body_that_arrives_after_a_100_continue() -> None:
    with Loopback(sends(b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"[]"))) as server:
        assert get(endpoint(f"http://127.0.0.1:{server.port}")).body == b"[]"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784111777.0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 784111777.0),
        ("Sun Nov  6 08:49:37 1994", 784111777.0),
        ("Sun, 06 Nov 1994 09:49:37 +0100", 784111777.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        (None, None),
        ("", None),
        ("yesterday", None),
        ("Sun, 99 Nov 1994 08:49:37 GMT", None),
        ("Sun, 06 Nov 1994 08:49:37 +9999999", None),
        ("Sun, 06 Nov 99999999 08:49:37 GMT", None),
    ],
)
def test_the_date_is_in_unix_seconds_or_not_said(header: str | None, seconds: float | None) -> None:
    headers = () if header is None else (f"Date: {header}",)
    with Loopback(sends(answer(b"{}", *headers))) as server:
        assert get(endpoint(f"http://127.0.0.1:{server.port}")).date == seconds


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
GZIP = OK + b"Content-Encoding: gzip\r\n\r\n"
NOT_HTTP = "expected an HTTP/1 answer, got something else"
BAD_HEADERS = "expected HTTP headers that end in an empty line, got something else"
HALF_BODY = "expected a whole body, got its beginning"
LONG_LINE = "expected lines of at most 65536 bytes, got a longer one"
MALFORMED = {
    "another protocol": (b"SSH-2.0-OpenSSH_9.2\r\n", NOT_HTTP),
    "a newer HTTP": (b"HTTP/2 200\r\n\r\n", NOT_HTTP),
    "a status that is no number": (b"HTTP/1.1 okay\r\n\r\n", NOT_HTTP),
    "an end in the status line": (b"HTTP/1.1 200 O", BAD_HEADERS),
    "an end in the headers": (OK + b"Content-Length: 2\r\nDa", BAD_HEADERS),
    "a header without a colon": (OK + b"what is this\r\nContent-Length: 2\r\n\r\n{}", BAD_HEADERS),
    "a status line too long": (b"HTTP/1.1 200 " + b"x" * 70_000, LONG_LINE),
    "a header too long": (OK + b"X: " + b"x" * 70_000 + b"\r\n\r\n", LONG_LINE),
    "too many headers": (OK + b"X: y\r\n" * 200 + b"\r\n", NOT_HTTP),
    "a body too short": (
        OK + b"Content-Length: 10\r\n\r\n{}",
        "expected 8 more bytes of body, got the end of the connection",
    ),
    "no body at all": (
        OK + b"Content-Length: 1\r\n\r\n",
        "expected 1 more bytes of body, got the end of the connection",
    ),
    "a length that is no number": (
        OK + b"Content-Length: two\r\n\r\n{}",
        "expected a number as Content-Length, got 'two'",
    ),
    "a negative length": (OK + b"Content-Length: -2\r\n\r\n{}", "expected a number as Content-Length, got '-2'"),
    "an unknown transfer coding": (
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        "expected Transfer-Encoding chunked, got 'gzip, chunked'",
    ),
    "no last chunk": (CHUNKED + b"2\r\n{}\r\n", HALF_BODY),
    "an end in a chunk": (CHUNKED + b"5\r\n{}", HALF_BODY),
    "a chunk size that is no number": (CHUNKED + b"two\r\n{}\r\n0\r\n\r\n", HALF_BODY),
    "a chunk size of -1": (CHUNKED + b"-1\r\n{}", HALF_BODY),
    "a chunk size of -5": (CHUNKED + b"-5\r\n{}", NOT_HTTP),
    "a chunk size of -2**80": (CHUNKED + b"-100000000000000000000\r\n{}", NOT_HTTP),
    "an unknown coding": (
        OK + b"Content-Encoding: br\r\nContent-Length: 2\r\n\r\n{}",
        "expected Content-Encoding gzip, deflate or identity, got 'br'",
    ),
    "gzip that is none": (GZIP + b"{}" * 50, "expected a gzip body, got other bytes"),
    "gzip of nothing": (GZIP, "expected a whole gzip body, got its beginning"),
    "half a gzip": (GZIP + gzip.compress(TEXT)[:-4], "expected a whole gzip body, got its beginning"),
    "half a second member": (
        GZIP + gzip.compress(TEXT) + gzip.compress(TEXT)[:9],
        "expected a whole gzip body, got its beginning",
    ),
    "gzip and something after it": (GZIP + gzip.compress(TEXT) + b"{}", "expected a gzip body, got other bytes"),
    "gzip with a wrong checksum": (
        GZIP + gzip.compress(TEXT)[:-8] + b"\0" * 8,
        "expected a gzip body, got other bytes",
    ),
    "deflate and something after it": (
        OK + b"Content-Encoding: deflate\r\n\r\n" + zlib.compress(TEXT) + b"{}",
        "expected the end of the deflate body, got more bytes",
    ),
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_an_answer_that_is_not_http_is_malformed(kind: str) -> None:
    sent, message = MALFORMED[kind]
    with Loopback(sends(sent)) as server:
        error = failure(endpoint(f"http://127.0.0.1:{server.port}"))
    assert (error.result, str(error)) == ("malformed", f"GET /x: {message}")


@pytest.mark.parametrize("status", ["101 Switching", "201 Created", "204 No Content", "401 No", "503 CANARY", "999 x"])
def test_any_other_status_than_200_is_an_http_failure(status: str) -> None:
    with Loopback(sends(answer(b"CANARY", status=status))) as server:
        error = failure(endpoint(f"http://127.0.0.1:{server.port}/base"), "/x?limit=1")
    assert (error.result, str(error)) == ("http", f"GET /base/x: expected status 200, got {status[:3]}")


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("/login", "to '/login'"),
        ("https://other.test/x", "to 'https://other.test/x'"),
        ("https://u:CANARY@other.test/x", "to 'https://other.test/x'"),
        ("https://u:CAN?ARY@other.test/x", "to 'https://other.test/x'"),
        ("//u:CANARY@other.test/x", "to 'other.test/x'"),
        ("/login?token=CANARY#CANARY", "to '/login'"),
        ("/" + "x" * 500, f"to '/{'x' * 99}…'"),
        ("/a\x1b[31m", r"to '/a\x1b[31m'"),
        (None, "without a Location"),
    ],
)
@pytest.mark.parametrize("status", [301, 302, 307, 308, 304])
def test_a_redirect_is_named_and_not_followed(status: int, location: str | None, said: str) -> None:
    headers = () if location is None else (f"Location: {location}",)
    with Loopback(sends(answer(b"", *headers, status=f"{status} Over there"))) as server:
        error = failure(endpoint(f"http://127.0.0.1:{server.port}"))
        assert server.connections == 1
    assert (error.result, str(error)) == ("redirect", f"GET /x: expected status 200, got {status} {said}")


MEMBER = gzip.compress(b"\0" * MIB)
TOO_LARGE = {
    "declared": (answer(b"x" * (MIB + 1)), f"expected a body of at most {MIB} bytes, got one of {MIB + 1}"),
    "until the end": (OK + b"\r\n" + b"x" * (MIB + 1), f"expected a body of at most {MIB} bytes, got more"),
    "chunked": (chunked(b"x" * (MIB + 1), 4096), f"expected a body of at most {MIB} bytes, got more"),
    "a gzip bomb": (
        answer(gzip.compress(b"\0" * (64 * MIB)), "Content-Encoding: gzip"),
        f"expected a body of at most {MIB} bytes, got more",
    ),
    "a gzip bomb of many members": (
        answer(MEMBER * 64, "Content-Encoding: gzip"),
        f"expected a body of at most {MIB} bytes, got more",
    ),
    "a deflate bomb": (
        answer(zlib.compress(b"\0" * (64 * MIB)), "Content-Encoding: deflate"),
        f"expected a body of at most {MIB} bytes, got more",
    ),
}


@pytest.mark.parametrize("kind", TOO_LARGE)
def test_a_body_over_the_cap_is_left_at_the_cap(kind: str) -> None:
    sent, message = TOO_LARGE[kind]
    with Loopback(sends(sent)) as server:
        tracemalloc.start()
        try:
            error = failure(endpoint(f"http://127.0.0.1:{server.port}"), max_bytes=MIB)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert (error.result, str(error)) == ("too_large", f"GET /x: {message}")
    assert peak < 8 * MIB


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_a_body_of_exactly_the_cap_is_whole(coding: str) -> None:
    body = b"x" * MIB if coding == "identity" else MEMBER
    with Loopback(sends(answer(body, f"Content-Encoding: {coding}"))) as server:
        assert len(get(endpoint(f"http://127.0.0.1:{server.port}"), max_bytes=MIB).body) == MIB


@pytest.mark.parametrize(
    ("head", "piece", "said"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", f"HTTP headers of at most {MIB}"),
        (CHUNKED + b"-1\r\n", b"x" * 4096, f"an answer of at most {9 * MIB}"),
        (CHUNKED + b"0\r\n", b"T: v\r\n", f"an answer of at most {9 * MIB}"),
    ],
    ids=["100 Continue", "a chunk of size -1", "trailers"],
)
def test_what_never_ends_is_cut_before_it_fills_the_memory(head: bytes, piece: bytes, said: str) -> None:
    def flood(peer: Peer) -> None:
        sends(head)(peer)
        for data in itertools.repeat(piece * (65536 // len(piece))):
            peer.send(data)

    with Loopback(flood) as server:
        error = failure(endpoint(f"http://127.0.0.1:{server.port}"), seconds=30, max_bytes=MIB)
    assert (error.result, str(error)) == ("too_large", f"GET /x: expected {said} bytes, got more")
