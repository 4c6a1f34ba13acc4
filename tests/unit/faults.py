"""Upstreams at fault: each kind of HTTP source that is read by a running poller, and what its server does instead."""

from __future__ import annotations

import gzip
import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from threading import Event
from typing import NamedTuple

from exporter.endpoint import parse_url
from exporter.exposition import Format
from exporter.sources.connect import Resolve
from exporter.sources.fetch import MAX_BYTES, Resolver
from exporter.sources.inventory import InventoryServer
from exporter.sources.lightning import AgentLightning
from exporter.sources.mesh_llm import MeshConsole
from exporter.sources.resolve import Address
from exporter.sources.source import Deadline, Pace, Source
from tests.fuzz.beside import HEALTHY
from tests.fuzz.test_over_http import READS, Exporter, healthy_lines, says, source_sample, store_answers
from tests.fuzz.test_store_payloads import SECOND
from tests.golden.texts import Samples, samples
from tests.unit.loopback import Loopback, Peer, Script

SHORT = 0.25
"""Seconds of the deadline of a read that can only end by it."""

LONG = 20.0
"""Seconds of the deadline of a read that ends by itself."""

INTERVAL = 0.05

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
DEEP = '{"a":' * 100_000 + "1" + "}" * 100_000


class Fault(NamedTuple):
    """What a server does with a request whose head was read, or its name with who looks it up, and what comes of it.

    `seconds` is the deadline of the reads.
    """

    result: str
    script: Script | None = None
    resolve: Resolve | None = None
    seconds: float = LONG


def sends(*pieces: bytes) -> Script:
    def run(peer: Peer) -> None:
        for piece in pieces:
            peer.send(piece)

    return run


def hangs(start: bytes = b"") -> Script:
    """Send a beginning, and wait for the client to give up."""

    def run(peer: Peer) -> None:
        peer.send(start)
        peer.sock.recv(1)

    return run


def trickles(start: bytes, piece: bytes) -> Script:
    def run(peer: Peer) -> None:
        peer.send(start)
        peer.trickle(itertools.repeat(piece), 0.01)

    return run


