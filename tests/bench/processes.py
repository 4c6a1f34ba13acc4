"""Processes that are measured: their own clocks, their memory, and scrapes as Prometheus sends them."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

MIB = 2**20
HEADERS = {
    "Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5",
    "Accept-Encoding": "gzip",
}


def cpu_seconds(pid: int) -> float:
    """CPU that a process has used, its threads that ended too; the clock's id is that of clock_getcpuclockid(3)."""
    return time.clock_gettime(~pid << 3 | 2)


def memory(pid: int) -> tuple[float, float]:
    """MiB of a process that are in memory now, and at most so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    now, most = (int(re.findall(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)[0]) for name in ("VmRSS", "VmHWM"))
    return now * 1024 / MIB, most * 1024 / MIB


class Scraped(NamedTuple):
    """A scrape: seconds until its last byte, and its body as it was sent."""

    seconds: float
    body: bytes


class Scraper:
    """Scrapes over a connection that is kept, as Prometheus does; a context manager."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)

    def __enter__(self) -> Scraper:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def scrape(self) -> Scraped:
        """Scrape once; raises OSError where nobody answers."""
        started = time.perf_counter()
        try:
            self._connection.request("GET", "/metrics", headers=HEADERS)
            with self._connection.getresponse() as response:
                body = response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise
        return Scraped(time.perf_counter() - started, body)


class CannedStore:
    """A store in a process of its own; gives its port."""

    def __init__(self, port: int) -> None:
        self.port = port

    def change(self, share: float, run: int = 1, flip: bool = False) -> None:
        """Say who changes between two reads: a share of the workers, in runs of neighbours, status and all or not."""
        self._ask(f"/-/change?share={share}&run={run}&flip={flip:d}")

    def page(self, offset: int) -> Any:
        """A page of its workers, decoded; that at 0 begins a read."""
        return json.loads(self._ask(f"/v1/agl/workers?limit=500&offset={offset}"))

    def began(self) -> float:
        """When the last read began, on the monotonic clock."""
        return float(self._ask("/-/began"))

    def _ask(self, path: str) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request("GET", path)
            with connection.getresponse() as response:
                return response.read()
        finally:
            connection.close()


@contextmanager
def canned_store(workers: int) -> Iterator[CannedStore]:
    """Start a store; everything that can change does, until it is told otherwise."""
    command = [sys.executable, "-m", "tests.bench.canned_store", str(workers)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield CannedStore(int(process.stdout.readline()))
        process.stdin.close()
