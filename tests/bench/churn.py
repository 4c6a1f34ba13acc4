"""Memory while worker ids come and go: a store whose workers are others at every read, at a constant number of them.

`python -m tests.bench.churn [--ids 100000] [--alive 2000] [--step 500]` prints how much this process grew from the
first fifth of the ids on, in MiB.
"""

from __future__ import annotations

import argparse
import gc
import os
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from exporter.endpoint import parse_url
from exporter.exposition import Exposition, Format, gzip_member
from exporter.families import POLLED
from exporter.serve import GARBAGE
from exporter.sources.agent_lightning import LightningStore
from exporter.sources.fetch import Fetched, Resolver
from exporter.sources.source import Deadline, Pace
from exporter.state.fleet import Fleet, Limits, WorkerRules
from exporter.state.ledger import Ledger
from exporter.state.memory import Retention
from tests.bench.canned_store import PAGE, START, encoded

INTERVAL = 10.0
TOMBSTONE = 60.0
"""Seconds between two reads, and for which those who left are remembered."""


class Passing:
    """Answers as a store whose workers are a window on a row of ids that never ends."""

    def __init__(self, alive: int) -> None:
        self.first = 0
        self._alive = alive
        self._stats = encoded(1, 0)[0].partition(b'"heartbeat_stats":')[2]

    def get(self, path: str) -> Fetched:
        """Answer a path of the store."""
        parts = urlsplit(path)
        body = b'{"items":[],"total":0,"uptime":60.0}'
        if parts.path.endswith("/workers"):
            offset = int(parse_qs(parts.query)["offset"][0])
            ids = range(self.first + offset, self.first + min(offset + PAGE, self._alive))
            said = b'{"worker_id":"passing-%d","status":"idle","heartbeat_stats":%b'
            body = b'{"items":[%b],"total":%d}' % (b",".join([said % (id_, self._stats) for id_ in ids]), self._alive)
        return Fetched(body, START)


class Soak:
    """One exporter of such a store, by hand, on a clock of its own."""

    def __init__(self, folder: Path, alive: int, step: int) -> None:
        self._store = Passing(alive)
        self._step = step
        self._source = LightningStore(
            "bench",
            parse_url("http://store", 4747),
            Resolver(),
            Pace(INTERVAL, 5, 30),
            connect=lambda _: nullcontext(self._store),
        )
        self._fleet = Fleet("bench", WorkerRules(), Limits())
        self._ledger = Ledger.open(folder, retention=Retention(TOMBSTONE))
        self._exposition = Exposition(POLLED, 10**9)
        self._now = START

    def __enter__(self) -> Soak:
        return self

    def __exit__(self, *_: object) -> None:
        self._ledger.close()

    def steps(self, ids: int) -> Iterator[int]:
        """Have that many ids come and go; gives the size of each scrape."""
        for _ in range(0, ids, self._step):
            self._store.first += self._step
            self._now += INTERVAL
            self._fleet.receive("store", self._source.read(Deadline(60)), self._now + 30, self._now)
            tables, left_out = self._fleet.tables(self._now, wall=self._now)
            tables |= self._ledger.observe({"bench": self._fleet.listing}, self._now)["bench"]
            snapshot = self._exposition.publish({"bench": tables}, {"bench": left_out})
            yield sum(map(len, gzip_member(snapshot.chain(Format.TEXT), b"")))


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Print the growth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ids", type=int, default=100_000, help="default: %(default)s")
    parser.add_argument("--alive", type=int, default=2000, help="default: %(default)s")
    parser.add_argument("--step", type=int, default=500, help="default: %(default)s")
    options = parser.parse_args()
    gc.set_threshold(GARBAGE)
    with tempfile.TemporaryDirectory() as name, Soak(Path(name), options.alive, options.step) as soak:
        for _ in soak.steps(options.ids // 5):
            pass
        before = resident()
        for _ in soak.steps(options.ids - options.ids // 5):
            pass
        print(f"{(resident() - before) / 2**20:.1f}")


if __name__ == "__main__":
    main()
