"""Everything that is measured, in one run: `python -m tests.bench [--quick] [--json FILE]`.

CPU is what processes used by their own clocks, so that it holds on a machine that does other things too; ratios are of
figures of the same run. With `--quick` up to 10,000 workers only, in a few minutes.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import prometheus_client

from exporter.exposition.segments import FASTEST
from exporter.serve import GARBAGE
from tests.bench import cycle, disk, host, ingest, serving
from tests.bench.goals import goals
from tests.bench.peer import WAYS


class Scale(NamedTuple):
    """How much is measured: workers, with rounds of the cycle, and the seconds between two reads or scrapes."""

    workers: int
    rounds: int
    interval: float


QUICK = (Scale(1000, 7, 2), Scale(10_000, 7, 5))
WHOLE = (*QUICK, Scale(100_000, 5, 15))
READS = 5
ROUNDS, SCRAPES = 20, 25
CHURN = 100_000
"""Identities of workers that come and go."""


def measured(scales: tuple[Scale, ...], sections: list[str]) -> Iterator[tuple[str, Any]]:
    """Each section with its figures."""
    if "cycle" in sections:
        yield "cycle", cycle.measure({scale.workers: scale.rounds for scale in scales})
    if "ingest" in sections and shutil.which("prometheus"):
        bodies = {scale: cycle.bodies(scale.workers) for scale in scales}
        yield "ingest", {str(each.workers): ingest.measure(bodies[each], 6, each.interval) for each in scales}
    if "serving" in sections:
        yield "serving", serving.measure({scale.workers: scale.interval for scale in scales}, READS, ROUNDS, SCRAPES)
    if "shards" in sections:
        yield "shards", serving.shards(scales[-1].workers, scales[-1].interval, READS, (1, 2, 4))
    if "disk" in sections and shutil.which("promtool"):
        yield "disk", disk.measure(200)
    if "churn" in sections:
        command = [sys.executable, "-m", "tests.bench.churn", "--ids", str(CHURN)]
        grown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        yield "churn", {"ids": CHURN, "MiB": float(grown)}
    if "host" in sections:
        yield "host", host.measure(rounds=5, scrapes=200)
    if "starts" in sections:
        yield "starts", serving.starts(7)


def machine() -> dict[str, Any]:
    """What it was measured on."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": models[0].partition(": ")[2] if models else platform.machine(),
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "python": platform.python_version(),
        "msgspec": msgspec.__version__,
        "prometheus-client": getattr(prometheus_client, "__version__", ""),
        "compression": FASTEST.__name__,
    }


def table(names: list[str], rows: list[list[str]]) -> None:
    """Print a table as Markdown has it."""
    print("| " + " | ".join(names) + " |")
    print("|" + "---|" * len(names))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def show_cycle(found: list[dict[str, Any]]) -> None:
    """Print what a read costs."""
    print("CPU milliseconds of a cycle, by what changed between two reads\n")
    columns = (*cycle.PHASES, "cycle", "page", *WAYS)
    rows = [[f"{row['workers']:,}", row["changed"], *(_ms(row.get(name)) for name in columns)] for row in found]
    table(["workers", "changed", *cycle.PHASES, "cycle", "a page read", *WAYS], rows)


def show_ingest(found: dict[str, Any]) -> None:
    """Print what Prometheus spends."""
    print("CPU milliseconds that Prometheus takes for a scrape in which everything changed\n")
    rows = [
        [f"{int(n):,}", _ms(each["median"]), _ms(each["mean"]), f"{each['memory']:.0f}"] for n, each in found.items()
    ]
    table(["workers", "median", "mean", "MiB"], rows)


def show_serving(found: list[dict[str, Any]]) -> None:
    """Print what a process does."""
    print("`rollcall serve` beside a store; milliseconds\n")
    names = ["scrape CPU", "scrape p50", "scrape p99"]
    reading = ["scrape p50", "longest scrape", "change to scrape"]
    rows = [
        [
            f"{row['workers']:,}",
            *(_ms(row[name]) for name in names),
            *(_ms(row["while reading"][name]) for name in reading),
            *(f"{row['while reading'][name]:.0f}" for name in ("MiB", "peak MiB")),
        ]
        for row in found
    ]
    table(["workers", *names, *(f"while reading: {name}" for name in reading), "MiB", "peak MiB"], rows)


def show_shards(found: dict[str, Any]) -> None:
    """Print what one of several takes."""
    print(f"CPU milliseconds of a read with a scrape of one shard, {found['workers']:,} workers\n")
    counts = [count for count in found if count != "workers"]
    rows = [[count, _ms(found[count]["cycle"]), f"{found[count]['MiB']:.0f}"] for count in counts]
    table(["shards", "CPU", "MiB"], rows)


def show_host(found: dict[str, Any]) -> None:
    """Print what this host's collectors cost."""
    print("CPU milliseconds of a scrape of this host\n")
    rows = [[who, _ms(each["scrape CPU"]), f"{each['samples']}"] for who, each in found.items()]
    table(["exporter", "CPU", "samples"], rows)


SHOW: dict[str, Callable[[Any], None]] = {
    "cycle": show_cycle,
    "ingest": show_ingest,
    "serving": show_serving,
    "shards": show_shards,
    "disk": lambda found: print(f"Prometheus' disk: {found['bytes a sample']:.2f} bytes a sample\n"),
    "churn": lambda found: print(f"Memory after {found['ids']:,} identities came and went: {found['MiB']:+.1f} MiB\n"),
    "host": show_host,
    "starts": lambda found: print(
        f"Start to first scrape {_ms(found['first scrape'])} ms, then {found['no fleet MiB']:.0f} MiB\n"
    ),
}


def _ms(seconds: float | None) -> str:
    return "" if seconds is None else f"{1000 * seconds:.1f}"


def main() -> None:
    """Measure, print, and keep the figures where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="no more than 10,000 workers")
    parser.add_argument("--only", default=",".join(SHOW), help="default: %(default)s")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    gc.set_threshold(GARBAGE)
    results: dict[str, Any] = {"machine": machine()}
    for section, found in measured(QUICK if options.quick else WHOLE, options.only.split(",")):
        results[section] = found
        SHOW[section](found)
        sys.stdout.flush()
    results["goals"] = [goal._asdict() for goal in goals(results)]
    table(
        ["goal", "figure", "at most", "holds"],
        [
            [each["what"], f"{each['figure']:.3g}", f"{each['most']:.3g}", "yes" if each["holds"] else "**no**"]
            for each in results["goals"]
        ],
    )
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
