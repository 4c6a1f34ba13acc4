"""`rollcall explain worker`: what it prints, in which nothing steers a terminal, and how it ends."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from exporter.explain.command import WORKER, Question
from exporter.explain.terminal import LONGEST, printable
from exporter.explain.worker_text import unknown_worker, worker_explanation
from exporter.records.worker_evidence import (
    InconsistencyEvidence,
    Sign,
    Transition,
    UnknownWorker,
    WorkerEvidence,
    WorkerName,
)
from tests.unit.loopback import answer, sends
from tests.unit.test_cli import outcome
from tests.unit.test_explain_command import asked

AT = 1_700_007_530.0


def sign(what: str, age: float | None, **more: bool) -> Sign:
    said = {"counts": True, "newest": False, **more}
    return Sign(what=what, at=None if age is None else AT - age, age_seconds=age, **said)


SAID: dict[str, Any] = {
    "fleet": "training",
    "worker": "Worker-0",
    "at": AT,
    "source": "trainer:4747",
    "fresh": True,
    "read_at": AT - 1.5,
    "read_seconds_ago": 1.5,
    "status": "unknown",
    "reason": "silent",
    "rule": "too old",
    "reported": "busy",
    "silence_seconds": 75.0,
    "outage_seconds": 12.0,
    "heartbeat_timeout_seconds": 45.0,
    "signs": (sign("heartbeat", 75.0, newest=True), sign("attempt_heartbeat", None), sign("idle", 3.25, counts=False)),
    "word": "busy",
    "rollout": "ro-1",
    "attempt": "at-1",
    "attempt_status": "running",
    "telemetry_stale": True,
    "host": "node-a",
    "os": "Linux",
    "clock_skew_seconds": -7.25,
    "inconsistencies": (
        InconsistencyEvidence("held_by_unknown", "it holds a rollout", "ro-1", "at-1"),
        InconsistencyEvidence("shared_id", "x", None, None),
    ),
    "present": True,
    "since": AT - 7530,
    "transitions": (Transition(AT - 8000, None, "busy"), Transition(AT - 7530, "busy", "unknown")),
    "transitions_since": AT - 90_000,
}
TEXT = """\
Worker-0 (node-a) of fleet training: unknown

status         unknown since 2023-11-14 22:13:20 UTC, for 2h5m
rule           too old (silent)
reported       busy, which the status overrides
silence        1m15s, of which 12s do not count: nobody heard; the heartbeat timeout is 45s
store says     busy, rollout ro-1, attempt at-1 (running)
telemetry      stale: its heartbeats stopped
clock skew     7.2s behind its store's
os             Linux
inconsistency  held_by_unknown: it holds a rollout (ro-1, at-1)
inconsistency  shared_id: x
present        yes
source         trainer:4747, read 1.5s ago

   evidence           at                       age
*  heartbeat          2023-11-15 00:17:35 UTC  1m15s
   attempt heartbeat  never
   idle               2023-11-15 00:18:46 UTC  3.2s   does not count

* the newest evidence of life; ages are those at the read, on the store's clock

