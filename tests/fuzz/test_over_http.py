"""Broken answers over HTTP to a running poller: never a 500, never a healthy console's loss, the reason counted."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from exporter.collection import Collection
from exporter.endpoint import parse_url
from exporter.exposition import Exposition, Format
from exporter.families import LIVE, POLLED
from exporter.poller import Poller
from exporter.scrape import Scrape
from exporter.server import application
from exporter.sources.agent_lightning import LightningStore
from exporter.sources.fetch import Resolver
from exporter.sources.lightning_workers import parse_workers
from exporter.sources.mesh_llm import MeshConsole, parse
from exporter.sources.source import Pace, Source, SourceError
from exporter.state.fleet import Fleet, Limits, WorkerRules
from tests.fuzz.beside import HEALTHY, lines_of
from tests.fuzz.payloads import REPRODUCIBLE, broken
from tests.fuzz.test_mesh_payloads import CAPTURES, KEYS
from tests.fuzz.test_store_payloads import KEYS as STORE_KEYS
from tests.fuzz.test_store_payloads import SECOND, answering
from tests.golden.texts import Samples, samples
from tests.unit.asgi import OnePage, ask
from tests.unit.loopback import Loopback, Peer, answer

READS = "rollcall_source_reads_total"
PATIENCE = 60.0
"""Seconds after which something that should happen counts as not happening."""

Respond = Callable[[str], bytes]


def says(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """An answer after which the connection ends."""
    return answer(body, "Connection: close", *headers, status=status)


def result_of(read: Callable[[], Any]) -> str:
    """How a read with this parsing ends."""
    try:
        read()
    except SourceError as error:
        return error.result
    return "ok"


class Upstream:
    """A server whose answers change while it runs; `respond` gives the whole answer to a path, then it hangs up.

    `turned` counts the requests for `first`, the path that each read begins with.
    """

    def __init__(self, respond: Respond, first: str) -> None:
        self.respond = respond
        self.turned = 0
        self._first = first
        self.server = Loopback(self._script)

    def _script(self, peer: Peer) -> None:
        if peer.head():
            path = self.server.heads[-1].split(" ")[1]
            self.turned += path.startswith(self._first)
            peer.send(self.respond(path))


class Exporter:
    """A running poller and the application that serves it."""

    def __init__(self, sources: list[Source]) -> None:
        fleets = {source.fleet: Fleet(source.fleet, WorkerRules(), Limits()) for source in sources}
        self.poller = Poller(sources, fleets, Exposition(POLLED, 10**6))
        scrape = Scrape(lambda: self.poller.snapshot, Collection([], 1.0, lambda name, message: None), LIVE)
        self._app = application(scrape, self.poller.turning, OnePage(), {"nodes": lambda name, fleet: (404, b"{}\n")})

    def scrape(self, form: Format = Format.OPENMETRICS, encoding: str = "identity") -> bytes:
        """Ask for the metrics, which must answer 200."""
        answered = ask(self._app, "/metrics", accept=form.value, accept_encoding=encoding)
        assert answered.status == 200
        return gzip.decompress(answered.body) if encoding == "gzip" else answered.body

    def until(self, done: Callable[[Samples], bool]) -> bytes:
        """Scrape until the samples are as wanted, and give that text."""
        give_up = time.monotonic() + PATIENCE
        while True:
            text = self.scrape()
            found = samples(text, Format.OPENMETRICS)
            if done(found):
                return text
            assert time.monotonic() < give_up, "\n".join(lines_of(text, "sick")[:40])
            threading.Event().wait(0.02)


def source_sample(found: Samples, name: str, source: Source, **labels: str) -> float:
    named = {"fleet": source.fleet, "source": source.name, "kind": source.kind, **labels}
    return found[name, tuple(sorted(named.items()))]


def healthy_lines(text: bytes) -> list[str]:
    """The healthy fleet's lines but for those that say when and how often it was read."""
    return [line for line in lines_of(text, "eu") if not line.startswith("rollcall_source_")]


