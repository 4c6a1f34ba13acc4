"""What a fleet of any size takes: exporters, Prometheus servers, their CPU, memory and disk.

`python -m tests.bench.plan WORKERS [--interval SECONDS] [--scrape SECONDS] [--keep DAYS]` prints a plan from the
figures of docs/bench/recorded.json.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.growth import Cost, Growth, line, power

RECORDED = Path("docs/bench/recorded.json")

BUSIEST = 0.5
"""The share of a core that an exporter may use: beyond, reads and scrapes wait for each other."""

MOST_MIB = 4096.0
"""MiB that an exporter may use."""

MOST_SERIES = 5_000_000.0
"""Series of one Prometheus."""

DAY = 86_400.0


class Costs(NamedTuple):
    """What a size of fleet costs, from one recorded run.

    CPU seconds of the parts of a cycle in which everything changes, MiB in memory of which `text` a worker is shared
    out among shards, bytes of a compressed scrape, series; by series, CPU seconds that Prometheus takes for a scrape
    and its MiB; bytes on its disk for a sample.
    """

    read: Cost
    rules: Cost
    render: Cost
    scrape: Cost
    memory: Cost
    text: float
    size: Cost
    series: Cost
    ingest: Cost
    prometheus: Cost
    sample: float

    def cycle(self, workers: float, shards: int = 1) -> float:
        """CPU seconds of a cycle of one shard: each reads and judges all, renders and serves its part."""
        parts = self.render(workers / shards) + self.scrape(workers / shards)
        return self.read(workers) + self.rules(workers) + parts

    def resident(self, workers: float, shards: int = 1) -> float:
        """MiB of one shard."""
        return self.memory(workers) - self.text * workers * (1 - 1 / shards)


class Plan(NamedTuple):
    """What a fleet takes: figures of one exporter, of all Prometheus servers together, and of what is kept."""

    workers: int
    stores: int
    shards: int
    cores: float
    memory: float
    scrape: float
    series: float
    samples: float
    servers: int
    server_cores: float
    server_memory: float
    disk: float


def growths(recorded: dict[str, Any]) -> dict[str, Growth]:
    """Every figure that is predicted, by its name."""
    full = {row["workers"]: row for row in recorded["cycle"] if row["changed"] == "everything"}
    idle = {row["workers"]: row for row in recorded["cycle"] if row["changed"] == "nothing"}
    served = {row["workers"]: row for row in recorded["serving"]}
    ingest = {full[int(size)]["series"]: each for size, each in recorded["ingest"].items()}

    def of(what: str, unit: str, rows: dict[int, Any], figure: Callable[[Any], float], form: Any = power) -> Growth:
        return Growth(what, unit, [(size, figure(row)) for size, row in sorted(rows.items())], form)

    return {
        "read": of("reading and decoding, everything changed", "ms", full, lambda row: 1e3 * row["read"]),
        "rules": of(
            "rules and ledger, everything changed", "ms", full, lambda row: 1e3 * (row["rules"] + row["ledger"])
        ),
        "render": of("rendering and compressing, everything changed", "ms", full, lambda row: 1e3 * row["render"]),
        "cycle": of("a whole cycle, everything changed", "ms", full, lambda row: 1e3 * row["cycle"]),
        "idle": of("a whole cycle, nothing changed", "ms", idle, lambda row: 1e3 * row["cycle"]),
        "scrape": of("a scrape by Prometheus", "ms", served, lambda row: 1e3 * row["scrape CPU"], line),
        "memory": of("an exporter in memory", "MiB", served, lambda row: row["while reading"]["MiB"], line),
        "size": of("a scrape, compressed", "kB", full, lambda row: row["bytes"] / 1e3, line),
        "series": of("series", "", full, lambda row: row["series"], line),
        "ingest": of("Prometheus taking a scrape, by series", "ms", ingest, lambda each: 1e3 * each["median"]),
    }


def costs(recorded: dict[str, Any]) -> Costs:
    """The costs that a recorded run tells of."""
    found = {name: growth.cost for name, growth in growths(recorded).items()}
    whole, parted = recorded["shards"]["1"], recorded["shards"]["4"]
    workers = recorded["shards"]["workers"]
    text = (whole["MiB"] - parted["MiB"]) / (1 - 1 / 4) / workers
    largest = max(recorded["ingest"], key=int)
    series = next(row["series"] for row in recorded["cycle"] if row["workers"] == int(largest))
    held = recorded["ingest"][largest]["memory"] / series
    return Costs(
        read=lambda n: found["read"](n) / 1e3,
        rules=lambda n: found["rules"](n) / 1e3,
        render=lambda n: found["render"](n) / 1e3,
        scrape=lambda n: found["scrape"](n) / 1e3,
        memory=found["memory"],
        text=text,
        size=lambda n: found["size"](n) * 1e3,
        series=found["series"],
        ingest=lambda n: found["ingest"](n) / 1e3,
        prometheus=lambda n: held * n,
        sample=recorded["disk"]["bytes a sample"],
    )


def plan(costs: Costs, workers: int, interval: float, scrape: float) -> Plan:
    """The fewest stores, shards and servers with which nothing is over its bounds; times are in seconds.

    A store is as large as one exporter can read and judge within half of what it may use. That is not shared out.
    """
    stores = _fewest(lambda n: costs.cycle(workers / n, 10**6) <= BUSIEST / 2 * interval)
    each = workers / stores

    def busy(shards: int) -> float:
        return costs.cycle(each, shards) / interval + costs.scrape(each / shards) * (1 / scrape - 1 / interval)

    shards = _fewest(lambda n: busy(n) <= BUSIEST and costs.resident(each, n) <= MOST_MIB)
    series = stores * costs.series(each)
    servers = _fewest(lambda n: series / n <= MOST_SERIES)
    return Plan(
        workers=workers,
        stores=stores,
        shards=shards,
        cores=busy(shards),
        memory=costs.resident(each, shards),
        scrape=costs.size(each / shards),
        series=series,
        samples=series / scrape,
        servers=servers,
        server_cores=servers * costs.ingest(series / servers) / scrape,
        server_memory=costs.prometheus(series),
        disk=series / scrape * DAY * costs.sample,
    )


def _fewest(enough: Callable[[int], bool]) -> int:
    """The least number that is enough; raises ValueError where a million is not."""
    return next((n for n in range(1, 10**6) if enough(n)), 0) or _impossible()


def _impossible() -> int:
    raise ValueError("expected bounds that can be kept, found that a million parts are not enough")


def main() -> None:
    """Print a plan."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workers", type=int)
    parser.add_argument("--interval", type=float, default=30, help="seconds between two reads, default: %(default)s")
    parser.add_argument("--scrape", type=float, default=30, help="seconds between two scrapes, default: %(default)s")
    options = parser.parse_args()
    found = plan(costs(json.loads(RECORDED.read_text("utf-8"))), options.workers, options.interval, options.scrape)
    for name, figure in found._asdict().items():
        print(f"{name:14} {figure:,.2f}" if isinstance(figure, float) else f"{name:14} {figure:,}")


if __name__ == "__main__":
    main()
