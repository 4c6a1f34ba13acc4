"""Every fault of a soak once: no scrape fails, and no Prometheus has a word to say about the samples."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.promises.recording import Measured
from tests.real.process import missing
from tests.soak.__main__ import soak
from tests.soak.faults import every_fault
from tests.soak.world import World

EVERY = 12.0
"""Seconds between two scrapes of a job, and within which one must be answered."""


@pytest.mark.promise("Soak", "No scrape fails and no sample is refused while each fault happens once")
def test_every_fault_once(tmp_path: Path, measured: Measured) -> None:
    with World(tmp_path, EVERY, interval=0.5) as world:
        if len(world.prometheuses) < 2:
            missing("the newest Prometheus is not unpacked (run tests/set_up.sh)")
        report = soak(world, minutes=0, hold=0.2, every=EVERY)
        assert world.process.is_running()
    assert report.unmet == {}
    assert report.faults == {fault.kind: 1 for fault in every_fault()}
    for each in report.prometheuses:
        assert each.scrapes > 0
        assert (each.failed, each.refused, each.broken_rules) == (0, 0, 0), each.version
    assert report.acknowledged > 0
    assert (report.lost, report.tracebacks) == (0, 0)
    measured("kinds of faults", len(report.faults), "")
    measured("scrapes", sum(each.scrapes for each in report.prometheuses), "")
    measured("failed", sum(each.failed for each in report.prometheuses), "")
