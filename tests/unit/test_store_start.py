"""When a store started: from its uptime and its Date, which has whole seconds and is old for a moment after a stop."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.sources.source import SourceError
from tests.golden.answers import CannedStore, store_answer

NOW = 1_795_327_270.0


def started(store: CannedStore, date: float | None, uptime: Any) -> float | None:
    return store.read(store_answer([], uptime=uptime), date).store.started


def test_the_start_of_a_store_is_steady_though_its_date_has_whole_seconds() -> None:
    store = CannedStore()
    began = NOW + 0.7
    first = started(store, NOW + 10, 9.3)
    seen = {started(store, float(int(began + uptime)), uptime) for uptime in (20.15, 33.33, 47.999, 3600.5)}
    assert seen == {first} == {NOW + 0.7}


def test_a_restarted_store_has_another_start() -> None:
    store = CannedStore()
    assert started(store, NOW + 100, 100.0) == NOW
    assert started(store, NOW + 110, 3.0) == NOW + 107
    assert started(store, NOW + 120, 13.0) == NOW + 107


def test_a_store_that_was_continued_and_sends_its_date_of_before_has_the_same_start() -> None:
    store = CannedStore()
    assert started(store, NOW + 100, 100.0) == NOW
    assert started(store, NOW + 101, 160.9) == NOW
    assert started(store, NOW + 171, 171.0) == NOW
    assert started(store, NOW + 172, 231.9) == NOW


def test_a_store_that_stays_with_an_earlier_start_has_that() -> None:
    store = CannedStore()
    assert started(store, NOW + 100, 100.0) == NOW
    assert started(store, NOW + 110, 170.0) == NOW
    assert started(store, NOW + 120, 180.5) == NOW - 60.5


@pytest.mark.parametrize("fails", [1, 3])
def test_a_store_that_is_continued_while_the_exporter_starts_has_one_start(fails: int) -> None:
    store = CannedStore()
    for _ in range(fails):
        with pytest.raises(SourceError):
            store.read(lambda path: b"{", NOW)
    assert started(store, NOW + 101, 160.9) is None
    assert started(store, NOW + 171, 171.0) == NOW
    assert started(store, NOW + 181, 181.0) == NOW


def test_a_store_that_every_other_read_fails_of_has_a_start() -> None:
    store = CannedStore()
    seen = []
    for n in range(3):
        with pytest.raises(SourceError):
            store.read(lambda path: b"{", NOW)
        seen.append(started(store, NOW + 100 * n, 100.0 * n))
    assert seen == [None, NOW, NOW]


def test_a_store_that_does_not_say_its_uptime_has_no_start() -> None:
    store = CannedStore()
    assert started(store, NOW, None) is None
    assert started(store, NOW + 100, 100.0) == NOW
    assert started(store, NOW + 110, None) is None
