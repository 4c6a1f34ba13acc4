"""A recording proxy between Prometheus and an exporter."""

from __future__ import annotations

import gzip
import threading
import time
from typing import NamedTuple

from tests.real.web import Answer, Asked, WebServer, ask

FORWARDED = ("content-type", "content-encoding")


class Passed(NamedTuple):
    """A body that was passed on: when (Unix time), its content type, whether it was compressed, and its text."""

    at: float
    content_type: str
    compressed: bool
    text: str


class Proxy(WebServer):
    """Passes a number of scrapes on with another Accept, keeps their bodies, and answers 503 from then on."""

    def __init__(self, upstream: str, accept: str, scrapes: int) -> None:
        self.passed: list[Passed] = []
        self._upstream = upstream
        self._accept = accept
        self._left = scrapes
        self._lock = threading.Lock()
        super().__init__(self._pass_on)

    def __enter__(self) -> Proxy:
        super().__enter__()
        return self

    def _pass_on(self, asked: Asked) -> Answer:
        with self._lock:
            if self._left == 0:
                return Answer(503, b"")
            self._left -= 1
            headers = {"Accept": self._accept, "Accept-Encoding": asked.headers.get("accept-encoding", "identity")}
            answer = ask(self._upstream + asked.target, headers=headers)
            compressed = answer.headers.get("content-encoding") == "gzip"
            text = (gzip.decompress(answer.body) if compressed else answer.body).decode()
            self.passed.append(Passed(time.time(), answer.headers["content-type"], compressed, text))
            return answer._replace(headers={name: answer.headers[name] for name in FORWARDED if name in answer.headers})
