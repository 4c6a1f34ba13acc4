"""Clocks of workers: when a snapshot was taken, and how far that is from the store's clock."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.records import Store, Worker, WorkerReport
from exporter.records.reading import StoreReading
from exporter.sources.lightning_workers import parse_workers
from exporter.state.fleet import Fleet, Limits, WorkerRules
from exporter.state.worker import clock_skew
from tests.unit.test_lightning_payload import page, worker

AT = 1_795_328_954.0
"""2026-11-22T06:29:14 UTC."""

TIMES: dict[str, tuple[Any, float | None, bool]] = {
    "naive, as a snapshot has it": ("2026-11-22T06:29:14", AT, False),
    "with parts of seconds": ("2026-11-22T06:29:14.25", AT + 0.25, False),
    "UTC": ("2026-11-22T06:29:14Z", AT, True),
    "an offset": ("2026-11-22T11:59:14+05:30", AT, True),
    "a negative offset": ("2026-11-22T01:29:14-05:00", AT, True),
    "a number": (AT, AT, True),
    "zero": (0, 0.0, True),
    "the first day of calendars": ("0001-01-01T00:00:00+23:59", -62135683140.0, True),
    "the last": ("9999-12-31T23:59:59-23:59", 253402387139.0, True),
    "null": (None, None, False),
}


@pytest.mark.parametrize(("said", "at", "zoned"), TIMES.values(), ids=TIMES)
def test_a_snapshots_time_is_decoded(said: Any, at: float | None, zoned: bool) -> None:
    drift: Counter[str] = Counter()
    sent = worker(heartbeat_stats={"timestamp": said, "mem_used_gb": 1})
    (report,) = parse_workers(page(sent), "f", drift).workers
    assert (report.snapshot_at, report.snapshot_zoned, report.memory_used_bytes) == (at, zoned, 2**30)
    assert drift == {}


NO_TIMES = ["", "now", "2026-13-01T00:00:00", "2026-11-22T25:00:00", "١٢", "x" * 100_000, "2026-11-22T06:29:14+99:00"]


@pytest.mark.parametrize("said", NO_TIMES, ids=lambda said: ascii(said[:20]))
def test_text_that_is_no_time_is_drift_and_costs_nothing_else(said: str) -> None:
    drift: Counter[str] = Counter()
    sent = [worker(worker_id=name, heartbeat_stats={"timestamp": said, "mem_used_gb": 1}) for name in "vw"]
    found = parse_workers(page(*sent), "f", drift).workers
    assert [(report.snapshot_at, report.memory_used_bytes) for report in found] == [(None, 2**30)] * 2
    assert drift == {"timestamp": 2}


@pytest.mark.parametrize("said", [[], {}, True], ids=str)
def test_a_time_that_is_neither_text_nor_number_makes_a_malformed_snapshot(said: Any) -> None:
    drift: Counter[str] = Counter()
    (report,) = parse_workers(page(worker(heartbeat_stats={"timestamp": said})), "f", drift).workers
    assert (report.snapshot_at, drift) == (None, {"heartbeat_stats": 1})


def report(ahead: float | None, zoned: bool, **said: Any) -> WorkerReport:
    taken = None if ahead is None else AT + ahead
    more = {"last_heartbeat": AT, "snapshot_at": taken, "snapshot_zoned": zoned, **said}
    return WorkerReport(fleet="f", worker="w", word="idle", **more)


HOUR, YEAR = 3600.0, 365 * 86_400.0
SKEWS: dict[str, tuple[WorkerReport, float | None]] = {
    "in step, and cut to a second": (report(-0.125, False), -0.125),
    "another zone": (report(-5 * HOUR - 0.5, False), -0.5),
    "a zone with half an hour": (report(5.5 * HOUR + 2, False), 2.0),
    "a zone with three quarters": (report(5.75 * HOUR - 3, False), -3.0),
    "seven minutes, in some zone": (report(-8 * HOUR + 420, False), 420.0),
    "eight minutes, in some zone, may be less than seven the other way": (report(480, False), -420.0),
    "the same with its zone said": (report(480, True), 480.0),
    "an hour, with its zone said": (report(HOUR, True), 3600.0),
    "a year behind, with its zone said": (report(-YEAR, True), -YEAR),
    "milliseconds": (report(None, True, snapshot_at=AT + 0.0625), 0.062),
    "no snapshot": (report(None, False), None),
    "no heartbeat": (report(0, True, last_heartbeat=None), None),
    "as far as a number goes": (report(None, True, snapshot_at=1e300), 1e300),
    "farther": (report(None, True, snapshot_at=1e308, last_heartbeat=-1e308), None),
    "farther, in no zone": (report(None, False, snapshot_at=1e308, last_heartbeat=-1e308), None),
}


@pytest.mark.parametrize(("said", "expected"), SKEWS.values(), ids=SKEWS)
def test_skew_is_the_snapshots_time_less_the_heartbeats(said: WorkerReport, expected: float | None) -> None:
    assert clock_skew(said) == expected


@given(st.floats(-449, 449), st.integers(-56, 56))
def test_a_zone_changes_no_skew_within_half_a_quarter_of_an_hour(ahead: float, quarters: int) -> None:
    assert clock_skew(report(ahead + 900.0 * quarters, False)) == pytest.approx(ahead, abs=0.002)


@given(st.floats(-1e9, 1e9))
def test_with_a_zone_no_skew_is_hidden(ahead: float) -> None:
    assert clock_skew(report(ahead, True)) == pytest.approx(ahead, abs=0.002)


def test_it_is_absent_while_heartbeats_bring_no_snapshot_and_stays_with_one_who_is_silent() -> None:
    fleet = Fleet("f", WorkerRules(), Limits())
    shown = []
    for beat, taken, read in [(0, 7, 1), (10, 7, 11), (20, 7, 21), (30, 37, 31), (30, 37, 999)]:
        said = report(taken, True, last_heartbeat=AT + beat)
        fleet.receive("s", StoreReading(store=Store("f", None), workers=(said,), read_at=AT + read), 9)
        (row,) = fleet.tables(0)[0][Worker]
        assert isinstance(row, Worker)
        shown.append((row.clock_skew_seconds, row.reason))
    assert shown == [(7.0, None), (None, None), (None, None), (7.0, None), (7.0, "silent")]
