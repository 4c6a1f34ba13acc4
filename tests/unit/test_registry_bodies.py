"""What requests carry: heartbeats read quickly or slowly, bounded snapshots, batches, dequeues and attempts."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.records.registry import Registered
from exporter.registry import answers, bodies
from exporter.registry.bodies import DEPTH, LONGEST_NAME, STATS_BYTES, WrongError
from exporter.registry.query import attempt_of, beats_of, dequeue_of, stats_of
from exporter.registry.selection import COLUMNS
from exporter.state.events import AttemptReport, Dequeue, Heartbeat


def said(read: Callable[[], object]) -> tuple[int, object]:
    """Status and detail of what a reading raises."""
    with pytest.raises(WrongError) as caught:
        read()
    return caught.value.status, json.loads(answers.detail(caught.value.detail))["detail"]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters() | st.sampled_from("\ud800\udc00\0\x7f"), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
BODIES = st.one_of(
    st.binary(max_size=12),
    st.builds(lambda value: json.dumps(value).encode(), JSON),
    st.builds(lambda value: json.dumps({"heartbeat_stats": value}).encode(), JSON),
    st.builds(
        lambda value, plain: json.dumps({"heartbeat_stats": {"a": value}, "b": value}, ensure_ascii=plain).encode(
            "utf-8", "replace"
        ),
        JSON,
        st.booleans(),
    ),
    st.builds(lambda value, cut: json.dumps({"heartbeat_stats": {"": value}}).encode()[:cut], JSON, st.integers(0, 60)),
)


def outcome(read: Callable[[bytes], bytes | None], body: bytes) -> object:
    try:
        stats = read(body)
    except WrongError as wrong:
        return wrong.status, wrong.detail, wrong.reason
    return stats


@settings(max_examples=1000)
@given(BODIES)
@example(b'{"heartbeat_stats":{"a":1,"a":2}}')
@example(b'{"heartbeat_stats":{},"heartbeat_stats":null}')
@example(b'{"heartbeat_stats":{"a":1e400,"b":-0,"c":1E5}}')
@example(b'\xef\xbb\xbf{"heartbeat_stats":{}}')
@example("{}".encode("utf-16"))
@example(b'{"z":"\xff","heartbeat_stats":{}}')
@example(b'{"z":"\x01","heartbeat_stats":{}}')
@example(b'{"heartbeat_stats":{"a":[' + b"1," * 2000 + b"1]}}")
def test_the_fast_way_reads_what_the_slow_way_reads(body: bytes) -> None:
    assert outcome(bodies.heartbeat, body) == outcome(stats_of, body)


def nested(levels: int) -> bytes:
    return b'{"heartbeat_stats":' + b'{"a":' * (levels - 1) + b"{}" + b"}" * levels


def test_a_snapshot_is_bounded_and_never_cut() -> None:
    assert bodies.heartbeat(nested(DEPTH)) == nested(DEPTH)[len(b'{"heartbeat_stats":') : -1]
    wide = b'{"heartbeat_stats":{"a":[' + b",".join([b"{}"] * 100) + b"]}}"
    assert bodies.heartbeat(wide) == wide[len(b'{"heartbeat_stats":') : -1]
    assert said(lambda: bodies.heartbeat(nested(DEPTH + 1))) == (
        400,
        "heartbeat_stats is invalid; expected at most 16 levels, got more.",
    )
    assert said(lambda: bodies.heartbeat(nested(300)))[0] == 400
    floats = b'{"heartbeat_stats":{"a":[' + b",".join([b"1e15"] * 9000) + b"]}}"
    assert len(floats) < STATS_BYTES
    with pytest.raises(WrongError, match="413") as caught:
        bodies.heartbeat(floats)
    assert caught.value.reason == "body"


def test_many_heartbeats() -> None:
    body = b'{"heartbeats":{"a":null,"b":{},"c":{"x":1.0,"y":NaN},"\\u00e9 d":{"x":[]}}}'
    read = bodies.heartbeats(body)
    assert read == (
        Heartbeat("a"),
        Heartbeat("b"),
        Heartbeat("c", b'{"x":1.0,"y":null}'),
        Heartbeat("é d", b'{"x":[]}'),
    )
    assert bodies.heartbeats(b'{"heartbeats":{}}') == ()
    assert list(beats_of(body)) == ["a", "b", "c", "é d"]


@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        (b"", 422, ["body"]),
        (b"{}", 422, ["body", "heartbeats"]),
        (b'{"heartbeats":{"a":{},"b":5}}', 422, ["body", "heartbeats", "b"]),
        (b'{"heartbeats":{"a":{},"b":[]}}', 422, ["body", "heartbeats", "b"]),
        (b'{"heartbeats":{"":{}}}', 422, ["body", "heartbeats", "", "[key]"]),
        (b'{"heartbeats":{"a/b":{}}}', 422, ["body", "heartbeats", "a/b", "[key]"]),
        (b'{"heartbeats":{"' + b"x" * (LONGEST_NAME + 1) + b'":{}}}', 422, None),
        (b'{"heartbeats":{"\\ud800":{}}}', 400, None),
        (b'{"heartbeats":{"a":{"b":"\\ud800"}}}', 400, None),
    ],
)
def test_one_bad_heartbeat_refuses_them_all(body: bytes, status: int, named: list[str] | None) -> None:
    got, detail = said(lambda: bodies.heartbeats(body))
    assert got == status
    if named is not None:
        assert isinstance(detail, list)
        assert detail[0]["loc"] == named


def test_a_deep_snapshot_of_many_is_named() -> None:
    deep = json.loads(nested(DEPTH + 1))["heartbeat_stats"]
    body = json.dumps({"heartbeats": {"good": {}, "bad": deep}}).encode()
    assert (
        said(lambda: bodies.heartbeats(body))[1] == "heartbeats.bad is invalid; expected at most 16 levels, got more."
    )


MISSING = {"type": "missing", "loc": ["body"], "msg": "Field required", "input": None}


def test_dequeues_and_attempts() -> None:
    assert dequeue_of("w", b'{"claimed":false}') == Dequeue("w", False)
    assert dequeue_of("w", b'{"claimed":true,"rollout_id":"r","attempt_id":"a"}') == Dequeue("w", True, "r", "a")
    running = b'{"rollout_id":"r","attempt_id":"a","status":"running"}'
    assert attempt_of("w", running) == AttemptReport("w", "r", "a", "running")
    assert said(lambda: dequeue_of("w", b""))[1] == [MISSING]
    assert said(lambda: dequeue_of("w", b'{"rollout_id":"r"}'))[0] == 422
    assert said(lambda: attempt_of("w", running.replace(b"running", b"lost")))[0] == 422
    assert said(lambda: attempt_of("w", running.replace(b'"r"', b'"\\ud800"')))[0] == 400
    assert said(lambda: attempt_of("w", running.replace(b'"r"', b'"' + b"r" * 513 + b'"')))[0] == 422


def test_a_worker_as_clients_see_it() -> None:
    seen = json.loads(answers.worker(Registered("w", "busy", b'{"a":1.0}', 1.5, None, 2.0, None, "r", None)))
    assert list(seen) == list(COLUMNS)
    assert list(seen.values()) == ["w", "busy", {"a": 1.0}, 1.5, None, 2.0, None, "r", None]
