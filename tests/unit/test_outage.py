"""A store that could not be read for a while heard nobody: that time is no worker's silence."""

from __future__ import annotations

import pytest

from exporter.records import WorkerReport
from exporter.state.worker import Outage, silence, telemetry_stale, worker_status
from tests.golden.answers import CannedStore, store_answer

NOW = 1_795_330_870.0


class Wall:
    """A wall clock that the test sets, and a store that is read at it; the store's own clock is 300 s ahead."""

    def __init__(self) -> None:
        self.now = NOW
        self.store = CannedStore(clock=lambda: self.now)

    def read(self, after: float) -> tuple[float, float] | None:
        """Read `after` seconds later; the outage that the reading names, in seconds since NOW on the store's clock."""
        self.now += after
        outage = self.store.read(store_answer([], uptime=1.0), self.now + 300).outage
        return outage and (outage[0] - NOW - 300, outage[1] - NOW - 300)


def test_reads_that_succeed_are_no_outage() -> None:
    wall = Wall()
    assert [wall.read(after) for after in (0, 10, 10, 12, 8)] == [None] * 5


def test_an_outage_is_from_the_last_answer_to_the_next_and_stays_known() -> None:
    wall = Wall()
    wall.read(0)
    wall.read(10)
    assert wall.read(120) == (10, 130)
    assert wall.read(10) == (10, 130)
    assert wall.read(40) == (140, 180)


def test_an_outage_ends_on_our_clock_where_the_store_still_sends_its_date_of_before() -> None:
    wall = Wall()
    wall.read(0)
    wall.now += 120
    outage = wall.store.read(store_answer([], uptime=1.0), NOW + 300).outage
    assert outage == (NOW + 300, NOW + 420)


def test_what_is_not_yet_stale_is_no_outage() -> None:
    wall = Wall()
    wall.read(0)
    assert wall.read(30) is None


@pytest.mark.parametrize("gap", [20, 40, 100])
def test_a_store_that_is_hard_to_read_does_not_hide_its_dead(gap: float) -> None:
    """Killed at the first read; the store is read once every `gap` seconds."""
    wall = Wall()
    wall.read(0)
    silent_at = None
    for number in range(1, 20):
        outage = wall.read(gap)
        died = WorkerReport(fleet="f", worker="w", word="busy", last_heartbeat=NOW + 300)
        known = None if outage is None else Outage(outage[0] + NOW + 300, outage[1] + NOW + 300)
        if worker_status(died, None, wall.now + 300, 45, known).reason == "silent":
            silent_at = number * gap
            break
    assert silent_at is not None
    assert silent_at <= 45 + 2 * gap


def report(last_heartbeat: float) -> WorkerReport:
    return WorkerReport(fleet="f", worker="w", word="idle", last_heartbeat=last_heartbeat, last_idle=NOW)


@pytest.mark.parametrize(
    ("heard", "outage", "silent_for"),
    [
        pytest.param(NOW - 130, Outage(NOW - 120, NOW), 10, id="heard before it, read at its end"),
        pytest.param(NOW - 150, Outage(NOW - 140, NOW - 20), 30, id="heard before it, read after it"),
        pytest.param(NOW - 5, Outage(NOW - 120, NOW - 10), 5, id="heard after it"),
        pytest.param(NOW - 50, Outage(NOW - 120, NOW - 10), 10, id="heard while nobody could read"),
        pytest.param(NOW - 500, Outage(NOW - 120, NOW), 380, id="silent long before"),
        pytest.param(NOW + 50, Outage(NOW - 120, NOW), 0, id="heard in the future"),
        pytest.param(NOW - 50, None, 50, id="no outage"),
        pytest.param(NOW - 160, Outage(NOW - 120, NOW - 10, 45), 10, id="patience: not silent before it"),
        pytest.param(NOW - 170, Outage(NOW - 120, NOW - 10, 45), 60, id="patience: silent before it"),
        pytest.param(NOW - 50, Outage(NOW - 120, NOW - 10, 45), 10, id="patience: heard during it"),
        pytest.param(NOW - 5, Outage(NOW - 120, NOW - 10, 45), 5, id="patience: heard after it"),
    ],
)
def test_the_time_of_an_outage_is_no_silence(heard: float, outage: Outage | None, silent_for: float) -> None:
    said = report(heard)
    assert silence(said, None, NOW, outage) == silent_for
    assert worker_status(said, None, NOW, 45, outage).reason == ("silent" if silent_for > 45 else "reported")
    assert telemetry_stale(said, NOW, 45, outage) is (silent_for > 45)
