"""Every row of the worker status table, driven in a real LightningStore and read out of /metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.real.lightning import STATS, Held, Lightning
from tests.real.process import wait_until
from tests.real.rollcall import Rollcall, Samples

TIMES = ("heartbeat", "dequeue", "busy", "idle")

CONFIGURATION = """\
    host: {{enabled: false}}
    gpu: {{enabled: false}}
    stores:
      - fleet: rows
        url: {url}
        interval: 200ms
        timeout: 5s
        stale_after: 20s
"""


@pytest.fixture(scope="module")
def rollcall(store: Lightning, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rollcall]:
    configuration = CONFIGURATION.format(url=store.url)
    with Rollcall(tmp_path_factory.mktemp("rows"), configuration) as exporter:
        exporter.until("rows", up=True)
        yield exporter


@pytest.fixture
def worker(request: pytest.FixtureRequest, store: Lightning) -> str:
    """The id of a worker of the test's own; nothing waits in the queue."""
    while store.dequeue("drain") is not None:
        pass
    return "worker-" + "".join(letter if letter.isalnum() else "-" for letter in request.node.name)


def busy(store: Lightning, worker: str, **config: Any) -> Held:
    """Make a worker busy with a new rollout."""
    store.enqueue(**config)
    held = store.dequeue(worker)
    assert held is not None
    return held


def compare(samples: Samples, said: dict[str, Any]) -> None:
    """Everything exposed of a worker is what the store says of it."""
    worker = said["worker_id"]
    status = samples.status(worker)
    assert status is not None
    assert status[0] == said["status"]
    assert status[2] is None
    for name in TIMES:
        exposed = samples.value(f"rollcall_worker_last_{name}_timestamp_seconds", worker=worker)
        assert exposed == said[f"last_{name}_time"], name
    held = [
        (labels["rollout"], labels["attempt"])
        for labels, _ in samples.find("rollcall_worker_assignment", worker=worker)
    ]
    claimed = (said["current_rollout_id"], said["current_attempt_id"])
    assert held == ([] if claimed == (None, None) else [claimed])


