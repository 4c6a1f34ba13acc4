"""The registry beside a real LightningStore 0.3.0: the same sequences of requests, and the same answers.

15 sequences of 50 requests unless ROLLCALL_FULL=1: then 500. What differs on purpose is in docs/REGISTRY.md, and below.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from exporter.registry.selection import COLUMNS
from tests.real.lightning import Lightning, Nursery
from tests.real.rollcall import Rollcall
from tests.real.scale import FULL
from tests.real.twins import WORKERS, Side, Twins, compare

SEQUENCES, REQUESTS, TOGETHER = 500 if FULL else 15, 50, 25
"""How many sequences, of how many requests; and how many of them one store sees, for it forgets nobody."""

CONFIGURATION = (
    "host: {enabled: false}\ngpu: {enabled: false}\nregistry: {enabled: true, fleet: local, rate: 1000000}\n"
)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rollcall]:
    with Rollcall(tmp_path_factory.mktemp("twins"), CONFIGURATION) as started:
        yield started


def port(url: str) -> int:
    return int(url.rpartition(":")[2])


class Pairs:
    """Gives twins, with a new store and an emptied registry every now and then."""

    def __init__(self, nursery: Nursery, registry: Rollcall) -> None:
        self._nursery = nursery
        self._registry = Side(port(registry.url))
        self._store: Lightning | None = None
        self._twins: Twins | None = None
        self._given = 0

    def next(self) -> Twins:
        if self._twins is None or self._given % TOGETHER == 0:
            self.end()
            self._store = Lightning(self._nursery, scan=10.0)
            for worker in self._registry.ask("GET", WORKERS).value()["items"]:
                assert (
                    self._registry.ask("DELETE", f"{WORKERS}/{worker['worker_id']}".replace(" ", "%20")).status == 200
                )
            self._twins = Twins(Side(self._store.port), self._registry)
        self._given += 1
        self._twins.begin()
        return self._twins

    def end(self) -> None:
        if self._store is not None and self._twins is not None:
            self._twins.store.close()
            self._store.kill()

    def close(self) -> None:
        self.end()
        self._registry.close()


@pytest.fixture(scope="module")
def pairs(nursery: Nursery, registry: Rollcall) -> Iterator[Pairs]:
    given = Pairs(nursery, registry)
    yield given
    given.close()


NAMES = st.sampled_from(["a", "b", "ab", "Z;x=1&", "0%_"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
ODD = st.sampled_from(
    [
        *(None, True, 5, 1.5, 0, -2, 2.0, 1e300, float("nan"), "9" * 25, " 2", "+3", "1_0", "2.0"),
        *("", "x", "idle,busy", "DESC", "worker", [], {}, ["idle", "x"], [None], "\ud800"),
    ]
)
SOUND = {
    "status_in": st.lists(st.sampled_from(["idle", "busy", "unknown"]), max_size=2),
    "worker_id_contains": st.sampled_from(["", "a", "b", ".", "Z", "%", "_", "zz", "é"]),
    "limit": st.sampled_from([-1, 1, 2, 3, 100, 10**25, "1"]),
    "offset": st.sampled_from([0, 1, 2, 10**25, "1"]),
    "sort_by": st.sampled_from(list(COLUMNS)),
    "sort_order": st.sampled_from(["asc", "desc"]),
    "filter_logic": st.sampled_from(["and", "or"]),
    "zz": JSON,
}
QUESTIONS = st.builds(
    lambda sound, odd, own: ({**sound, **odd}, own),
    st.fixed_dictionaries({}, optional=SOUND),
    st.one_of(*[st.just({})] * 3, st.dictionaries(st.sampled_from(list(SOUND)), ODD, max_size=1)),
    st.booleans(),
)
BODIES = st.one_of(
    st.builds(
        lambda stats: json.dumps({"heartbeat_stats": stats}).encode(), st.dictionaries(st.text(max_size=5), JSON)
    ),
    st.builds(lambda value: json.dumps({"heartbeat_stats": value, "zz": value}).encode(), JSON),
    st.builds(lambda value: json.dumps(value, ensure_ascii=False).encode(), JSON),
    st.builds(
        lambda value, cut: json.dumps({"heartbeat_stats": {"é": value}}, ensure_ascii=False).encode()[:cut],
        JSON,
        st.integers(0, 40),
    ),
    st.binary(max_size=8),
    st.sampled_from([None, b"", b"null", b"{}", b" ", b"[" * 20000, '{"heartbeat_stats":{"a":1}}'.encode("utf-16")]),
)
LAST: list[dict[str, Any]] = [
    *({"limit": limit} for limit in (-2, 0, 1, "x", 1.5)),
    *({"offset": offset} for offset in (-1, 1, "x")),
    *({name: "x"} for name in ("status_in", "sort_by", "sort_order", "filter_logic")),
]
LAST += [
    {"sort_by": field, "sort_order": order, "status_in": ["idle", "unknown"], "filter_logic": logic, "offset": 1}
    for field in COLUMNS
    for order in ("asc", "desc")
    for logic in ("and", "or")
]
"""What is asked at the end of every sequence."""

STATUSES = st.sampled_from(["preparing", "running", "succeeded", "failed", "timeout", "unresponsive"])
ODD_REQUESTS = [
    *(("PUT", "/a"), ("PATCH", "/a"), ("OPTIONS", "/a"), ("HEAD", "/a"), ("PUT", ""), ("DELETE", ""), ("POST", "")),
    *(
        ("GET", "/"),
        ("POST", "/"),
        ("GET", "/nobody"),
        ("GET", "/a/b"),
        ("POST", "/a/b"),
        ("GET", "/%0a"),
        ("GET", "/search"),
    ),
    *(("PUT", "/search"), ("HEAD", ""), ("GET", "/../workers"), ("POST", "/search/"), ("GET", "//")),
]
STEPS = st.one_of(
    st.tuples(st.just("beat"), NAMES, BODIES),
    st.tuples(st.just("idle"), NAMES),
    st.tuples(st.just("claim"), NAMES),
    st.tuples(st.just("report"), NAMES, st.integers(0, 2), STATUSES),
    st.tuples(st.just("get"), QUESTIONS),
    st.tuples(st.just("search"), QUESTIONS | BODIES),
    st.tuples(st.just("look"), NAMES),
    st.tuples(st.just("odd"), st.sampled_from(ODD_REQUESTS)),
)


def play(twins: Twins, step: tuple[Any, ...]) -> None:
    """Take a step on both sides; what comes of it is the same."""
    match step:
        case ("idle", worker):
            twins.idle(worker)
        case ("claim", worker):
            twins.claim(worker)
        case ("report", worker, back, status):
            twins.report(worker, back, status)
        case ("beat", worker, body):
            compare(step, *twins.both("POST", twins.path(worker), body))
        case ("look", worker):
            compare(step, *twins.both("GET", twins.path(worker)))
        case ("get", (question, own)):
            asked = {**question, **({"worker_id_contains": twins.prefix} if own else {})}
            asked = {name: "\ufffd" if value == "\ud800" else value for name, value in asked.items()}
            compare((step, asked), *twins.both("GET", f"{WORKERS}?{urlencode(asked, doseq=True, errors='replace')}"))
        case ("search", (question, own)):
            asked = {**question, **({"worker_id_contains": twins.prefix} if own else {})}
            compare((step, asked), *twins.both("POST", f"{WORKERS}/search", json.dumps(asked).encode()))
        case ("search", body):
            compare(step, *twins.both("POST", f"{WORKERS}/search", body))
        case ("odd", (method, rest)):
            store, registry = twins.both(method, WORKERS + rest)
            assert registry == store, step


@settings(
    max_examples=SEQUENCES,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)
@given(st.lists(STEPS, min_size=REQUESTS, max_size=REQUESTS))
def test_the_same_requests_have_the_same_answers(pairs: Pairs, steps: list[tuple[Any, ...]]) -> None:
    twins = pairs.next()
    for step in steps:
        play(twins, step)
    for question in LAST:
        play(twins, ("get", (question, True)))
        play(twins, ("search", (question, False)))
