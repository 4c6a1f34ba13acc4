"""What ledger and fleets keep when the configuration changes under them."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.records import Inconsistency, Worker
from exporter.records.reading import ConsolesReading
from exporter.state.fleet import Fleet, Limits, Terms, WorkerRules
from exporter.state.history import History
from exporter.state.ledger import Ledger
from exporter.state.listing import Listing
from exporter.state.memory import Retention, Roster
from exporter.state.notes import Recalled
from tests.unit.ledgers import HOUR, Disk, mesh, opened, present, since, store, transitions
from tests.unit.test_consistency import NOW, SILENT, attempt, reading, report
from tests.unit.test_ledger import held, scope
from tests.unit.test_reconcile import MEASURED, console, nodes, view

KEEP = Retention(HOUR, 1000)
WORKERS = scope("s:1", kinds=("worker",))


def test_a_fleet_that_is_gone_is_forgotten_on_disk_and_one_that_stays_is_not(tmp_path: Path) -> None:
    ledger = opened(tmp_path, scopes={"eu": scope("x:1"), "us": scope("z:1"), "t": WORKERS})
    listings = {"eu": mesh({"a": "serving"}, {"a": "x:1"}), "us": mesh({"n": "standby"}, {"n": "z:1"})}
    ledger.observe({**listings, "t": store({"w": "idle"})}, 0.0)
    ledger.observe({**listings, "us": mesh({"n": "serving"}, {"n": "z:1"}), "t": store({"w": "busy"})}, 1.0)
    ledger.rescope({"eu": scope("x:1")}, KEEP, 5.0)
    assert since(ledger.observe({"eu": listings["eu"]}, 9.0)["eu"]) == {"a": 0.0}
    assert (ledger.recall("us"), ledger.history.since("t"), ledger.history.of("t", "w")) == (Recalled(), None, ())
    ledger.rescope({"eu": scope("x:1"), "us": scope("z:1")}, KEEP, 10.0)
    back = ledger.observe({"us": mesh({"m": "serving"})}, 11.0)["us"]
    assert (present(back), since(back)) == ({"m": 1}, {"m": 11.0})
    assert transitions(back) == {("standby", "serving"): 1}, "a counter goes on"
    ledger.close()
    assert held(tmp_path) == {("eu", "a"), ("us", "m")}


def test_what_was_noted_of_a_fleet_that_is_gone_is_no_more_and_is_noted_anew_when_it_is_back(tmp_path: Path) -> None:
    scopes = {"eu": scope("x:1"), "us": scope("z:1")}
    us = {"us": mesh({"n": "standby"}, {"n": "z:1"})}
    ledger = opened(tmp_path, scopes=scopes)
    ledger.observe(us, 0.0)
    for now in (1.0, 2.0):
        ledger.close()
        ledger = opened(tmp_path, scopes=scopes)
        assert ledger.recall("us").consoles == {"n": "z:1"}
        ledger.rescope({"eu": scope("x:1")}, KEEP, now)
        assert ledger.recall("us") == Recalled()
        ledger.rescope(scopes, KEEP, now)
        ledger.observe(us, now)
    ledger.close()


def test_a_kind_that_a_fleet_has_no_more_is_forgotten(tmp_path: Path) -> None:
    both = Listing({"node", "worker"}, {"node": Roster({"a": "serving"}), "worker": Roster({"w": "idle"})})
    ledger = opened(tmp_path, scopes={"eu": scope("x:1", "s:1", kinds=("node", "worker"))})
    ledger.observe({"eu": both}, 0.0)
    ledger.rescope({"eu": WORKERS}, KEEP, 1.0)
    assert present(ledger.observe({"eu": store({"w": "idle"})}, 2.0)["eu"]) == {"w": 1}
    ledger.close()
    assert held(tmp_path) == {("eu", "w")}


@pytest.mark.parametrize("listed", [mesh, store], ids=["nodes", "workers"])
def test_who_was_listed_by_a_source_that_is_gone_leaves_no_tombstone_and_who_leaves_later_does(listed) -> None:  # type: ignore[no-untyped-def]
    kinds = ("node", "wakeable", "worker")
    ledger = Ledger({"eu": scope("x:1", "y:1", kinds=kinds)}, KEEP)
    ledger.observe({"eu": listed({"a": "busy", "b": "busy", "c": "busy"})}, 0.0)
    ledger.rescope({"eu": scope("x:1", kinds=kinds)}, KEEP, 1.0)
    ledger.observe({"eu": Listing(set(kinds))}, 2.0)
    ledger.rescope({"eu": scope("x:1", "z:1", kinds=kinds)}, KEEP, 3.0)
    assert present(ledger.observe({"eu": listed({"a": "busy", "b": "busy"})}, 4.0)["eu"]) == {"a": 1, "b": 1}
    assert present(ledger.observe({"eu": listed({"a": "busy"})}, 5.0)["eu"]) == {"a": 1, "b": 0}


def test_a_source_more_changes_nothing_for_who_leaves() -> None:
    ledger = Ledger({"eu": scope("x:1")}, KEEP)
    ledger.observe({"eu": mesh({"a": "serving", "b": "serving"})}, 0.0)
    ledger.rescope({"eu": scope("x:1", "y:1")}, KEEP, 1.0)
    assert present(ledger.observe({"eu": mesh({"a": "serving"})}, 2.0)["eu"]) == {"a": 1, "b": 0}


def test_another_time_for_tombstones_holds_at_once() -> None:
    ledger = Ledger({"eu": scope("x:1")}, KEEP)
    for now, states in ((0.0, {"a": "serving", "b": "serving"}), (1.0, {"a": "serving"})):
        ledger.observe({"eu": mesh(dict(states))}, now)
    assert present(ledger.observe({"eu": mesh({"a": "serving"})}, 60.0)["eu"]) == {"a": 1, "b": 0}
    ledger.rescope({"eu": scope("x:1")}, Retention(30.0, 1000), 61.0)
    assert present(ledger.observe({"eu": mesh({"a": "serving"})}, 62.0)["eu"]) == {"a": 1}


def test_what_is_forgotten_while_the_disk_is_full_is_forgotten_there_later(tmp_path: Path) -> None:
    disk = Disk()
    ledger = opened(tmp_path, scopes={"eu": scope("x:1"), "us": scope("z:1")}, connect=disk)
    ledger.observe({"eu": mesh({"a": "serving"}), "us": mesh({"n": "serving"})}, 0.0)
    disk.fill()
    ledger.observe({"eu": mesh({f"a{number}" * 99: "serving" for number in range(999)})}, 1.0)
    assert not ledger.available
    ledger.rescope({"eu": scope("x:1")}, KEEP, 2.0)
    disk.free()
    ledger.observe({"eu": mesh({"a": "serving"})}, 2 * HOUR)
    assert ledger.available
    ledger.close()
    assert {fleet for fleet, _ in held(tmp_path)} == {"eu"}


def test_the_moves_of_one_fleet_are_forgotten() -> None:
    history = History(most=3)
    for fleet in ("a", "b"):
        history.note(fleet, "worker", [("w", "idle", "busy")], 1.0)
    history.forget("a")
    history.forget("c")
    assert (history.of("a", "w"), history.since("a"), history.since("b")) == ((), None, 1.0)
    history.note("b", "worker", [("v", None, "idle"), ("u", None, "idle")], 2.0)
    assert len(history.of("b", "w")) == 1, "what was forgotten takes no room"


def told(fleet: Fleet, now: float) -> tuple[dict[str, str], set[tuple[str, str]]]:
    """Statuses of the workers, and what is inconsistent."""
    tables, _ = fleet.tables(now)
    statuses = {row.worker: row.status for row in tables.get(Worker, ()) if isinstance(row, Worker)}
    odds = {(row.worker, row.kind) for row in tables.get(Inconsistency, ()) if isinstance(row, Inconsistency)}
    return statuses, odds


def test_other_limits_of_silence_hold_at_once_and_are_no_second_read() -> None:
    fleet = Fleet("f", WorkerRules(45.0), Limits())
    odd = reading([report("idle", "v", **SILENT)], attempt("w"))
    fleet.receive("s:1", odd, fresh_until=NOW + 30)
    assert told(fleet, 0.0) == ({"v": "unknown"}, set())
    for timeout, status in ((60.0, "idle"), (45.0, "unknown"), (60.0, "idle")):
        fleet.go_on(Terms(WorkerRules(timeout), polled=frozenset({"s:1"})))
        assert told(fleet, 1.0) == ({"v": status}, set())
    assert fleet.evidence.workers.heartbeat_timeout == 60.0
    fleet.receive("s:1", reading([report("idle", "v", **SILENT)], attempt("w")), fresh_until=NOW + 30)
    assert told(fleet, 2.0)[1] == {("w", "held_by_gone")}


def test_other_limits_hold_for_a_worker_of_whom_two_reads_said_the_same() -> None:
    fleet = Fleet("f", WorkerRules(45.0), Limits())
    silent = report("idle", "v", **SILENT)
    for _ in range(2):
        fleet.receive("s:1", reading([silent]), fresh_until=NOW + 30)
        assert told(fleet, 0.0)[0] == {"v": "unknown"}
    fleet.go_on(Terms(WorkerRules(60.0), polled=frozenset({"s:1"})))
    assert told(fleet, 1.0)[0] == {"v": "idle"}


def test_what_a_store_said_goes_with_it() -> None:
    fleet = Fleet("f", WorkerRules(), Limits())
    fleet.receive("s:1", reading([report()]), fresh_until=NOW)
    assert told(fleet, 0.0)[0] == {"w": "busy"}
    fleet.go_on(Terms(polled=frozenset({"other:1"})))
    assert told(fleet, 0.0) == ({}, set())


def test_what_a_console_said_goes_with_it_and_its_node_is_not_silent() -> None:
    fleet = Fleet("eu", WorkerRules(), Limits())
    readings = {"1:1": console("b", view("b", "c", **MEASURED)), "2:1": console("d")}
    fleet.receive("a:1", console("a", view("a", "b", **MEASURED)), fresh_until=100)
    fleet.receive("mesh:1", ConsolesReading(readings, ("1:1", "2:1")), fresh_until=100)
    assert nodes(fleet, 1).keys() == set("abcd")
    fleet.go_on(Terms(polled=frozenset({"a:1"})))
    found = nodes(fleet, 2)
    assert {node: each[1:] for node, each in found.items()} == {
        "a": ("self", "confirmed"),
        "b": ("single", "confirmed"),
    }
    assert {name for kind, name in fleet.listing.notes if kind == "console"} == {"a"}


def test_who_was_listed_by_no_console_but_one_that_is_gone_has_left() -> None:
    fleet = Fleet("eu", WorkerRules(), Limits())
    c, d = (view("b", node, **MEASURED) for node in "cd")
    fleet.receive("a:1", console("a"), fresh_until=100)
    fleet.receive("b:1", console("b", c, d), fresh_until=100)
    fleet.receive("e:1", console("e", view("e", "d", **MEASURED)), fresh_until=5)
    assert nodes(fleet, 1).keys() == set("abcde")
    fleet.go_on(Terms(polled=frozenset({"a:1", "e:1"})))
    assert nodes(fleet, 10).keys() == {"a"}
    assert fleet.listing.rosters["node"].unsure == {"d"}, "e, which is silent, listed it too"
