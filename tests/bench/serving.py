"""`rollcall serve` as a process beside a store of N workers: starting, memory, scrapes, and how soon a change shows."""

from __future__ import annotations

import gzip
import re
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.processes import CannedStore, Scraper, canned_store, cpu_seconds, memory
from tests.real.process import free_port
from tests.real.rollcall import Rollcall

NOBODY = "host: {enabled: false}\ngpu: {enabled: false}\nregistry: {enabled: false}\n"
STORE = "stores: [{{fleet: bench, url: 'http://127.0.0.1:{port}', interval: {interval:g}s, timeout: {interval:g}s}}]\n"
SHOWN = re.compile(
    rb'^rollcall_worker_last_heartbeat_timestamp_seconds\{[^}]*"trainer-0-runner-0"\} (\S+)$', re.MULTILINE
)
CLEAN = 3600.0
"""Seconds between two reads where none is to come while scrapes are measured."""

PAUSE = 0.1
"""Seconds between two scrapes while reads are under way."""


def starts(times: int) -> dict[str, float]:
    """Seconds from start to the end of the first scrape, with no fleet, and MiB in memory then."""
    seconds, resident = [], []
    for _ in range(times):
        with tempfile.TemporaryDirectory() as name:
            port = free_port()
            started = time.perf_counter()
            with Rollcall(Path(name), NOBODY, "--web.listen-address", f"127.0.0.1:{port}") as rollcall:
                _first_scrape(f"http://127.0.0.1:{port}")
                seconds.append(time.perf_counter() - started)
                resident.append(memory(rollcall.process.pid)[0])
    return {"first scrape": statistics.median(seconds), "no fleet MiB": statistics.median(resident)}


def _first_scrape(url: str) -> None:
    with Scraper(url) as scraper:
        while True:
            try:
                scraper.scrape()
                return
            except OSError:
                time.sleep(0.002)


class Run(NamedTuple):
    """A store and an exporter that has read it once."""

    store: CannedStore
    pid: int
    url: str
    scraper: Scraper


@contextmanager
def running(workers: int, interval: float, *arguments: str) -> Iterator[Run]:
    """An exporter that reads a store every so many seconds, from when all its workers are shown."""
    with canned_store(workers) as store, tempfile.TemporaryDirectory() as name:
        configuration = NOBODY + STORE.format(port=store.port, interval=interval)
        with Rollcall(Path(name), configuration, *arguments) as rollcall, Scraper(rollcall.url) as scraper:
            while len(scraper.scrape().body) < 5 * workers:
                time.sleep(PAUSE)
            yield Run(store, rollcall.process.pid, rollcall.url, scraper)


def clean(sizes: Iterable[int], rounds: int, scrapes: int) -> dict[int, dict[str, float]]:
    """CPU and latency of a scrape while nothing changes, by number of workers; seconds.

    Fleets of all sizes take turns of so many scrapes: what else the machine does in a minute is then in each of them.
    """
    with ExitStack() as stack:
        runs = {workers: stack.enter_context(running(workers, CLEAN)) for workers in sizes}
        time.sleep(1.0)
        spent: dict[int, list[float]] = {workers: [] for workers in runs}
        seconds: dict[int, list[float]] = {workers: [] for workers in runs}
        for _ in range(rounds):
            for workers, run in runs.items():
                # The server closes a connection that is quiet for the others' turns.
                with Scraper(run.url) as scraper:
                    scraper.scrape()
                    before = cpu_seconds(run.pid)
                    seconds[workers] += [scraper.scrape().seconds for _ in range(scrapes)]
                    spent[workers].append((cpu_seconds(run.pid) - before) / scrapes)
    return {workers: _clean(spent[workers], sorted(seconds[workers])) for workers in runs}


def _clean(spent: Sequence[float], seconds: Sequence[float]) -> dict[str, float]:
    p50, p99 = (seconds[int(len(seconds) * share)] for share in (0.5, 0.99))
    return {"scrape CPU": statistics.median(spent), "scrape p50": p50, "scrape p99": p99}


def busy(workers: int, interval: float, reads: int) -> dict[str, Any]:
    """While every worker's figures change at every read: memory, CPU, scrapes, and seconds until a change shows.

    A change is as old as the read that brings it: what it waits for the next read depends on the interval.
    """
    with running(workers, interval) as run:
        resident: list[float] = []
        seconds: list[float] = []
        delays: list[float] = []
        shown, began = _shown(run), run.store.began()
        before, started = cpu_seconds(run.pid), time.monotonic()
        while time.monotonic() < started + reads * interval:
            scraped = run.scraper.scrape()
            seconds.append(scraped.seconds)
            resident.append(memory(run.pid)[0])
            if run.store.began() != began:
                now = _shown(run)
                if now != shown:
                    shown, began = now, run.store.began()
                    delays.append(time.monotonic() - began)
            time.sleep(PAUSE)
        spent = cpu_seconds(run.pid) - before
        peak = memory(run.pid)[1]
    seconds.sort()
    return {
        "MiB": statistics.median(resident),
        "peak MiB": peak,
        "CPU share": spent / (reads * interval),
        "scrapes": len(seconds),
        "scrape p50": seconds[len(seconds) // 2],
        "longest scrape": seconds[-1],
        "change to scrape": statistics.median(delays),
    }


def shards(workers: int, interval: float, reads: int, counts: Sequence[int]) -> dict[str, Any]:
    """CPU seconds of a read with a scrape, and MiB, of one of so many shards, while every worker's figures change."""
    found: dict[str, Any] = {"workers": workers}
    for count in counts:
        with running(workers, interval, "--shard", f"0/{count}") as run:
            resident, before, began = [], cpu_seconds(run.pid), run.store.began()
            for _ in range(reads):
                while run.store.began() == began:
                    time.sleep(PAUSE)
                began = run.store.began()
                time.sleep(interval / 2)
                with Scraper(run.url) as scraper:
                    scraper.scrape()
                resident.append(memory(run.pid)[0])
            spent = cpu_seconds(run.pid) - before
        found[str(count)] = {"cycle": spent / reads, "MiB": statistics.median(resident)}
    return found


def _shown(run: Run) -> bytes:
    """The last heartbeat of the first worker, as a scrape shows it."""
    found = SHOWN.search(gzip.decompress(run.scraper.scrape().body))
    assert found is not None
    return found[1]


def measure(sizes: Mapping[int, float], reads: int, rounds: int, scrapes: int) -> list[dict[str, Any]]:
    """All of it for each number of workers, with the seconds between two reads."""
    still = clean(sizes, rounds, scrapes)
    return [
        {"workers": workers, **still[workers], "while reading": busy(workers, interval, reads)}
        for workers, interval in sizes.items()
    ]
