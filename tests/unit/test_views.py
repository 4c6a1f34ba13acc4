"""Who sees a node how: votes counted once, differences that two rules explain, and those that are real."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.records import Node, NodeView, NodeViews
from exporter.records.reading import MeshReading, Sighting
from exporter.state.consoles import Heard
from exporter.state.fleet import Fleet, Limits, WorkerRules
from exporter.state.mesh_tables import MeshMemory, mesh_tables
from exporter.state.reconcile import explained


def view(observer: str, node: str = "n", **said: Any) -> NodeView:
    return NodeView(fleet="eu", observer=observer, node=node, own=observer == node, **said)


def console(observer: str, *peers: NodeView, **said: Any) -> MeshReading:
    own = view(observer, observer, **{"word": "standby", **said})
    return MeshReading(observer=observer, sightings=tuple(Sighting(each) for each in (own, *peers)))


MODELS: dict[str, Any] = {"serving": True}
OWN, OLD, PEER = view("n", word="standby"), view("a"), view("a", word="serving")
LISTED, OLD_LISTED = view("a", word="serving", **MODELS), view("b", **MODELS)

EXPLAINED = {
    "models assigned, own not ready": (view("n", **MODELS), "loading", LISTED, "serving", True),
    "the path of an unloaded model is left": (view("n", **MODELS), "standby", LISTED, "serving", True),
    "own ready, runtimes announced but none ready": (view("n", **MODELS), "serving", LISTED, "loading", True),
    "hosted at one, serving at the other": (view("n", hosted=True), "loading", LISTED, "serving", True),
    "serving without a list of models": (OWN, "serving", view("a", word="standby"), "standby", True),
    "own without models, the peer with": (OWN, "standby", LISTED, "serving", False),
    "own with models, the peer without": (view("n", **MODELS), "serving", view("a", word="standby"), "standby", False),
    "models, yet the peer says standby": (view("n", **MODELS), "serving", LISTED, "standby", False),
    "no models, yet the peer says serving": (OWN, "standby", PEER, "serving", False),
    "a client to itself": (view("n", **MODELS), "client", LISTED, "serving", False),
    "a client to the peer": (view("n", **MODELS), "serving", LISTED, "client", False),
    "two with one identity": (view("n", **MODELS), "serving", view("n", **MODELS), "loading", False),
    "an old peer and a new one": (view("a", word="loading", **MODELS), "loading", OLD_LISTED, "serving", True),
    "a new peer and an old one": (OLD_LISTED, "serving", view("a", word="loading", **MODELS), "loading", True),
    "an old peer that sees no models": (view("a", word="loading", **MODELS), "loading", OLD, "standby", False),
    "two new peers": (LISTED, "serving", view("b", word="loading", **MODELS), "loading", False),
    "two old peers": (OLD_LISTED, "serving", OLD, "standby", False),
}


@pytest.mark.parametrize(("chosen", "stands", "dissent", "shows", "expected"), EXPLAINED.values(), ids=EXPLAINED)
def test_explained(chosen: NodeView, stands: str, dissent: NodeView, shows: str, expected: bool) -> None:
    assert explained((chosen, stands), (dissent, shows)) is expected


def counted(fresh: dict[str, MeshReading], memory: MeshMemory, node: str = "n") -> tuple[dict[str, int], MeshMemory]:
    """What is not 0 of the counts of a node's views."""
    tables, memory = mesh_tables(Heard.of(fresh), memory, 0)
    (row,) = [row for row in tables[NodeViews] if isinstance(row, NodeViews) and row.node == node]
    fields = ("client", "standby", "loading", "serving", "expected", "real")
    return {field: getattr(row, field) for field in fields if getattr(row, field)}, memory


def says(observer: str, word: str, **said: Any) -> MeshReading:
    return console(observer, view(observer, word=word, **said))


@pytest.mark.parametrize(
    ("fresh", "expected"),
    [
        ({"a:1": says("a", "serving")}, {"serving": 1}),
        (
            {"a:1": says("a", "serving"), "b:1": says("b", "client"), "n:1": console("n")},
            {"serving", "client", "standby"},
        ),
        ({"a:1": says("a", "serving"), "a-again:1": says("a", "serving")}, {"serving": 1}),
        ({"n:1": console("n"), "n-again:1": console("n")}, {"standby": 1}),
        ({"n:1": console("n", hostname="x"), "n-again:1": console("n", hostname="y")}, {"standby": 2}),
        ({"n:1": console("n"), "n-again:1": console("n", word="serving")}, {"serving": 1, "standby": 1}),
    ],
    ids=[
        "one",
        "three who differ",
        "a console at two URLs",
        "its own console at two URLs",
        "two with one identity on two hosts",
        "two with one identity who differ",
    ],
)
def test_views_are_counted_once_each(fresh: dict[str, MeshReading], expected: Any) -> None:
    got, _ = counted(fresh, MeshMemory())
    assert got == (expected if isinstance(expected, dict) else dict.fromkeys(expected, 1))


