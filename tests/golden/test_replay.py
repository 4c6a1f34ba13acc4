"""Real runners, stopped, killed and overrunning: nobody is silent who lives, and whoever is not is, in time.

The captures are shorter than some of the default limits, so each scenario runs with a heartbeat timeout that makes it
bite: 45 s (the default), 15 s (a live runner's evidence is never older than 10.5 s) and 12 s. A read every second tells
instants to the second; every 10 s is the default.
"""

from __future__ import annotations

import math
from functools import cache

import pytest

from exporter.records import Worker
from tests.golden.replay import RUNS, Moment, Run, spells, verdict

ALL = sorted(path.name.removesuffix(".jsonl.gz") for path in RUNS.glob("*.jsonl.gz"))
CADENCES = pytest.mark.parametrize("interval", [1, 10], ids=["every second", "every 10 s"])
TIMEOUTS = pytest.mark.parametrize("timeout", [45, 15], ids=["45 s", "15 s"])


@cache
def replay(name: str, interval: float, timeout: float, start: float = 0) -> list[Moment]:
    return Run(name).replay(interval, timeout, start)


def unknown(moments: list[Moment], worker: str) -> list[tuple[str, float, float]]:
    """Spells of a worker's being unknown: why, from when, until when."""
    return [
        (what, since, until) for what, since, until in spells(moments, worker, verdict) if what not in ("idle", "busy")
    ]


def silent(moments: list[Moment]) -> set[str]:
    return {worker.worker for moment in moments for worker in moment.workers.values() if worker.reason == "silent"}


def evidence(name: str, worker: str, until: float) -> float:
    """The newest heartbeat, dequeue or busy time of a worker in what the store said up to `until`."""
    rows = [row for t, row in Run(name).worker_rows if t <= until and row[0] == worker]
    return max(time for row in rows for time in row[4:7] if time is not None)


def test_every_run_is_replayed() -> None:
    assert ALL == [
        "s1-normal",
        "s11-spans-arrive",
        "s2a-no-timeouts",
        "s2b-timeout",
        "s4-sigstop",
        "s5-failures",
        "s7-store-restart",
    ]


@CADENCES
@pytest.mark.parametrize("timeout", [45, 15, 12], ids=["45 s", "15 s", "12 s"])
@pytest.mark.parametrize("name", ["s1-normal", "s5-failures", "s7-store-restart", "s11-spans-arrive"])
def test_runners_that_live_are_never_silent(name: str, timeout: float, interval: float) -> None:
    moments = replay(name, interval, timeout)
    assert len(moments) >= 10
    assert silent(moments) == set()


def test_with_too_short_a_timeout_live_runners_would_be_silent() -> None:
    assert silent(replay("s1-normal", 1, 5)) == {"Worker-0"}


def test_s1_normal_work_is_idle_and_busy_and_nothing_else() -> None:
    moments = replay("s1-normal", 1, 45)
    assert [what for what, _, _ in spells(moments, "Worker-0", verdict)] == ["idle", "busy"] * 3 + ["idle"]


@CADENCES
@TIMEOUTS
@pytest.mark.parametrize(("name", "killed", "back"), [("s2a-no-timeouts", 8.76, 213.81), ("s2b-timeout", 8.18, 213.22)])
def test_s2_the_killed_runner_is_silent_at_the_timeout_and_no_earlier(
    name: str, killed: float, back: float, timeout: float, interval: float
) -> None:
    moments = replay(name, interval, timeout)
    due = evidence(name, "Worker-1", killed) + timeout
    reads = [moment.t for moment in moments]
    # The store's Date has whole seconds, so an age is up to a second short.
    first = next(t for t in reads if math.floor(t) > due)
    last = max(t for t in reads if t < back)
    assert [(since, until) for why, since, until in unknown(moments, "Worker-1") if why == "silent"] == [(first, last)]
    assert due < first <= due + interval + 2
    assert silent(moments) == {"Worker-1"}
    assert moments[-1].workers["Worker-1"].status == "idle"


