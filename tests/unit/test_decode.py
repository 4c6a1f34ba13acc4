"""Answers made to be expensive: values nested deep, and lists of millions, cost no more than themselves."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable

import pytest

from exporter.sources.decode import LEVELS, MOST_FLATTENED, MOST_VALUES
from exporter.sources.inventory import parse_json
from exporter.sources.lightning_1_payload import parse_unfinished
from exporter.sources.lightning_payload import parse_rollouts
from exporter.sources.lightning_workers import parse_workers
from exporter.sources.mesh_llm import parse
from exporter.sources.source import Deadline, SourceError


def nested(levels: int, inside: str = "1") -> str:
    return "[" * levels + inside + "]" * levels


DEEP = {
    "20,000 lists": nested(20_000),
    "100,000 lists": nested(100_000),
    "lists and objects": '[{"a":' * 10_000 + "1" + "}]" * 10_000,
    "brackets in texts": nested(20_000, '"]}\\"]"'),
    "side by side": "[" + nested(20_000) + "," + nested(30_000) + "]",
}
"""Deeper than any Python decodes: before 3.13 that is about 1,000 levels, then 10,000."""


@pytest.mark.parametrize("value", DEEP.values(), ids=DEEP)
def test_a_value_that_is_nested_deep_costs_only_itself(value: str) -> None:
    peers = '[{"id": "b", "y": []}, 1, {"id": "c"}]'
    body = f'{{"x": {value}, "node_id": "a", "peers": {peers}}}'
    reading = parse(body.encode(), "eu")
    assert [each.view.node for each in reading.sightings] == ["a", "b", "c"]
    assert reading.drift == {"depth": 1, "peers": 1}


@pytest.mark.parametrize(
    "body",
    [
        nested(20_000)[:-1],
        nested(20_000) + "]",
        '{"node_id": "a", "x": "' + nested(20_000),
        '{"node_id": ' + nested(20_000) + "}",
    ],
    ids=["no end", "an end too many", "a text without end", "a value of another type"],
)
def test_what_is_no_answer_all_the_same_is_malformed(body: str) -> None:
    with pytest.raises(SourceError, match=r"^expected a mesh-llm status, got ") as caught:
        parse(body.encode(), "eu")
    assert caught.value.result == "malformed"


def test_what_is_too_long_to_be_cut_is_malformed() -> None:
    body = '{"node_id": "a", "x": ' + nested(MOST_FLATTENED) + "}"
    with pytest.raises(SourceError, match=r"^expected a mesh-llm status, got JSON nested too deep$"):
        parse(body.encode(), "eu")


def test_values_down_to_the_last_level_are_kept() -> None:
    deep = f'{{"node_id": "a", "gpus": [{{"name": "gpu"}}], "x": {nested(LEVELS + 20_000)}}}'
    assert [gpu.name for gpu in parse(deep.encode(), "eu").sightings[0].gpus] == ["gpu"]


def test_lists_of_millions_of_values_are_refused_before_they_are_decoded() -> None:
    with pytest.raises(SourceError, match=f"^expected a list of at most {MOST_VALUES} values, got more$") as caught:
        parse_json(b"[" + b"1," * MOST_VALUES + b"1]", "eu", "x")
    assert caught.value.result == "too_large"
    assert parse_json(b"[" + b"1," * (MOST_VALUES // 8) + b"1]", "eu", "x").drift == {"entries": MOST_VALUES // 8 + 1}


PAGES: dict[str, tuple[Callable[[bytes], object], str, str]] = {
    "workers": (
        lambda body: parse_workers(body, "eu", Counter(), most=500),
        '{"worker_id": "%d", "status": "idle"}',
        '{"total": 1, "items": [%s]}',
    ),
    "rollouts": (
        lambda body: parse_rollouts(body, "eu", Counter(), most=500),
        '{"rollout_id": "%d", "status": "running"}',
        '{"total": 1, "items": [%s]}',
    ),
    "rollouts of 1.x": (
        lambda body: parse_unfinished(body, 500, Counter()),
        '{"rollout_id": "%d", "status": {"state": "running"}}',
        "[%s]",
    ),
}


@pytest.mark.parametrize("count", [501, 60_000])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_more_than_was_asked_for_is_refused(page: str, count: int) -> None:
    read, item, whole = PAGES[page]
    for odd in ("", ", 1"):
        body = whole % (", ".join(item % number for number in range(count)) + odd)
        with pytest.raises(
            SourceError, match=rf"^expected at most 500 {page.partition(' ')[0]}( in a page)?, got "
        ) as caught:
            read(body.encode())
        assert caught.value.result == ("too_large" if count > 501 or page != "rollouts of 1.x" else "malformed")


def test_inputs_of_millions_of_values_cost_a_rollout_nothing() -> None:
    held = {"rollout_id": "r", "status": "running", "input": [1] * (MOST_VALUES + 10)}
    found = parse_rollouts(json.dumps({"total": 1, "items": [held]}).encode(), "eu", Counter(), 500)
    assert found.statuses == {"r": "running"}


def test_decoding_ends_at_the_deadline() -> None:
    instants = iter([0.0] * 3)
    deadline = Deadline(1.0, lambda: next(instants, 2.0))
    body = b'{"node_id": "a", "peers": [' + b",".join(b'{"id": "%d"}' % number for number in range(5000)) + b"]}"
    with pytest.raises(SourceError, match=r"^no whole answer within 1 s$"):
        parse(body, "eu", deadline)
    assert len(parse(body, "eu", Deadline(1.0, lambda: 0.0)).sightings) == 5001
