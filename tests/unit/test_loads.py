"""How long a model took to load."""

from __future__ import annotations

from pathlib import Path

from exporter.records import ModelLoad, NodeModel, NodeView
from exporter.records.reading import MeshReading, Sighting
from exporter.state.fleet import Fleet, Limits, WorkerRules
from tests.unit.ledgers import opened


def console(node: str, word: str, *hosted: str) -> MeshReading:
    view = NodeView(fleet="eu", observer=node, node=node, own=True, word=word, hosted=bool(hosted), serving=True)
    models = tuple(NodeModel("eu", node, model, relation) for model in hosted for relation in ("hosted", "serving"))
    return MeshReading(observer=node, sightings=(Sighting(view, models),))


def loads(fleet: Fleet, now: float, *readings: MeshReading) -> dict[tuple[str, str], float]:
    for reading in readings:
        fleet.receive(f"{reading.observer}:1", reading, fresh_until=now + 15, at=now)
    rows = fleet.tables(now)[0].get(ModelLoad, ())
    return {(row.node, row.model): row.seconds for row in rows if isinstance(row, ModelLoad)}


def test_a_load_is_timed_from_loading_to_serving_by_model() -> None:
    fleet = Fleet("eu", WorkerRules(), Limits())
    assert loads(fleet, 100, console("a", "standby")) == {}
    assert loads(fleet, 105, console("a", "loading")) == {}
    assert loads(fleet, 110, console("a", "loading")) == {}
    assert loads(fleet, 125, console("a", "serving", "m", "n")) == {("a", "m"): 20, ("a", "n"): 20}
    assert loads(fleet, 130, console("a", "standby")) == {("a", "m"): 20, ("a", "n"): 20}
    loads(fleet, 135, console("a", "loading"))
    assert loads(fleet, 140, console("a", "serving", "n")) == {("a", "m"): 20, ("a", "n"): 5}


def test_a_load_that_is_given_up_has_no_length_and_who_leaves_takes_theirs_along() -> None:
    fleet = Fleet("eu", WorkerRules(), Limits())
    loads(fleet, 0, console("a", "loading"), console("b", "loading"))
    assert loads(fleet, 5, console("a", "standby"), console("b", "serving", "m")) == {("b", "m"): 5}
    assert loads(fleet, 10, console("a", "serving", "m"), console("b", "serving", "m")) == {("b", "m"): 5}
    assert loads(fleet, 20.001, console("a", "serving", "m")) == {("b", "m"): 5}
    assert loads(fleet, 30, console("a", "serving", "m")) == {}


def test_a_restart_remembers_loads(tmp_path: Path) -> None:
    fleet, ledger = Fleet("eu", WorkerRules(), Limits()), opened(tmp_path)
    loads(fleet, 0, console("a", "loading"))
    loads(fleet, 30, console("a", "serving", "m"))
    ledger.observe({"eu": fleet.listing}, 30)
    ledger.close()
    ledger = opened(tmp_path)
    fleet = Fleet("eu", WorkerRules(), Limits(), ledger.recall("eu"))
    ledger.close()
    assert loads(fleet, 5, console("a", "serving", "m")) == {("a", "m"): 30}
