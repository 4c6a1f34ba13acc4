"""CPU of a whole cycle by phase, with nothing to everything changed, beside prometheus-client on the same samples.

A cycle is: read a store over HTTP and decode (`read`), judge (`rules`), remember on disk (`ledger`), render and
compress (`render`), put together one gzip scrape (`scrape`). The store runs as a process of its own and is not counted.
The peers only encode, uncompressed, each in a process of its own (`tests.bench.peer`). CPU is by the processes' own
clocks; medians of repeated runs, in which fleets of all sizes and the peers take turns: what else the machine does in a
minute is then in each of them.
"""

from __future__ import annotations

import gzip
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from exporter.endpoint import parse_url
from exporter.exposition import Exposition, Format, gzip_member
from exporter.families import POLLED
from exporter.sources.agent_lightning import LightningStore
from exporter.sources.fetch import Resolver
from exporter.sources.source import Deadline, Pace
from exporter.state.fleet import Fleet, Limits, WorkerRules
from exporter.state.ledger import Ledger
from tests.bench.canned_store import PAGE, START
from tests.bench.peer import WAYS, Peer, peer
from tests.bench.processes import CannedStore, canned_store

PHASES = ("read", "rules", "ledger", "render", "scrape")
PEERS_MOST = 20_000
"""Workers at most for which the peers are measured: with ten times as many they take minutes and gigabytes."""


class Scenario(NamedTuple):
    """What changes between two reads: a share of the workers, in runs of neighbours, with their status or not."""

    name: str
    share: float
    run: int = 1
    flip: bool = False

    @property
    def settling(self) -> int:
        """Cycles until what is kept fits how much changes."""
        return 12 if 0 < self.share < 0.05 else 4


SCENARIOS = (
    Scenario("nothing", 0.0),
    Scenario("0.1 %", 0.001),
    Scenario("1 %", 0.01),
    Scenario("1 %, by host", 0.01, run=8),
    Scenario("10 %", 0.1),
    Scenario("everything", 1.0),
    Scenario("every status too", 1.0, flip=True),
)


class Cycle:
    """One exporter of one store, by hand: no threads, so that every phase can be timed."""

    def __init__(self, port: int, folder: Path) -> None:
        endpoint = parse_url(f"http://127.0.0.1:{port}", 4747)
        self._store = LightningStore("bench", endpoint, Resolver(), Pace(10, 60, 30))
        self._fleet = Fleet("bench", WorkerRules(), Limits(objects=10**7))
        self._ledger = Ledger.open(folder)
        self._exposition = Exposition(POLLED, 10**9)
        self._wall = START
        self.body = b""
        self.series = 0

    def run(self) -> dict[str, float]:
        """One cycle; CPU seconds by phase."""
        marks = [time.process_time()]
        reading = self._store.read(Deadline(60))
        marks.append(time.process_time())
        self._fleet.receive("store", reading, float("inf"))
        tables, left_out = self._fleet.tables(0.0)
        marks.append(time.process_time())
        self._wall += 10
        tables |= self._ledger.observe({"bench": self._fleet.listing}, self._wall)["bench"]
        marks.append(time.process_time())
        snapshot = self._exposition.publish({"bench": tables}, {"bench": left_out})
        marks.append(time.process_time())
        self.body = b"".join(gzip_member(snapshot.chain(Format.TEXT), b""))
        marks.append(time.process_time())
        self.series = sum(family.series for family in snapshot.series)
        both = zip(PHASES, marks[:-1], marks[1:], strict=True)
        return {**{phase: after - before for phase, before, after in both}, "cycle": marks[-1] - marks[0]}

    def close(self) -> None:
        """Let go of the ledger."""
        self._ledger.close()


@contextmanager
def exporting(workers: int) -> Iterator[tuple[CannedStore, Cycle]]:
    """A store of so many workers and its exporter."""
    with (
        canned_store(workers) as store,
        tempfile.TemporaryDirectory() as folder,
        closing(Cycle(store.port, Path(folder))) as cycle,
    ):
        yield store, cycle


def bodies(workers: int) -> list[bytes]:
    """Two scrapes in a row between which everything changed."""
    with exporting(workers) as (_, cycle):
        found = []
        for _ in range(4):
            cycle.run()
            found.append(cycle.body)
    return found[-2:]


class Measured(NamedTuple):
    """One size of fleet that is measured: how many times, with the store and the exporter of it."""

    workers: int
    rounds: int
    store: CannedStore
    cycle: Cycle

    def row(self, scenario: Scenario, runs: Sequence[dict[str, float]]) -> dict[str, Any]:
        """Medians of the runs of a scenario."""
        medians = {phase: statistics.median(run[phase] for run in runs) for phase in runs[0]}
        page = medians["read"] / -(-self.workers // PAGE)
        sizes = {"page": page, "bytes": len(self.cycle.body), "series": self.cycle.series}
        return {"workers": self.workers, "changed": scenario.name, **medians, **sizes}


def measure(sizes: Mapping[int, int], scenarios: Sequence[Scenario] = SCENARIOS) -> list[dict[str, Any]]:
    """A row for each number of workers, with the times it is measured, and scenario; by number of workers.

    Beside "everything" changed the peers are measured, on the same samples.
    """
    with ExitStack() as stack:
        fleets = [
            Measured(workers, rounds, *stack.enter_context(exporting(workers))) for workers, rounds in sizes.items()
        ]
        found = [row for scenario in scenarios for row in _rows(fleets, scenario)]
    return sorted(found, key=lambda row: row["workers"])


def _rows(fleets: Sequence[Measured], scenario: Scenario) -> list[dict[str, Any]]:
    with ExitStack() as stack:
        peers: dict[int, dict[str, Peer]] = {}
        for fleet in fleets:
            fleet.store.change(scenario.share, scenario.run, scenario.flip)
            for _ in range(scenario.settling):
                fleet.cycle.run()
            if scenario.name == "everything" and fleet.workers <= PEERS_MOST:
                file = Path(stack.enter_context(tempfile.TemporaryDirectory()), "metrics")
                file.write_bytes(gzip.decompress(fleet.cycle.body))
                peers[fleet.workers] = {way: stack.enter_context(peer(way, file)) for way in WAYS}
        runs: dict[int, list[dict[str, float]]] = {fleet.workers: [] for fleet in fleets}
        for turn in range(max(fleet.rounds for fleet in fleets)):
            for fleet in fleets:
                if turn < fleet.rounds:
                    beside = {way: each.encoded() for way, each in peers.get(fleet.workers, {}).items()}
                    runs[fleet.workers].append({**fleet.cycle.run(), **beside})
    return [fleet.row(scenario, runs[fleet.workers]) for fleet in fleets]