changes of status known since 2023-11-13 23:18:50 UTC, for 1d1h:
at                       from       to
2023-11-14 22:05:30 UTC  not there  busy
2023-11-14 22:13:20 UTC  busy       unknown"""


def test_the_whole_text() -> None:
    assert worker_explanation(WorkerEvidence(**SAID)) == TEXT


BARE = {"fleet": "f", "worker": "w", "at": AT}
LINES: dict[str, tuple[dict[str, Any], str]] = {
    "gone": ({**BARE, "present": False, "fresh": True}, "w of fleet f: gone"),
    "why gone": (
        {**BARE, "present": False, "fresh": True},
        "its store does not list it, and it was there until a moment",
    ),
    "unlisted": ({**BARE, "fresh": True}, "w of fleet f: unlisted"),
    "stale": ({**SAID, "status": None, "fresh": False}, "why            its store has not been read lately"),
    "forgotten": (
        {**SAID, "status": None, "forgotten": True},
        "why            too old (silent), and for so long that it is dropped",
    ),
    "no memory": (BARE, "present  not said: no memory of it"),
    "no evidence": (
        {**SAID, "silence_seconds": None},
        "silence        no evidence of life at all; the heartbeat timeout is 45s",
    ),
    "no assignment": ({**SAID, "rollout": None, "attempt": None, "attempt_status": None}, "busy, no assignment"),
    "taken away": (
        {**SAID, "rollout": None, "attempt": None, "attempt_status": "timeout"},
        "busy, no assignment (timeout)",
    ),
    "ahead": ({**SAID, "clock_skew_seconds": 7.25}, "clock skew     7.2s ahead of its store's"),
    "fresh": ({**SAID, "telemetry_stale": False}, "telemetry      fresh"),
    "never": ({**SAID, "telemetry_stale": None}, "telemetry      it never sent a heartbeat"),
    "no change": ({**SAID, "transitions": ()}, "UTC, for 1d1h:\nnone"),
    "no calendar has it": ({**SAID, "signs": (sign("busy", 1e300),)}, "busy      ?"),
}


@pytest.mark.parametrize(("said", "line"), LINES.values(), ids=LINES)
def test_a_line_of_the_text(said: dict[str, Any], line: str) -> None:
    assert line in worker_explanation(WorkerEvidence(**said))


def test_nothing_that_an_upstream_says_steers_a_terminal() -> None:
    hostile = "\x1b[2J\x9b31m\u202eroot\r\n" + "x" * 1000
    names = {name: hostile for name, said in SAID.items() if isinstance(said, str)}
    odd = {
        "signs": (sign(hostile, 1e300),),
        "inconsistencies": (InconsistencyEvidence(hostile, hostile, hostile, hostile),),
        "transitions": (Transition(1e300, hostile, hostile),),
    }
    text = worker_explanation(WorkerEvidence(**{**SAID, **names, **odd}))
    assert printable(text.replace("\n", "")) == text.replace("\n", "")
    assert "x" * LONGEST not in text.splitlines()[0]
    line = unknown_worker(UnknownWorker(error=hostile, near=(WorkerName(hostile, hostile, hostile),)))
    assert printable(line) == line


def test_the_status_is_coloured_and_nothing_else_changes() -> None:
    coloured = worker_explanation(WorkerEvidence(**SAID), coloured=True)
    assert coloured.startswith("Worker-0 (node-a) of fleet training: \x1b[31munknown\x1b[0m\n")
    assert coloured.replace("\x1b[31m", "").replace("\x1b[0m", "") == TEXT


EXPLAINED = sends(answer(msgspec.json.encode(WorkerEvidence(**SAID))))


def test_it_asks_for_exactly_that_worker_and_prints_text_or_the_answer_itself() -> None:
    status, out, err, request = asked(EXPLAINED, Question("a/b?c#%20 é", "e&u", subject=WORKER))
    assert request == "GET /api/v1/workers/a%2Fb%3Fc%23%2520%20%C3%A9?fleet=e%26u HTTP/1.1"
    assert (status, out, err) == (0, TEXT + "\n", "")
    status, out, _, _ = asked(EXPLAINED, Question("w", as_json=True, subject=WORKER))
    assert (status, json.loads(out)["transitions"][0]) == (0, {"at": AT - 8000, "from": None, "to": "busy"})


NAME, OTHER = WorkerName("eu", "w", "a"), WorkerName("us", "w", None)
NONE: dict[str, tuple[str, UnknownWorker, str]] = {
    "unknown": ("404 Not Found", UnknownWorker(error="none has it"), "none has it"),
    "near": ("404 Not Found", UnknownWorker(error="no", near=(NAME,)), "no; much like it: w (a, fleet eu)"),
    "ambiguous": (
        "409 Conflict",
        UnknownWorker(error="two have it", candidates=(NAME, OTHER)),
        "two have it; give a fleet: w (a, fleet eu), w (host not said, fleet us)",
    ),
    "busy": ("503 Service Unavailable", UnknownWorker(error="4 are under way"), "4 are under way"),
}


@pytest.mark.parametrize(("status", "said", "line"), NONE.values(), ids=NONE)
def test_without_an_explanation_it_ends_with_1_and_one_line(status: str, said: UnknownWorker, line: str) -> None:
    body = msgspec.json.encode(said)
    question = Question("w", subject=WORKER)
    assert asked(sends(answer(body, status=status)), question)[:3] == (1, "", f"rollcall: {line}\n")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["explain", "worker"], 2, "the following arguments are required: WORKER"),
        (["explain", "worker", "w", "--url", "ftp://x"], 2, "--url: expected an http(s) URL, got 'ftp://x'"),
        (["explain", "worker", "w", "--url", "http://u:secret@127.0.0.1:1"], 1, "cannot ask http://127.0.0.1:1: "),
    ],
    ids=["no worker", "not a URL", "nobody there"],
)
def test_the_command_line(arguments: list[str], status: int, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(*arguments) == status
    err = capsys.readouterr().err
    assert message in err
    assert "secret" not in err
