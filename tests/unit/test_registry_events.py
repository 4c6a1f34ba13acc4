"""What events make of a worker: DESIGN's table, which is LightningStore 0.3.0's, and late reports."""

from __future__ import annotations

import pytest

from exporter.records.registry import Registered
from exporter.state.events import FINISHED, AttemptReport, Dequeue, Event, Heartbeat, after

NOW = 100.0
NEW = Registered("w")
BUSY = Registered(
    "w",
    "busy",
    b"{}",
    1.0,
    2.0,
    3.0,
    4.0,
    rollout="r",
    attempt="a",
    last_rollout="r",
    last_attempt="a",
    attempt_status="running",
)


def fields(worker: Registered) -> dict[str, object]:
    return {field: getattr(worker, field) for field in worker.__struct_fields__}


def changed(was: Registered | None, event: Event) -> dict[str, object]:
    """The fields that an event changes, with what they are then."""
    before = fields(was or NEW)
    return {field: each for field, each in fields(after(was, event, NOW)).items() if each != before[field]}


def attempt(status: str, name: str = "a") -> AttemptReport:
    return AttemptReport("w", "r", name, status)


HELD = {"rollout": "r", "attempt": "a", "last_rollout": "r", "last_attempt": "a"}
IDLE = Registered("w", "idle", None, 1.0, 2.0, 3.0, 4.0)
CLEARED = {"last_idle": NOW, "rollout": None, "attempt": None}


@pytest.mark.parametrize(
    ("was", "event", "expected"),
    [
        pytest.param(None, Heartbeat("w"), {"last_heartbeat": NOW}, id="first-heartbeat"),
        pytest.param(
            None, Heartbeat("w", b'{"a":1}'), {"last_heartbeat": NOW, "stats": b'{"a":1}'}, id="first-with-stats"
        ),
        pytest.param(BUSY, Heartbeat("w"), {"last_heartbeat": NOW}, id="heartbeat-leaves-status-and-stats"),
        pytest.param(
            BUSY, Heartbeat("w", b"[]"), {"last_heartbeat": NOW, "stats": b"[]"}, id="heartbeat-replaces-stats"
        ),
        pytest.param(
            None,
            Dequeue("w", False),
            {"status": "idle", "last_dequeue": NOW, "last_idle": NOW},
            id="empty-dequeue-of-a-new-one",
        ),
        pytest.param(IDLE, Dequeue("w", False), {"last_dequeue": NOW}, id="empty-dequeue-of-an-idle-one"),
        pytest.param(
            BUSY,
            Dequeue("w", False),
            {"status": "idle", "last_dequeue": NOW, "last_idle": NOW},
            id="empty-dequeue-of-a-busy-one-leaves-what-it-held",
        ),
        pytest.param(
            None,
            Dequeue("w", True, "r", "a"),
            {"status": "busy", "last_dequeue": NOW, "last_busy": NOW, "attempt_status": "preparing", **HELD},
            id="dequeue-of-a-new-one",
        ),
        pytest.param(
            BUSY,
            Dequeue("w", True),
            {"last_dequeue": NOW, "last_busy": NOW, "attempt_status": "preparing", **dict.fromkeys(HELD)},
            id="dequeue-that-does-not-say-of-what",
        ),
        pytest.param(
            None,
            attempt("preparing"),
            {"status": "busy", "last_busy": NOW, "attempt_status": "preparing", **HELD},
            id="preparing",
        ),
        pytest.param(BUSY, attempt("running"), {"last_busy": NOW}, id="running-again"),
        pytest.param(
            BUSY,
            attempt("succeeded"),
            {"status": "idle", "attempt_status": "succeeded", "finished": (("r", "a"),), **CLEARED},
            id="succeeded",
        ),
        pytest.param(
            BUSY,
            attempt("failed"),
            {"status": "idle", "attempt_status": "failed", "finished": (("r", "a"),), **CLEARED},
            id="failed",
        ),
        pytest.param(
            BUSY, attempt("timeout"), {"status": "unknown", "attempt_status": "timeout", **CLEARED}, id="late"
        ),
        pytest.param(
            BUSY,
            attempt("unresponsive"),
            {"status": "unknown", "attempt_status": "unresponsive", **CLEARED},
            id="unresponsive",
        ),
        pytest.param(
            BUSY,
            attempt("succeeded", "other"),
            {
                "status": "idle",
                "attempt_status": "succeeded",
                "last_attempt": "other",
                "finished": (("r", "other"),),
                **CLEARED,
            },
            id="the-end-of-another-attempt-clears-too",
        ),
    ],
)
def test_what_an_event_changes(was: Registered | None, event: Event, expected: dict[str, object]) -> None:
    assert changed(was, event) == expected


@pytest.mark.parametrize("end", ["succeeded", "failed"])
@pytest.mark.parametrize("late", ["preparing", "running"])
def test_a_report_that_comes_after_the_end_changes_nothing(end: str, late: str) -> None:
    done = after(BUSY, attempt(end), 50.0)
    assert after(done, attempt(late), NOW) is done
    busy = after(done, attempt("running", "b"), 60.0)
    assert after(busy, attempt(late), NOW) is busy


@pytest.mark.parametrize("given_up", ["timeout", "unresponsive"])
def test_an_attempt_that_was_given_up_can_go_on(given_up: str) -> None:
    lost = after(BUSY, attempt(given_up), 50.0)
    back = after(lost, attempt("running"), NOW)
    assert (back.status, back.attempt, back.last_busy) == ("busy", "a", NOW)


def test_an_attempt_that_is_handed_out_again_begins_anew() -> None:
    done = after(BUSY, attempt("failed"), 50.0)
    again = after(done, Dequeue("w", True, "r", "a"), 60.0)
    assert (again.status, again.attempt, again.finished) == ("busy", "a", ())
    assert after(again, attempt("running"), NOW).last_busy == NOW


def test_so_many_finished_attempts_are_remembered_the_newest_at_the_end() -> None:
    worker = NEW
    for number in range(FINISHED + 5):
        worker = after(worker, attempt("succeeded", f"a{number}"), float(number))
    worker = after(worker, attempt("failed", "a10"), NOW)
    assert len(worker.finished) == FINISHED
    assert (worker.finished[0], worker.finished[-1]) == (("r", "a5"), ("r", "a10"))
    assert after(worker, attempt("running", "a4"), NOW).status == "busy"
    assert after(worker, attempt("running", "a5"), NOW) is worker