def moved(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """Which of a worker's times are later than before, or there at all; none may have gone back."""
    times = {name: (before[f"last_{name}_time"], after[f"last_{name}_time"]) for name in TIMES}
    assert all(new is not None and new >= (old or 0) for old, new in times.values() if old is not None)
    return {name for name, (old, new) in times.items() if new != old}


NOBODY = {f"last_{name}_time": None for name in TIMES}


def test_first_heartbeat_of_a_new_worker_is_unknown(store: Lightning, rollcall: Rollcall, worker: str) -> None:
    said = store.heartbeat(worker, STATS).json()
    samples = rollcall.fresh("rows")
    assert samples.status(worker) == ("unknown", "heartbeat_only", None)
    assert moved(NOBODY, said) == {"heartbeat"}
    compare(samples, said)
    assert samples.value("rollcall_worker_info", worker=worker, host="node-a", os="Linux-6.1-x86_64") == 1
    assert samples.value("rollcall_worker_cpu_usage_ratio", worker=worker) == 0.375
    assert samples.value("rollcall_worker_memory_used_bytes", worker=worker) == 21.5 * 2**30
    assert samples.value("rollcall_worker_gpu_temperature_celsius", worker=worker, gpu="0") == 63


@pytest.mark.parametrize("status", ["idle", "busy", "unknown"])
def test_heartbeat_leaves_the_status(status: str, store: Lightning, rollcall: Rollcall, worker: str) -> None:
    if status == "idle":
        store.dequeue(worker)
    elif status == "busy":
        busy(store, worker)
    else:
        store.report(busy(store, worker), "timeout")
    before = store.worker(worker)
    said = store.heartbeat(worker, STATS).json()
    assert before["status"] == said["status"] == status
    assert moved(before, said) == {"heartbeat"}
    compare(rollcall.fresh("rows"), said)


def test_missing_heartbeat_stats_leave_the_old(store: Lightning, rollcall: Rollcall, worker: str) -> None:
    before = store.heartbeat(worker, STATS).json()
    said = store.heartbeat(worker).json()
    assert moved(before, said) == {"heartbeat"}
    samples = rollcall.fresh("rows")
    compare(samples, said)
    assert samples.value("rollcall_worker_cpu_usage_ratio", worker=worker) == 0.375


def test_null_heartbeat_stats_are_an_error(store: Lightning, rollcall: Rollcall, worker: str) -> None:
    said = store.heartbeat(worker, STATS).json()
    assert store.heartbeat(worker, None).status == 400
    samples = rollcall.fresh("rows")
    compare(samples, said)
    assert samples.value("rollcall_worker_cpu_usage_ratio", worker=worker) == 0.375


def test_dequeue_that_hands_out_work_is_busy(store: Lightning, rollcall: Rollcall, worker: str) -> None:
    before = store.heartbeat(worker, STATS).json()
    store.enqueue()
    waiting = rollcall.fresh("rows")
    held = store.dequeue(worker)
    assert held is not None
    said = store.worker(worker)
    assert moved(before, said) == {"dequeue", "busy"}
    samples = rollcall.fresh("rows")
    assert samples.status(worker) == ("busy", None, None)
    assert samples.value("rollcall_worker_assignment", worker=worker, rollout=held.rollout, attempt=held.attempt) == 1
    compare(samples, said)
    assert _moved_rollouts(waiting, samples) == {"queuing": -1, "preparing": 1}


def test_dequeue_that_finds_nothing_is_idle(store: Lightning, rollcall: Rollcall, worker: str) -> None:
    before = store.heartbeat(worker, STATS).json()
    assert store.dequeue(worker) is None
    first = store.worker(worker)
    assert moved(before, first) == {"dequeue", "idle"}
    compare(rollcall.fresh("rows"), first)
    assert store.dequeue(worker) is None
    second = store.worker(worker)
    assert moved(first, second) == {"dequeue"}
    samples = rollcall.fresh("rows")
    assert samples.status(worker) == ("idle", None, None)
    compare(samples, second)


@pytest.mark.parametrize("status", ["preparing", "running"])
def test_attempt_under_way_is_busy_at_every_report(
    status: str, store: Lightning, rollcall: Rollcall, worker: str
) -> None:
    held = busy(store, worker)
    for _ in range(2):
        before = store.worker(worker)
        store.report(held, status)
        said = store.worker(worker)
        assert moved(before, said) == {"busy"}
        samples = rollcall.fresh("rows")
        assert samples.status(worker) == ("busy", None, None)
        compare(samples, said)
    assert (samples.value("rollcall_rollouts", status=status) or 0) >= 1


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_finished_attempt_is_idle(status: str, store: Lightning, rollcall: Rollcall, worker: str) -> None:
    held = busy(store, worker)
    store.report(held, "running")
    working, before = rollcall.fresh("rows"), store.worker(worker)
    store.report(held, status)
    said = store.worker(worker)
    assert moved(before, said) == {"idle"}
    assert said["current_attempt_id"] is None
    samples = rollcall.fresh("rows")
    assert samples.status(worker) == ("idle", None, None)
    compare(samples, said)
    assert _moved_rollouts(working, samples) == {"running": -1, status: 1}


@pytest.mark.parametrize("status", ["timeout", "unresponsive"])
def test_attempt_given_up_is_unknown(status: str, store: Lightning, rollcall: Rollcall, worker: str) -> None:
    held = busy(store, worker)
    rollcall.fresh("rows")
    before = store.worker(worker)
    store.report(held, status)
    said = store.worker(worker)
    assert moved(before, said) == {"idle"}
    assert said["current_attempt_id"] is None
    samples = rollcall.fresh("rows")
    assert samples.status(worker) == ("unknown", f"attempt_{status}", None)
    compare(samples, said)


@pytest.mark.parametrize("limit", ["timeout", "unresponsive"])
def test_watchdog_gives_up_on_an_attempt(limit: str, store: Lightning, rollcall: Rollcall, worker: str) -> None:
    """The store's own watchdog, which the exporter's reads set off, and a worker that is alive all the time."""
    busy(store, worker, **{f"{limit}_seconds": 2})
    assert rollcall.fresh("rows").status(worker) in (("busy", None, None), ("unknown", f"attempt_{limit}", None))

    def flagged() -> Samples | None:
        store.heartbeat(worker, STATS)
        samples = rollcall.scrape()
        status = samples.status(worker)
        assert status in (("busy", None, None), ("unknown", f"attempt_{limit}", None))
        return samples if status == ("unknown", f"attempt_{limit}", None) else None

    wait_until(flagged, f"a worker whose attempt is over its {limit}")
    compare(rollcall.fresh("rows"), store.worker(worker))


def test_every_rollout_is_counted(store: Lightning, rollcall: Rollcall, worker: str) -> None:
    for status in ("running", "succeeded", "failed"):
        store.report(busy(store, worker), status)
    store.enqueue()
    samples = rollcall.fresh("rows")
    counts = {labels["status"]: value for labels, value in samples.find("rollcall_rollouts", fleet="rows")}
    assert counts == {status: store.rollouts(status) for status in counts}
    assert {"queuing", "preparing", "running", "succeeded", "failed", "requeuing", "cancelled"} == set(counts)


def _moved_rollouts(before: Samples, after: Samples) -> dict[str, float]:
    old = {labels["status"]: value for labels, value in before.find("rollcall_rollouts")}
    new = {labels["status"]: value for labels, value in after.find("rollcall_rollouts")}
    return {status: value - old[status] for status, value in new.items() if value != old[status]}
