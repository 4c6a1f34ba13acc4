"""Random events through the registry's file against LightningStore's rules, told a second time in the plainest way."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from exporter.records.registry import ATTEMPT_STATUSES, Registered
from exporter.registry.store import Accepted, Heartbeats, RegistryStore, Request
from exporter.state.events import FINISHED, Heartbeat
from tests.fuzz.payloads import REPRODUCIBLE
from tests.promises.recording import Measured
from tests.real.scale import FULL
from tests.unit.registry_files import NOW, ask, beat, leave, names, opened, report

WORKERS = st.sampled_from(["w0", "w1", "w2", "w3"])
ATTEMPTS = st.sampled_from(["a0", "a1", "a2"])
REPRODUCIBLE_EVENTS = settings(REPRODUCIBLE, max_examples=300 if FULL else 40, stateful_step_count=40)
TOLD = (
    "status",
    "stats",
    "last_heartbeat",
    "last_dequeue",
    "last_busy",
    "last_idle",
    "rollout",
    "attempt",
)
"""The fields that LightningStore's workers have, too."""

Plain = dict[str, Any]


class Model:
    """Workers in their order, each a dictionary: `update` is a store's upsert of some fields."""

    def __init__(self) -> None:
        self.workers: dict[str, Plain] = {}
        self._ended: dict[str, list[str]] = {}

    def update(self, name: str, **told: Any) -> None:
        self.workers.setdefault(name, dict.fromkeys(TOLD) | {"status": "unknown"}).update(told)

    def beat(self, name: str, stats: bytes | None, now: float) -> None:
        self.update(name, last_heartbeat=now, **({} if stats is None else {"stats": stats}))

    def ask(self, name: str, attempt: str | None, now: float) -> None:
        if attempt is not None:
            self._ended[name] = [each for each in self._ended.get(name, []) if each != attempt]
            self.update(name, last_dequeue=now, last_busy=now, status="busy", rollout="r", attempt=attempt)
        elif self.workers.get(name, {}).get("status") == "idle":
            self.update(name, last_dequeue=now)
        else:
            self.update(name, last_dequeue=now, last_idle=now, status="idle")

    def report(self, name: str, attempt: str, status: str, now: float) -> None:
        ended = self._ended.setdefault(name, [])
        if status in ("succeeded", "failed"):
            self._ended[name] = [*(each for each in ended if each != attempt), attempt]
            self.update(name, last_idle=now, status="idle", rollout=None, attempt=None)
        elif status in ("timeout", "unresponsive"):
            self.update(name, last_idle=now, status="unknown", rollout=None, attempt=None)
        elif attempt not in ended:
            self.update(name, last_busy=now, status="busy", rollout="r", attempt=attempt)

    def leave(self, name: str) -> None:
        self.workers.pop(name, None)
        self._ended.pop(name, None)


class Machine(RuleBasedStateMachine):
    """Requests wait until some of them are written together; the file is left and opened again now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.store: RegistryStore = opened(self.folder)
        self.model = Model()
        self.now = NOW
        self.waiting: list[Request] = []
        self.expected: list[Plain | int | None] = []
        self.gone: set[str] = set()

    def submit(self, request: Request, name: str) -> None:
        self.waiting.append(request)
        self.gone.discard(name)
        self.expected.append(dict(self.model.workers[name]))

    @rule(name=WORKERS, stats=st.sampled_from([None, b"{}", b'{"a":1}']))
    def beat(self, name: str, stats: bytes | None) -> None:
        self.model.beat(name, stats, self.now)
        self.submit(beat(name, stats), name)

    @rule(name=WORKERS, attempt=st.none() | ATTEMPTS)
    def ask(self, name: str, attempt: str | None) -> None:
        self.model.ask(name, attempt, self.now)
        self.submit(ask(name, *(() if attempt is None else ("r", attempt))), name)

    @rule(name=WORKERS, attempt=ATTEMPTS, status=st.sampled_from(ATTEMPT_STATUSES))
    def report(self, name: str, attempt: str, status: str) -> None:
        self.model.report(name, attempt, status, self.now)
        self.submit(report(name, attempt, status), name)

    @rule(name=WORKERS)
    def leave(self, name: str) -> None:
        self.waiting.append(leave(name))
        before = self.model.workers.get(name)
        self.expected.append(None if before is None else dict(before))
        if before is not None:
            self.gone.add(name)
        self.model.leave(name)

    @rule(beats=st.lists(st.tuples(WORKERS, st.sampled_from([None, b"[]"])), max_size=5))
    def beat_many(self, beats: list[tuple[str, bytes | None]]) -> None:
        for name, stats in beats:
            self.model.beat(name, stats, self.now)
            self.gone.discard(name)
        self.waiting.append(Request(Heartbeats(tuple(Heartbeat(*each) for each in beats)), "client"))
        self.expected.append(len(beats))

    @rule(after=st.floats(0.001, 100))
    def write(self, after: float) -> None:
        outcomes = self.store.apply(self.waiting, self.now)
        assert [plain(outcome) for outcome in outcomes] == self.expected
        self.waiting, self.expected = [], []
        self.now += after
        self.compare()

    @rule()
    def reopen(self) -> None:
        self.write(1.0)
        self.store.close()
        self.store = opened(self.folder)
        self.compare()

    def compare(self) -> None:
        assert names(self.store) == list(self.model.workers)
        assert self.store.count() == len(self.model.workers)
        for name, expected in self.model.workers.items():
            found = self.store.find(name)
            assert found is not None
            assert plain(found) == expected
            assert len(found.finished) <= FINISHED
        assert not set(self.store.departed()) & set(self.model.workers)
        assert self.gone <= set(self.store.departed())

    @invariant()
    def what_waits_is_not_written(self) -> None:
        assert self.store.count() <= 4

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)


def plain(outcome: object) -> Plain | int | None:
    """What came of a request, as the model says it."""
    if isinstance(outcome, Registered):
        return {field: getattr(outcome, field) for field in TOLD}
    assert outcome is None or isinstance(outcome, Accepted)
    return None if outcome is None else outcome.count


@pytest.mark.promise("Fuzzing", "Any order of events leaves a registry's file as LightningStore's rules have it")
def test_any_order_of_events(measured: Measured) -> None:
    steps = 0

    class Counted(Machine):
        @invariant()
        def counted(self) -> None:
            nonlocal steps
            steps += 1

    run_state_machine_as_test(Counted, settings=REPRODUCIBLE_EVENTS)
    measured("cases", steps, "")
