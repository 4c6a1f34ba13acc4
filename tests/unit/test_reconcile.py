"""One truth about a node from several consoles: whose view stands, and what its capacity counts as."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from exporter.records import Node, NodeCount, NodeView, PeerLink, WakeableModel, WakeableNode
from exporter.records.reading import MeshReading, Sighting
from exporter.state.consoles import Heard
from exporter.state.fleet import Fleet, Limits, WorkerRules
from exporter.state.mesh_tables import MeshMemory, mesh_tables
from exporter.state.reconcile import GHOST_AFTER, choose, standing, unmeasured

MEASURED = {"rtt_seconds": 0.002, "latency": "direct"}
Views = list[tuple[NodeView, str]]


def view(observer: str, node: str = "n", **said: Any) -> NodeView:
    return NodeView(fleet="eu", observer=observer, node=node, own=observer == node, **said)


OWN = (view("n"), "standby")
A, B, C = (view("a"), "serving"), (view("b"), "standby"), (view("c"), "loading")
B_MEASURED = (view("b", **MEASURED), "standby")
C_MEASURED = (view("c", **MEASURED), "loading")
A2, C_STANDBY = (view("a2"), "serving"), (view("c"), "standby")
A_MEASURED = (view("a", **MEASURED), "serving")
OWN_SERVING = (view("n"), "serving")
OWN_ON_X, OWN_ON_Y = (view("n", hostname="x"), "standby"), (view("n", hostname="y"), "standby")

CHOICES: dict[str, tuple[Views, str | None, NodeView, str]] = {
    "only one view": ([C], None, C[0], "single"),
    "own report, alone": ([OWN], None, OWN[0], "self"),
    "own report before every other": ([A, B, OWN], None, OWN[0], "self"),
    "own report before the state held": ([A, OWN], "serving", OWN[0], "self"),
    "own report before a measured latency": ([OWN, C_MEASURED], None, OWN[0], "self"),
    "the state held before a measured latency": ([A, B_MEASURED], "serving", A[0], "single"),
    "the state held before the lowest observer": ([A, B], "standby", B[0], "single"),
    "a measured latency before the lowest observer": ([A, C_MEASURED], None, C_MEASURED[0], "single"),
    "a measured latency when nobody says the state held": ([A, C_MEASURED], "client", C_MEASURED[0], "single"),
    "the lowest observer": ([C, B, A], None, A[0], "single"),
    "the lowest observer when nobody says the state held": ([C, B], "client", B[0], "single"),
    "the lowest observer of those measured": ([A, C_MEASURED, B_MEASURED], None, B_MEASURED[0], "single"),
    "the state of two of three": ([A, B, C_STANDBY], None, B[0], "quorum"),
    "the state of two of three before the state held": ([A, B, C_STANDBY], "serving", B[0], "quorum"),
    "the state of two of three before a measured latency": ([A_MEASURED, B, C_STANDBY], None, B[0], "quorum"),
    "the state of two, and nobody says another": ([B, C_STANDBY], "serving", B[0], "quorum"),
    "measured among a quorum": ([A, (view("a2"), "standby"), B_MEASURED], None, B_MEASURED[0], "quorum"),
    "two against two": ([A, A2, B, C_STANDBY], None, A[0], "single"),
    "two against two, one state held": ([A, A2, B, C_STANDBY], "standby", B[0], "single"),
    "three against two, though held": ([A, A2, B, C_STANDBY, (view("d"), "standby")], "serving", B[0], "quorum"),
    "one observer at two URLs has one vote": ([A, B, B], None, A[0], "single"),
    "one observer that says two things has one vote for each": ([A, B, (view("b"), "serving")], None, A[0], "quorum"),
    "own report before a quorum": ([OWN, A, A2, C], None, OWN[0], "self"),
    "two with one identity, no state held": ([OWN_SERVING, OWN], None, OWN_SERVING[0], "self"),
    "two with one identity, one state held": ([OWN_SERVING, OWN], "standby", OWN[0], "self"),
    "two with one identity in one state": ([OWN_ON_Y, OWN_ON_X], None, OWN_ON_X[0], "self"),
    "two with one identity against a quorum": ([A, A2, OWN, OWN_SERVING], "standby", OWN[0], "self"),
}


@pytest.mark.parametrize(("views", "held", "chosen", "basis"), CHOICES.values(), ids=CHOICES)
def test_choose(views: Views, held: str | None, chosen: NodeView, basis: str) -> None:
    for order in itertools.permutations(views):
        index, got = choose(order, held)
        assert (order[index][0], got) == (chosen, basis)


def test_choose_does_not_depend_on_the_order() -> None:
    among = [A, B, C, B_MEASURED, C_MEASURED]
    for size, held in itertools.product(range(1, 5), [None, "serving", "standby", "loading", "client"]):
        for views in itertools.combinations(among, size):
            chosen = {order[choose(order, held)[0]] for order in itertools.permutations(views)}
            assert len(chosen) == 1


def test_two_dissenting_consoles_never_make_a_node_flap() -> None:
    held, states = None, set()
    views = [(view("b"), "standby"), (view("a"), "serving")]
    for order in [views, views[::-1]] * 5:
        index, _ = choose(order, held)
        held = order[index][1]
        states.add(held)
    assert states == {"serving"}


def peer(**said: Any) -> NodeView:
    return view("a", **said)


GHOSTLY = peer(latency="unknown")
STANDINGS = {
    "its console answers": ([view("n"), GHOSTLY], False, 0.0, "confirmed"),
    "its console answers, whatever others say": ([view("n")], False, 999.0, "confirmed"),
    "no console polled, measured": ([peer(**MEASURED)], False, 0.0, "confirmed"),
    "no console polled, one of two measured": ([GHOSTLY, view("b", **MEASURED)], False, 0.0, "confirmed"),
    "no console polled, measured at 0 ms": ([peer(rtt_seconds=0.0, latency="direct")], False, 0.0, "confirmed"),
    "console silent, measured": ([peer(**MEASURED)], True, 0.0, "unconfirmed"),
    "console silent, estimated": ([peer(latency="estimated")], True, 0.0, "unconfirmed"),
    "no console polled, estimated": ([peer(latency="estimated")], False, 0.0, "unconfirmed"),
    "unknown, not yet for long": ([GHOSTLY], False, GHOST_AFTER - 0.001, "unconfirmed"),
    "unknown for 120 s": ([GHOSTLY], False, GHOST_AFTER, "ghost"),
    "unknown for 120 s, console silent": ([GHOSTLY], True, GHOST_AFTER, "ghost"),
}


@pytest.mark.parametrize(("views", "silent", "seconds", "expected"), STANDINGS.values(), ids=STANDINGS)
def test_standing(views: list[NodeView], silent: bool, seconds: float, expected: str) -> None:
    assert standing(views, silent, seconds) == expected


UNMEASURED = {
    "null and unknown": ([GHOSTLY], True),
    "null, source absent in an old payload": ([peer()], True),
    "null and unknown in every view": ([GHOSTLY, view("b")], True),
    "estimated": ([peer(latency="estimated")], False),
    "estimated in one view": ([GHOSTLY, view("b", latency="estimated")], False),
    "measured in one view": ([GHOSTLY, view("b", **MEASURED)], False),
    "measured, source unknown": ([peer(rtt_seconds=0.1, latency="unknown")], False),
    "own report": ([GHOSTLY, view("n")], False),
}


@pytest.mark.parametrize(("views", "expected"), UNMEASURED.values(), ids=UNMEASURED)
def test_unmeasured(views: list[NodeView], expected: bool) -> None:
    assert unmeasured(views) is expected


def console(node: str, *peers: NodeView, **more: Any) -> MeshReading:
    views = (view(node, node, word="standby"), *peers)
    links = tuple(PeerLink("eu", node, peer.node, peer.latency or "unknown", peer.rtt_seconds) for peer in peers)
    return MeshReading(observer=node, sightings=tuple(Sighting(each) for each in views), links=links, **more)


def nodes(fleet: Fleet, now: float) -> dict[str, tuple[str, str, str]]:
    rows = fleet.tables(now)[0][Node]
    return {row.node: (row.state, row.basis, row.standing) for row in rows if isinstance(row, Node)}


def test_own_fresh_report_then_the_peers_view_when_its_console_falls_silent() -> None:
    fleet = Fleet("eu", WorkerRules(), Limits())
    said = view("a", "b", word="serving", **MEASURED)
    fleet.receive("b:3131", console("b"), fresh_until=15)
    fleet.receive("a:3131", console("a", said), fresh_until=15)
    assert nodes(fleet, 1)["b"] == ("standby", "self", "confirmed")
    fleet.receive("a:3131", console("a", said), fresh_until=30)
    assert nodes(fleet, 15)["b"] == ("standby", "self", "confirmed")
    assert nodes(fleet, 15.001)["b"] == ("serving", "single", "unconfirmed")
    fleet.receive("b:3131", console("b"), fresh_until=40)
    assert nodes(fleet, 25)["b"] == ("standby", "self", "confirmed")


def test_a_node_becomes_a_ghost_after_120_s_without_latency() -> None:
    fleet = Fleet("eu", WorkerRules(), Limits())
    ghostly = console("a", view("a", "b", word="serving", latency="unknown"))
    fleet.receive("a:3131", ghostly, fresh_until=10_000)
    assert nodes(fleet, 100)["b"][2] == "unconfirmed"
    assert nodes(fleet, 219)["b"][2] == "unconfirmed"
    assert nodes(fleet, 220)["b"][2] == "ghost"
    fleet.receive("a:3131", console("a", view("a", "b", word="serving", **MEASURED)), fresh_until=10_000)
    assert nodes(fleet, 221)["b"][2] == "confirmed"
    fleet.receive("a:3131", ghostly, fresh_until=10_000)
    assert nodes(fleet, 300)["b"][2] == "unconfirmed"


def test_counts_go_by_state_and_standing_and_every_row_is_there() -> None:
    """A limit is applied after counting, and leaves the unhealthy in first."""
    fleet = Fleet("eu", WorkerRules(), Limits(objects=1))
    fleet.receive("a:3131", console("a", view("a", "b", word="serving", latency="estimated")), fresh_until=10)
    tables, left_out = fleet.tables(0)
    counts = {(row.state, row.standing): row.count for row in tables[NodeCount] if isinstance(row, NodeCount)}
    assert len(counts) == 12
    assert {key: count for key, count in counts.items() if count} == {
        ("standby", "confirmed"): 1,
        ("serving", "unconfirmed"): 1,
    }
    assert [row.node for row in tables[Node] if isinstance(row, Node)] == ["b"]
    assert left_out[Node] == 1


def test_a_clients_vram_counts_0_and_unsaid_vram_stays_unsaid() -> None:
    clients = view("a", "b", word="client", vram_bytes=8e9), view("a", "c", word="client")
    reading = console("a", *clients, view("a", "d", vram_bytes=1.0))
    tables, _ = mesh_tables(Heard.of({"a:3131": reading}), MeshMemory(), 0)
    assert {row.node: row.vram_bytes for row in tables[Node] if isinstance(row, Node)} == {
        "a": None,
        "b": 0.0,
        "c": None,
        "d": 1.0,
    }


def test_wakeable_nodes_are_never_nodes_and_the_lowest_observers_account_stands() -> None:
    def listed(observer: str, state: str, model: str) -> MeshReading:
        return console(
            observer,
            wakeables=(WakeableNode("eu", "rack", "aws", "mesh-llm", state, 1.0, None),),
            wakeable_models=(WakeableModel("eu", "rack", model),),
        )

    fresh = {"1:3131": listed("b", "sleeping", "m1"), "2:3131": listed("a", "waking", "m2")}
    tables, _ = mesh_tables(Heard.of(fresh), MeshMemory(), 0)
    assert {row.node for row in tables[Node] if isinstance(row, Node)} == {"a", "b"}
    assert [row.state for row in tables[WakeableNode] if isinstance(row, WakeableNode)] == ["waking"]
    assert [row.model for row in tables[WakeableModel] if isinstance(row, WakeableModel)] == ["m2"]


def test_two_urls_of_one_console_give_one_node_and_each_edge_once() -> None:
    reading = console("a", view("a", "b", **MEASURED))
    tables, _ = mesh_tables(Heard.of({"1:3131": reading, "2:3131": reading}), MeshMemory(), 0)
    assert sorted(row.node for row in tables[Node] if isinstance(row, Node)) == ["a", "b"]
    assert len(tables[PeerLink]) == 1


def standings(*fresh: tuple[str, MeshReading], memory: MeshMemory, now: float) -> tuple[dict[str, str], MeshMemory]:
    tables, kept = mesh_tables(Heard.of(dict(fresh)), memory, now)
    return {row.node: row.standing for row in tables[Node] if isinstance(row, Node)}, kept


def test_what_a_silent_console_said_it_was_is_unconfirmed_though_a_peer_measures_it() -> None:
    a = ("a:1", console("a", view("a", "b", **MEASURED)))
    _, memory = standings(a, ("b:1", console("b")), memory=MeshMemory(), now=0)
    found, memory = standings(a, memory=memory, now=5)
    assert found == {"a": "confirmed", "b": "unconfirmed"}
    found, _ = standings(a, ("b:1", console("b-restarted")), memory=memory, now=10)
    assert found == {"a": "confirmed", "b": "unconfirmed", "b-restarted": "confirmed"}


def test_an_outage_of_all_consoles_forgets_nothing() -> None:
    _, memory = standings(("a:1", console("a", view("a", "b"))), memory=MeshMemory(), now=0)
    assert memory[1:3] == ({"a": "a:1"}, {"b": 0})
    assert standings(memory=memory, now=50) == ({}, memory)


def test_the_memory_of_consoles_does_not_grow_with_ids_that_come_and_go() -> None:
    memory = MeshMemory()
    for number in range(100):
        _, memory = standings(("a:1", console(f"a{number}")), memory=memory, now=number * 120)
    assert memory.consoles == dict.fromkeys(("a96", "a97", "a98", "a99"), "a:1"), "for 360 s"
