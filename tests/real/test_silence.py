"""A runner of a real LightningStore that stops while busy, and one that comes back.

The times are 1/9 of those that people use (heartbeat timeout 45 s) unless ROLLCALL_FULL=1.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.lightning import Lightning, Runner
from tests.real.process import wait_until
from tests.real.rollcall import Rollcall
from tests.real.scale import LONG, SCALE
from tests.real.watch import Watch

pytestmark = pytest.mark.timeout(LONG)

DATE = 1.0
"""Seconds that an answer's Date header may be behind: it has whole seconds."""

BUSY_MACHINE = 3.0
"""Seconds that a read may be late on a machine that is busy with other things."""


@pytest.fixture
def rollcall(store: Lightning, tmp_path: Path) -> Iterator[Rollcall]:
    with Rollcall(tmp_path, SCALE.configuration({"silence": store.url})) as exporter:
        yield exporter


def runner(store: Lightning, worker: str) -> Runner:
    return Runner(store, worker, beat=SCALE.beat, patience=SCALE.patience)


def test_worker_that_stops_while_busy_becomes_silent(store: Lightning, rollcall: Rollcall) -> None:
    store.enqueue()
    with Watch(rollcall, "silence") as watch:
        with runner(store, "killed") as killed:
            wait_until(lambda: ("busy", None, None) in watch.states("killed"), "a busy worker")
        said = store.worker("killed")
        silent = ("unknown", "silent", "busy")
        wait_until(
            lambda: watch.states("killed")[-1] == silent, "the killed worker to be silent", SCALE.heartbeat_timeout + 60
        )
    evidence = max(said[f"last_{name}_time"] for name in ("heartbeat", "dequeue", "busy"))
    first = next(look for look in watch.seen if look.workers.get("killed") == silent)
    assert first.read is not None
    after = first.read - evidence
    print(f"silent {after:.2f} s after its last evidence, with a timeout of {SCALE.heartbeat_timeout:g} s")
    assert SCALE.heartbeat_timeout < after <= SCALE.heartbeat_timeout + 2 * SCALE.interval + DATE + BUSY_MACHINE
    assert [state for state in watch.states("killed") if state[0] != "idle"] == [("busy", None, None), silent]
    assert killed.held is not None
    samples = rollcall.scrape()
    assert samples.value("rollcall_worker_status_overridden", worker="killed", reported="busy") == 1
    assert samples.value("rollcall_worker_assignment", worker="killed", attempt=killed.held.attempt) == 1
    assert samples.value("rollcall_worker_telemetry_stale", worker="killed") == 1
    assert samples.value("rollcall_worker_memory_used_bytes", worker="killed") is None


def test_worker_that_heartbeats_again_is_what_its_store_says(store: Lightning, rollcall: Rollcall) -> None:
    store.enqueue()
    again = runner(store, "again")
    with Watch(rollcall, "silence") as watch:
        with again:
            wait_until(lambda: ("busy", None, None) in watch.states("again"), "a busy worker")
        wait_until(
            lambda: watch.states("again")[-1] == ("unknown", "silent", "busy"),
            "the stopped worker to be silent",
            SCALE.heartbeat_timeout + 60,
        )
        with again:
            wait_until(lambda: watch.states("again")[-1] == ("busy", None, None), "the worker to be busy again")
            again.finish()
            wait_until(lambda: watch.states("again")[-1] == ("idle", None, None), "the worker to be idle")
