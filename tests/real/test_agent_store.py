"""`rollcall agent` and a real LightningStore of Agent Lightning 0.3.0: heartbeats, and rollouts only with leave."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from exporter.client import Worker
from tests.real.agents import Agent
from tests.real.lightning import Lightning, Nursery
from tests.real.process import wait_until
from tests.real.web import ask


def known(store: Lightning, worker: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = ask(f"{store.api}/workers/{worker}").json()
    return found


def status(store: Lightning, worker: str) -> str | None:
    found = known(store, worker)
    return found["status"] if found else None


def test_it_takes_no_work_and_is_unknown(store: Lightning, tmp_path: Path) -> None:
    """A rollout that waits is still there at the end."""
    store.enqueue()
    waiting = store.rollouts("queuing")
    with Agent(tmp_path, store.url, "--worker-id", "beats", program=["sleep", "600"]) as agent:
        wait_until(lambda: "is a LightningStore, not a registry" in agent.output(), "a line that says what it is")
        first = known(store, "beats")
        assert first is not None
        wait_until(lambda: store.worker("beats")["last_heartbeat_time"] > first["last_heartbeat_time"], "a heartbeat")
        found = store.worker("beats")
        agent.send(signal.SIGTERM)
        assert agent.wait() == 143
    assert found["status"] == "unknown"
    assert found["last_dequeue_time"] is None
    assert found["heartbeat_stats"]["mem_total_gb"] > 0
    assert store.rollouts("queuing") == waiting
    assert store.rollouts("running") + store.rollouts("preparing") == 0
    assert agent.output().count("LightningStore") == 1


@pytest.mark.parametrize(("script", "end"), [("exit 0", "succeeded"), ("exit 3", "failed")])
def test_with_leave_the_program_is_a_rollout(store: Lightning, tmp_path: Path, script: str, end: str) -> None:
    before = store.rollouts(end)
    worker = f"runs-{end}"
    program = ["sh", "-c", f"trap '{script}' TERM; while :; do sleep 0.1; done"]
    with Agent(tmp_path, store.url, "--worker-id", worker, "--rollouts", program=program) as agent:
        wait_until(lambda: store.rollouts("running") == 1, "a running rollout")
        assert status(store, worker) == "busy"
        agent.send(signal.SIGTERM)
        assert agent.wait() == int(script.split()[1])
    assert store.rollouts(end) == before + 1
    assert status(store, worker) == "idle"


def test_a_store_that_restarts_hears_of_the_rollout_again(nursery: Nursery, tmp_path: Path) -> None:
    store = Lightning(nursery, scan=1.0)
    with Agent(tmp_path, store.url, "--worker-id", "w", "--rollouts", program=["sleep", "600"]):
        for rollouts in ("a running rollout", "a running rollout in a store that knew nothing"):
            wait_until(lambda: store.rollouts("running") == 1, rollouts)
            assert status(store, "w") == "busy"
            store.kill()
            store.start()
    store.kill()


def test_a_worker_s_rollouts_follow_one_another(store: Lightning) -> None:
    before = store.rollouts("succeeded"), store.rollouts("failed")
    with Worker("steps", store.url, interval=0.2, rollouts=True) as worker:
        for end in (worker.idle, worker.failed, worker.idle):
            worker.busy("step")
            wait_until(lambda: status(store, "steps") == "busy", "a busy worker")
            end()
            wait_until(lambda: status(store, "steps") == "idle", "an idle worker")
    assert (store.rollouts("succeeded"), store.rollouts("failed")) == (before[0] + 2, before[1] + 1)
