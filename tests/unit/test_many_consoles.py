"""Two hundred consoles of which fifty hang: the others are read on time, and nothing is leaked.

Reads are real ones, of a server on loopback that answers for all consoles, by the path of their URLs.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
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
from exporter.sources.source import Pace
from exporter.state.fleet import Fleet, Limits, WorkerRules
from tests.real.scale import FULL

CONSOLES, HANGING = 200, 50
ROUNDS = 100 if FULL else 20
INTERVAL, TIMEOUT = 0.25, 4.0
SHARE = 1 / 3
"""The part of the reads that a console has without any that hangs, which it must have beside them at least.

Both are counted at the same time: a busy machine slows both. Whoever waited for those that hang would have 1/16.
"""

PATIENCE = max(ROUNDS * TIMEOUT / 2, 100.0)
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
        # A transport closes its socket in the turn of the loop after the one that told it to.
        await asyncio.sleep(0)

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


def made(port: int, numbers: Iterable[int] = range(CONSOLES)) -> Poller:
    """A poller of some consoles, which are one fleet."""
    resolve = Resolver()
    consoles = [
        MeshName(
            "eu",
            parse_url(f"http://127.0.0.1:{port}/c{number}", 80),
            resolve,
            Pace(INTERVAL, TIMEOUT, 60.0),
        )
        for number in numbers
    ]
    return Poller(consoles, {"eu": Fleet("eu", WorkerRules(), Limits())}, Exposition(POLLED, 1_000_000))


def asking() -> list[str]:
    """The names of the threads that ask for what is optional; a console has one at most."""
    names = [thread.name for thread in threading.enumerate() if thread.name.startswith("answers of ")]
    assert len(names) == len(set(names)) <= 2 * (CONSOLES - HANGING)
    return names


def lasting() -> list[str]:
    """The names of the other threads that run."""
    return sorted({thread.name for thread in threading.enumerate()} - set(asking()))


def stopped(*pollers: Poller) -> None:
    """Stop pollers, and wait for all that they do."""
    for poller in pollers:
        poller.stop(2 * TIMEOUT)
    awaited(lambda: not asking(), "all optional answers", 20)


def rows(health: SourceHealth) -> list[SourceReading]:
    """A source's row, if it has one."""
    return [record for record in health.records() if isinstance(record, SourceReading)]


@pytest.mark.timeout(300)
def test_consoles_that_hang_delay_no_other_and_nothing_is_leaked() -> None:
    threads, sockets = threading.active_count(), open_sockets()
    others = len(lasting())
    with Consoles() as consoles:
        answering = range(HANGING, CONSOLES)
        poller = made(consoles.port)

        def rounds() -> int:
            return min(consoles.asked[number] for number in answering)

        poller.start()
        try:
            awaited(lambda: rounds() >= ROUNDS // 10, "the first rounds")
            early = lasting()
            awaited(lambda: rounds() >= ROUNDS, "all rounds")
            late, connections = lasting(), open_sockets() - sockets
            up = [row.up for health in poller.health for row in rows(health)]
            body = poller.snapshot
        finally:
            stopped(poller)
        assert body is not None
    assert early == late
    assert len(late) == others + CONSOLES + 2
    assert connections <= 4 * CONSOLES
    assert sum(up) == CONSOLES - HANGING
    assert min(consoles.asked[number] for number in range(HANGING)) > 1
    awaited(lambda: threading.active_count() == threads, "all threads to end", 20)
    awaited(lambda: open_sockets() <= sockets, "all sockets to be closed", 20)


@pytest.mark.timeout(300)
def test_beside_consoles_that_hang_the_others_are_read_as_often_as_without_them() -> None:
    healthy = range(HANGING, CONSOLES)
    alone = range(CONSOLES + HANGING, 2 * CONSOLES)
    with Consoles() as consoles:
        pollers = [made(consoles.port), made(consoles.port, alone)]
        try:
            for poller in pollers:
                poller.start()
            awaited(lambda: min(consoles.asked[number] for number in (*healthy, *alone)) >= 1, "a first round")
            before = consoles.asked.copy()
            awaited(lambda: sum(consoles.asked[n] - before[n] for n in alone) >= 12 * len(alone), "twelve rounds alone")
            reads = consoles.asked - before
        finally:
            stopped(*pollers)
    assert min(reads[number] for number in healthy) >= SHARE * sum(reads[number] for number in alone) / len(alone)
