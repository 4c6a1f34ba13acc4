"""Clients that wish for another protocol, as Java's HttpClient and `curl --http2` do, are answered in HTTP/1.1."""

from __future__ import annotations

import pytest

from tests.unit.test_http_protocol import GET, Talk, chunked, post, talk

__all__ = ["talk"]

WISH = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n"


@pytest.mark.parametrize("wish", [WISH, WISH.replace(b"h2c", b"websocket")], ids=["h2c", "websocket"])
def test_who_wishes_for_another_protocol_is_answered_in_this_one(wish: bytes, talk: Talk) -> None:
    def wishing(request: bytes) -> bytes:
        return request.replace(b"HTTP/1.1\r\n", b"HTTP/1.1\r\n" + wish, 1)

    talk.say(wishing(post(b"abc")) + GET)
    assert [talk.hear()[:2] for _ in range(2)] == [(200, "POST /w 3 abc"), (200, "GET /w 0 ")]
    talk.say(wishing(chunked(b"ab", b"c")), wishing(GET))
    assert [talk.hear()[:2] for _ in range(2)] == [(200, "POST /w 3 abc"), (200, "GET /w 0 ")]
    whole = wishing(post(b"x" * 1000))
    talk.say(whole[:60], whole[60:200], whole[200:])
    assert talk.hear() == (200, f"POST /w 1000 {'x' * 20}", False)
    talk.say(wishing(GET).replace(b"Upgrade,", b"close, Upgrade,"))
    assert talk.hear() == (200, "GET /w 0 ", True)
    assert talk.over()
