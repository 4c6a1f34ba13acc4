"""Broken answers of an Agent Lightning 1.x server: an error of the envelope or drift, and never anybody else's loss."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.endpoint import parse_url
from exporter.records.reading import StoreReading
from exporter.sources.fetch import Resolver
from exporter.sources.lightning import AgentLightning
from exporter.sources.source import Deadline, Pace, SourceError
from tests.fuzz.beside import Sick, attempt, exposed, lines_of
from tests.fuzz.conftest import Fuzz
from tests.fuzz.payloads import REPRODUCIBLE, broken, sweep
from tests.golden.canned_server import Broken, CannedServer
from tests.golden.cases import SERVER
from tests.promises.recording import Measured

LISTS, LOG = "/api/rollouts?", "/api/rollouts/terminal?"
SAID = {
    "/healthz": {"status": "ok"},
    LISTS: json.loads((SERVER / "rollouts.json").read_text()),
    LOG: json.loads((SERVER / "log-0.json").read_text()),
}
# `input`, `config` and the like are never decoded.
KEYS = {
    "/healthz": frozenset({"status"}),
    LISTS: frozenset({"rollout_id", "status", "state"}),
    LOG: frozenset({"items", "next_after", "total_terminal", "rollout_id", "state"}),
}
ALONE = lines_of(exposed([]), "eu")

Answers = Mapping[str, Any]


def answering(answers: Answers) -> Broken:
    """Answer so; of the log that is its beginning, with the rest of the true one after it."""
    total = SAID[LOG]["total_terminal"]

    def answer(path: str) -> Any:
        if path.startswith(LOG) and "after=0&" not in path:
            after = int(path.partition("after=")[2].partition("&")[0])
            items = SAID[LOG]["items"][-1:] if after == total - 1 else []
            return {"items": items, "next_after": max(after, total), "total_terminal": total}
        return next((said for start, said in answers.items() if path.startswith(start)), None)

    return answer


def sick(*reads: Answers) -> Sick:
    """A server whose reads are answered so in turn; one that never ends is given up on."""
    server = CannedServer()
    endpoint = parse_url("http://sick:8080", 4747)
    source = AgentLightning("sick", endpoint, Resolver(), Pace(10, 5, 30), connect=server)
    found: list[StoreReading | SourceError] = []
    for answers in reads:
        left = iter(range(10_000))
        deadline = Deadline(5, lambda left=left: next(left) / 8)
        server.broken = answering(answers)
        found.append(attempt(lambda deadline=deadline: source.read(deadline), "timeout"))
    return Sick(source, found)


def check(text: bytes) -> None:
    """The healthy fleet lost nothing, and what finished is told by all of its rows or by none, and never as less."""
    assert lines_of(text, "eu") == ALONE
    rows = [line for line in lines_of(text, "sick") if line.startswith("rollcall_rollouts_finished_total{")]
    assert len(rows) in (0, 3)
    assert all(float(line.rpartition(" ")[2]) >= 0 for line in rows)
    assert sum(line.startswith("rollcall_rollouts{") for line in lines_of(text, "sick")) == 7


@st.composite
def spoiled(draw: st.DrawFn) -> Answers:
    """A server's answers, one or two of them broken."""
    wrong = draw(st.lists(st.sampled_from(sorted(SAID)), min_size=1, max_size=2))
    return {start: draw(broken(said, KEYS[start])) if start in wrong else said for start, said in SAID.items()}


@pytest.mark.promise("Fuzzing", "Broken answers of an Agent Lightning 1.x server cost a healthy console no sample")
def test_a_broken_server_costs_a_healthy_console_nothing(fuzz: Fuzz) -> None:
    fuzz(lambda first, second: check(exposed([sick(first, second, SAID)])), spoiled(), spoiled())


@pytest.mark.promise("Fuzzing", "Each value of a 1.x server replaced by each hostile one costs none of the next read")
def test_every_value_that_is_read_replaced_by_every_hostile_one(measured: Measured) -> None:
    swept = []
    for start, said in SAID.items():
        for path, body in sweep(said, KEYS[start]):
            server = sick({**SAID, start: body}, SAID)
            assert isinstance(server.reads[1], StoreReading)
            swept.append((start, path[-1]))
    assert len(set(swept)) > 8
    measured("cases", len(swept), "")


def test_generated_answers_are_of_every_kind() -> None:
    kinds: Counter[str] = Counter()

    @settings(REPRODUCIBLE, max_examples=300)
    @given(answers=spoiled())
    def count(answers: Answers) -> None:
        found = sick(SAID, answers).reads[1]
        kinds[found.result if isinstance(found, SourceError) else "read"] += 1

    count()
    assert min(kinds["malformed"], kinds["read"]) > 5, kinds
