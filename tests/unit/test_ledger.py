"""The ledger: what a restart finds, what is shown, and what is written."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest

from exporter.records import LedgerStatus, NodeMemory, NodeTransitions, WakeableMemory, WorkerMemory, WorkerTransitions
from exporter.state.database import FILE, Database, Rows
from exporter.state.ledger import Ledger, Scope
from exporter.state.listing import Listing, kinds_of
from exporter.state.memory import Roster
from exporter.state.notes import Recalled
from exporter.state.wakes import WakeMemory
from tests.unit.ledgers import HOUR, mesh, opened, present, since, store, transitions


def test_a_restart_in_the_middle_of_a_state_goes_on_as_if_nothing_happened(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    ledger.observe({"eu": mesh({"a": "standby", "b": "serving"}), "t": store({"w": "idle"})}, 1000.0)
    ledger.observe({"eu": mesh({"a": "serving", "b": "serving"}), "t": store({"w": "busy"})}, 1010.0)
    ledger.close()
    ledger = opened(tmp_path)
    shown = ledger.observe({"eu": mesh({"a": "serving", "b": "loading"}), "t": store({"w": "busy"})}, 1300.0)
    assert since(shown["eu"]) == {"a": 1010.0, "b": 1300.0}
    assert since(shown["t"]) == {"w": 1010.0}
    assert transitions(shown["eu"]) == {("standby", "serving"): 1, ("serving", "loading"): 1}
    assert transitions(shown["t"]) == {("idle", "busy"): 1}
    ledger.close()


def test_tombstones_and_ordinals_outlive_a_restart(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    ledger.observe({"eu": mesh({"a": "serving", "b": "serving"})}, 0.0)
    shown = ledger.observe({"eu": mesh({"b": "serving"})}, 10.0)["eu"]
    assert present(shown) == {"a": 0, "b": 1}
    assert since(shown) == {"a": None, "b": 0.0}
    ledger.close()
    ledger = opened(tmp_path)
    shown = ledger.observe({"eu": mesh({"b": "serving", "c": "serving"})}, HOUR)["eu"]
    assert present(shown) == {"a": 0, "b": 1, "c": 1}
    assert {row.node: row.ordinal for row in shown[NodeMemory] if isinstance(row, NodeMemory)} == {
        "a": None,
        "b": 1,
        "c": 2,
    }
    assert present(ledger.observe({"eu": mesh({"b": "serving", "c": "serving"})}, HOUR + 10)["eu"]) == {"b": 1, "c": 1}
    ledger.close()


def test_without_a_fresh_read_presence_is_absent_and_the_counters_stay(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    ledger.observe({"eu": mesh({"a": "standby"})}, 0.0)
    ledger.observe({"eu": mesh({"a": "serving"})}, 1.0)
    silent = ledger.observe({"eu": Listing({"node", "wakeable"})}, 50.0)["eu"]
    assert NodeMemory not in silent
    assert transitions(silent) == {("standby", "serving"): 1}
    again = ledger.observe({"eu": mesh({"a": "serving"})}, 9000.0)["eu"]
    assert since(again) == {"a": 1.0}
    ledger.close()


@pytest.mark.parametrize(
    ("sources", "node", "worker"),
    [
        (["mesh-llm"], 12, 0),
        (["agent-lightning"], 0, 6),
        (["inventory"], 0, 0),
        (["mesh-llm", "agent-lightning"], 12, 6),
    ],
    ids=["mesh", "store", "inventory", "mesh-and-store"],
)
def test_every_transition_is_there_for_what_a_fleet_has(sources: list[str], node: int, worker: int) -> None:
    tables = Ledger().observe({"f": Listing(kinds_of(sources))}, 0.0)["f"]
    assert (len(tables.get(NodeTransitions, ())), len(tables.get(WorkerTransitions, ()))) == (node, worker)
    assert transitions(tables) == {}


def test_a_wakeable_node_has_a_since_and_no_presence() -> None:
    ledger = Ledger()
    listing = Listing({"wakeable"}, {"wakeable": Roster({"z": "sleeping", "odd": None})})
    tables = ledger.observe({"eu": listing}, 7.0)["eu"]
    assert set(tables) == {WakeableMemory}
    assert set(tables[WakeableMemory]) == {WakeableMemory("eu", "z", 7.0), WakeableMemory("eu", "odd", None)}


def test_what_a_limit_leaves_out_is_remembered_all_the_same() -> None:
    ledger = Ledger()
    everyone = Roster({"a": "idle", "b": "busy", "c": "idle"}, shown={"b"})
    shown = ledger.observe({"t": Listing({"worker"}, {"worker": everyone})}, 0.0)["t"]
    assert present(shown) == {"b": 1}
    fewer = Roster({"a": "idle", "b": "busy"}, shown={"a"})
    assert present(ledger.observe({"t": Listing({"worker"}, {"worker": fewer})}, 1.0)["t"]) == {"a": 1, "c": 0}


def test_a_clock_that_goes_back_gives_nothing_in_the_future(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    assert not ledger.went_back(5000.0)
    ledger.observe({"eu": mesh({"a": "serving", "b": "serving"})}, 5000.0)
    ledger.observe({"eu": mesh({"a": "serving"})}, 5000.0)
    assert ledger.went_back(100.0)
    shown = ledger.observe({"eu": mesh({"a": "serving"})}, 100.0)["eu"]
    assert (since(shown)["a"], present(shown)) == (100.0, {"a": 1, "b": 0})
    ledger.close()
    ledger = opened(tmp_path)
    assert since(ledger.observe({"eu": mesh({"a": "serving"})}, 50.0)["eu"])["a"] == 50.0
    assert present(ledger.observe({"eu": mesh({"a": "serving"})}, 50.0 + HOUR)["eu"]) == {"a": 1}
    ledger.close()


def test_a_steady_fleet_writes_nothing_and_shows_the_same_objects(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    states = {f"w{number}": "idle" for number in range(1000)}
    before = ledger.observe({"t": store(states)}, 0.0)["t"]
    log = Path(f"{tmp_path / FILE}-wal")
    size, content = log.stat().st_size, log.read_bytes()
    for read in range(1, 50):
        shown = ledger.observe({"t": store(dict(states))}, float(read))["t"]
        assert shown[WorkerMemory] is before[WorkerMemory]
    assert (log.stat().st_size, log.read_bytes()) == (size, content)
    ledger.close()


def test_consoles_states_and_wakes_are_recalled(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    ledger.observe({"eu": mesh({"a": "serving", "b": "standby", "c": "serving"}, {"a": "x:1", "b": "y:1"})}, 0.0)
    ledger.observe({"eu": mesh({"a": "serving", "b": "standby"}, {"a": "x:2"})}, 1.0)
    ledger.close()
    ledger = opened(tmp_path)
    recalled = ledger.recall("eu")
    assert recalled == Recalled({"a": "x:2"}, WakeMemory(), {"a": "serving", "b": "standby"})
    assert ledger.recall("us") == Recalled()
    ledger.close()


def scope(*sources: str, kinds: tuple[str, ...] = ("node", "wakeable")) -> Scope:
    return Scope(frozenset(kinds), frozenset(sources))


def test_what_a_configuration_no_longer_has_leaves_no_tombstone(tmp_path: Path) -> None:
    ledger = opened(tmp_path, scopes={"eu": scope("x:1", "y:1"), "us": scope("z:1")})
    eu = mesh({"a": "serving", "b": "serving", "c": "serving"}, {"a": "x:1", "b": "y:1"})
    ledger.observe({"eu": eu, "us": mesh({"n": "standby"}, {"n": "z:1"})}, 0.0)
    ledger.close()
    ledger = opened(tmp_path, scopes={"eu": scope("x:1")})
    assert ledger.recall("eu").consoles == {"a": "x:1"}
    shown = ledger.observe({"eu": mesh({"a": "serving"}, {"a": "x:1"})}, 10.0)["eu"]
    assert present(shown) == {"a": 1}, "only that console may have listed c"
    ledger.close()
    assert held(tmp_path) == {("eu", "a")}


def held(folder: Path) -> set[tuple[str, str]]:
    database = Database.open(folder)
    rows: Rows = database.read()
    database.close()
    assert {fleet for fleet, *_ in rows.notes} <= {fleet for _, fleet, *_ in rows.held}
    return {(fleet, name) for _, fleet, name, *_ in rows.held}


def test_names_that_sqlite_has_no_text_for_cost_nothing(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    odd = {"\ud800": "serving", "nul\0": "serving", "'; DROP TABLE held; --": "serving", "": "standby"}
    for now in (0.0, 1.0):
        assert present(ledger.observe({"eu": mesh(odd)}, now)["eu"]) == dict.fromkeys(odd, 1)
    assert ledger.available
    ledger.close()
    ledger = opened(tmp_path)
    shown = ledger.observe({"eu": mesh({name: state for name, state in odd.items() if name != "\ud800"})}, 2.0)["eu"]
    assert since(shown) == {"nul\0": 0.0, "'; DROP TABLE held; --": 0.0, "": 0.0, "?": None}
    ledger.close()


@pytest.mark.promise("Access", "The state directory is 0700 and its files are 0600")
def test_the_directory_and_the_file_are_the_owners_own(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "rollcall"
    ledger = opened(folder)
    ledger.observe({"eu": mesh({"a": "serving"})}, 0.0)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert ledger.tables() == {LedgerStatus: (LedgerStatus(1),)}
    ledger.close()
    with sqlite3.connect(folder / FILE) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
