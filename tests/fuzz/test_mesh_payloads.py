"""Broken payloads of a mesh-llm console: an error of the envelope or drift, and never anybody else's loss."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.exposition import Exposition, Format
from exporter.families import POLLED
from exporter.records import NODE_STATES
from exporter.sources.mesh_llm import parse
from exporter.sources.source import SourceError
from exporter.state.mesh_tables import drift_of
from tests.fuzz.beside import Sick, attempt, exposed, lines_of, published
from tests.fuzz.conftest import Fuzz
from tests.fuzz.payloads import REPRODUCIBLE, broken, keys_of, sweep
from tests.golden.cases import MESH, console, whole
from tests.promises.recording import Measured

FILES = (*sorted(MESH.glob("status-*.json")), MESH.parent / "made" / "status.json")
CAPTURES = [json.loads(path.read_text()) for path in FILES]
MADE = {**CAPTURES[-1], "node_state": "loading"}
# The payload made by hand has the fields that the exporter reads, and hardly another.
KEYS = keys_of(MADE)
ALONE = lines_of(exposed([]), "eu")

payloads = st.sampled_from(CAPTURES).flatmap(lambda captured: broken(captured, KEYS))


def sick(number: int, bodies: list[bytes]) -> Sick:
    reads = [attempt(partial(parse, body, "sick")) for body in bodies]
    return Sick(console(f"http://sick-{number}:3131", "sick"), reads)


def check(text: bytes) -> None:
    """The healthy fleet lost nothing, and every node of the sick one is in exactly one state."""
    assert lines_of(text, "eu") == ALONE
    states = [line for line in lines_of(text, "sick") if line.startswith("rollcall_node_state{")]
    assert sum(line.endswith(" 1") for line in states) * len(NODE_STATES) == len(states)


@pytest.mark.promise("Fuzzing", "Broken payloads of mesh-llm consoles cost a healthy console no sample")
def test_broken_consoles_cost_a_healthy_one_nothing(fuzz: Fuzz) -> None:
    def broken_consoles(bodies: list[list[bytes]]) -> None:
        check(exposed([sick(number, each) for number, each in enumerate(bodies)]))

    fuzz(broken_consoles, st.lists(st.lists(payloads, min_size=1, max_size=2), min_size=1, max_size=2))


@pytest.mark.promise("Fuzzing", "Each value of a console's status replaced by each hostile one costs no other sample")
def test_every_value_that_is_read_replaced_by_every_hostile_one(measured: Measured) -> None:
    exposition = Exposition(POLLED, limit=10**6)
    swept = [path[-1] for path, body in sweep(MADE, KEYS) if checked(exposition, body)]
    assert len(set(swept)) > 30
    measured("cases", len(swept), "")


def checked(exposition: Exposition, body: bytes) -> bool:
    check(whole(published([sick(0, [body])], exposition), Format.TEXT))
    return True


def test_generated_payloads_are_of_both_kinds() -> None:
    kinds: Counter[str] = Counter()

    @settings(REPRODUCIBLE, max_examples=300)
    @given(body=payloads)
    def count(body: bytes) -> None:
        read = attempt(partial(parse, body, "sick"))
        kinds["error" if isinstance(read, SourceError) else "drift" if drift_of(read) else "read"] += 1

    count()
    assert min(kinds["error"], kinds["read"], kinds["drift"]) > 10, kinds


def test_the_healthy_console_has_samples_to_lose() -> None:
    assert len(ALONE) > 60
