"""Wakeable capacity of a fleet: what meshes and inventories list, merged, beside live nodes that it never touches."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.records import (
    Becomes,
    NodeCount,
    NodeView,
    WakeableBecomes,
    WakeableCount,
    WakeableModel,
    WakeableNode,
    WakeCount,
)
from exporter.records.reading import InventoryReading, MeshReading, Sighting
from exporter.records.table import Tables
from exporter.sources.inventory import parse_json
from exporter.state.fleet import Fleet, Limits, WorkerRules

KINDS = ("mesh-llm", "inventory")


def fleet() -> Fleet:
    return Fleet("eu", WorkerRules(), Limits())


def mesh(*wakeables: WakeableNode, observer: str = "id-1", hostname: str = "gpu-01") -> MeshReading:
    view = NodeView(fleet="eu", observer=observer, node=observer, own=True, hostname=hostname, word="standby")
    models = tuple(WakeableModel("eu", node.logical_id, "of-the-mesh") for node in wakeables)
    return MeshReading(observer=observer, sightings=(Sighting(view),), wakeables=wakeables, wakeable_models=models)


def entry(logical_id: str, state: str | None, inventory: str = "mesh-llm") -> WakeableNode:
    return WakeableNode("eu", logical_id, None, inventory, state, 1e9, None)


def inventory(name: str, *entries: Any) -> InventoryReading:
    said = [each if isinstance(each, dict) else {"logical_id": each, "models": [f"of-{name}"]} for each in entries]
    return parse_json(json.dumps(said).encode(), "eu", name)


def judged(judge: Fleet, now: float = 0.0, kinds: tuple[str, ...] = KINDS, wall: float = 1e9) -> Tables:
    return judge.tables(now, kinds, wall)[0]


def shown(tables: Tables) -> dict[str, tuple[str, str | None]]:
    return {row.logical_id: (row.inventory, row.state) for row in tables[WakeableNode]}  # type: ignore[attr-defined]


def models(tables: Tables) -> set[tuple[str, str]]:
    return {(row.logical_id, row.model) for row in tables[WakeableModel]}  # type: ignore[attr-defined]


def test_a_meshs_own_word_wins_and_of_two_inventories_the_first_by_name() -> None:
    eu = fleet()
    eu.receive("b.yaml", inventory("b.yaml", "x", "y", "z"), 1)
    eu.receive("a.yaml", inventory("a.yaml", "x", "y"), 1)
    eu.receive("h:3131", mesh(entry("x", "waking")), 1)
    tables = judged(eu)
    assert shown(tables) == {"x": ("mesh-llm", "waking"), "y": ("a.yaml", "sleeping"), "z": ("b.yaml", "sleeping")}
    assert models(tables) == {("x", "of-the-mesh"), ("y", "of-a.yaml"), ("z", "of-b.yaml")}


def test_what_is_stale_lists_nothing_and_is_back_with_the_next_answer() -> None:
    eu = fleet()
    eu.receive("a.yaml", inventory("a.yaml", "x"), 10)
    assert shown(judged(eu, 10)) == {"x": ("a.yaml", "sleeping")}
    assert eu.expires == 10
    assert shown(judged(eu, 10.5)) == {}
    eu.receive("a.yaml", inventory("a.yaml", "x"), 20)
    assert shown(judged(eu, 11)) == {"x": ("a.yaml", "sleeping")}


def test_counts_of_a_fleet_that_is_only_an_inventory() -> None:
    eu = fleet()
    eu.receive("a.yaml", inventory("a.yaml", "x", "y", {"logical_id": "z", "state": "hibernating"}), 1)
    tables = judged(eu, kinds=("inventory",))
    assert NodeCount not in tables
    assert tables[WakeableCount] == (WakeableCount("eu", "sleeping", 2), WakeableCount("eu", "waking", 0))
    assert shown(tables)["z"] == ("a.yaml", None)
    assert {row.provider for row in tables[WakeCount]} == {""}  # type: ignore[attr-defined]


def test_a_fleet_of_workers_counts_no_wakeable_capacity() -> None:
    assert not {WakeableCount, WakeCount} & judged(fleet(), kinds=("agent-lightning",)).keys()


AWAKE = {"hostname": Becomes(hostname="gpu-01"), "id": Becomes(node="id-1")}


@pytest.mark.parametrize("hint", AWAKE.values(), ids=AWAKE)
@pytest.mark.parametrize("listed_by_the_mesh_too", [False, True])
def test_an_entry_whose_node_is_live_is_awake_and_counted_there_only(
    hint: Becomes, listed_by_the_mesh_too: bool
) -> None:
    eu = fleet()
    said = {"hostname": hint.hostname} if hint.hostname else {"node": hint.node}
    eu.receive("a.yaml", inventory("a.yaml", {"logical_id": "x", "becomes": said, "models": ["m"]}, "y"), 100)
    tables = judged(eu)
    assert shown(tables).keys() == {"x", "y"}
    assert tables[WakeableBecomes] == (WakeableBecomes("eu", "x", hint.node, hint.hostname),)
    eu.receive("h:3131", mesh(*[entry("x", "sleeping")] * listed_by_the_mesh_too), 10)
    tables = judged(eu)
    assert (shown(tables).keys(), models(tables)) == ({"y"}, {("y", "of-a.yaml")})
    assert tables[WakeableBecomes] == ()
    assert tables[WakeableCount][0] == WakeableCount("eu", "sleeping", 1)
    assert shown(judged(eu, 11)).keys() == {"y"}


@pytest.mark.parametrize(("state", "told"), [("sleeping", 1), ("waking", 1), ("running", 0)])
def test_while_no_console_answers_the_hint_of_who_is_said_to_sleep_is_told(state: str, told: int) -> None:
    eu = fleet()
    eu.receive("a.yaml", inventory("a.yaml", {"logical_id": "x", "becomes": {"node": "id-1"}, "state": state}), 100)
    eu.receive("h:3131", mesh(), 10)
    assert judged(eu)[WakeableBecomes] == ()
    assert (judged(eu, 11)[WakeableBecomes], shown(judged(eu, 11))) == (
        (WakeableBecomes("eu", "x", "id-1", None),) * told,
        {},
    )


def test_a_namesake_without_a_hint_hides_nothing() -> None:
    eu = fleet()
    eu.receive("h:3131", mesh(entry("gpu-01", "sleeping"), entry("id-1", "sleeping")), 10)
    assert shown(judged(eu)).keys() == {"gpu-01", "id-1"}


def test_a_wake_shows_its_first_promise_and_how_long_it_has_taken() -> None:
    eu = fleet()
    for wall, state, eta in ((1000.0, "waking", 60.0), (1030.0, "waking", 10.0), (1050.0, "sleeping", 70.0)):
        eu.receive("i", inventory("i", {"logical_id": "x", "state": state, "wake_eta_secs": eta}), 10)
        row = judged(eu, wall=wall)[WakeableNode][0]
        assert isinstance(row, WakeableNode)
        assert row.wake_duration_seconds == wall - 1000
        assert row.wake_eta_seconds == (60.0 if state == "waking" else eta)
    assert WakeCount("eu", "", "returned", 1) in judged(eu)[WakeCount]


ENTRY = st.fixed_dictionaries(
    {"logical_id": st.sampled_from(["id-1", "gpu-01", "x"]), "state": st.sampled_from(["sleeping", "waking", "?"])},
    optional={"becomes": st.sampled_from([{"node": "id-1"}, {"hostname": "gpu-01"}]), "vram_gb": st.just(5)},
)


@given(st.lists(ENTRY, max_size=4), st.lists(st.sampled_from(["id-1", "gpu-01", "x"]), max_size=3, unique=True))
def test_wakeable_entries_change_no_table_but_their_own(said: list[dict[str, Any]], listed: list[str]) -> None:
    without, with_them = fleet(), fleet()
    without.receive("h:3131", mesh(), 1)
    with_them.receive("h:3131", mesh(*(entry(name, "waking") for name in listed)), 1)
    with_them.receive("i", inventory("i", *said), 1)
    own = {WakeableNode, WakeableModel, WakeableBecomes, WakeableCount, WakeCount}
    before, after = judged(without), judged(with_them)
    assert {kind: rows for kind, rows in before.items() if kind not in own} == {
        kind: rows for kind, rows in after.items() if kind not in own
    }
