"""What consoles said last: several behind one name, silent ones, one at two URLs, and what a restart keeps of it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from exporter.records import NodeMemory, NodeViews, WakeableMemory, WakeableNode
from exporter.records.reading import ConsolesReading, InventoryReading, MeshReading, Sighting
from exporter.records.table import Tables
from exporter.state.fleet import Fleet, Limits, WorkerRules
from exporter.state.ledger import Ledger, Scope
from exporter.state.mesh_tables import MeshMemory
from tests.unit.ledgers import opened
from tests.unit.test_reconcile import MEASURED, console, nodes, standings, view


def test_a_restart_goes_on_with_how_long_nobody_measured_a_node(tmp_path: Path) -> None:
    ghostly = console("a", view("a", "b", word="serving", latency="unknown"))
    first, ledger = Fleet("eu", WorkerRules(), Limits()), opened(tmp_path)
    for now in (100, 195):
        first.receive("a:3131", ghostly, fresh_until=10_000)
        assert nodes(first, now)["b"][2] == "unconfirmed"
        ledger.observe({"eu": first.listing}, now)
    ledger.close()
    ledger = opened(tmp_path)
    second = Fleet("eu", WorkerRules(), Limits(), ledger.recall("eu"))
    ledger.close()
    assert nodes(second, 5) == {}
    second.receive("a:3131", ghostly, fresh_until=10_000)
    assert nodes(second, 7)["b"][2] == "unconfirmed"
    assert nodes(second, 36)["b"][2] == "unconfirmed"
    assert nodes(second, 37)["b"][2] == "ghost", "90 s of the 95 were written down"


DIRECT = view("a", "b", **MEASURED)


def test_a_node_whose_console_became_another_nodes_is_confirmed_by_latency_after_a_while() -> None:
    """A dead node is listed for 302 s; who is listed for longer lives, and has no console that is polled."""
    memory = standings(("b:1", console("b")), memory=MeshMemory(), now=0)[1]
    for now, expected in ((5, "unconfirmed"), (364, "unconfirmed"), (365, "unconfirmed"), (366, "confirmed")):
        found, memory = standings(("a:1", console("a", DIRECT)), ("b:1", console("c")), memory=memory, now=now)
        assert found["b"] == expected


def test_a_console_that_is_silent_is_remembered_when_nobody_lists_its_node_for_a_moment() -> None:
    """The URL has several addresses, of which others answer."""
    fleet = Fleet("eu", WorkerRules(), Limits())
    addresses = ("1:1", "2:1")
    for now, seen, answers in ((0, True, True), (20, True, False), (25, False, False), (30, True, False)):
        readings = {"1:1": console("a", *[DIRECT] * seen), **({"2:1": console("b")} if answers else {})}
        fleet.receive("mesh:1", ConsolesReading(readings, addresses), fresh_until=now + 15, at=now)
        found = nodes(fleet, now)
    assert found["b"][1:] == ("single", "unconfirmed")


def test_a_name_that_gives_one_address_after_another_hides_nobody() -> None:
    fleet = Fleet("eu", WorkerRules(), Limits())
    for now in range(0, 60, 5):
        name, other = ("a", "b") if now % 10 else ("b", "a")
        reading = msgspec.structs.replace(console(name, view(name, other, **MEASURED)), address=f"{name}:1")
        fleet.receive("mesh:1", reading, fresh_until=now + 15, at=now)
        if now:
            assert nodes(fleet, now) == dict.fromkeys("ab", ("standby", "self", "confirmed"))


def itself(word: str, process: str) -> MeshReading:
    return MeshReading(observer="a", sightings=(Sighting(view("a", "a", word=word, process=process)),))


def test_of_one_process_at_two_urls_the_newest_report_stands() -> None:
    fleet = Fleet("eu", WorkerRules(), Limits())
    fleet.receive("1:1", itself("client", "1"), fresh_until=15, at=0)
    fleet.receive("2:1", itself("standby", "1"), fresh_until=20, at=5)
    assert nodes(fleet, 5)["a"][0] == "standby"
    fleet.receive("1:1", itself("client", "1"), fresh_until=25, at=10)
    assert nodes(fleet, 10)["a"][0] == "client"


def test_of_two_processes_with_one_identity_both_count_and_the_one_held_stands() -> None:
    fleet = Fleet("eu", WorkerRules(), Limits())
    fleet.receive("1:1", itself("client", "1"), fresh_until=15, at=0)
    assert nodes(fleet, 0)["a"][0] == "client"
    fleet.receive("2:1", itself("standby", "2"), fresh_until=20, at=5)
    assert nodes(fleet, 5)["a"][0] == "client"
    (views,) = (row for row in fleet.tables(5)[0][NodeViews] if isinstance(row, NodeViews))
    assert (views.client, views.standby) == (1, 1)


def remembered(fleet: Fleet, ledger: Ledger, now: float) -> Tables:
    """Judge, and give what the ledger shows."""
    fleet.tables(now, wall=now)
    return ledger.observe({fleet.name: fleet.listing}, now)[fleet.name]


def present(tables: Tables) -> dict[str, int]:
    return {row.node: row.present for row in tables.get(NodeMemory, ()) if isinstance(row, NodeMemory)}


def since(tables: Tables) -> dict[str, float | None]:
    rows = tables.get(WakeableMemory, ())
    return {row.logical_id: row.since for row in rows if isinstance(row, WakeableMemory)}


def test_whom_none_but_a_silent_console_listed_has_not_left() -> None:
    """Two halves that do not know each other, with a console each."""
    fleet, ledger = Fleet("eu", WorkerRules(), Limits()), Ledger()
    a, c = console("a", view("a", "b", **MEASURED)), console("c", view("c", "d", **MEASURED))
    fleet.receive("a:1", a, fresh_until=15, at=0)
    fleet.receive("c:1", c, fresh_until=15, at=0)
    assert present(remembered(fleet, ledger, 1)) == dict.fromkeys("abcd", 1)
    fleet.receive("a:1", a, fresh_until=35, at=20)
    assert present(remembered(fleet, ledger, 20)) == {"a": 1, "b": 1, "c": 0}
    fleet.receive("c:1", c, fresh_until=45, at=30)
    tables = remembered(fleet, ledger, 30)
    assert present(tables) == dict.fromkeys("abcd", 1)
    assert {row.node: row.since for row in tables[NodeMemory] if isinstance(row, NodeMemory)}["d"] == 1
    fleet.receive("a:1", console("a"), fresh_until=45, at=31)
    fleet.receive("c:1", console("c"), fresh_until=45, at=31)
    assert present(remembered(fleet, ledger, 31)) == {"a": 1, "b": 0, "c": 1, "d": 0}


def test_who_left_after_a_console_fell_silent_has_left() -> None:
    """It was listed by others too."""
    fleet, ledger = Fleet("eu", WorkerRules(), Limits()), Ledger()
    for observer in "abc":
        others = (view(observer, peer, **MEASURED) for peer in "abcd" if peer != observer)
        fleet.receive(f"{observer}:1", console(observer, *others), fresh_until=15, at=0)
    remembered(fleet, ledger, 1)
    for observer in "ab":
        others = (view(observer, peer, **MEASURED) for peer in "abc" if peer != observer)
        fleet.receive(f"{observer}:1", console(observer, *others), fresh_until=35, at=20)
    assert present(remembered(fleet, ledger, 20)) == {"a": 1, "b": 1, "c": 1, "d": 0}


def inventory(*names: str, state: str = "sleeping") -> InventoryReading:
    return InventoryReading(wakeables=tuple(WakeableNode("eu", name, "aws", "x", state, 1.0, None) for name in names))


def test_what_a_silent_inventory_lists_shows_no_since_and_has_its_own_when_it_is_back() -> None:
    fleet, ledger = Fleet("eu", WorkerRules(), Limits()), Ledger()
    fleet.receive("1.yaml", inventory("w1"), fresh_until=1000)
    fleet.receive("2.yaml", inventory("w2"), fresh_until=115)
    assert since(remembered(fleet, ledger, 100)) == {"w1": 100, "w2": 100}
    assert since(remembered(fleet, ledger, 130)) == {"w1": 100}
    fleet.receive("1.yaml", inventory("w1", state="waking"), fresh_until=1000)
    assert since(remembered(fleet, ledger, 140)) == {"w1": 140}
    fleet.receive("2.yaml", inventory("w2"), fresh_until=1000)
    assert since(remembered(fleet, ledger, 150)) == {"w1": 140, "w2": 100}


def test_what_was_struck_off_while_somebody_was_silent_is_forgotten_when_all_are_heard() -> None:
    fleet, ledger = Fleet("eu", WorkerRules(), Limits()), Ledger()
    fleet.receive("1.yaml", inventory("w1"), fresh_until=1000)
    fleet.receive("2.yaml", inventory("w2"), fresh_until=115)
    remembered(fleet, ledger, 100)
    remembered(fleet, ledger, 130)
    fleet.receive("2.yaml", inventory(), fresh_until=1000)
    assert since(remembered(fleet, ledger, 160)) == {"w1": 100}
    fleet.receive("2.yaml", inventory("w2"), fresh_until=1000)
    assert since(remembered(fleet, ledger, 170)) == {"w1": 100, "w2": 170}


def test_a_restart_while_an_inventory_is_silent_forgets_nothing_of_it(tmp_path: Path) -> None:
    names = ("1.yaml", "2.yaml")
    fleet, ledger = Fleet("eu", WorkerRules(), Limits(), sources=names), opened(tmp_path)
    for name, entry in zip(names, ("w1", "w2"), strict=True):
        fleet.receive(name, inventory(entry), fresh_until=1000)
    remembered(fleet, ledger, 100)
    ledger.close()
    ledger = opened(tmp_path)
    fleet = Fleet("eu", WorkerRules(), Limits(), ledger.recall("eu"), names)
    fleet.receive("1.yaml", inventory("w1"), fresh_until=1000)
    assert since(remembered(fleet, ledger, 200)) == {"w1": 100}
    fleet.receive("2.yaml", inventory("w2"), fresh_until=1000)
    assert since(remembered(fleet, ledger, 210)) == {"w1": 100, "w2": 100}
    ledger.close()


def test_a_url_that_is_taken_out_leaves_no_tombstone_of_those_it_listed(tmp_path: Path) -> None:
    def scopes(*sources: str) -> dict[str, Scope]:
        return {"eu": Scope(frozenset({"node", "wakeable"}), frozenset(sources))}

    fleet = Fleet("eu", WorkerRules(), Limits(), sources=("a:1", "c:1"))
    ledger = opened(tmp_path, scopes=scopes("a:1", "c:1"))
    fleet.receive("a:1", console("a", view("a", "b")), fresh_until=1000)
    fleet.receive("c:1", console("c", view("c", "d")), fresh_until=1000)
    remembered(fleet, ledger, 100)
    ledger.close()
    ledger = opened(tmp_path, scopes=scopes("a:1"))
    fleet = Fleet("eu", WorkerRules(), Limits(), ledger.recall("eu"), ("a:1",))
    fleet.receive("a:1", console("a", view("a", "b")), fresh_until=1000)
    assert present(remembered(fleet, ledger, 200)) == {"a": 1, "b": 1}
    fleet.receive("a:1", console("a"), fresh_until=1000)
    assert present(remembered(fleet, ledger, 210)) == {"a": 1, "b": 0}
    ledger.close()
