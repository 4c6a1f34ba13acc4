"""The benchmarks run, and say which goals their figures meet; the figures themselves are for people."""

from __future__ import annotations

import gzip
import time
from typing import Any

import pytest

from tests.bench import cycle, rules
from tests.bench.goals import goals
from tests.bench.peer import WAYS
from tests.bench.processes import canned_store, cpu_seconds, memory
from tests.real.process import Process

WORKERS = 40


def test_a_cycle_of_each_kind() -> None:
    wanted = [scenario for scenario in cycle.SCENARIOS if scenario.name in ("nothing", "everything")]
    nothing, everything = cycle.measure({WORKERS: 2}, wanted)
    assert (nothing["changed"], everything["changed"]) == ("nothing", "everything")
    assert everything["series"] == nothing["series"] > 18 * WORKERS
    for row in (nothing, everything):
        assert row["cycle"] == pytest.approx(sum(row[phase] for phase in cycle.PHASES))
    assert min(everything[peer] for peer in WAYS) > 0
    assert not set(nothing) & set(WAYS)


def test_fleets_of_several_sizes_take_turns() -> None:
    rows = cycle.measure({2 * WORKERS: 1, WORKERS: 3}, cycle.SCENARIOS[:2])
    assert [(row["workers"], row["changed"]) for row in rows] == [
        (workers, changed) for workers in (WORKERS, 2 * WORKERS) for changed in ("nothing", "0.1 %")
    ]
    assert rows[0]["bytes"] < rows[2]["bytes"]


def test_the_fleet_that_rules_are_measured_on_has_as_many_silent_as_are_asked_for() -> None:
    text = gzip.decompress(rules.exposition(WORKERS, 10, time.time())).decode()
    lines = [line for line in text.splitlines() if line.startswith("rollcall_worker_unknown_reason{")]
    assert [('reason="silent"' in line, line[-2:]) for line in lines] == [(True, " 1")] * 10


@pytest.mark.parametrize(
    ("share", "run", "flip", "changed"), [(0.0, 1, False, 0), (0.1, 8, False, 8), (1.0, 1, True, 40)]
)
def test_the_store_changes_as_many_as_it_is_told(share: float, run: int, flip: bool, changed: int) -> None:
    with canned_store(WORKERS) as store:
        store.change(share, run, flip)
        pages = [store.page(0) for _ in range(3)]
    before, after = pages[1]["items"], pages[2]["items"]
    others = [(was, now) for was, now in zip(before, after, strict=True) if was != now]
    assert len(others) == changed
    assert all((was["status"] != now["status"]) == flip for was, now in others)


def test_between_two_bodies_everything_changed() -> None:
    first, second = (gzip.decompress(body).decode().splitlines() for body in cycle.bodies(WORKERS))
    name = "rollcall_worker_cpu_usage_ratio{"
    figures = [{line for line in lines if line.startswith(name)} for lines in (first, second)]
    assert [len(found) for found in figures] == [WORKERS, WORKERS]
    assert figures[0].isdisjoint(figures[1])


def test_the_clock_of_another_process(tmp_path: Any) -> None:
    with Process(["sh", "-c", "while :; do :; done"], tmp_path / "log") as busy:
        before = cpu_seconds(busy.process.pid)
        while cpu_seconds(busy.process.pid) < before + 0.01:
            pass
        now, most = memory(busy.process.pid)
    assert 0 < now <= most


def test_goals_are_those_for_which_there_are_figures() -> None:
    assert goals({}) == []
    row = {"workers": 10_000, "read": 0.5, "render": 0.1, "scrape": 0.01, "cycle": 0.6}
    results: dict[str, Any] = {
        "cycle": [{**row, "changed": "everything", "families": 6.0}, {**row, "changed": "nothing"}],
        "ingest": {"10000": {"median": 0.5}},
        "host": {"rollcall": {"scrape CPU": 2.0}, "plain": {"scrape CPU": 1.0}},
    }
    held = {goal.what: (round(goal.figure, 3), goal.holds) for goal in goals(results)}
    assert held == {
        "10,000 workers, everything changed: of prometheus-client, families": (0.1, True),
        "10,000 workers, everything changed: of Prometheus' ingest, all": (1.2, False),
        "10,000 workers, nothing changed: of Prometheus' ingest, scrape": (0.02, True),
        "10,000 workers, nothing changed: of Prometheus' ingest, without the read": (0.2, False),
        "scrape of this host: of the CPU of psutil and prometheus-client": (2.0, False),
    }
