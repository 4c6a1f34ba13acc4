"""Writes docs/SCALING.md from docs/bench/recorded.json and scaling.md.j2: `python -m tests.bench.scaling [--check]`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tests.bench.plan import BUSIEST, MANY, MOST_MIB, MOST_SERIES, RECORDED, Plan, costs, growths, plan

PATH = Path("docs/SCALING.md")

SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
"""Workers of the fleets that are planned."""

INTERVAL = SCRAPE = 30.0
"""Seconds between two reads, and between two scrapes, of those."""


class Told(NamedTuple):
    """A figure, measured and by the model."""

    what: str
    unit: str
    size: str
    measured: float
    model: float

    @property
    def off(self) -> float:
        """How far the model is from what was measured, as a share of that."""
        return self.model / self.measured - 1


def told(recorded: dict[str, Any]) -> Iterator[Told]:
    """Every measured point, and what the costs say of it."""
    for growth in growths(recorded).values():
        for size, measured, model in growth.told():
            yield Told(growth.what, growth.unit, f"{size:,}", measured, model)


def foretold(recorded: dict[str, Any]) -> Iterator[Told]:
    """What smaller sizes say of the largest, and one shard and one of four of one of two."""
    for growth in growths(recorded).values():
        size, measured, model = growth.foretold()
        yield Told(growth.what, growth.unit, f"{size:,}", measured, model)
    every = costs(recorded)
    shards, workers = recorded["shards"], recorded["shards"]["workers"]
    one, two = shards["1"], shards["2"]
    for name, what, unit, factor, share in (
        ("cycle", "read and scrape of one of two shards: CPU", "ms", 1e3, every.parted[0]),
        ("MiB", "memory of one of two shards", "MiB", 1.0, every.parted[1]),
    ):
        yield Told(what, unit, f"{workers:,}", factor * two[name], factor * one[name] * (1 - share / 2))


def plans(recorded: dict[str, Any]) -> list[Plan]:
    """A plan for each size of fleet."""
    every = costs(recorded)
    return [plan(every, size, INTERVAL, SCRAPE) for size in SIZES]


def document(recorded: dict[str, Any]) -> str:
    """The whole file."""
    folder = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=folder, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    rows = {(row["workers"], row["changed"]): row for row in recorded["cycle"]}
    return environment.get_template("scaling.md.j2").render(
        recorded=recorded,
        rows=rows,
        served={row["workers"]: row for row in recorded["serving"]},
        told=list(told(recorded)),
        foretold=list(foretold(recorded)),
        plans=plans(recorded),
        parted=costs(recorded).parted,
        bounds={"busiest": BUSIEST, "mib": MOST_MIB, "series": MOST_SERIES, "shards": MANY},
        every={"interval": INTERVAL, "scrape": SCRAPE},
    )


def main(arguments: Sequence[str]) -> int:
    """Write the file, or with `--check` say whether it is what would be written; returns the exit status."""
    text = document(json.loads(RECORDED.read_text("utf-8")))
    if "--check" not in arguments:
        PATH.write_text(text, "utf-8")
    elif not PATH.exists() or PATH.read_text("utf-8") != text:
        sys.stderr.write(f"{PATH} is stale: run `make generate`\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
