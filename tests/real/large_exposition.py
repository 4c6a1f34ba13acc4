"""Serves an exposition of a given size as the exporter does: `python -m tests.real.large_exposition MEGABYTES`.

It prints its address. The samples are the same at every scrape, so that a large one is there at once.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping

from exporter.collection import Collection
from exporter.exposition import Format, Snapshot
from exporter.exposition.segments import Packer, Segment, summed
from exporter.exposition.snapshot import Shown
from exporter.families import LIVE
from exporter.scrape import Scrape
from exporter.server import application, listen, run
from tests.unit.asgi import OnePage

LINES = 256
DISTINCT = 100
"""Segments that differ from each other."""

NAME = "rollcall_worker_status_since_timestamp_seconds"


def snapshot(megabytes: int) -> Snapshot:
    """So many megabytes of text, in segments as large as those of the exporter."""
    chance, packer = random.Random(1), Packer()
    distinct = [packer.pack(_text(chance), LINES) for _ in range(DISTINCT)]
    header = packer.pack(f"# HELP {NAME} Since when.\n# TYPE {NAME} gauge\n".encode())
    headers: Mapping[Format, Segment] = dict.fromkeys(Format, header)
    count = megabytes * 10**6 // (sum(each.length for each in distinct) // DISTINCT)
    segments = [distinct[number % DISTINCT] for number in range(count)]
    return Snapshot([Shown(headers, [each.data for each in segments], summed(segments))], ())


def _text(chance: random.Random) -> bytes:
    lines = (
        f'{NAME}{{fleet="training",worker="trainer-runner-{chance.randrange(10**9)}"}} {chance.uniform(1e9, 2e9):.3f}\n'
        for _ in range(LINES)
    )
    return "".join(lines).encode()


def main(megabytes: int) -> None:
    """Serve until SIGTERM."""
    shown = snapshot(megabytes)
    scrape = Scrape(lambda: shown, Collection([], 1.0, lambda name, message: None), LIVE)
    listener = listen("127.0.0.1", 0)
    sys.stdout.write(f"http://127.0.0.1:{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    run(application(scrape, lambda: True, OnePage(), {}), listener)


if __name__ == "__main__":
    main(int(sys.argv[1]))