def floods(start: bytes, piece: bytes) -> Script:
    """Send a piece until the client has enough."""

    def run(peer: Peer) -> None:
        peer.send(start)
        for data in itertools.repeat(piece * (2**18 // len(piece))):
            peer.send(data)

    return run


def wedged(event: Event) -> Resolve:
    """A resolver that does not come back until the event is set."""

    def hang(*_: object, **__: object) -> list[object]:
        event.wait(60)
        return []

    return Resolver(hang)  # type: ignore[arg-type]


def swallowing(hole: Address) -> Resolve:
    return lambda host, port, deadline: [hole]


BOMB = gzip.compress(b"\0" * (MAX_BYTES + 2**20), 1)
VALUES = b"[" + b"1," * (4 * 2**20) + b"1]"

FAULTS: Mapping[str, Fault] = {
    "hangs": Fault("timeout", hangs(), seconds=SHORT),
    "hangs in the middle of its body": Fault("timeout", hangs(OK + b"Content-Length: 1000\r\n\r\n{"), seconds=SHORT),
    "sends its headers a byte at a time": Fault("timeout", trickles(OK + b"X: ", b"y"), seconds=SHORT),
    "sends its body a byte at a time": Fault(
        "timeout", trickles(OK + b"Content-Length: 1000000\r\n\r\n", b" "), seconds=SHORT
    ),
    "sends a gzip bomb": Fault("too_large", sends(says(BOMB, "Content-Encoding: gzip"))),
    "sends a body without end": Fault("too_large", floods(CHUNKED, b"1000\r\n" + b" " * 4096 + b"\r\n")),
    "sends interim answers without end": Fault("too_large", floods(b"", b"HTTP/1.1 100 Continue\r\n\r\n")),
    "says that its body has 1 GB": Fault("too_large", sends(OK + b"Content-Length: 1073741824\r\n\r\n")),
    "says that its body is longer than it is": Fault("malformed", sends(OK + b"Content-Length: 99\r\n\r\n{}")),
    "sends HTML": Fault("malformed", sends(says(b"<!doctype html><title>Sign in</title>"))),
    "sends JSON that is cut off": Fault("malformed", sends(says(b'{"node_id": "a", "items": [{"'))),
    "sends JSON of 100,000 levels": Fault("malformed", sends(says(DEEP.encode()))),
    "sends four million values": Fault("too_large", sends(says(VALUES))),
    "answers 500": Fault("http", sends(says(b"{}", status="500 Internal Server Error"))),
    "hangs up": Fault("refused", sends()),
}


class Kind(NamedTuple):
    """A kind of source: how one is made, what its server answers to a path, and where it is asked for its list."""

    make: Callable[[str, Resolve, Pace], Source]
    respond: Callable[[str], bytes]
    listing: str

    def lists(self, body: bytes) -> Script:
        """What its server does when its list is this."""
        return lambda peer: peer.send(says(body) if self.listing in peer.asked else self.respond(peer.asked))


def _console(url: str, resolve: Resolve, pace: Pace) -> Source:
    return MeshConsole("sick", parse_url(url, 1), resolve, pace, start=lambda name, work: None)


def _server_1(path: str) -> bytes:
    if path.startswith("/v1/agl"):
        return says(b"{}", status="404 Not Found")
    whole = {
        "/healthz": {"status": "ok"},
        "/api/rollouts/terminal": {"items": [], "next_after": 0, "total_terminal": 0},
    }
    return says(json.dumps(whole.get(path.partition("?")[0], [])).encode())


def _store(path: str) -> bytes:
    return says(b'{"status": "ok"}') if path == "/v1/agl/health" else store_answers(SECOND)(path)


KINDS: Mapping[str, Kind] = {
    "console": Kind(_console, lambda path: says(HEALTHY.read_bytes()), "/api/status"),
    "store": Kind(
        lambda url, resolve, pace: AgentLightning("sick", parse_url(url, 1), resolve, pace),  # type: ignore[arg-type]
        _store,
        "/v1/agl/workers",
    ),
    "server": Kind(
        lambda url, resolve, pace: AgentLightning("sick", parse_url(url, 1), resolve, pace),  # type: ignore[arg-type]
        _server_1,
        "/api/rollouts?",
    ),
    "inventory": Kind(
        lambda url, resolve, pace: InventoryServer("sick", parse_url(url, 1), resolve, pace),  # type: ignore[arg-type]
        lambda path: says(b'[{"logical_id": "w"}]'),
        "/",
    ),
}


class Rig:
    """A healthy console beside a source of some kind that a test has fail, both read by one poller."""

    def __init__(self, kind: str, stack: ExitStack) -> None:
        self.kind = KINDS[kind]
        self._fault = Fault("ok")
        self._resolver = Resolver()
        well = stack.enter_context(Loopback(answers_well))
        self.server = stack.enter_context(Loopback(self._run))
        near = parse_url(f"http://127.0.0.1:{well.port}", 1)
        console = MeshConsole("eu", near, self._resolver, Pace(INTERVAL, LONG, 600.0), start=lambda name, work: None)
        url = f"http://upstream.test:{self.server.port}"
        self.source = self.kind.make(url, self._resolve, Pace(INTERVAL, LONG, 600.0))
        self.exporter = Exporter([console, self.source])
        self.exporter.poller.start()
        stack.callback(self.exporter.poller.stop, LONG)
        self.alone = healthy_lines(self.until(lambda found: sum(_ups(found)) == 2))

    def until(self, done: Callable[[Samples], bool]) -> bytes:
        """Scrape until the samples are as wanted."""
        return self.exporter.until(done)

    def has(self, fault: Fault) -> None:
        """Have the source's server at fault from now on, once a read has begun under the deadline of such a fault."""
        self.source.pace = Pace(INTERVAL, fault.seconds, 600.0)
        self.read("ok")
        self.read("ok")
        self._fault = fault

    def read(self, result: str) -> tuple[Samples, float]:
        """Wait for one more read that ends so; gives the samples and how long that read took, in seconds."""
        before = self.reads(self.now(), result)
        text = self.until(lambda found: self.reads(found, result) > before and self.is_up(found) == (result == "ok"))
        assert healthy_lines(text) == self.alone
        found = samples(text, Format.OPENMETRICS)
        return found, source_sample(found, "rollcall_source_read_duration_seconds", self.source)

    def now(self) -> Samples:
        return samples(self.exporter.scrape(), Format.OPENMETRICS)

    def reads(self, found: Samples, result: str) -> float:
        return source_sample(found, READS, self.source, result=result)

    def is_up(self, found: Samples) -> bool:
        return source_sample(found, "rollcall_source_up", self.source) == 1

    def recover(self) -> float:
        """Mend the server; gives the seconds until the source is up."""
        began = time.monotonic()
        self._fault = Fault("ok")
        self.until(self.is_up)
        return time.monotonic() - began

    def _resolve(self, host: str, port: int, deadline: Deadline) -> list[Address]:
        return (self._fault.resolve or _loopback)(host, port, deadline)

    def _run(self, peer: Peer) -> None:
        if peer.head():
            (self._fault.script or sends(self.kind.respond(peer.asked)))(peer)


def answers_well(peer: Peer) -> None:
    if peer.head():
        peer.send(says(HEALTHY.read_bytes()))


def _loopback(host: str, port: int, deadline: Deadline) -> list[Address]:
    return Resolver()("127.0.0.1", port, deadline)


def _ups(found: Samples) -> Iterator[float]:
    return (value for (name, _), value in found.items() if name == "rollcall_source_up")