def test_s2a_the_store_claims_busy_for_ever() -> None:
    claimed = spells(replay("s2a-no-timeouts", 1, 45), "Worker-1", lambda worker: (worker.status, worker.reported))
    assert [what for what, _, _ in claimed] == [
        ("idle", None),
        ("busy", None),
        ("unknown", "busy"),
        ("idle", None),
    ]


S2B = {
    "45 s": (45, [("attempt_timeout", 40.44, 50.44), ("silent", 51.45, 212.48)]),
    "15 s": (15, [("silent", 21.43, 212.48)]),
}


@pytest.mark.parametrize(("timeout", "expected"), S2B.values(), ids=S2B)
def test_s2b_the_watchdog_gives_up_on_the_attempt_after_30_s(
    timeout: float, expected: list[tuple[str, float, float]]
) -> None:
    moments = replay("s2b-timeout", 1, timeout)
    assert unknown(moments, "Worker-1") == expected
    claims = {worker.reported for moment in moments for worker in moment.workers.values() if moment.t > 40.44}
    assert claims == {None}


STOPPED, CONTINUED = 29.66, 89.66
S4 = {
    "w0, idle": ("Worker-0", 89.68),
    "w1, busy": ("Worker-1", 99.48),
    "w2, busy": ("Worker-2", 99.7),
    "w3, busy": ("Worker-3", 99.4),
}


@TIMEOUTS
@pytest.mark.parametrize(("worker", "back"), S4.values(), ids=S4)
def test_s4_the_stopped_are_silent_and_come_back(worker: str, back: float, timeout: float) -> None:
    moments = replay("s4-sigstop", 1, timeout)
    due = evidence("s4-sigstop", worker, STOPPED) + timeout
    ((since, until),) = [spell[1:] for spell in unknown(moments, worker) if spell[0] == "silent"]
    assert due < since <= due + 3
    assert since > STOPPED
    assert CONTINUED - 1 < until < back + 1
    assert moments[-1].workers[worker].reason != "silent"


S4_REASONS = {
    "Worker-0": ["silent", "attempt_unresponsive"],
    "Worker-1": ["silent"],
    "Worker-2": ["attempt_timeout", "silent", "attempt_timeout"],
    "Worker-3": ["attempt_unresponsive", "silent", "attempt_unresponsive"],
}


@pytest.mark.parametrize(("worker", "reasons"), S4_REASONS.items(), ids=S4_REASONS)
def test_s4_what_the_store_gave_up_on_is_said_while_the_runner_lives(worker: str, reasons: list[str]) -> None:
    assert [why for why, _, _ in unknown(replay("s4-sigstop", 1, 45), worker)] == reasons


S5 = {
    "Worker-0": [("attempt_timeout", 121.46, 141.47), ("attempt_unresponsive", 191.49, 207.48)],
    "Worker-1": [
        ("attempt_timeout", 61.44, 75.44),
        ("attempt_timeout", 111.46, 125.46),
        ("attempt_unresponsive", 191.49, 200.48),
    ],
}


@TIMEOUTS
@pytest.mark.parametrize(("worker", "expected"), S5.items(), ids=S5)
def test_s5_overrunning_runners_are_flagged_and_failing_ones_are_not(
    worker: str, expected: list[tuple[str, float, float]], timeout: float
) -> None:
    assert unknown(replay("s5-failures", 1, timeout), worker) == expected


@TIMEOUTS
def test_s7_the_busy_runner_is_heartbeat_only_after_the_restart_until_it_finishes(timeout: float) -> None:
    moments = replay("s7-store-restart", 1, timeout)
    assert unknown(moments, "Worker-2") == [("heartbeat_only", 52.82, 102.83)]
    assert unknown(moments, "Worker-0") == unknown(moments, "Worker-1") == []
    said = spells(moments, "Worker-2", verdict)
    assert [what for what, _, _ in said] == ["idle", "busy", "heartbeat_only", "idle"]