def test_a_difference_is_real_when_it_lasts_two_reads_of_that_observer() -> None:
    own, first = console("n"), says("a", "serving")
    got, memory = counted({"n:1": own, "a:1": first}, MeshMemory())
    assert got == {"standby": 1, "serving": 1}
    for _ in range(3):
        own = console("n")
        got, memory = counted({"n:1": own, "a:1": first}, memory)
        assert got == {"standby": 1, "serving": 1}, "reads of others, or judging the same read again, are no second one"
    got, memory = counted({"n:1": own, "a:1": says("a", "serving")}, memory)
    assert got == {"standby": 1, "serving": 1, "real": 1}
    got, memory = counted({"n:1": own, "a:1": says("a", "standby")}, memory)
    assert got == {"standby": 2}
    got, memory = counted({"n:1": own, "a:1": says("a", "serving")}, memory)
    assert got == {"standby": 1, "serving": 1}, "a difference that went away begins anew"


def test_a_view_from_before_the_node_changed_is_not_one_of_the_two_reads() -> None:
    peer = says("a", "standby")
    _, memory = counted({"n:1": console("n"), "a:1": peer}, MeshMemory())
    for expected in ({}, {"real": 1}):
        changed = console("n", word="client")
        got, memory = counted({"n:1": changed, "a:1": peer}, memory)
        assert got == {"client": 1, "standby": 1}
        peer = says("a", "standby")
        got, memory = counted({"n:1": changed, "a:1": peer}, memory)
        assert got == {"client": 1, "standby": 1, **expected}


def test_an_expected_difference_shows_at_once_and_is_never_real() -> None:
    memory = MeshMemory()
    for _ in range(3):
        own = console("n", serving=True, llama_ready=False)
        got, memory = counted({"n:1": own, "a:1": says("a", "serving", serving=True)}, memory)
        assert got == {"loading": 1, "serving": 1, "expected": 1}


def test_what_two_urls_of_a_console_say_differently_is_not_both_expected_and_real() -> None:
    memory = MeshMemory()
    for _ in range(3):
        fresh = {
            "n:1": console("n", serving=True, llama_ready=False),
            "a:1": says("a", "serving", serving=True),
            "a-again:1": says("a", "serving"),
        }
        got, memory = counted(fresh, memory)
        assert got == {"loading": 1, "serving": 1, "expected": 1}


def test_two_with_one_identity_stay_in_the_state_held_and_are_a_real_difference() -> None:
    memory, states = MeshMemory(), []
    for order in [("serving", "standby"), ("standby", "serving")] * 3:
        fresh = {f"{number}:1": console("n", word=word) for number, word in enumerate(order)}
        tables, memory = mesh_tables(Heard.of(fresh), memory, 0)
        states += [row.state for row in tables[Node] if isinstance(row, Node)]
    assert states == ["serving"] * 6
    got, _ = counted({"0:1": console("n", word="standby"), "1:1": console("n", word="serving")}, memory)
    assert got == {"serving": 1, "standby": 1, "real": 1}


def test_two_with_one_identity_are_resolved_the_same_way_whoever_came_first() -> None:
    first, second = (console("n", view("a", rtt_seconds=rtt), vram_bytes=rtt) for rtt in (0.1, 0.2))
    tables = [
        mesh_tables(Heard.of(fresh), MeshMemory(), 0)
        for fresh in ({"1:1": first, "2:1": second}, {"2:1": second, "1:1": first})
    ]
    assert tables[0] == tables[1]
    assert [row.vram_bytes for row in tables[0][0][Node] if isinstance(row, Node) and row.node == "n"] == [0.1]


def test_a_limit_leaves_in_those_that_views_really_disagree_about() -> None:
    fleet = Fleet("eu", WorkerRules(), Limits(objects=1))
    for _ in range(2):
        fleet.receive("a:1", console("a", view("a", word="serving")), fresh_until=10)
        fleet.receive("n:1", console("n"), fresh_until=10)
        tables, left_out = fleet.tables(0)
    assert [(row.node, row.real) for row in tables[NodeViews] if isinstance(row, NodeViews)] == [("n", 1)]
    assert left_out[NodeViews] == 1
