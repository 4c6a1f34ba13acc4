"""What the figures of a run are held against."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple


class Goal(NamedTuple):
    """A figure, what it may be at most, and whether it is."""

    what: str
    figure: float
    most: float
    holds: bool


def goals(results: dict[str, Any]) -> list[Goal]:
    """Every goal for which there are figures."""
    every = [*_cycles(results), *_ingest(results), *_serving(results), *_host(results)]
    return [Goal(what, figure, most, figure <= most) for what, figure, most in every]


Figures = Iterator[tuple[str, float, float]]


def _cycles(results: dict[str, Any]) -> Figures:
    rows = {(row["workers"], row["changed"]): row for row in results.get("cycle", ())}
    for peer in ("collector", "gauges", "families"):
        if (row := rows.get((10_000, "everything"))) and peer in row:
            yield f"10,000 workers, everything changed: of prometheus-client, {peer}", row["cycle"] / row[peer], 1 / 8
    for changed, most in (("everything", 1.05), ("nothing", 1.0)):
        sizes = sorted(workers for workers, name in rows if name == changed)
        if len(sizes) > 1:
            growth = rows[sizes[-1], changed]["cycle"] / rows[sizes[0], changed]["cycle"]
            exponent = math.log(growth) / math.log(sizes[-1] / sizes[0])
            yield f"growth from {sizes[0]:,} to {sizes[-1]:,} workers, {changed} changed: exponent", exponent, most


def _ingest(results: dict[str, Any]) -> Figures:
    """Beside what Prometheus takes: the whole cycle, the cycle without the read, and the scrape alone."""
    for row in results.get("cycle", ()):
        taken = results.get("ingest", {}).get(str(row["workers"]))
        if taken is None or row["workers"] < 10_000:
            continue
        said = f"{row['workers']:,} workers, {row['changed']} changed: of Prometheus' ingest"
        kept = row["cycle"] - row["read"]
        match row["changed"]:
            case "everything":
                yield f"{said}, all", row["cycle"] / taken["median"], 1.0
            case "nothing":
                yield f"{said}, scrape", row["scrape"] / taken["median"], 0.02
                yield f"{said}, without the read", kept / taken["median"], 0.02
            case "1 %" | "1 %, by host":
                yield f"{said}, without the read", kept / taken["median"], 0.05


def _serving(results: dict[str, Any]) -> Figures:
    for row in results.get("serving", ()):
        if row["workers"] == 100_000:
            reading = row["while reading"]
            yield "100,000 workers: MiB", reading["MiB"], 400
            yield "100,000 workers: MiB at the peak", reading["peak MiB"], 700
            yield "100,000 workers: seconds of the longest scrape while they are read", reading["longest scrape"], 0.25
    if churn := results.get("churn"):
        yield f"{churn['ids']:,} identities came and went: MiB more", churn["MiB"], 5
    if starts := results.get("starts"):
        yield "seconds from start to first scrape", starts["first scrape"], 0.5
        yield "no fleet: MiB", starts["no fleet MiB"], 60


def _host(results: dict[str, Any]) -> Figures:
    spent = {who: each["scrape CPU"] for who, each in results.get("host", {}).items()}
    if "node_exporter" in spent:
        yield "scrape of this host: of node_exporter's CPU", spent["rollcall"] / spent["node_exporter"], 1.2
    if "plain" in spent:
        yield "scrape of this host: of the CPU of psutil and prometheus-client", spent["rollcall"] / spent["plain"], 1.0
