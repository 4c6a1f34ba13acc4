"""Which workers a question finds, in which order, and what is wrong with a body, in LightningStore's words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.registry import answers
from exporter.registry.bodies import WrongError
from exporter.registry.query import selection_of_body, selection_of_target
from exporter.registry.request import Request
from exporter.registry.search import PAGE, Search, UnorderedError
from exporter.registry.selection import COLUMNS, Selection
from exporter.registry.store import RegistryStore
from exporter.state.events import AttemptReport, Dequeue, Heartbeat

NAMES = ["b", "a", "ä", "Z", "ab", "a\0b", "𝄞", "\uffff", "%", "_", "b%"]


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Search]:
    """Workers of every kind: with and without each time, snapshot and assignment, two of them heard at one instant."""
    store = RegistryStore.open(tmp_path_factory.mktemp("registry"), most=10**6, per_client=10**6)
    for number, name in enumerate(NAMES):
        beat = Heartbeat(name, None if number % 3 else b'{"n":%d}' % number)
        store.apply([Request(beat, "")], 100.0 + number // 2)
        if number % 4 == 1:
            store.apply([Request(Dequeue(name, False), "")], 200.0 - number)
        if number % 4 == 2:
            store.apply([Request(AttemptReport(name, f"r{number % 3}", "a", "running"), "")], 150.0)
    searching = Search(store.path)
    yield searching
    searching.close()
    store.close()


def found(search: Search, selection: Selection) -> tuple[list[dict[str, Any]], int]:
    """Workers, and how many match."""
    result = search.select(selection)
    pieces = [*result.pieces, *(search.take(result.rest[at : at + PAGE]) for at in range(0, len(result.rest), PAGE))]
    return json.loads(b"[" + b",".join(pieces) + b"]"), result.total


def expected(workers: list[dict[str, Any]], asked: Selection) -> list[dict[str, Any]]:
    """What a LightningStore would find, less the window: Agent Lightning 0.3.0, `store/collection/memory.py`."""
    tests: list[Callable[[dict[str, Any]], bool]] = []
    if asked.status_in is not None:
        tests.append(lambda worker: worker["status"] in (asked.status_in or ()))
    if asked.worker_id_contains is not None:
        tests.append(lambda worker: (asked.worker_id_contains or "") in worker["worker_id"])
    together = any if asked.either and tests else all
    matching = [worker for worker in workers if together(test(worker) for test in tests)]
    field = asked.sort_by
    if field is not None:
        unsaid = float("inf") if field.endswith("_time") else ""
        matching.sort(key=lambda worker: unsaid if worker[field] is None else worker[field], reverse=asked.descending)
    return matching


SELECTIONS = st.builds(
    Selection,
    st.none() | st.lists(st.sampled_from(["idle", "busy", "unknown"]), max_size=3).map(tuple),
    st.none() | st.sampled_from(["", *NAMES, "zz", "\ud800", "\0"]),
    st.booleans(),
    st.none() | st.sampled_from([name for name in COLUMNS if name != "heartbeat_stats"]),
    st.booleans(),
    st.sampled_from([-1, 1, 2, 5, 10**30]),
    st.sampled_from([0, 1, 3, 10**30]),
)


@settings(
    max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(SELECTIONS)
def test_a_selection_finds_what_a_store_finds(search: Search, asked: Selection) -> None:
    everybody, _ = found(search, Selection())
    assert [worker["worker_id"] for worker in everybody] == NAMES
    assert [list(worker) for worker in everybody] == [list(COLUMNS)] * len(NAMES)
    matching = expected(everybody, asked)
    end = None if asked.limit == -1 else asked.offset + asked.limit
    assert found(search, asked) == (matching[asked.offset : end], len(matching))


def test_snapshots_have_no_order(search: Search) -> None:
    with pytest.raises(UnorderedError):
        search.select(Selection(sort_by="heartbeat_stats"))
    with pytest.raises(UnorderedError):
        search.select(Selection(sort_by="heartbeat_stats", limit=1))
    for fine in (Selection(("unknown",), "b%", sort_by="heartbeat_stats"), Selection((), sort_by="heartbeat_stats")):
        assert found(search, fine)[1] < 2


def test_a_large_answer_comes_in_pieces_and_the_rest_later(tmp_path: Path) -> None:
    store = RegistryStore.open(tmp_path, most=10**6, per_client=10**6)
    names = [f"w{number}" for number in range(2 * PAGE + 10)]
    store.apply([Request(Heartbeat(name, b'{"a":1}'), "") for name in names], 1.0)
    small = Search(store.path, at_once=1)
    first = small.select(Selection(limit=2 * PAGE + 5))
    assert (first.total, len(first.pieces), len(first.rest)) == (len(names), 1, PAGE + 5)
    assert [worker["worker_id"] for worker in found(small, Selection(offset=3))[0]] == names[3:]
    connection = small._connection
    assert not connection.in_transaction
    assert small.take([*first.rest[:2], 10**9]).count(b'"worker_id"') == 2
    small.close()
    store.close()


def said(read: Callable[[], object]) -> tuple[int, object]:
    """Status and detail of what a reading raises."""
    with pytest.raises(WrongError) as caught:
        read()
    return caught.value.status, json.loads(answers.detail(caught.value.detail))["detail"]


def error(kind: str, where: list[str | int], message: str, given: Any, **context: Any) -> dict[str, Any]:
    return {"type": kind, "loc": where, "msg": message, "input": given, **({"ctx": context} if context else {})}


INTEGER = "Input should be a valid integer, unable to parse string as an integer"
STATUSES = "'idle', 'busy' or 'unknown'"
LIMIT = "Limit must be greater than 0 or -1 for no limit"
FIELDS = ", ".join(COLUMNS)


@pytest.mark.parametrize(
    ("target", "status", "detail"),
    [
        ("limit=", 422, [error("int_parsing", ["query", "limit"], INTEGER, "")]),
        ("limit=x&offset=1.5", 422, None),
        ("status_in=idle,busy", 422, None),
        ("sort_order=up", 422, None),
        ("limit=0", 400, LIMIT),
        ("limit=-2", 400, LIMIT),
        ("offset=-1", 400, "Offset must be greater than or equal to 0"),
        ("limit=0&sort_by=", 400, f"Invalid sort_by: , allowed fields are: {FIELDS}"),
        ("sort_by=%ff", 400, f"Invalid sort_by: \ufffd, allowed fields are: {FIELDS}"),
    ],
)
def test_a_wrong_query(target: str, status: int, detail: object) -> None:
    got = said(lambda: selection_of_target(target.encode()))
    assert got[0] == status
    assert detail is None or got[1] == detail


def test_a_query() -> None:
    assert selection_of_target(b"") == selection_of_body(b"{}") == Selection()
    target = b"status_in=idle&status_in=busy&worker_id_contains=a+b&filter_logic=or&sort_by=status&sort_order=desc"
    asked = Selection(("idle", "busy"), "a b", True, "status", True, 5, 2)
    assert selection_of_target(target + b"&limit=1&limit=5&offset=%32&zz=1") == asked
    body = {"status_in": [], "worker_id_contains": "", "limit": "7", "offset": 1.0, "sort_by": None, "zz": float("nan")}
    assert selection_of_body(json.dumps(body).encode()) == Selection((), "", limit=7, offset=1)


MODEL = "Input should be a valid dictionary or object to extract fields from"
BROKEN = {
    "nothing": (b"", 422, [error("missing", ["body"], "Field required", None)]),
    "null": (b"null", 422, [error("model_attributes_type", ["body"], MODEL, None)]),
    "list": (b"[1]", 422, [error("model_attributes_type", ["body"], MODEL, [1])]),
    "no JSON": (b"{", 422, None),
    "two values": (b"{} {}", 422, [error("json_invalid", ["body", 3], "JSON decode error", {}, error="Extra data")]),
    "not UTF-8": (b'{"a":"\xff"}', 400, "There was an error parsing the body"),
    "too deep": (b"[" * 60000, 400, "There was an error parsing the body"),
    "too many digits": (b'{"limit":' + b"1" * 5000 + b"}", 400, "There was an error parsing the body"),
    "not a number": (
        b'{"limit":NaN}',
        422,
        [error("finite_number", ["body", "limit"], "Input should be a finite number", None)],
    ),
    "half a pair": (b'{"limit":"\\ud800"}', 422, None),
    "a wrong word": (
        b'{"status_in":["idle","x"]}',
        422,
        [error("literal_error", ["body", "status_in", 1], f"Input should be {STATUSES}", "x", expected=STATUSES)],
    ),
}


@pytest.mark.parametrize(("body", "status", "detail"), BROKEN.values(), ids=BROKEN)
def test_a_wrong_search(body: bytes, status: int, detail: object) -> None:
    got = said(lambda: selection_of_body(body))
    assert got[0] == status
    assert detail is None or got[1] == detail


def test_an_error_that_is_too_deep_to_be_told() -> None:
    with pytest.raises(WrongError) as caught:
        selection_of_body(b'{"limit":' + b"[" * 900 + b"]" * 900 + b"}")
    assert caught.value.status == 422