def test_s7_a_store_that_is_down_for_three_intervals_loses_its_workers_and_nobody_is_silent() -> None:
    moments = replay("s7-store-restart", 1, 15)
    without = [moment.t for moment in moments if not moment.workers and moment.t > 13]
    assert (without[0], without[-1]) == (30.29, 47.3)
    down_for_less = replay("s7-store-restart", 10, 15)
    assert all(moment.workers for moment in down_for_less[1:])
    assert silent(down_for_less) == set()


def test_s7_the_store_has_two_starts_and_each_is_steady() -> None:
    starts = [moment.started for moment in replay("s7-store-restart", 1, 45) if moment.started is not None]
    assert len(set(starts)) == 2
    assert starts == sorted(starts)


S11 = {"Worker-1": (30.29, 54.3), "Worker-2": (40.29, 75.3)}


@TIMEOUTS
@pytest.mark.parametrize("worker", S11)
def test_s11_the_flagged_runner_is_unresponsive_until_it_finishes(worker: str, timeout: float) -> None:
    assert unknown(replay("s11-spans-arrive", 1, timeout), worker) == [("attempt_unresponsive", *S11[worker])]


@pytest.mark.parametrize("worker", ["Worker-0", "Worker-3"])
def test_s11_runners_whose_spans_arrive_in_time_are_never_flagged(worker: str) -> None:
    assert unknown(replay("s11-spans-arrive", 1, 15), worker) == []


def test_s11_without_having_seen_the_attempt_its_status_cannot_be_known() -> None:
    moments = replay("s11-spans-arrive", 1, 45, start=42)
    assert unknown(moments, "Worker-1") == [("attempt_flagged", 42.29, 54.3)]
    assert unknown(moments, "Worker-2") == [("attempt_flagged", 42.29, 75.3)]


ODDS = {
    # The runner that was killed while busy; then one that took its id is idle, and the rollout still its.
    "s2a-no-timeouts": {("Worker-1", "held_by_unknown"): (51.45, 214), ("Worker-1", "held_by_idle"): (214, 226)},
    # The runner that was stopped for a minute while busy.
    "s4-sigstop": {("Worker-1", "held_by_unknown"): (67.5, 99.5)},
    # The runner found no resources for two rollouts, and left them as they were.
    "s7-store-restart": {("Worker-1", "held_by_idle"): (109.83, 163)},
}
"""What was at odds in a run, from the second read that showed it to the last."""


@CADENCES
@pytest.mark.parametrize("name", ALL)
def test_at_odds_is_what_was_so_and_nothing_else(name: str, interval: float) -> None:
    moments = replay(name, interval, 45)
    expected = ODDS.get(name, {})
    assert set().union(*(moment.odds for moment in moments)) == set(expected)
    for what, (since, until) in expected.items():
        told = [moment.t for moment in moments if what in moment.odds]
        assert since <= told[0] <= since + 2 * interval
        assert until - interval - 1 <= told[-1] <= until


@pytest.mark.parametrize("name", ALL)
@CADENCES
@TIMEOUTS
def test_silent_is_exactly_what_is_older_than_the_timeout(name: str, timeout: float, interval: float) -> None:
    lines = {line["t"]: line for line in Run(name).polls if "workers" in line}
    judged = 0
    for moment in replay(name, interval, timeout):
        line = lines.get(moment.t, {"workers": [], "rollouts": []})
        beats = {(row[0], row[5]): row[8] for row in line["rollouts"] if row[1] in ("preparing", "running")}
        for row in line["workers"]:
            times = [time for time in (*row[4:7], beats.get((row[2], row[0]))) if time is not None]
            expected = math.floor(moment.t) - max(times) > timeout
            assert (moment.workers[row[0]].reason == "silent") is expected, (moment.t, row)
            judged += 1
    assert judged > 8


def test_a_runs_workers_have_their_telemetry_while_heartbeats_are_fresh() -> None:
    def shown(worker: Worker) -> tuple[int | None, float | None]:
        return worker.telemetry_stale, worker.memory_used_bytes

    seen = {what for what, _, _ in spells(replay("s4-sigstop", 1, 45), "Worker-1", shown)}
    assert seen == {(None, None), (0, 1.5 * 2**30), (1, None)}
