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

MANY = 4
"""How many shards there were where shards were measured; those of two are foretold."""

ENDLESS = 10**6
"""So many shards that what they divide costs nothing."""


class Costs(NamedTuple):
    """What a size of fleet costs, from one recorded run.

    `cycle` is CPU seconds of a read in which everything changed and `scrape` of a scrape, `memory` MiB, `size` bytes
    of a compressed scrape, by workers; `ingest` CPU seconds that Prometheus takes for a scrape and `held` its MiB, by
    series; `sample` bytes on its disk. `parted` are the shares of a cycle and of memory that shards divide.
    """

    cycle: Cost
    scrape: Cost
    memory: Cost
    size: Cost
    series: Cost
    ingest: Cost
    held: Cost
    sample: float
    parted: tuple[float, float]

    def shard_cycle(self, workers: float, shards: int) -> float:
        """CPU seconds of a cycle of one shard: each reads and judges all, renders and serves its part."""
        return self.cycle(workers) * (1 - self.parted[0] * (1 - 1 / shards))

    def shard_memory(self, workers: float, shards: int) -> float:
        """MiB of one shard."""
        return self.memory(workers) * (1 - self.parted[1] * (1 - 1 / shards))


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
        "cycle": of("read, everything changed: CPU", "ms", full, lambda row: 1e3 * row["cycle"]),
        "idle": of("read, nothing changed: CPU", "ms", idle, lambda row: 1e3 * row["cycle"], line),
        "scrape": of("scrape: CPU", "ms", served, lambda row: 1e3 * row["scrape CPU"], line),
        "memory": of("memory", "MiB", served, lambda row: row["while reading"]["MiB"], line),
        "size": of("scrape, compressed", "kB", full, lambda row: row["bytes"] / 1e3, line),
        "series": of("series", "", full, lambda row: row["series"], line),
        "ingest": of("Prometheus taking it in: CPU", "ms", ingest, lambda each: 1e3 * each["median"]),
    }


def costs(recorded: dict[str, Any]) -> Costs:
    """The costs that a recorded run tells of."""
    found = {name: growth.cost for name, growth in growths(recorded).items()}
    largest = max(recorded["ingest"], key=int)
    series = next(row["series"] for row in recorded["cycle"] if row["workers"] == int(largest))
    held = recorded["ingest"][largest]["memory"] / series
    return Costs(
        cycle=lambda n: found["cycle"](n) / 1e3,
        scrape=lambda n: found["scrape"](n) / 1e3,
        memory=found["memory"],
        size=lambda n: found["size"](n) * 1e3,
        series=found["series"],
        ingest=lambda n: found["ingest"](n) / 1e3,
        held=lambda n: held * n,
        sample=recorded["disk"]["bytes a sample"],
        parted=parted(recorded),
    )


def parted(recorded: dict[str, Any]) -> tuple[float, float]:
    """The shares of CPU and of memory that shards divide, by what one and one of `MANY` take."""
    one, many = recorded["shards"]["1"], recorded["shards"][str(MANY)]
    cycle, memory = ((1 - many[each] / one[each]) / (1 - 1 / MANY) for each in ("cycle", "MiB"))
    return max(0.0, cycle), max(0.0, memory)


def plan(costs: Costs, workers: int, interval: float, scrape: float) -> Plan:
    """The fewest stores, shards and servers with which nothing is over its bounds; times are in seconds.

    A store is as large as reading it, which shards do not divide, takes half of what an exporter may use.
    """
    stores = _fewest(lambda n: costs.shard_cycle(workers / n, ENDLESS) <= BUSIEST / 2 * interval)
    each = workers / stores

    def busy(shards: int) -> float:
        return costs.shard_cycle(each, shards) / interval + costs.scrape(each / shards) / scrape

    shards = _fewest(lambda n: busy(n) <= BUSIEST and costs.shard_memory(each, n) <= MOST_MIB)
    series = stores * costs.series(each)
    servers = _fewest(lambda n: series / n <= MOST_SERIES)
    return Plan(
        workers=workers,
        stores=stores,
        shards=shards,
        cores=busy(shards),
        memory=costs.shard_memory(each, shards),
        scrape=costs.size(each / shards),
        series=series,
        samples=series / scrape,
        servers=servers,
        server_cores=servers * costs.ingest(series / servers) / scrape,
        server_memory=costs.held(series),
        disk=series / scrape * DAY * costs.sample,
    )


def _fewest(enough: Callable[[int], bool]) -> int:
    """The least number that is enough; raises ValueError where so many are not."""
    for number in range(1, ENDLESS):
        if enough(number):
            return number
    raise ValueError(f"expected bounds that can be kept, found that {ENDLESS:,} parts are not enough")


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
