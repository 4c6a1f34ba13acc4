"""Hostile slots, stages and model targets cost their own samples at most: never the status, never another fleet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import strategies as st

from exporter.exposition import Exposition, Format
from exporter.families import POLLED
from exporter.records.reading import MeshReading
from exporter.sources.mesh_llm import parse
from tests.fuzz.beside import Sick, exposed, lines_of, published
from tests.fuzz.conftest import Fuzz
from tests.fuzz.payloads import Path, broken, keys_of, sweep
from tests.golden.canned_console import CannedConsole
from tests.golden.cases import MESH, console, whole
from tests.promises.recording import Measured

SPLIT = MESH.parent / "made" / "split"
PATHS = {"runtime-llama": "/api/runtime/llama", "runtime-stages": "/api/runtime/stages"}
PATHS |= {"model-targets": "/api/model-targets"}
SAID = {name: json.loads((SPLIT / f"{name}.json").read_text()) for name in PATHS}
STATUS = parse((SPLIT / "status.json").read_bytes(), "sick")
OWN = (
    "rollcall_node_slots",
    "rollcall_node_stage{",
    "rollcall_model_",
    "rollcall_source_drift",
    "rollcall_source_last",
)


def reading(name: str, body: bytes) -> MeshReading:
    return CannedConsole({PATHS[name]: body}).added_to(STATUS, "sick")


def of_status(text: bytes) -> list[str]:
    return [line for line in lines_of(text, "sick") if not line.startswith(OWN)]


def sick(said: MeshReading) -> Sick:
    return Sick(console("http://sick:3131", "sick"), [said])


ALONE = exposed([])
HEALTHY, UNTOUCHED = lines_of(ALONE, "eu"), of_status(exposed([sick(STATUS)]))


def check(text: bytes) -> None:
    assert lines_of(text, "eu") == HEALTHY
    assert of_status(text) == UNTOUCHED


def payloads() -> Iterator[Any]:
    for name, said in SAID.items():
        yield st.tuples(st.just(name), broken(said, keys_of(said)))


@pytest.mark.promise("Fuzzing", "Broken slots, stages and targets of a console cost no sample of a status")
def test_broken_answers_cost_nothing_else(fuzz: Fuzz) -> None:
    fuzz(lambda answer: check(exposed([sick(reading(*answer))])), st.one_of(*payloads()))


@pytest.mark.promise("Fuzzing", "Each value of {name} replaced by each hostile one costs no other sample")
@pytest.mark.parametrize("name", PATHS)
def test_every_value_that_is_read_replaced_by_every_hostile_one(name: str, measured: Measured) -> None:
    exposition = Exposition(POLLED, limit=10**6)
    swept: list[Path] = []
    read = partial(reading, name)
    for path, body in sweep(SAID[name], keys_of(SAID[name])):
        check(whole(published([sick(read(body))], exposition), Format.TEXT))
        swept.append(path)
    assert len(set(swept)) > 10
    measured("cases", len(swept), "")


def test_there_is_something_to_lose() -> None:
    assert len(HEALTHY) > 60
    assert len(UNTOUCHED) > 40
