"""An exporter in virtual time: its poller, sources, rules, ledger and exposition, with a clock that a test moves.

What threads and sockets do in the exporter, a test does in turn: it moves the clock, lets the sources that are due read
canned answers, lets the poller judge and publish, and scrapes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import cast

from exporter.collection import Collection
from exporter.config import Config, parse
from exporter.demo.server import Answer, Request
from exporter.endpoint import Endpoint
from exporter.exposition import Format
from exporter.families import LIVE
from exporter.plan import Plan, Said, exposition, planned, said_in, wanted
from exporter.poller import Poller
from exporter.records import ConfigLoad
from exporter.records.reading import MeshReading
from exporter.scrape import Scrape
from exporter.slot import Slot
from exporter.sources.fetch import Fetched, Resolver, Session
from exporter.sources.inventory import InventoryFile
from exporter.sources.lightning import AgentLightning
from exporter.sources.mesh_llm import parse as parse_status
from exporter.sources.mesh_optional import OptionalAnswers
from exporter.sources.source import Deadline, Pace, Source, SourceError
from exporter.state.fleet import Fleet
from exporter.state.ledger import Ledger

Respond = Callable[[Request], Answer | None]
"""How a server answers; None is a connection that is refused."""


class Clock:
    """Seconds, Unix and monotonic alike, that pass when a test says so."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Canned:
    """The requests of one read, answered by a function, with a Date in whole seconds; a context manager."""

    def __init__(self, respond: Respond, clock: Clock) -> None:
        self._respond = respond
        self._clock = clock

    def __enter__(self) -> Canned:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def get(self, path: str) -> Fetched:
        """GET a path; raises SourceError."""
        place, _, query = path.partition("?")
        answer = self._respond(Request("GET", place, query))
        if answer is None:
            raise SourceError("refused", "nobody listens")
        if answer.status != 200:
            raise SourceError("http", f"expected status 200, got {answer.status}", answer.status)
        return Fetched(answer.body, float(int(self._clock())))


class Console:
    """The source of one console, as `MeshConsole` is; what its answers lack is asked for at once."""

    kind = "mesh-llm"

    def __init__(self, fleet: str, name: str, pace: Pace, connect: Callable[[Deadline], Canned], clock: Clock) -> None:
        self.fleet, self.name, self.pace = fleet, name, pace
        self._connect = connect
        self._optional = OptionalAnswers(
            cast("Callable[[Deadline], Session]", connect),
            fleet,
            name,
            timeout=pace.timeout,
            stale_after=pace.stale_after,
            start=lambda _, work: work(),
            clock=clock,
        )

    def read(self, deadline: Deadline) -> MeshReading:
        """Ask for the status and the rest; raises SourceError."""
        with self._connect(deadline) as session:
            reading = parse_status(session.get("/api/status").body, self.fleet)
        return self._optional.added_to(reading)


class Stepped(Poller):
    """A poller that is never started: what is due happens in `step`."""

    def step(self, due: dict[Slot, float]) -> None:
        """Read what is due at this instant and note when it is next, then judge and publish."""
        for slot in self._slots:
            if due.get(slot, 0.0) <= self._clock():
                due[slot] = self._clock() + slot.source.pace.interval
                slot.turn()
        self.turn()


class Exporter:
    """An exporter by its configuration; it starts with its first step. Servers are functions, by `fleet host:port`.

    `folder` is its state directory, and where the paths in its configuration begin; it remembers what is there.
    """

    def __init__(self, configuration: str, servers: Mapping[str, Respond], clock: Clock, folder: Path) -> None:
        self._servers, self._clock, self._folder = servers, clock, folder
        self._made: dict[Said, Source] = {}
        self._due: dict[Slot, float] = {}
        config = self._parsed(configuration)
        plan = self._plan(config)
        self._ledger = Ledger.open(folder, plan.scopes, plan.retention)
        fleets = {name: Fleet.under(name, terms, self._ledger.recall(name)) for name, terms in plan.terms.items()}
        self._poller = Stepped(plan.sources, fleets, exposition(config), clock, clock, self._ledger)
        loaded = (ConfigLoad(1, clock()),)
        self._scrape = Scrape(
            lambda: self._poller.snapshot,
            Collection([], 1.0, lambda *_: None),
            wanted(LIVE, config),
            lambda: {ConfigLoad: loaded},
        )

    def step(self) -> None:
        """Let happen what is due now."""
        self._poller.step(self._due)

    def scrape(self) -> str:
        """What it exposes now."""
        answer = asyncio.run(self._scrape.answer(Format.TEXT, False))
        return b"".join(answer.pieces).decode()

    def follow(self, configuration: str) -> None:
        """Go on by another configuration, as after a reload."""
        done = self._poller.follow(self._plan(self._parsed(configuration)))
        self._poller.turn()
        assert done.result(0)

    def end(self) -> None:
        """Close what is kept; nothing else is to be called any more."""
        self._ledger.close()

    def _parsed(self, configuration: str) -> Config:
        return parse(configuration, str(self._folder / "rollcall.yaml"), {}, Path.read_text)

    def _plan(self, config: Config) -> Plan:
        self._made = {said: self._made.get(said) or self._source(said) for said in said_in(config)}
        return planned(config, list(self._made.values()))

    def _source(self, said: Said) -> Source:
        if isinstance(said.place, Path):
            return InventoryFile(said.fleet, said.place, said.pace)
        return self._server(said, said.place)

    def _server(self, said: Said, endpoint: Endpoint) -> Source:
        def connect(deadline: Deadline) -> Canned:
            return Canned(self._servers[f"{said.fleet} {endpoint.name}"], self._clock)

        if said.kind == "mesh-llm":
            return Console(said.fleet, endpoint.name, said.pace, connect, self._clock)
        clocks = {"clock": self._clock, "monotonic": self._clock}
        return AgentLightning(said.fleet, endpoint, Resolver(), said.pace, connect=connect, **clocks)
