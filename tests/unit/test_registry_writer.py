"""The registry's writer: what waits is written together, answered once and afterwards, and nothing ends it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from exporter.records.registry import Registered
from exporter.registry.reader import Reader
from exporter.registry.request import Outcome, Request, Unwritten
from exporter.registry.store import DROPPED, RegistryError, RegistryStore
from exporter.registry.writer import BUSY, CLEANING, GATHERING, JUMP, Writer
from tests.unit.registry_files import NOW, beat, leave, names, opened

PATIENCE = 20.0
"""Seconds that a test waits at most for what should come at once."""


class Clock:
    """Goes when the test says so."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Fake:
    """Instead of a store: `asked` gets the requests of each transaction, which waits for what becomes of it.

    `results` are what comes of transactions; `cleaned` gets the arguments of each look for silent workers.
    """

    def __init__(self) -> None:
        self.asked: SimpleQueue[list[str]] = SimpleQueue()
        self.results: SimpleQueue[str | Exception] = SimpleQueue()
        self.cleaned: SimpleQueue[tuple[float, float, float]] = SimpleQueue()
        self.dropped = 0

    def apply(self, requests: Sequence[Request], now: float) -> list[Outcome]:
        workers = [getattr(request.event, "worker", "") for request in requests]
        self.asked.put(workers)
        result = self.results.get(timeout=PATIENCE)
        if isinstance(result, Exception):
            raise result
        return [Registered(worker, last_heartbeat=now) for worker in workers]

    def listen(self, now: float) -> None:
        pass

    def drop_silent(self, now: float, retention: float, started: float) -> int:
        self.cleaned.put((now, retention, started))
        return self.dropped


Answers = SimpleQueue[list[tuple[str, Outcome | Unwritten]]]


@contextmanager
def writing(store: Any, **more: Any) -> Iterator[tuple[Writer[str], Answers]]:
    answers: Answers = SimpleQueue()
    writer: Writer[str] = Writer(store, more.pop("clock", lambda: NOW), **more)
    writer.start(lambda each: answers.put(list(each)))
    yield writer, answers
    writer.stop()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RegistryStore]:
    found = opened(tmp_path)
    yield found
    found.close()


def test_when_a_request_is_answered_another_process_would_see_it(store: RegistryStore) -> None:
    reader = Reader(store.path)
    seen: SimpleQueue[tuple[str, Outcome | Unwritten, Registered | None]] = SimpleQueue()
    writer: Writer[str] = Writer(store, lambda: NOW)
    writer.start(lambda each: [seen.put((token, outcome, reader.find(token))) for token, outcome in each] and None)
    for worker in ("a", "b", "c"):
        assert writer.submit(beat(worker), worker) is None
    for _ in range(3):
        token, outcome, found = seen.get(timeout=PATIENCE)
        assert outcome == found == Registered(token, last_heartbeat=NOW)
    writer.stop()
    reader.close()


def test_what_comes_during_a_transaction_is_written_and_answered_together_in_the_next() -> None:
    fake = Fake()
    with writing(fake) as (writer, answers):
        writer.submit(beat("first"), "1")
        assert fake.asked.get(timeout=PATIENCE) == ["first"]
        for number in range(50):
            writer.submit(beat(f"w{number}"), f"token {number}")
        assert answers.empty()
        fake.results.put("ok")
        assert [token for token, _ in answers.get(timeout=PATIENCE)] == ["1"]
        assert fake.asked.get(timeout=PATIENCE) == [f"w{number}" for number in range(50)]
        fake.results.put("ok")
        answered = answers.get(timeout=PATIENCE)
    assert [token for token, _ in answered] == [f"token {number}" for number in range(50)]
    assert [getattr(outcome, "worker_id", None) for _, outcome in answered] == [f"w{number}" for number in range(50)]


@pytest.mark.parametrize(
    ("limits", "taken", "waiting"),
    [
        pytest.param({"most": 3}, 3, r"3 requests of \d+ bytes", id="requests"),
        pytest.param({"most_bytes": 25_000}, 2, "2 requests of 21000 bytes", id="bytes"),
    ],
)
def test_when_too_much_waits_the_next_is_refused_at_once(limits: dict[str, int], taken: int, waiting: str) -> None:
    fake = Fake()
    with writing(fake, **limits) as (writer, answers):
        writer.submit(beat("first"), "1")
        fake.asked.get(timeout=PATIENCE)
        refused = [writer.submit(beat(f"w{number}", b"x" * 10_000), "") for number in range(taken + 2)]
        assert refused[:taken] == [None] * taken
        for each in refused[taken:]:
            assert each is not None
            assert each.reason == "busy"
            assert re.fullmatch(f"{waiting} wait to be written", each.text)
        fake.results.put("ok")
        fake.results.put("ok")
        assert [len(answers.get(timeout=PATIENCE)) for _ in range(2)] == [1, taken]
        assert writer.submit(beat("again"), "") is None
        fake.results.put("ok")


