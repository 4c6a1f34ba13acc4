"""What a store says of its workers as it did before is not decoded again, and what it says anew always is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.sources.lightning_workers import Known, parse_workers
from exporter.sources.source import SourceError
from tests.golden.answers import CannedStore, store_answer
from tests.unit.test_lightning_payload import page, worker

STATS = {"host": "h", "cpu_usage_pct": 50, "timestamp": "2026-11-22T07:50:44", "gpus": [{"util_pct": 10}]}
TOLD = worker(heartbeat_stats=STATS, last_heartbeat_time=5.0, current_rollout_id="r", current_attempt_id="a")


def read(*items: Any, before: Mapping[str, Known] | None = None) -> tuple[dict[str, Known], Counter[str]]:
    drift: Counter[str] = Counter()
    found = parse_workers(page(*items), "f", drift, before)
    return {known.report.worker: known for known in found.known}, drift


def test_a_worker_of_whom_the_same_is_said_is_the_same_object() -> None:
    before, _ = read(TOLD, worker(worker_id="v"))
    after, _ = read(TOLD, worker(worker_id="v"), before=before)
    assert after["w"] is before["w"]
    assert after["v"] is before["v"]


CHANGES: dict[str, dict[str, Any]] = {
    "status": {"status": "busy"},
    "a strange status": {"status": "sleepy"},
    "heartbeat": {"last_heartbeat_time": 6.0},
    "dequeue": {"last_dequeue_time": 6.0},
    "busy": {"last_busy_time": 6.0},
    "idle": {"last_idle_time": 6.0},
    "rollout": {"current_rollout_id": "s"},
    "attempt gone": {"current_attempt_id": None},
    "a figure": {"heartbeat_stats": {**STATS, "cpu_usage_pct": 51}},
    "a GPU": {"heartbeat_stats": {**STATS, "gpus": []}},
    "no snapshot": {"heartbeat_stats": None},
    "a malformed snapshot": {"heartbeat_stats": {"host": 7}},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_changes_is_told_as_if_nothing_had_been_known(change: dict[str, Any]) -> None:
    before, _ = read(TOLD)
    after, drift = read({**TOLD, **change}, before=before)
    fresh, counted = read({**TOLD, **change})
    assert after == fresh
    assert after["w"].report != before["w"].report or after["w"].gpus != before["w"].gpus
    assert drift == counted


SPLITS = {"a GPU that is none": {"gpus": [7]}, "a host that is none": {"host": 7}, "no time": {"timestamp": "noon"}}
SPLITS["too many GPUs"] = {"gpus": [{}] * 70}


@pytest.mark.parametrize("stats", SPLITS.values(), ids=SPLITS)
def test_what_is_left_out_of_a_snapshot_is_counted_at_every_read(stats: dict[str, Any]) -> None:
    said = worker(heartbeat_stats=stats)
    before, first = read(said)
    after, then = read(said, before=before)
    assert first == then != {}
    assert after == before


OPTIONAL = st.none() | st.sampled_from([1.0, 2.0])
WORKERS = st.fixed_dictionaries(
    {"worker_id": st.sampled_from("abc"), "status": st.sampled_from(["idle", "busy"])},
    optional={
        "last_heartbeat_time": OPTIONAL,
        "last_busy_time": OPTIONAL,
        "current_rollout_id": st.sampled_from([None, "r", "s"]),
        "heartbeat_stats": st.sampled_from([None, {"host": "h"}, {"host": "i", "gpus": [{"temp_c": 1}]}, {"os": 5}]),
    },
)


@given(st.lists(st.lists(WORKERS, max_size=4), max_size=5))
def test_many_reads_in_a_row_tell_what_each_would_alone(reads: list[list[dict[str, Any]]]) -> None:
    before: dict[str, Known] = {}
    for items in reads:
        known, drift = read(*items, before=before)
        assert (known, drift) == read(*items)
        before = known


def test_a_store_that_fails_halfway_is_known_as_before() -> None:
    store = CannedStore()
    first = store.read(store_answer([TOLD]), 10.0)
    with pytest.raises(SourceError, match="no JSON"):
        store.read(lambda path: b"{" if path.startswith("/rollouts") else store_answer([TOLD])(path), 20.0)
    again = store.read(store_answer([TOLD]), 30.0)
    assert again.workers[0] is first.workers[0]
    assert (first.read_at, again.read_at) == (10.0, 30.0)
