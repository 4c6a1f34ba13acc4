"""Bytes that a sample takes on Prometheus' disk: two hours of simulated telemetry, made a block by promtool."""

from __future__ import annotations

import json
import random
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HOURS, STEP, START = 2, 15, 1_795_291_200
"""A block of Prometheus' usual length from a time that such blocks begin at, scraped every so many seconds."""

Next = Callable[[float], float]
"""A figure from the one before."""


def families(chance: random.Random) -> dict[str, tuple[Callable[[], float], Next]]:
    """How each of a worker's families begins and goes on.

    Figures have the digits that snapshots have: a share in 1/1000, GB in 1/100, times in microseconds.
    """

    def same(value: float) -> tuple[Callable[[], float], Next]:
        return (lambda: value), (lambda before: before)

    def gigabytes(most: float) -> tuple[Callable[[], float], Next]:
        return (lambda: round(chance.uniform(0, most), 2) * 1e9), (
            lambda before: max(0.0, round(before / 1e9 + chance.gauss(0, most / 200), 2)) * 1e9
        )

    def sent() -> tuple[Callable[[], float], Next]:
        return (lambda: 0.0), (lambda before: round(before / 1e6 + chance.uniform(0, 5), 2) * 1e6)

    def seen(every: int) -> tuple[Callable[[], float], Next]:
        return (lambda: START - chance.uniform(0, every)), (
            lambda before: (
                round(before + STEP + chance.uniform(-0.01, 0.01), 6) if chance.random() < STEP / every else before
            )
        )

    share = (
        (lambda: round(chance.random(), 3)),
        (lambda before: min(1.0, max(0.0, round(before + chance.gauss(0, 0.1), 3)))),
    )
    return {
        "cpu_usage_ratio": share,
        "memory_used_bytes": gigabytes(100),
        "disk_used_bytes": gigabytes(900),
        "network_sent_bytes_total": sent(),
        "network_received_bytes_total": sent(),
        "last_heartbeat_timestamp_seconds": seen(STEP),
        "telemetry_timestamp_seconds": seen(STEP),
        **{f"last_{kind}_timestamp_seconds": seen(4 * STEP) for kind in ("dequeue", "busy", "idle")},
        **{f"constant_{number}": same(float(number)) for number in range(8)},
    }


def samples(workers: int, chance: random.Random) -> Iterator[str]:
    """The telemetry as OpenMetrics, family by family."""
    for family, (first, then) in families(chance).items():
        name = f"rollcall_worker_{family}"
        yield f"# TYPE {name} unknown\n"
        for worker in range(workers):
            value = first()
            for time in range(START, START + HOURS * 3600, STEP):
                value = then(value)
                yield f'{name}{{fleet="eu",worker="trainer-{worker // 8}-runner-{worker % 8}"}} {value!r} {time}\n'
    yield "# EOF\n"


def measure(workers: int) -> dict[str, Any]:
    """Samples in the block, and bytes of all its files for each."""
    with tempfile.TemporaryDirectory() as name:
        text, blocks = Path(name, "samples"), Path(name, "blocks")
        with text.open("w") as file:
            file.writelines(samples(workers, random.Random(1)))
        command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(text), str(blocks)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        count = sum(json.loads(meta.read_text())["stats"]["numSamples"] for meta in blocks.glob("*/meta.json"))
        size = sum(file.stat().st_size for file in blocks.rglob("*") if file.is_file())
    return {"samples": count, "bytes a sample": size / count}
