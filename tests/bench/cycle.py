"""CPU of a whole cycle with everything changed, beside prometheus-client's encoder on the same samples.

A cycle is: read a store over HTTP, decode, judge, render, compress and put together one gzip scrape. The store runs as
a process of its own and is not counted. The peer only encodes, uncompressed: once from metric objects that hold the
values (`gauges`, what a program has that uses the library), once from families that are ready to write (`families`, the
encoder alone). CPU is this process' own clock; medians of repeated runs; ratios are taken pair by pair.

`python -m tests.bench.cycle [--workers 1000,10000] [--rounds 7] [--json FILE]`
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from exporter.endpoint import parse_url
from exporter.exposition import Exposition, Format, gzip_member
from exporter.families import POLLED
from exporter.sources.agent_lightning import LightningStore
from exporter.sources.fetch import Resolver
from exporter.sources.source import Deadline, Pace
from exporter.state.fleet import Fleet, Limits, WorkerRules

PEERS = ("gauges", "families")


class Same(Collector):
    """Gives prometheus-client the very samples that Rollcall exposed."""

    def __init__(self, text: str) -> None:
        self._metrics = list(text_string_to_metric_families(text))

    def collect(self) -> Iterable[Metric]:
        """The samples, ready to encode."""
        return self._metrics


def gauges(text: str) -> CollectorRegistry:
    """A registry with a Gauge per family, set to the very samples that Rollcall exposed."""
    registry = CollectorRegistry()
    for family in text_string_to_metric_families(text):
        names = tuple(family.samples[0].labels)
        gauge = Gauge(family.name, family.documentation, names, registry=registry)
        for sample in family.samples:
            gauge.labels(*sample.labels.values()).set(sample.value)
    return registry


def families(text: str) -> CollectorRegistry:
    """A registry whose families are ready to write."""
    registry = CollectorRegistry()
    registry.register(Same(text))
    return registry


def encoded(registry: CollectorRegistry) -> float:
    """CPU seconds that prometheus-client takes to encode a registry."""
    start = time.process_time()
    generate_latest(registry)
    return time.process_time() - start


@contextmanager
def canned_store(workers: int) -> Iterator[int]:
    """A store in a process of its own; gives its port."""
    command = [sys.executable, "-m", "tests.bench.canned_store", str(workers)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield int(process.stdout.readline())
        process.stdin.close()


class Cycle:
    """One exporter of one store, by hand: no threads, so that every phase can be timed."""

    def __init__(self, port: int) -> None:
        endpoint = parse_url(f"http://127.0.0.1:{port}", 4747)
        self._store = LightningStore("bench", endpoint, Resolver(), Pace(10, 60, 30))
        self._fleet = Fleet("bench", WorkerRules(), Limits(objects=10**7))
        self._exposition = Exposition(POLLED, 10**9)
        self.body = b""

    def run(self) -> dict[str, float]:
        """One cycle; CPU seconds by phase."""
        marks = [time.process_time()]
        reading = self._store.read(Deadline(60))
        marks.append(time.process_time())
        self._fleet.receive("store", reading, float("inf"))
        tables, left_out = self._fleet.tables(0.0)
        marks.append(time.process_time())
        snapshot = self._exposition.publish({"bench": tables}, {"bench": left_out})
        marks.append(time.process_time())
        kept = snapshot.deflated(Format.TEXT)
        marks.append(time.process_time())
        self.body = b"".join(gzip_member(kept, b""))
        marks.append(time.process_time())
        phases = ("read", "rules", "render", "compress", "scrape")
        seconds = {phase: after - before for phase, before, after in zip(phases, marks[:-1], marks[1:], strict=True)}
        return {**seconds, "cycle": marks[-1] - marks[0]}


def measure(workers: int, rounds: int) -> dict[str, Any]:
    """Medians over `rounds` cycles, each followed by one run of the peer on the same samples."""
    with canned_store(workers) as port:
        cycle = Cycle(port)
        cycle.run()
        runs, peers = [], []
        for _ in range(rounds):
            runs.append(cycle.run())
            text = gzip.decompress(cycle.body).decode()
            peers.append({"gauges": encoded(gauges(text)), "families": encoded(families(text))})
    medians = {phase: statistics.median(run[phase] for run in runs) for phase in runs[0]}
    series = sum(not line.startswith("#") for line in text.splitlines())
    return {
        "workers": workers,
        "series": series,
        **medians,
        **{peer: statistics.median(each[peer] for each in peers) for peer in PEERS},
        "ratios": {
            peer: statistics.median(run["cycle"] / each[peer] for run, each in zip(runs, peers, strict=True))
            for peer in PEERS
        },
    }


def main() -> None:
    """Print one table, and keep it as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", default="1000,10000", help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=7, help="default: %(default)s")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    rows = [measure(int(count), options.rounds) for count in options.workers.split(",")]
    columns = ("read", "rules", "render", "compress", "scrape", "cycle", *PEERS)
    print("CPU milliseconds, medians, everything changed between two reads\n")
    print(f"{'workers':>8} {'series':>8}", *(f"{name:>9}" for name in (*columns, "ratio", "ratio")))
    for row in rows:
        figures = (f"{1000 * row[column]:9.1f}" for column in columns)
        print(f"{row['workers']:>8} {row['series']:>8}", *figures, *(f"{row['ratios'][peer]:9.3f}" for peer in PEERS))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