def test_a_transaction_that_fails_costs_its_requests_and_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    fake = Fake()
    full = RegistryError("/x/registry.db: expected space to write, got a full disk; free some")
    with caplog.at_level(logging.INFO), writing(fake) as (writer, answers):
        for result in (full, full, "ok"):
            fake.results.put(result)
            writer.submit(beat("w"), "token")
            ((token, outcome),) = answers.get(timeout=PATIENCE)
            assert token == "token"
            if result == "ok":
                assert isinstance(outcome, Registered)
                assert writer.trouble is None
            else:
                assert outcome == Unwritten("failed", str(full))
                assert writer.trouble == str(full)
    assert caplog.messages == [f"the registry cannot be written: {full}", "the registry is written again"]


def test_what_nobody_foresaw_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    fake = Fake()
    seen: SimpleQueue[Outcome | Unwritten] = SimpleQueue()

    def answer(each: Sequence[tuple[str, Outcome | Unwritten]]) -> None:
        for _, outcome in each:
            seen.put(outcome)
        raise ValueError("the answer")

    writer: Writer[str] = Writer(fake, lambda: NOW)  # type: ignore[arg-type]
    writer.start(answer)
    for result in (ValueError("the store"), "ok"):
        fake.results.put(result)
        writer.submit(beat("w"), "")
        outcome = seen.get(timeout=PATIENCE)
        assert outcome == (
            Registered("w", last_heartbeat=NOW) if result == "ok" else Unwritten("failed", "unforeseen ValueError")
        )
    writer.stop()
    assert "registry: a reading failed in a way nobody foresaw" in caplog.messages


def test_at_the_end_what_waits_is_written_and_nothing_more_is_taken(store: RegistryStore, tmp_path: Path) -> None:
    clock = Clock()
    with writing(store, clock=clock) as (writer, answers):
        for number in range(100):
            writer.submit(beat(f"w{number}"), "")
        clock.now += 5
        writer.stop()
        assert writer.submit(leave("w0"), "") == Unwritten("stopped", "the registry ends")
    answered = 0
    while not answers.empty():
        answered += len(answers.get())
    assert (answered, len(names(store))) == (100, 100)
    again = opened(tmp_path)
    assert again.heard == clock.now
    again.close()


def cleanings(elapsed: Sequence[tuple[float, float]], fake: Fake, *failing: int) -> list[tuple[float, float, float]]:
    """Let so many seconds pass on both clocks, again and again; what was looked for, on the clock since NOW."""
    clock, monotonic, found = Clock(), Clock(), []
    with writing(fake, clock=clock, monotonic=monotonic, retention=100.0) as (writer, answers):
        for number, (wall, steady) in enumerate(elapsed):
            clock.now += wall
            monotonic.now += steady
            fake.results.put(RegistryError("full") if number in failing else "ok")
            writer.submit(beat("w"), "")
            answers.get(timeout=PATIENCE)
            if steady and number not in failing:
                now, retention, started = fake.cleaned.get(timeout=PATIENCE)
                found.append((round(now - NOW, 3), retention, round(started - NOW, 3)))
    return found


def test_silent_workers_are_looked_for_now_and_then() -> None:
    step = (CLEANING, CLEANING)
    assert cleanings([(0, 0), step, (0, 0), step], Fake()) == [(60, 100, 0), (120, 100, 0)]


def test_after_a_jump_of_the_clock_it_is_as_if_it_had_just_started() -> None:
    step, jump = (CLEANING, CLEANING), (CLEANING + JUMP + 1e6, CLEANING)
    assert [started for _, _, started in cleanings([step, jump, step], Fake())] == [0, 1e6 + 180, 1e6 + 180]


def test_after_a_time_in_which_nothing_could_be_written_it_is_as_if_it_had_just_started() -> None:
    step = (CLEANING, CLEANING)
    found = cleanings([step, step, step, step], Fake(), 1)
    assert [(now, started) for now, _, started in found] == [(60, 0), (180, 180), (240, 180)]


def test_when_there_are_more_silent_ones_the_next_look_is_soon() -> None:
    fake = Fake()
    fake.dropped = DROPPED
    clock = Clock()
    with writing(fake, monotonic=clock) as (writer, answers):
        clock.now += CLEANING
        for _ in range(3):
            fake.results.put("ok")
            writer.submit(beat("w"), "")
            answers.get(timeout=PATIENCE)
            fake.cleaned.get(timeout=PATIENCE)


def test_after_many_at_once_more_are_waited_for() -> None:
    paused: list[float] = []
    store = Fake()
    with writing(store, pause=paused.append) as (writer, _):
        writer.submit(beat("first"), "first")
        assert store.asked.get(timeout=PATIENCE) == ["first"]
        many = [f"w{number}" for number in range(BUSY)]
        for name in many:
            writer.submit(beat(name), name)
        for expected, pauses in ((many, 0), (["few"], 1), (["last"], 1)):
            if expected != many:
                writer.submit(beat(expected[0]), expected[0])
            store.results.put("ok")
            assert store.asked.get(timeout=PATIENCE) == expected
            assert paused == [GATHERING] * pauses
        store.results.put("ok")
