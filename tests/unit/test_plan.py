"""The model of docs/SCALING.md: its forms, that it agrees with what was measured, and what it plans."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.bench.growth import Growth, line, power
from tests.bench.plan import BUSIEST, MOST_MIB, MOST_SERIES, RECORDED, Costs, parted, plan
from tests.bench.scaling import PATH, document, told

AGREES = 0.2
"""How far the model may be from what was measured, as a share of that."""


@pytest.fixture(scope="module")
def recorded() -> Any:
    return json.loads(RECORDED.read_text("utf-8"))


def test_a_line_finds_what_it_was_made_of() -> None:
    cost = line([(n, 3.0 + 0.5 * n) for n in (10, 100, 1000)])
    assert [cost(n) for n in (0, 10_000)] == pytest.approx([3.0, 5003.0])


def test_a_line_has_nothing_below_zero_at_its_start() -> None:
    cost = line([(10, 5.0), (100, 80.0)])
    assert cost(0) == 0
    assert 0.5 < cost(1) < 0.8


def test_a_power_finds_what_it_was_made_of() -> None:
    cost = power([(n, 2.0 * n**1.1) for n in (10, 100, 1000)])
    assert cost(10_000) == pytest.approx(2.0 * 10_000**1.1)


def test_the_largest_is_foretold_by_the_others_alone() -> None:
    assert Growth("x", "ms", [(1, 2.0), (2, 4.0), (4, 100.0)], line).foretold() == (4, 100.0, pytest.approx(8.0))


def test_the_model_agrees_with_what_was_measured(recorded: Any) -> None:
    assert [each for each in told(recorded) if abs(each.off) > AGREES] == []
    assert len(list(told(recorded))) == 21


def test_what_is_written_is_what_was_recorded(recorded: Any) -> None:
    assert PATH.read_text("utf-8") == document(recorded)


def test_shards_divide_what_one_and_many_tell() -> None:
    run = {"shards": {"1": {"cycle": 2.0, "MiB": 100.0}, "4": {"cycle": 1.4, "MiB": 100.0}}}
    assert parted(run) == (pytest.approx(0.4), 0.0)


SIMPLE = Costs(
    cycle=lambda n: n / 1e5,
    scrape=lambda n: n / 1e7,
    memory=lambda n: 50 + n / 250,
    size=lambda n: 100 * n,
    series=lambda n: 20 * n,
    ingest=lambda n: n / 1e6,
    held=lambda n: n / 256,
    sample=2.0,
    parted=(0.5, 0.25),
)
"""A second of CPU and 400 MiB for 100,000 workers; half of that CPU is divided among shards."""


def test_a_small_fleet_takes_one_of_each() -> None:
    found = plan(SIMPLE, 1000, interval=10, scrape=10)
    assert (found.stores, found.shards, found.servers) == (1, 1, 1)
    assert (found.series, found.samples, found.disk) == (20_000, 2000, 2000 * 86_400 * 2)
    assert found.cores == pytest.approx(0.01 / 10 + 0.0001 / 10)


def test_reading_is_divided_among_stores_and_the_rest_among_shards() -> None:
    found = plan(SIMPLE, 998_000, interval=10, scrape=10)
    assert found.stores == 2, "half of 9.98 s of CPU is reading, a quarter of the interval is 2.5 s"
    assert found.shards == 2, "4.99 s for a read and 0.05 s for a scrape are more than half of the interval"
    assert found.cores <= BUSIEST
    assert found.memory <= MOST_MIB
    assert found.servers * MOST_SERIES == 20_000_000


def test_memory_that_is_not_divided_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected bounds that can be kept, found that 1,000,000 parts are not enough"):
        plan(SIMPLE._replace(memory=lambda _: 10_000.0), 1000, interval=10, scrape=10)
