"""Broken answers of a LightningStore: an error of the envelope or drift, and never anybody else's loss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.exposition import Exposition, Format
from exporter.families import POLLED
from exporter.records import WORKER_STATUSES
from exporter.records.reading import StoreReading
from exporter.sources.source import Deadline, SourceError
from exporter.state.worker_tables import drift_of
from tests.fuzz.beside import Sick, attempt, exposed, lines_of, published
from tests.fuzz.conftest import Fuzz
from tests.fuzz.payloads import REPRODUCIBLE, broken, keys_of, sweep
from tests.golden.answers import CannedStore
from tests.golden.cases import captured, whole
from tests.promises.recording import Measured

ATTEMPTS = [rollout["attempt"] for rollout in captured("rollouts")["items"] if "attempt" in rollout]
FIRST = {
    "/workers": captured("workers-after-dequeue"),
    "/rollouts?status_in=preparing": captured("rollouts-running"),
    "/rollouts?": captured("rollouts-count"),
    "/statistics": captured("statistics"),
    "/rollouts/": {"items": ATTEMPTS, "total": len(ATTEMPTS)},
}
SECOND = {**FIRST, "/workers": captured("workers-mixed")}
# `input`, `config` and the like are never decoded.
KEYS = {
    "/workers": keys_of(FIRST["/workers"]),
    "/statistics": frozenset({"uptime"}),
    "/rollouts/": frozenset({"items", "total", "attempt_id", "status", "worker_id", "last_heartbeat_time"}),
}
KEYS["/rollouts?"] = KEYS["/rollouts?status_in=preparing"] = KEYS["/rollouts/"] | {"rollout_id", "attempt"}
NOW = 1795330870.25
ALONE = lines_of(exposed([]), "eu")

Answers = Mapping[str, Any]


def answering(answers: Answers) -> Callable[[str], Any]:
    return lambda path: next(answers[start] for start in answers if path.startswith(start))


def read(store: CannedStore, answers: Answers) -> StoreReading | SourceError:
    """Read once; a store that never ends is given up on after 40 requests."""
    left = iter([0.0] * 40)
    deadline = Deadline(5, lambda: next(left, 99.0))
    return attempt(lambda: store.read(answering(answers), NOW, deadline), "timeout")


def sick(*reads: Answers) -> Sick:
    store = CannedStore("sick")
    return Sick(store.source, [read(store, answers) for answers in reads])


def check(text: bytes) -> None:
    """The healthy fleet lost nothing, and every worker of the sick one has exactly one status."""
    assert lines_of(text, "eu") == ALONE
    statuses = [line for line in lines_of(text, "sick") if line.startswith("rollcall_worker_status{")]
    assert sum(line.endswith(" 1") for line in statuses) * len(WORKER_STATUSES) == len(statuses)


@st.composite
def spoiled(draw: st.DrawFn, answers: dict[str, Any]) -> Answers:
    """A store's answers, one or two of them broken."""
    wrong = draw(st.lists(st.sampled_from(sorted(answers)), min_size=1, max_size=2))
    return {start: draw(broken(said, KEYS[start])) if start in wrong else said for start, said in answers.items()}


@pytest.mark.promise("Fuzzing", "Broken answers of a LightningStore cost a healthy console no sample")
def test_a_broken_store_costs_a_healthy_console_nothing(fuzz: Fuzz) -> None:
    fuzz(lambda first, second: check(exposed([sick(first, second)])), spoiled(FIRST), spoiled(SECOND))


@pytest.mark.promise("Fuzzing", "Each value of a LightningStore replaced by each hostile one costs no other sample")
def test_every_value_that_is_read_replaced_by_every_hostile_one(measured: Measured) -> None:
    exposition = Exposition(POLLED, limit=10**6)
    swept = []
    for start, said in SECOND.items():
        for path, body in sweep(said, KEYS[start]):
            check(whole(published([sick(FIRST, {**SECOND, start: body})], exposition), Format.TEXT))
            swept.append((start, path[-1]))
    assert len(set(swept)) > 50
    measured("cases", len(swept), "")


def test_generated_answers_are_of_every_kind() -> None:
    kinds: Counter[str] = Counter()

    @settings(REPRODUCIBLE, max_examples=300)
    @given(answers=spoiled(SECOND))
    def count(answers: Answers) -> None:
        found = read(CannedStore("sick"), answers)
        kinds[found.result if isinstance(found, SourceError) else "drift" if drift_of(found) else "read"] += 1

    count()
    assert min(kinds["malformed"], kinds["read"], kinds["drift"]) > 5, kinds
