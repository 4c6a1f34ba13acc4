"""Acknowledged heartbeats a second: Rollcall's registry, durable, beside a real LightningStore, in memory.

Both are processes of their own on this machine, as is the client: 700-byte bodies over 32 kept connections, in turns,
the best round of each. Then one registry carries 20,000 workers that beat every 10 s while /metrics is scraped.

`python -m tests.bench.registry [--beats 30000] [--rounds 3] [--workers 20000] [--seconds 60] [--json FILE]`
"""

from __future__ import annotations

import argparse
import http.client
import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from tests.bench.heartbeats import Beats, beat, request
from tests.real.lightning import Lightning, Nursery
from tests.real.rollcall import Rollcall

CONNECTIONS = 32
WORKERS = 2000
"""Workers whose heartbeats are sent as fast as it goes."""

INTERVAL = 10.0
BETWEEN_SCRAPES = 1.0
CONFIGURATION = (
    "host: {enabled: false}\ngpu: {enabled: false}\nregistry: {enabled: true, fleet: local, rate: 1000000}\n"
)


def fast(port: int, beats: int) -> Beats:
    """Send so many heartbeats as fast as they are acknowledged."""

    def plan(connection: int) -> Iterator[bytes]:
        requests = [request(f"w{number}") for number in range(connection, WORKERS, CONNECTIONS)]
        return islice(cycle(requests), beats // CONNECTIONS)

    return beat(port, [plan(connection) for connection in range(CONNECTIONS)])


def figures(name: str, beats: Beats) -> dict[str, Any]:
    """A row of the table; latencies in milliseconds."""
    p50, p99 = (1000 * beats.percentile(share) for share in (0.5, 0.99))
    return {"store": name, "per second": beats.rate, "p50 ms": p50, "p99 ms": p99}


def compare(rollcall: Rollcall, store: Lightning, beats: int, rounds: int) -> list[dict[str, Any]]:
    """The best of some rounds of each; the store has a tenth of the heartbeats, for it takes its time."""
    ports: dict[str, tuple[int, int]] = {
        "rollcall": (int(rollcall.url.rpartition(":")[2]), beats),
        "lightning": (store.port, beats // 10),
    }
    best: dict[str, dict[str, Any]] = {}
    for _ in range(rounds):
        for name, (port, number) in ports.items():
            row = figures(name, fast(port, number))
            if name not in best or row["per second"] > best[name]["per second"]:
                best[name] = row
    return list(best.values())


class Scraper:
    """Scrapes as Prometheus does, compressed, once a second, until it is stopped."""

    def __init__(self, port: int) -> None:
        self.seconds: list[float] = []
        self.bytes = 0
        self._port = port
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        """End, after the scrape under way."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(BETWEEN_SCRAPES):
            started = time.perf_counter()
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
            connection.request("GET", "/metrics", headers={"Accept-Encoding": "gzip", "Connection": "close"})
            with connection.getresponse() as response:
                self.bytes = len(response.read())
            connection.close()
            self.seconds.append(time.perf_counter() - started)


def carry(rollcall: Rollcall, workers: int, seconds: float) -> dict[str, Any]:
    """Have workers beat every 10 s for so long, evenly spread, and scrape meanwhile."""
    port = int(rollcall.url.rpartition(":")[2])
    each = workers // CONNECTIONS
    rounds = max(1, round(seconds / INTERVAL))

    def plan(connection: int) -> Iterator[bytes]:
        return islice(cycle([request(f"v{connection}-{number}") for number in range(each)]), each * rounds)

    scraper = Scraper(port)
    try:
        beats = beat(port, [plan(connection) for connection in range(CONNECTIONS)], INTERVAL / each)
    finally:
        scraper.stop()
    return {
        "workers": each * CONNECTIONS,
        **figures("rollcall", beats),
        "seconds": beats.seconds,
        "scrapes": len(scraper.seconds),
        "longest scrape s": max(scraper.seconds),
        "scrape MB": scraper.bytes / 1e6,
    }


def within(folder: Path, measure: Callable[[Rollcall], Any]) -> Any:
    """Measure a registry that is new."""
    folder.mkdir()
    with Rollcall(folder, CONFIGURATION) as rollcall:
        return measure(rollcall)


def main() -> None:
    """Print two tables, and keep them as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--beats", type=int, default=30_000, help="heartbeats of a round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--workers", type=int, default=20_000, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=60.0, help="default: %(default)s")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Nursery(folder) as nursery:
            store = Lightning(nursery, scan=10.0)
            rows = within(folder / "fast", lambda started: compare(started, store, options.beats, options.rounds))
        carried = within(folder / "many", lambda started: carry(started, options.workers, options.seconds))
    print(f"Acknowledged heartbeats, 700-byte bodies, {CONNECTIONS} connections, best of {options.rounds}\n")
    print(f"{'':>10} {'a second':>9} {'p50 ms':>7} {'p99 ms':>7}")
    for row in rows:
        print(f"{row['store']:>10} {row['per second']:9.0f} {row['p50 ms']:7.1f} {row['p99 ms']:7.1f}")
    print(f"{'ratio':>10} {rows[0]['per second'] / rows[1]['per second']:9.1f}\n")
    print(f"{carried['workers']} workers every {INTERVAL:g} s, for {carried['seconds']:.0f} s")
    print(f"{carried['per second']:.0f} a second, p50 {carried['p50 ms']:.1f} ms, p99 {carried['p99 ms']:.1f} ms")
    size, longest = carried["scrape MB"], carried["longest scrape s"]
    print(f"{carried['scrapes']} scrapes of {size:.1f} MB compressed, the longest took {longest:.2f} s")
    if options.json:
        options.json.write_text(json.dumps({"heartbeats": rows, "many workers": carried}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
