"""Two hundred consoles of which fifty hang: the others are read on time, and nothing is leaked.

Reads are real ones, of a server on loopback that answers for all consoles, by the path of their URLs.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import pytest

from exporter.endpoint import parse_url
from exporter.exposition import Exposition
from exporter.families import POLLED
from exporter.health import SourceHealth
from exporter.poller import Poller
from exporter.records import SourceReading
from exporter.sources.mesh_name import MeshName
from exporter.sources.resolve import Resolver
from exporter.state.fleet import Fleet, Limits, WorkerRules

CONSOLES, HANGING = 200, 50
ROUNDS = 100
INTERVAL, TIMEOUT = 0.25, 4.0
PATIENCE = ROUNDS * TIMEOUT / 2
"""Seconds for all rounds; a round that waited for those that hang would take `TIMEOUT`."""


class Consoles:
    """Answers `/cN/api/status` for console N; those below `HANGING` never answer. `asked` counts status requests."""

    def __init__(self) -> None:
        self.asked: Counter[int] = Counter()
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="canned consoles", daemon=True)
        self._listening = threading.Event()
        self._over = asyncio.Event()

    def __enter__(self) -> Consoles:
        self._thread.start()
        assert self._listening.wait(20)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(20)
        self._loop.close()

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._converse, "127.0.0.1", 0, backlog=512)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._over.wait()
        server.close()
        await server.wait_closed()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            _, name, path = head.split(b" ", 2)[1].decode().split("/", 2)
            if path == "api/status":
                self.asked[int(name[1:])] += 1
            if int(name[1:]) < HANGING:
                await reader.read()
            else:
                writer.write(self._answer(name, path))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    @staticmethod
    def _answer(name: str, path: str) -> bytes:
        body = json.dumps({"node_id": name, "node_state": "standby", "peers": []}).encode()
        status = "200 OK" if path == "api/status" else "404 Not Found"
        return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


def open_sockets() -> int:
    """Sockets of this process."""
    links = []
    for file in Path("/proc/self/fd").iterdir():
        try:
            links.append(str(file.readlink()))
        except FileNotFoundError:
            continue
    return sum(link.startswith("socket:") for link in links)


def awaited(condition: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Wait for a condition; fails with `what` after `seconds`."""
    end, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        assert time.monotonic() < end, f"expected within {seconds:g} s: {what}"
        pause.wait(0.05)


def made(port: int) -> Poller:
    """A poller of all consoles, which are one fleet."""
    resolve = Resolver()
    consoles = [
        MeshName(
            "eu",
            parse_url(f"http://127.0.0.1:{port}/c{number}", 80),
            resolve,
            interval=INTERVAL,
            timeout=TIMEOUT,
            stale_after=60.0,
        )
        for number in range(CONSOLES)
    ]
    return Poller(consoles, {"eu": Fleet("eu", WorkerRules(), Limits())}, Exposition(POLLED, 1_000_000))


def rows(health: SourceHealth) -> list[SourceReading]:
    """A source's row, if it has one."""
    return [record for record in health.records() if isinstance(record, SourceReading)]


@pytest.mark.timeout(300)
def test_consoles_that_hang_delay_no_other_and_nothing_is_leaked() -> None:
    threads, sockets = threading.active_count(), open_sockets()
    with Consoles() as consoles:
        answering = range(HANGING, CONSOLES)
        poller = made(consoles.port)

        def rounds() -> int:
            return min(consoles.asked[number] for number in answering)

        poller.start()
        try:
            awaited(lambda: rounds() >= ROUNDS // 10, "ten rounds")
            early = threading.active_count()
            awaited(lambda: rounds() >= ROUNDS, "a hundred rounds")
            late, connections = threading.active_count(), open_sockets() - sockets
            up = [row.up for health in poller.health for row in rows(health)]
            body = poller.snapshot
        finally:
            poller.stop(2 * TIMEOUT)
        assert body is not None
    assert (early, late) == (threads + CONSOLES + 2, threads + CONSOLES + 2)
    assert connections <= 2 * CONSOLES + 10
    assert sum(up) == CONSOLES - HANGING
    assert min(consoles.asked[number] for number in range(HANGING)) > 1
    awaited(lambda: threading.active_count() == threads, "all threads to end", 20)
    awaited(lambda: open_sockets() <= sockets, "all sockets to be closed", 20)
