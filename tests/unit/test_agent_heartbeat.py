"""When heartbeats and changes are sent, how long a registry that is away is left alone, and what the log says."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from exporter.agent.heartbeat import Reporter, Reporting
from exporter.agent.wire import Dial
from exporter.sources.fetch import Fetched
from tests.unit.registries import Book, Call

START = 1000.0


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


class Reported:
    """A reporter of worker `w` to a book, which takes a time that tests give."""

    def __init__(
        self,
        book: Book,
        *,
        rollouts: bool = False,
        spread: Callable[[float, float], float] = lambda low, high: (low + high) / 2,
        snapshot: Callable[[], dict[str, Any]] | None = None,
        dial: Dial | None = None,
    ) -> None:
        self.book = book
        self.clock = Clock()
        self.reporter = Reporter(
            Reporting("w", "http://registry", dial or book.dial, 10.0, snapshot, spread, rollouts, self.clock)
        )

    def step(self) -> float:
        return self.reporter.step()

    def after(self, seconds: float) -> list[str]:
        """What is sent in the step that is due so much later."""
        self.clock.now += seconds
        before = len(self.book.said)
        self.step()
        return self.book.said[before:]

    def busy(self, rollout: str) -> None:
        self.reporter.change(lambda duty: duty.busy(rollout, "a", ""))


def test_a_worker_is_idle_at_once_and_then_beats() -> None:
    worker = Reported(Book())
    assert worker.step() == 10.0
    assert worker.book.said == ["dequeue nothing", "heartbeat"]
    assert worker.book.workers["w"].status == "idle"
    assert worker.after(9.9) == []
    assert worker.after(0.1) == ["heartbeat"]


@pytest.mark.parametrize(("side", "seconds"), [(0, 9.0), (1, 11.0)], ids=["low", "high"])
def test_heartbeats_come_ten_percent_sooner_or_later(side: int, seconds: float) -> None:
    worker = Reported(Book(), spread=lambda *bounds: bounds[side])
    assert worker.step() == pytest.approx(seconds)


def test_a_change_is_told_at_once_and_brings_no_heartbeat() -> None:
    worker = Reported(Book())
    worker.step()
    worker.busy("r")
    assert worker.after(1.0) == ["dequeue", "attempt running"]
    assert worker.step() == pytest.approx(9.0)


def test_of_changes_that_follow_fast_the_last_is_told() -> None:
    worker = Reported(Book())
    worker.step()
    for rollout in ("r1", "r2", "r3"):
        worker.busy(rollout)
        assert worker.after(0.01) == []
    assert worker.after(0.1) == ["attempt succeeded", "dequeue", "attempt running"]
    assert worker.book.workers["w"].rollout == "r3"


def test_a_heartbeat_brings_the_snapshot_or_says_nothing_of_the_machine() -> None:
    with_one = Reported(Book(), snapshot=lambda: {"host": "h"})
    with_one.step()
    assert with_one.book.asked[-1].body == {"heartbeat_stats": {"host": "h"}}
    without = Reported(Book())
    without.step()
    assert without.book.asked[-1].body == {}


def test_a_registry_that_is_away_is_left_alone_longer_and_longer() -> None:
    worker = Reported(Book(), spread=lambda low, high: high)
    worker.book.failing = 0
    pauses = [worker.step()]
    for _ in range(7):
        worker.clock.now += pauses[-1]
        pauses.append(worker.step())
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    assert len(worker.book.said) == 8


def test_pauses_are_spread_so_that_workers_come_back_one_by_one() -> None:
    worker = Reported(Book(), spread=lambda low, high: low)
    worker.book.failing = 0
    assert worker.step() == 0.5


def test_a_change_does_not_bother_a_registry_that_is_away() -> None:
    worker = Reported(Book())
    worker.book.failing = 0
    worker.step()
    worker.busy("r")
    assert worker.after(0.1) == []


def test_the_end_of_an_outage_tells_what_is_so_now(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    worker = Reported(Book())
    worker.step()
    worker.book.failing = 0
    assert worker.after(10) == ["heartbeat"]
    for rollout in ("r1", "r2"):
        worker.busy(rollout)
        worker.after(40)
    worker.book.failing = None
    worker.after(40)
    assert worker.book.workers["w"].rollout == "r2"
    assert [record.getMessage() for record in caplog.records] == [
        "cannot report to http://registry, and go on trying: expected a connection, got none",
        "reports to http://registry again",
    ]


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (401, "it wants a token, or another one"),
        (403, "it does not take this token, or this name of its host"),
        (404, "there is no registry, or it is off, or the URL has a path too much"),
        (405, "there is no registry, or it is off, or the URL has a path too much"),
        (429, "it has too many requests or workers of this client"),
        (503, "expected status 200, got 503"),
    ],
)
def test_a_refusal_is_an_outage_that_says_why_once(status: int, hint: str, caplog: pytest.LogCaptureFixture) -> None:
    worker = Reported(Book())
    worker.book.failing = status
    for _ in range(5):
        worker.after(40)
    [record] = caplog.records
    why = f"expected status 200, got {status}"
    assert record.getMessage().startswith(f"cannot report to http://registry, and go on trying: {why}")
    assert record.getMessage().endswith(hint)


def test_a_registry_that_forgot_is_told_again() -> None:
    worker = Reported(Book())
    worker.busy("r")
    worker.step()
    worker.book.workers.clear()
    assert worker.after(10) == ["heartbeat"]
    assert worker.after(0.1) == ["dequeue", "attempt running"]
    assert worker.book.workers["w"].status == "busy"


def test_a_worker_whose_id_is_used_twice_hears_of_it_once(caplog: pytest.LogCaptureFixture) -> None:
    book = Book()
    one, other = Reported(book), Reported(book)
    one.step()
    other.busy("r")
    other.step()
    for _ in range(3):
        one.after(10)
    assert [record.getMessage() for record in caplog.records] == [
        "somebody else reports as worker w too; its id must be its own"
    ]


def test_goodbye_tells_what_is_left_to_tell_and_leaves() -> None:
    worker = Reported(Book())
    worker.busy("r")
    worker.step()
    worker.reporter.change(lambda duty: duty.over("failed"))
    worker.reporter.goodbye(2.0)
    assert worker.book.said[-2:] == ["attempt failed", "goodbye"]
    assert worker.book.workers == {}


def test_goodbye_to_a_registry_that_is_away_is_tried_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    worker = Reported(Book())
    worker.step()
    worker.book.failing = 0
    worker.reporter.goodbye(2.0)
    assert [record.getMessage() for record in caplog.records] == [
        "left without a goodbye: expected a connection, got none"
    ]


@pytest.mark.parametrize("body", [b"", b"<html>", b"null", b"[]", b'{"status": 1}', b"[" * 100_000])
def test_an_answer_that_is_no_worker_is_an_outage(body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    class Other(Call):
        def post(self, path: str, body_sent: bytes) -> Fetched:
            return Fetched(body, None)

    worker = Reported(Book(), dial=lambda seconds: Other(Book()))
    assert worker.step() < 10
    assert caplog.records[0].getMessage().endswith("expected a worker, got something else")


def test_a_change_that_changes_nothing_is_not_told() -> None:
    worker = Reported(Book())
    worker.step()
    worker.reporter.change(lambda duty: duty.over("failed"))
    assert worker.after(1.0) == []