class Bench:
    """A healthy console, and a console and a store whose answers a test breaks."""

    def __init__(self, stack: ExitStack) -> None:
        well = Upstream(lambda path: says(HEALTHY.read_bytes()), "/api")
        self.mesh = Upstream(lambda path: says(HEALTHY.read_bytes()), "/api")
        self.store = Upstream(store_answers(SECOND), "/v1/agl/workers")
        ports = [stack.enter_context(upstream.server).port for upstream in (well, self.mesh, self.store)]
        ends = [parse_url(f"http://127.0.0.1:{port}", 1) for port in ports]
        pace = Pace(0.05, 20.0, 600.0)
        self.sick_console = MeshConsole("sick", ends[1], Resolver(), pace)
        self.sick_store = LightningStore("sick", ends[2], Resolver(), pace)
        self.exporter = Exporter([MeshConsole("eu", ends[0], Resolver(), pace), self.sick_console, self.sick_store])
        self.exporter.poller.start()
        stack.callback(self.exporter.poller.stop, 20.0)
        self.alone = healthy_lines(self.exporter.until(self._all_up))

    def _all_up(self, found: Samples) -> bool:
        return sum(value for (name, _), value in found.items() if name == "rollcall_source_up") == 3

    def breaks(self, upstream: Upstream, source: Source, respond: Respond, result: str) -> bytes:
        """Answer so from now on; gives the text once a read that began afterwards ended in `result`."""
        before = samples(self.exporter.scrape(), Format.OPENMETRICS)
        upstream.respond = respond
        seen = upstream.turned + 2

        def ended(found: Samples) -> bool:
            reads = [source_sample(each, READS, source, result=result) for each in (before, found)]
            up = source_sample(found, "rollcall_source_up", source)
            return upstream.turned >= seen and reads[1] > reads[0] and up == (result == "ok")

        text = self.exporter.until(ended)
        assert healthy_lines(text) == self.alone
        return text


def store_answers(answers: Any) -> Respond:
    """Whole HTTP answers of a store."""
    give = answering(answers)

    def respond(path: str) -> bytes:
        body = give(path.removeprefix("/v1/agl"))
        return says(body if isinstance(body, bytes) else json.dumps(body).encode())

    return respond


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with ExitStack() as stack:
        yield Bench(stack)


def test_broken_consoles(bench: Bench) -> None:
    @settings(REPRODUCIBLE, max_examples=25, phases=[Phase.generate])
    @given(body=st.sampled_from(CAPTURES).flatmap(lambda captured: broken(captured, KEYS)))
    def check(body: bytes) -> None:
        expected = result_of(lambda: parse(body, "sick"))
        text = bench.breaks(bench.mesh, bench.sick_console, lambda path: says(body), expected)
        assert samples(bench.exporter.scrape(Format.TEXT, "gzip"), Format.TEXT)
        assert b"CANARY" not in text

    check()


def test_broken_workers(bench: Bench) -> None:
    @settings(REPRODUCIBLE, max_examples=15, phases=[Phase.generate])
    @given(body=broken(SECOND["/workers"], STORE_KEYS["/workers"]))
    def check(body: bytes) -> None:
        expected = result_of(lambda: assume(ends(body)))
        bench.breaks(bench.store, bench.sick_store, store_answers({**SECOND, "/workers": body}), expected)

    check()


def ends(body: bytes) -> bool:
    """Tell whether a page of workers is the last; else a read lasts until its deadline. Raises SourceError."""
    page = parse_workers(body, "sick", Counter())
    return page.total <= page.size


WHOLE = HEALTHY.read_bytes()
RESULTS = {
    "status 500": (says(WHOLE, status="500 Internal Server Error"), "http"),
    "a redirect": (says(b"", "Location: http://127.0.0.1/", status="302 Found"), "redirect"),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n", "malformed"),
    "half a body": (says(WHOLE)[:-100], "malformed"),
    "gzip that is none": (says(WHOLE, "Content-Encoding: gzip"), "malformed"),
    "nothing": (b"", "refused"),
    "a body that says it is 1 GB": (b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n", "too_large"),
    "a good one": (says(WHOLE), "ok"),
}


@pytest.mark.parametrize(("raw", "result"), RESULTS.values(), ids=RESULTS)
def test_each_failure_is_counted_by_its_reason(bench: Bench, raw: bytes, result: str) -> None:
    text = bench.breaks(bench.mesh, bench.sick_console, lambda path: raw, result)
    found = samples(text, Format.OPENMETRICS)
    assert source_sample(found, "rollcall_source_up", bench.sick_console) == (result == "ok")
