"""`python -m tests.soak --minutes M`: an exporter among upstreams, clients and files that misbehave by turns.

Real processes on loopback: `rollcall serve`, two versions of Prometheus with the shipped rules, and a simulated fleet
behind gates. It ends with exit status 1 if a scrape failed, a Prometheus refused a sample or could not evaluate a rule,
an acknowledged worker was lost, the exporter logged a traceback, or a fault reached nobody.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import msgspec

from tests.real.process import wait_until
from tests.soak.faults import every_fault
from tests.soak.report import Report, Watch, course, taken, tracebacks
from tests.soak.world import World

HOLD = 3.0
"""Seconds that a fault lasts, at least."""


def soak(world: World, *, minutes: float, hold: float, every: float, seed: int = 1) -> Report:
    """Have each fault in turn, in another order each round, until a round ends after that time."""
    began = time.monotonic()
    met: Counter[str] = Counter()
    unmet: Counter[str] = Counter()
    rng = random.Random(seed)
    with Watch(world.process) as watch:
        faults = every_fault()
        while not met or time.monotonic() < began + 60 * minutes:
            for fault in faults:
                (met if fault.inject(world, hold) else unmet)[fault.kind] += 1
                time.sleep(hold / 3)
            rng.shuffle(faults)
        wait_until(world.well, "every source to be up again")
        wait_until(world.scraped, "every job of every Prometheus to be up")
        seconds = time.monotonic() - began
    world.workers.stop()
    return Report(
        python=platform.python_version(),
        cores=os.cpu_count() or 0,
        minutes=seconds / 60,
        every=every,
        prometheuses=[taken(each, seconds) for each in world.prometheuses],
        memory=course(watch.memory),
        threads=course(watch.threads),
        files=course(watch.files),
        faults=dict(sorted(met.items())),
        unmet=dict(unmet),
        acknowledged=world.workers.acknowledged,
        refused=world.workers.refused,
        lost=world.workers.lost(),
        tracebacks=tracebacks(world),
    )


def main() -> int:
    """Soak, print, and keep the figures where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two scrapes of a job")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="rollcall-soak-") as folder,
        World(Path(folder), options.every, 1.0) as world,
    ):
        report = soak(world, minutes=options.minutes, hold=HOLD, every=options.every)
    text = msgspec.json.format(msgspec.json.encode(report)).decode() + "\n"
    sys.stdout.write(text)
    if options.json:
        options.json.write_text(text, "utf-8")
    broken = [each.version for each in report.prometheuses if each.failed or each.refused or each.broken_rules]
    return int(bool(broken or report.unmet or report.lost or report.tracebacks))


if __name__ == "__main__":
    sys.exit(main())
