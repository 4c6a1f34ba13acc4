"""What a store answers when it is asked what became of an attempt: for good, or only for now; and who is active."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.sources.source import SourceError
from tests.golden.answers import CannedStore, store_answer
from tests.unit.test_agent_lightning import FLAGGED, HOLDS, NOW, attempt, rollout, worker

TIMED_OUT = store_answer(FLAGGED, attempts={"r": [attempt("r", "timeout")]})


def refusing(status: int) -> Any:
    """A store that answers everything but what became of an attempt."""

    def answer(path: str) -> Any:
        if path.endswith("/attempts"):
            raise SourceError("http", f"expected status 200, got {status}", status)
        return TIMED_OUT(path)

    return answer


@pytest.mark.parametrize("status", [400, 429, 502, 503])
def test_a_store_that_cannot_say_now_is_asked_again(status: int) -> None:
    store = CannedStore()
    store.read(store_answer(HOLDS), NOW)
    assert store.read(refusing(status), NOW).attempts == {}
    assert store.read(refusing(status), NOW).attempts == {}
    assert store.read(TIMED_OUT, NOW).attempts["w"].status == "timeout"


@pytest.mark.parametrize("status", [404, 500])
def test_a_rollout_that_the_store_does_not_know_is_not_asked_for_again(status: int) -> None:
    store = CannedStore()
    store.read(store_answer(HOLDS), NOW)
    assert store.read(refusing(status), NOW).attempts["w"].status == ""
    assert store.read(TIMED_OUT, NOW).attempts["w"].status == ""
    assert "/rollouts/r/attempts" not in store.asked


def test_the_active_are_the_newest_attempts_of_listed_rollouts_each_once_whoever_holds_them() -> None:
    listed = [
        rollout("r", "running", attempt=attempt("r")),
        rollout("s", "preparing", attempt=attempt("s", "preparing")),
    ]
    reading = CannedStore().read(
        store_answer([worker("v", "idle")], [*listed, listed[0], rollout("t", "preparing")]), NOW
    )
    assert [(each.rollout, each.attempt, each.status) for each in reading.active] == [
        ("r", "r-1", "running"),
        ("s", "s-1", "preparing"),
    ]
    assert reading.attempts == {}
