"""The registry as a source: what it says of each worker, in pages, and when it cannot be read."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from exporter.records import RolloutCount, Worker, WorkerCount, WorkerGpu
from exporter.records.registry import Registered
from exporter.registry.store import RegistryError
from exporter.sources.lightning_workers import parse_workers
from exporter.sources.registry import PAGE, RegistrySource
from exporter.sources.source import Deadline, SourceError
from tests.unit.registry_files import NOW, ask, beat, leave, report
from tests.unit.registry_life import Clock, Life, statuses

STATS = {
    "timestamp": "2026-11-22T10:00:00+00:00",
    "host": "trainer",
    "os": "Linux",
    "cpu_usage_pct": 25.0,
    "mem_used_gb": 1.5,
    "mem_total_gb": 4,
    "gpus": [{"util_pct": 50, "mem_used_mb": 10, "mem_total_mb": 20, "temp_c": 60}, {"util_pct": None}],
    "something": ["new", {}],
}


@pytest.fixture
def life(tmp_path: Path) -> Life:
    return Life(tmp_path, Clock())


def told(worker: Registered) -> dict[str, object]:
    """A worker as LightningStore's API gives it."""
    return {
        "worker_id": worker.worker_id,
        "status": worker.status,
        "heartbeat_stats": None if worker.stats is None else json.loads(worker.stats),
        "last_heartbeat_time": worker.last_heartbeat,
        "last_dequeue_time": worker.last_dequeue,
        "last_busy_time": worker.last_busy,
        "last_idle_time": worker.last_idle,
        "current_rollout_id": worker.rollout,
        "current_attempt_id": worker.attempt,
    }


def test_it_says_of_a_worker_what_a_store_would(life: Life) -> None:
    life.take(
        beat("full", json.dumps(STATS).encode()),
        ask("full", "r", "a"),
        beat("bare"),
        beat("broken", b'{"host": 7, "gpus": []}'),
        beat("a-broken-gpu", b'{"host": "h", "gpus": [{"temp_c": 1}, 7, {"temp_c": 3}]}'),
        ask("idle"),
        report("gave-up", "a", "timeout"),
    )
    life.clock.now += 3.5
    reading = life.source.read(Deadline(10))
    page = {"items": [told(worker) for _, worker in life.store.page(0, 10)], "total": 6}
    drift: Counter[str] = Counter()
    expected = parse_workers(json.dumps(page).encode(), "local", drift)
    assert list(reading.workers) == expected.workers
    assert list(reading.gpus) == expected.gpus
    assert reading.drift == drift == {"heartbeat_stats": 1, "gpus": 1}
    assert len(reading.gpus) == 4
    assert reading.store.started is None
    life.die()


def test_telemetry_is_shown(life: Life) -> None:
    life.take(beat("w", json.dumps(STATS).encode()), ask("w"))
    tables = life.read(1)
    (worker,) = tables[Worker]
    assert isinstance(worker, Worker)
    assert (worker.status, worker.host, worker.cpu_usage_ratio, worker.memory_used_bytes) == (
        "idle",
        "trainer",
        0.25,
        1.5 * 2**30,
    )
    assert [gpu.gpu for gpu in tables[WorkerGpu] if isinstance(gpu, WorkerGpu)] == ["0", "1"]
    life.die()


def test_there_are_counts_of_workers_always_and_of_rollouts_never(life: Life) -> None:
    assert life.read()[WorkerCount] == tuple(WorkerCount("local", each, 0) for each in ("idle", "busy", "unknown"))
    life.take(ask("w"), beat("n"), report("b", "a", "running"))
    tables = life.read(1)
    assert [row.count for row in tables[WorkerCount] if isinstance(row, WorkerCount)] == [1, 1, 1]
    assert not tables.get(RolloutCount)
    life.die()


@pytest.mark.parametrize("given_up", ["timeout", "unresponsive"])
def test_why_a_worker_is_unknown_that_was_given_up_on(life: Life, given_up: str) -> None:
    life.take(beat("new"), beat("w"), report("w", "a", "running"), report("w", "a", given_up))
    assert statuses(life.read(1)) == {"new": "unknown heartbeat_only", "w": f"unknown attempt_{given_up}"}
    attempt = life.source.read(Deadline(10)).attempts["w"]
    assert (attempt.rollout, attempt.attempt, attempt.status, attempt.worker) == ("r", "a", given_up, "w")
    life.take(ask("w"))
    assert statuses(life.read(1))["w"] == "idle"
    assert life.source.read(Deadline(10)).attempts == {}
    life.take(report("w", "b", "preparing"))
    assert life.source.read(Deadline(10)).attempts["w"].status == "preparing"
    life.die()


def test_it_is_read_page_by_page(life: Life) -> None:
    workers = [f"w{number:04}" for number in range(2 * PAGE + 3)]
    life.take(*(beat(worker) for worker in workers))
    assert [each.worker for each in life.source.read(Deadline(10)).workers] == workers
    life.die()


class Restless:
    """A reader before whose second page something is written."""

    def __init__(self, life: Life) -> None:
        self._life = life

    def page(self, after: int, limit: int) -> list[tuple[int, Registered]]:
        if after:
            self._life.take(leave("w0"), leave("w1"), beat("w0", b"{}"), beat("late"))
        return self._life.store.page(after, limit)

    def departed(self) -> tuple[str, ...]:
        return self._life.store.departed()


def test_a_worker_that_comes_back_during_a_read_is_listed_once_as_it_is_then(life: Life) -> None:
    life.take(*(beat(f"w{number}") for number in range(PAGE)))
    source = RegistrySource("local", Restless(life), None, clock=life.clock.wall, monotonic=life.clock.monotonic)
    life.clock.now += 1
    reading = source.read(Deadline(10))
    seen = Counter(each.worker for each in reading.workers)
    assert len(seen) == seen.total() == PAGE + 1
    assert {each.worker: each.last_heartbeat for each in reading.workers}["w0"] == NOW + 1
    assert reading.departed == ("w1",)
    life.die()


def test_a_registry_that_cannot_be_written_is_not_read(tmp_path: Path) -> None:
    trouble = ["expected space to write, got a full disk; free some"]
    life = Life(tmp_path, Clock(), lambda: trouble[0] if trouble else None)
    with pytest.raises(SourceError, match="full disk; free some") as failed:
        life.read()
    assert failed.value.result == "refused"
    trouble.clear()
    assert life.read()[Worker] == ()
    life.die()


class Broken:
    """A reader of a file that is no registry."""

    def page(self, after: int, limit: int) -> list[tuple[int, Registered]]:
        raise RegistryError("/x/registry.db: expected a registry, got something else")

    def departed(self) -> tuple[str, ...]:
        return ()


def test_a_file_that_cannot_be_read_is_a_failed_read(life: Life) -> None:
    with pytest.raises(SourceError, match=r"/x/registry\.db: expected a registry, got something else") as failed:
        RegistrySource("local", Broken(), None).read(Deadline(10))
    assert failed.value.result == "malformed"
    life.die()


def test_a_read_ends_with_its_deadline(life: Life) -> None:
    life.take(beat("w"))
    instants = iter([0.0, 11.0])
    with pytest.raises(SourceError, match="no whole answer within 10 s") as failed:
        life.source.read(Deadline(10, lambda: next(instants)))
    assert failed.value.result == "timeout"
    life.die()
