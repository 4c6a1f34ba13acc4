"""CPU of a scrape of this host: Rollcall, a plain psutil and prometheus-client collector, and node_exporter.

Each is a process of its own, asked by turns over a kept connection, as Prometheus asks; node_exporter with the same
five collectors only: CPU, memory, file systems, disks, network.
"""

from __future__ import annotations

import gzip
import shutil
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from tests.bench.processes import Scraper, cpu_seconds
from tests.real.process import Process, free_port
from tests.real.rollcall import Rollcall

HOST = "gpu: {enabled: false}\nregistry: {enabled: false}\nmeshes: []\nstores: []\n"
NODE_EXPORTER = ("prometheus-node-exporter", "node_exporter")
COLLECTORS = ("cpu", "meminfo", "filesystem", "diskstats", "netdev")
PAUSE = 0.002


class Asked(NamedTuple):
    """Who is asked: its process, and the connection."""

    pid: int
    scraper: Scraper


def measure(rounds: int, scrapes: int) -> dict[str, dict[str, float]]:
    """By exporter: CPU seconds of a scrape, the median of rounds that take turns, and its samples."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        everybody = _start(Path(name), stack)
        spent: dict[str, list[float]] = {who: [] for who in everybody}
        for number in range(rounds + 1):
            for who, asked in everybody.items():
                before = cpu_seconds(asked.pid)
                for _ in range(scrapes):
                    asked.scraper.scrape()
                    time.sleep(PAUSE)
                if number:
                    spent[who].append((cpu_seconds(asked.pid) - before) / scrapes)
        return {
            who: {"scrape CPU": statistics.median(spent[who]), "samples": _samples(asked.scraper.scrape().body)}
            for who, asked in everybody.items()
        }


def _start(folder: Path, stack: ExitStack) -> dict[str, Asked]:
    ports = {who: free_port() for who in ("rollcall", "plain", "node_exporter")}
    started: dict[str, Process] = {
        "rollcall": Rollcall(folder, HOST, "--web.listen-address", f"127.0.0.1:{ports['rollcall']}"),
        "plain": Process([sys.executable, "-m", "tests.bench.plain_host", str(ports["plain"])], folder / "plain.log"),
    }
    program = next(filter(None, map(shutil.which, NODE_EXPORTER)), None)
    if program is not None:
        options = [f"--collector.{each}" for each in COLLECTORS]
        address = f"--web.listen-address=127.0.0.1:{ports['node_exporter']}"
        command = [program, "--collector.disable-defaults", *options, address]
        started["node_exporter"] = Process(command, folder / "node.log")
    everybody = {}
    for who, process in started.items():
        stack.enter_context(process)
        scraper = stack.enter_context(Scraper(f"http://127.0.0.1:{ports[who]}"))
        everybody[who] = Asked(process.process.pid, scraper)
        _await(scraper)
    return everybody


def _await(scraper: Scraper) -> None:
    while True:
        try:
            scraper.scrape()
            return
        except OSError:
            time.sleep(0.05)


def _samples(body: bytes) -> int:
    text = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
    return sum(not line.startswith(b"#") for line in text.splitlines())
