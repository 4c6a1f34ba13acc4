"""Reporting to a LightningStore of Agent Lightning 0.3.0: never a dequeue, and rollouts only where they are allowed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from exporter.agent.heartbeat import Reporter, Reporting
from exporter.state.events import AttemptReport, Heartbeat, after
from tests.unit.registries import Book


class Store(Book):
    """A store that takes rollouts: `POST /rollouts` and `POST /rollouts/{id}/attempts/{id}`, as the real one does."""

    def __init__(self) -> None:
        super().__init__(lightning=True)
        self.rollouts: dict[str, str] = {}
        self.inputs: list[Any] = []

    def ask(self, method: str, path: str, body: bytes | None) -> tuple[int, Any]:
        if not path.startswith("/v1/agl/rollouts") or self.failing is not None:
            return super().ask(method, path, body)
        said = json.loads(body or b"null")
        if path == "/v1/agl/rollouts":
            rollout = f"ro-{len(self.inputs)}"
            self.inputs.append(said)
            self._note(rollout, "preparing")
            return 201, {"rollout_id": rollout, "attempt": {"attempt_id": "at", "status": "preparing"}}
        rollout = path.split("/")[4]
        if rollout not in self.rollouts:
            return 500, None
        assert path == f"/v1/agl/rollouts/{rollout}/attempts/at"
        self._note(rollout, said["status"])
        return 200, {}

    def restart(self) -> None:
        """Lose everything."""
        self.workers.clear()
        self.rollouts.clear()

    def _note(self, rollout: str, status: str) -> None:
        self.rollouts[rollout] = status
        self.workers["w"] = after(self.workers.get("w"), AttemptReport("w", rollout, "at", status), 1.0)


class Reported:
    def __init__(self, store: Store, rollouts: bool) -> None:
        self.now = 0.0
        self.reporter = Reporter(
            Reporting("w", "http://store", store.dial, 10.0, None, lambda low, high: 1.0, rollouts, lambda: self.now)
        )

    def busy(self, rollout: str) -> None:
        self.reporter.change(lambda duty: duty.busy(rollout, "mine", ""))

    def over(self, outcome: str) -> None:
        self.reporter.change(lambda duty: duty.over(outcome))

    def step(self, seconds: float = 60.0) -> None:
        self.now += seconds
        self.reporter.step()


def test_without_leave_it_sends_heartbeats_only(caplog: pytest.LogCaptureFixture) -> None:
    store = Store()
    worker = Reported(store, rollouts=False)
    worker.step()
    worker.busy("r")
    for _ in range(3):
        worker.step()
    worker.over("succeeded")
    worker.reporter.goodbye(2.0)
    assert set(store.said[1:]) == {"heartbeat"}, "after the first look at what it is"
    assert store.rollouts == {}
    assert store.workers["w"] == after(None, Heartbeat("w"), store.workers["w"].last_heartbeat or 0.0)
    assert [record.getMessage() for record in caplog.records] == [
        "http://store is a LightningStore, not a registry: "
        "worker w stays unknown there, with heartbeats only, unless it may add rollouts (--rollouts)"
    ]


def test_with_leave_each_rollout_is_one_of_the_store(caplog: pytest.LogCaptureFixture) -> None:
    store = Store()
    worker = Reported(store, rollouts=True)
    worker.step()
    worker.busy("r1")
    worker.step()
    assert store.workers["w"].status == "busy"
    worker.busy("r2")
    worker.step()
    worker.over("failed")
    worker.reporter.goodbye(2.0)
    assert store.rollouts == {"ro-0": "succeeded", "ro-1": "failed"}
    assert store.inputs[0] == {"input": {"rollout": "r1", "attempt": "mine"}, "worker_id": "w"}
    assert store.workers["w"].status == "idle"
    assert [record.getMessage() for record in caplog.records] == [
        "http://store is a LightningStore, not a registry: "
        "worker w is unknown there until its first rollout, and no goodbye is possible"
    ]


def test_a_rollout_outlives_an_outage() -> None:
    store = Store()
    worker = Reported(store, rollouts=True)
    worker.busy("r")
    worker.step()
    store.failing = 503
    worker.step()
    store.failing = None
    worker.step()
    worker.over("succeeded")
    worker.step()
    assert store.rollouts == {"ro-0": "succeeded"}


def test_a_store_that_restarted_gets_the_rollout_again() -> None:
    store = Store()
    worker = Reported(store, rollouts=True)
    worker.busy("r")
    worker.step()
    store.restart()
    worker.step()
    worker.step()
    assert store.rollouts == {"ro-1": "running"}
    assert store.workers["w"].status == "busy"


def test_the_end_of_a_rollout_that_a_restarted_store_never_heard_of_is_not_told() -> None:
    store = Store()
    worker = Reported(store, rollouts=True)
    worker.busy("r")
    worker.step()
    store.restart()
    worker.over("succeeded")
    for _ in range(3):
        worker.step()
    assert store.rollouts == {}
    assert store.said[-1] == "heartbeat"


def test_a_registry_in_place_of_the_store_is_recognised_after_the_outage() -> None:
    store = Store()
    worker = Reported(store, rollouts=False)
    worker.step()
    store.failing = 0
    worker.step()
    store.failing = None
    store.lightning = False
    worker.step()
    assert store.workers["w"].status == "idle"
