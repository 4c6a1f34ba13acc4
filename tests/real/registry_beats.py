"""Threads that send heartbeats through a registry's writer; prints those that were acknowledged.

`python -m tests.real.registry_beats FOLDER NAME FIRST THREADS SECONDS` prints `beat WORKER NUMBER TIME` for each, with
numbers from FIRST that only grow, `failed TEXT` for each that was not written, and `end` when the seconds are over.
"""

from __future__ import annotations

import random
import sys
import time
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread

from exporter.records.registry import Registered
from exporter.registry.request import Outcome, Request, Unwritten
from exporter.registry.store import RegistryStore
from exporter.registry.writer import Writer
from exporter.state.events import Heartbeat

SHARED = "shared"
"""A worker that every thread of every process writes."""

Answer = SimpleQueue[Outcome | Unwritten]


def main(folder: Path, name: str, first: int, threads: int, seconds: float) -> None:
    """Send heartbeats for so many seconds, or until somebody ends this process."""
    store = RegistryStore.open(folder, most=10_000, per_client=10_000)
    writer: Writer[Answer] = Writer(store)
    writer.start(lambda answers: [token.put(outcome) for token, outcome in answers] and None)
    printing = Lock()
    until = time.monotonic() + seconds

    def say(line: str) -> None:
        with printing:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

    def beat(thread: int) -> None:
        chance = random.Random(f"{name} {first} {thread}")
        answer: Answer = SimpleQueue()
        for number in count(first):
            if time.monotonic() > until:
                return
            worker = SHARED if chance.random() < 0.1 else f"{name}-{thread}-{chance.randrange(40)}"
            stats = b'{"number": %d, "filling": "%s"}' % (number, b"x" * chance.choice((0, 700, 9000)))
            refused = writer.submit(Request(Heartbeat(worker, stats), name), answer)
            outcome = refused or answer.get()
            if isinstance(outcome, Registered):
                say(f"beat {worker} {number} {outcome.last_heartbeat!r}")
            else:
                say(f"failed {outcome}")

    running = [Thread(target=beat, args=(thread,)) for thread in range(threads)]
    for each in running:
        each.start()
    for each in running:
        each.join()
    writer.stop()
    store.close()
    say("end")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]))
