"""Crowds of clients, slow, silent and odd ones: who scrapes meanwhile is served, and nothing of them is left behind."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from exporter.caps import ANSWERS
from tests.promises.recording import Measured
from tests.real.process import Process, wait_until
from tests.real.web import ask

MEGABYTES = 100
MB = 10**6
SCRAPES = 5
"""Scrapes that are timed while a crowd is there."""

BUSY_MACHINE = 60.0
"""Seconds within which anything must have happened."""

GZIP = {"Accept": "application/openmetrics-text;version=1.0.0", "Accept-Encoding": "gzip"}
ASKED = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"


class Served:
    """A process that serves an exposition."""

    def __init__(self, process: Process, url: str) -> None:
        self.url = url
        self.port = int(url.rpartition(":")[2])
        self._process = psutil.Process(process.process.pid)

    def memory(self) -> float:
        """Its resident memory in MB."""
        return self._process.memory_info().rss / MB

    def connections(self) -> int:
        """How many clients it has."""
        return sum(each.status == psutil.CONN_ESTABLISHED for each in self._process.net_connections("tcp"))

    def connect(self, room: int | None = None) -> socket.socket:
        """A client; `room` is about how many bytes it takes without reading."""
        client = socket.socket()
        if room is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        client.settimeout(BUSY_MACHINE)
        client.connect(("127.0.0.1", self.port))
        return client

    def scrape(self) -> float:
        """Scrape as Prometheus does; seconds."""
        began = time.monotonic()
        assert ask(self.url + "/metrics", headers=GZIP, timeout=BUSY_MACHINE).status == 200
        return time.monotonic() - began

    def freed(self, before: int = 0) -> float:
        """Wait until there are no more clients than before; seconds."""
        began = time.monotonic()
        wait_until(lambda: self.connections() <= before, "the connections to be closed")
        return time.monotonic() - began


@contextlib.contextmanager
def serving(folder: Path, megabytes: int) -> Iterator[Served]:
    command = [sys.executable, "-m", "tests.real.large_exposition", str(megabytes)]
    with Process(command, folder / f"{megabytes}.log") as process:
        wait_until(lambda: process.ended() or process.output().endswith("\n"), "an address")
        served = Served(process, process.output().strip())
        served.scrape()
        yield served
        assert "Traceback" not in process.output()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("large"), MEGABYTES) as served:
        yield served


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("usual"), 5) as served:
        yield served


def crowded(served: Served, crowd: Callable[[ExitStack], object], measured: Measured) -> None:
    """Have a crowd three times, the last until it is cut off: a scrape meanwhile is answered, and memory stays flat."""
    memory = []
    for last in (False, False, True):
        with ExitStack() as stack:
            crowd(stack)
            measured("a scrape meanwhile", max(served.scrape() for _ in range(SCRAPES)) * 1000, "ms")
            if last:
                measured("all cut off after", served.freed(), "s")
        measured("freed once they are gone in", served.freed(), "s")
        memory.append(served.memory())
    measured("memory, third time over first", memory[2] - memory[0], "MB")
    assert memory[2] < memory[0] + 50


@pytest.mark.promise("Clients", "200 connections with half a request hold up no scrape of 100 MB, and are closed")
def test_half_open_connections(large: Served, measured: Measured) -> None:
    def crowd(stack: ExitStack) -> None:
        for number in range(200):
            client = stack.enter_context(large.connect())
            client.sendall(ASKED[: number % len(ASKED)])

    crowded(large, crowd, measured)


@pytest.mark.promise("Clients", "50 clients that ask for 100 MB and take nothing hold up no scrape, and are cut off")
def test_clients_that_take_nothing(large: Served, measured: Measured) -> None:
    def crowd(stack: ExitStack) -> None:
        for _ in range(50):
            stack.enter_context(large.connect(room=4096)).sendall(ASKED)

    crowded(large, crowd, measured)


@pytest.mark.promise("Clients", "64 clients that scrape 5 MB again and again hold up no other scrape")
def test_scrapes_at_the_same_time(usual: Served, measured: Measured) -> None:
    over = threading.Event()
    done = []

    def scrapes() -> None:
        while not over.is_set():
            done.append(usual.scrape())

    threads = [threading.Thread(target=scrapes) for _ in range(64)]
    for each in threads:
        each.start()
    try:
        wait_until(lambda: len(done) > 64, "a scrape of each")
        measured("a scrape meanwhile", max(usual.scrape() for _ in range(SCRAPES)) * 1000, "ms")
    finally:
        over.set()
        for each in threads:
            each.join()
    measured("memory", usual.memory(), "MB")


@pytest.mark.promise("Clients", "Whoever asks while {most} answers are under way gets a 503, and no probe does")
@pytest.mark.parametrize("most", [ANSWERS])
def test_more_clients_than_there_may_be(large: Served, most: int, measured: Measured) -> None:
    with ExitStack() as stack:
        for _ in range(most):
            client = stack.enter_context(large.connect(room=4096))
            client.sendall(ASKED)
            assert client.recv(1) == b"H"
        began = time.monotonic()
        assert ask(large.url + "/metrics", timeout=BUSY_MACHINE).status == 503
        measured("refused in", (time.monotonic() - began) * 1000, "ms")
        assert ask(large.url + "/-/healthy", timeout=BUSY_MACHINE).status == 200
        measured("memory meanwhile", large.memory(), "MB")
    began = time.monotonic()
    wait_until(lambda: ask(large.url + "/metrics", headers=GZIP, timeout=BUSY_MACHINE).status == 200, "a scrape")
    measured("served again in", time.monotonic() - began, "s")


METHODS = ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "BREW")


@pytest.mark.promise("Clients", "Heads of 8 kB and methods that nobody knows are answered, and hold up no scrape")
def test_long_heads_and_odd_methods(usual: Served, measured: Measured) -> None:
    with ExitStack() as stack:
        for method in METHODS:
            client = stack.enter_context(usual.connect())
            client.sendall(f"{method} /metrics HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert client.recv(100).startswith(b"HTTP/1.1 40")
        for _ in range(100):
            client = stack.enter_context(usual.connect())
            client.sendall(ASKED[:-2].replace(b"GET", b"HEAD") + b"X: " + b"x" * 8000 + b"\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 200"
        measured("a scrape meanwhile", max(usual.scrape() for _ in range(SCRAPES)) * 1000, "ms")


KINDS = ("*", "text", "application", "image", "")
FORMS = ("*", "plain", "openmetrics-text", "html")
VERSIONS = (";version=0.0.4", ";version=1.x;q=2")


@pytest.mark.promise("Clients", "40 kinds of Accept are each answered with a format that Prometheus reads")
def test_kinds_of_accept(usual: Served, measured: Measured) -> None:
    accepts = [f"{kind}/{form}{version}" for kind in KINDS for form in FORMS for version in VERSIONS]
    types = set()
    slowest = 0.0
    for accept in accepts:
        began = time.monotonic()
        answer = ask(usual.url + "/metrics", headers={"Accept": accept, "Accept-Encoding": "gzip"})
        slowest = max(slowest, time.monotonic() - began)
        assert answer.status == 200
        types.add(answer.headers["content-type"].partition(";")[0])
    assert len(accepts) == 40
    assert types <= {"text/plain", "application/openmetrics-text"}
    measured("the slowest answer", slowest * 1000, "ms")
