"""CPU that a real Prometheus takes for each scrape of an exposition in which everything changes: by its own clock."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from exporter.exposition import Format
from tests.bench.processes import cpu_seconds, memory
from tests.real.monitoring import Prometheus
from tests.real.process import wait_until
from tests.real.web import Answer, Asked, WebServer

SETTLING = 3
"""Scrapes until all series exist, and the first are written."""


class Turns:
    """Answers scrapes with bodies by turns."""

    def __init__(self, bodies: Sequence[bytes]) -> None:
        self.pid = 0
        self.marks: list[float] = []
        self._bodies = bodies

    def __call__(self, _: Asked) -> Answer:
        if self.pid:
            self.marks.append(cpu_seconds(self.pid))
        body = self._bodies[len(self.marks) % len(self._bodies)]
        return Answer(200, body, {"content-type": Format.TEXT.value, "content-encoding": "gzip"})


def measure(bodies: Sequence[bytes], scrapes: int, interval: float) -> dict[str, Any]:
    """CPU seconds from one scrape to the next, `interval` seconds apart: the median, the mean, and all of them.

    The mean has what Prometheus does now and then, as collecting garbage; the median does not.
    """
    turns = Turns(bodies)
    with tempfile.TemporaryDirectory() as name, WebServer(turns) as server:
        job = {"job_name": "bench", "static_configs": [{"targets": [server.url.removeprefix("http://")]}]}
        every = {"scrape_interval": f"{interval:g}s", "scrape_timeout": f"{interval:g}s"}
        Path(name, "prometheus.yml").write_text(yaml.safe_dump({"global": every, "scrape_configs": [job]}))
        with Prometheus(Path(name)) as prometheus:
            turns.pid = prometheus.process.pid
            wanted = SETTLING + scrapes + 1
            wait_until(lambda: len(turns.marks) >= wanted, f"{wanted} scrapes", interval * (wanted + 2) + 60)
            resident, _ = memory(turns.pid)
    marks = turns.marks[SETTLING:wanted]
    spent = [after - before for before, after in pairwise(marks)]
    return {"median": statistics.median(spent), "mean": statistics.mean(spent), "all": spent, "memory": resident}
