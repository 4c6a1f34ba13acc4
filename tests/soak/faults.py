"""What goes wrong in a soak, one fault after the other."""

from __future__ import annotations

import contextlib
import itertools
import os
import resource
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

from tests.real.process import STEP
from tests.real.web import ask
from tests.soak.world import World
from tests.unit.faults import FAULTS as OF_SERVERS
from tests.unit.loopback import Script

PATIENCE = 150.0
"""Seconds within which a fault is met; a ledger that is not available is tried again after 60."""

SCRAPE = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
CLIENTS = 40
GARBAGE = (
    b"BREW /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET /metrics\r\n\r\n",
    b"\r\n" * 1000,
    b"POST /v1/agl/workers/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1e9\r\n\r\n",
    b"POST /v1/agl/workers/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nnot JSON!",
    b"POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    b"GET /" + b"a" * 2**17 + b" HTTP/1.1\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: application/openmetrics-text;version=1.x\r\n\r\n",
    b"GET http://169.254.169.254/metrics HTTP/1.1\r\nHost: x\r\n\r\n",
)
"""What no Prometheus sends."""

PLACES = ("console", "store")
"""Which upstreams are at fault."""

BAD = "meshes: [{fleet: demo, urls: [http://127.0.0.1:1], interval: soon}]\n"


class Fault(NamedTuple):
    """A fault: what it is, and what has it last so many seconds; that tells whether anyone met it."""

    kind: str
    inject: Callable[[World, float], bool]


def every_fault() -> list[Fault]:
    """Each kind of fault once; one of upstreams is at a console and at the store by turns."""
    servers = {name: fault.script for name, fault in OF_SERVERS.items() if fault.script is not None}
    found = [
        Fault(f"an upstream {name}", partial(_answers, places=_turns(number), script=script))
        for number, (name, script) in enumerate(servers.items())
    ]
    found += [Fault("a console vanishes and comes back", partial(_vanishes, place="console"))]
    found += [Fault("the store is killed, and starts again with nothing", partial(_vanishes, place="store"))]
    found += [Fault(kind, partial(_crowd, crowd=crowd)) for kind, crowd in CROWDS.items()]
    return found + [Fault(kind, inject) for kind, inject in OTHERS.items()]


def _met(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(STEP)
    return True


def _turns(number: int) -> Iterator[str]:
    return itertools.islice(itertools.cycle(PLACES), number, None)


def _answers(world: World, hold: float, *, places: Iterator[str], script: Script) -> bool:
    gate = world.gates()[next(places)]
    before = gate.met
    gate.script = script
    try:
        time.sleep(hold)
        return _met(lambda: gate.met > before)
    finally:
        gate.script = None


def _vanishes(world: World, hold: float, *, place: str) -> bool:
    gate = world.gates()[place]
    gate.vanish()
    try:
        if place == "store":
            world.demo.restart_store()
        time.sleep(hold)
        return _met(lambda: not world.well())
    finally:
        gate.come_back()


@contextlib.contextmanager
def _connected(world: World, count: int) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        clients = []
        for _ in range(count):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(PATIENCE)
            client.connect(("127.0.0.1", int(world.rollcall.url.rpartition(":")[2])))
            clients.append(client)
        yield clients


def _half_open(clients: list[socket.socket], _: float) -> bool:
    for number, client in enumerate(clients):
        client.sendall(SCRAPE[: number % len(SCRAPE)])
    return True


def _slow(clients: list[socket.socket], hold: float) -> bool:
    for client in clients:
        client.sendall(SCRAPE)
    met = all(client.recv(1) == b"H" for client in clients)
    end = time.monotonic() + hold
    with contextlib.suppress(OSError):
        while time.monotonic() < end:
            time.sleep(0.2)
            for client in clients:
                client.recv(1)
    return met


def _pipelined(clients: list[socket.socket], _: float) -> bool:
    for client in clients:
        with contextlib.suppress(ConnectionError):
            client.sendall(SCRAPE * 100)
    return all(client.recv(1) == b"H" for client in clients)


def _garbage(clients: list[socket.socket], _: float) -> bool:
    for client, piece in zip(clients, itertools.cycle(GARBAGE), strict=False):
        with contextlib.suppress(OSError):
            client.sendall(piece)
    return clients[0].recv(10) == b"HTTP/1.1 4"


CROWDS: dict[str, Callable[[list[socket.socket], float], bool]] = {
    f"{CLIENTS} clients send half a request": _half_open,
    f"{CLIENTS} clients take a byte at a time": _slow,
    f"{CLIENTS} clients send a hundred requests each, and take no answer": _pipelined,
    f"{CLIENTS} clients send what is no request": _garbage,
}


def _crowd(world: World, hold: float, *, crowd: Callable[[list[socket.socket], float], bool]) -> bool:
    with _connected(world, CLIENTS) as clients:
        met = crowd(clients, hold)
        time.sleep(hold)
        return met


def _configure(world: World, text: str, expected: int) -> bool:
    beside = world.folder / "rollcall.yaml.new"
    beside.write_text(text)
    beside.replace(world.folder / "rollcall.yaml")
    return ask(world.rollcall.url + "/-/reload", method="POST", timeout=PATIENCE).status == expected


def _reload(world: World, hold: float) -> bool:
    try:
        met = _configure(world, world.configuration(more=True), 200)
        time.sleep(hold)
        return met
    finally:
        _configure(world, world.configuration(), 200)


def _bad_reload(world: World, hold: float) -> bool:
    try:
        met = _configure(world, BAD, 500)
        time.sleep(hold)
        return met
    finally:
        _configure(world, world.configuration(), 200)


def _hangups(world: World, hold: float) -> bool:
    loaded = "rollcall_config_last_reload_success_timestamp_seconds"
    before = world.rollcall.scrape().value(loaded)
    for _ in range(20):
        world.rollcall.send(signal.SIGHUP)
    time.sleep(hold)
    return _met(lambda: world.rollcall.scrape().value(loaded) != before)


def _full_disk(world: World, hold: float) -> bool:
    pid = world.rollcall.process.pid
    refused = world.workers.refused
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
    try:
        time.sleep(hold)
        return _met(lambda: world.workers.refused > refused)
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))


def _no_ledger(world: World, hold: float) -> bool:
    ledger = world.folder / "state/rollcall.db"
    for name in ("rollcall.db", "rollcall.db-wal", "rollcall.db-shm"):
        ledger.with_name(name).unlink(missing_ok=True)
    time.sleep(hold)
    return _met(ledger.exists)


def _stray_files(world: World, hold: float) -> bool:
    folder = world.folder / "state"
    for each in folder.iterdir():
        os.utime(each, (0, 0))
    stray = folder / "rollcall.db-journal"
    stray.write_bytes(b"stray" * 1000)
    time.sleep(hold)
    stray.unlink(missing_ok=True)
    return True


def _stopped(world: World, _: float) -> bool:
    world.rollcall.send(signal.SIGSTOP)
    try:
        time.sleep(1)
        return bool(world.process.status() == "stopped")
    finally:
        world.rollcall.send(signal.SIGCONT)


OTHERS: dict[str, Callable[[World, float], bool]] = {
    "another configuration is loaded, and the one before again": _reload,
    "a configuration that is none is loaded, and the one before again": _bad_reload,
    "20 SIGHUPs at once": _hangups,
    "the exporter is stopped for a second": _stopped,
    "strange files and times in the state directory": _stray_files,
    "the ledger is removed": _no_ledger,
    "the disk is full": _full_disk,
}
