"""Why a node is in its state: the evidence says what the tables say, and a name finds the node that is meant."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given

from exporter.explain.lookup import Lookup, meant, near
from exporter.explain.near import COMPARED
from exporter.exposition.labels import guard
from exporter.records import NODE_STATES, Node, NodeMemory, NodeViews
from exporter.records.evidence import NodeEvidence, NodeName, ObservedView, Unexplained
from exporter.records.reading import ConsolesReading, MeshReading
from exporter.state import reconcile, words
from exporter.state.evidence import FleetEvidence
from exporter.state.fleet import Fleet, Limits, WorkerRules
from exporter.state.mesh import node_state
from tests.unit.test_mesh_rules import own, peer
from tests.unit.test_reconcile import MEASURED
from tests.unit.test_reconcile_properties import Fresh, rounds
from tests.unit.test_views import console, view

SEEN: dict[str, Any] = {"hosted": True, "word": "serving"}


def fleet_of(readings: Mapping[str, MeshReading], name: str = "eu") -> Fleet:
    fleet = Fleet(name, WorkerRules(), Limits())
    for source, reading in readings.items():
        fleet.receive(source, reading, fresh_until=15, at=0)
    fleet.tables(0)
    return fleet


def explained(fleet: Fleet, node: str, now: float = 0) -> NodeEvidence:
    found = fleet.evidence.of(node, now, 1000 + now)
    assert found is not None
    return found


def by_source(found: NodeEvidence) -> dict[str, ObservedView]:
    return {each.source: each for each in found.views}


@given(rounds)
def test_the_evidence_is_what_the_tables_say(history: list[Fresh]) -> None:
    fleet = Fleet("eu", WorkerRules(), Limits())
    for number, fresh in enumerate(history):
        for source, reading in fresh.items():
            fleet.receive(source, reading, fresh_until=60.0 * number + 90, at=60.0 * number)
        tables, _ = fleet.tables(60.0 * number)
        counts = {row.node: row for row in tables[NodeViews] if isinstance(row, NodeViews)}
        for row in tables[Node]:
            assert isinstance(row, Node)
            found, views = explained(fleet, row.node, 60.0 * number), counts[row.node]
            same = ("hostname", "role", "version", "state", "reason", "reported", "basis", "standing")
            assert {name: getattr(found, name) for name in same} == {name: getattr(row, name) for name in same}
            assert found.views_by_state == {state: getattr(views, state) for state in NODE_STATES}
            assert (found.disagree_expected, found.disagree_real) == (views.expected, views.real)
            (chosen,) = [each for each in found.views if each.chosen]
            assert (chosen.state, chosen.reason, chosen.own) == (row.state, row.reason, row.basis == "self")
            dissents = {each.dissent for each in found.views}
            assert ("expected" in dissents, "real" in dissents) == (views.expected > 0, views.real > 0)


def test_every_rule_has_its_words() -> None:
    flags = ("is_client", "is_host", "has_model", "has_activity", "serving", "hosted", "stage_ready")
    views = [
        made(**dict(zip(flags, on, strict=True)), role=role, word=word, llama_ready=ready)
        for made, role, word, ready, *on in itertools.product(
            [own, peer], [None, "Client"], [None, "standby"], [None, True, False], *[[True, False]] * len(flags)
        )
    ]
    assert {node_state(view).reason for view in views} == set(words.REASONS)
    assert set(words.TIES) == set(reconcile.TIES)


def test_a_node_that_a_peer_sees_otherwise() -> None:
    said = console("n", serving=True, llama_ready=False, hostname="gpu-n")
    fleet = fleet_of({"n:1": said, "a:1": console("a", view("a", **SEEN, **MEASURED), hostname="gpu-a")})
    found = explained(fleet, "n", now=4)
    assert (found.state, found.reported, found.reason) == ("loading", "standby", "assigned_not_ready")
    assert found.rule == words.REASONS["assigned_not_ready"]
    assert (found.basis_because, found.standing_because) == (
        "its own console's report comes before every other",
        "its own console answers",
    )
    assert (found.console, found.console_silent, found.at, found.judged_seconds_ago) == ("n:1", False, 1004, 4)
    itself, peer = found.views
    assert (itself.own, itself.chosen, itself.age_seconds, itself.fresh, itself.dissent) == (True, True, 4, True, None)
    assert (itself.flags.llama_ready, itself.flags.is_host, peer.flags.is_host) == (False, False, None)
    assert (peer.observer_hostname, peer.word, peer.rtt_seconds, peer.dissent) == (
        "gpu-a",
        "serving",
        0.002,
        "expected",
    )


def test_a_dissent_without_explanation_is_real_when_it_lasts() -> None:
    fleet = Fleet("eu", WorkerRules(), Limits())
    for dissent in ("brief", "real"):
        for source, reading in {"n:1": console("n"), "a:1": console("a", view("a", word="client"))}.items():
            fleet.receive(source, reading, fresh_until=10, at=0)
        fleet.tables(0)
        assert by_source(explained(fleet, "n"))["a:1"].dissent == dissent
    assert explained(fleet, "n").disagree_real == 1


def test_a_node_whose_own_console_is_silent_keeps_its_old_report_which_does_not_count() -> None:
    fleet = Fleet("eu", WorkerRules(), Limits())
    fleet.receive("n:1", console("n"), fresh_until=15, at=0)
    for at in (0, 16):
        fleet.receive("a:1", console("a", view("a", **SEEN, **MEASURED)), fresh_until=at + 15, at=at)
        fleet.tables(at)
    found = explained(fleet, "n", now=20)
    assert (found.state, found.basis, found.standing) == ("serving", "single", "unconfirmed")
    assert found.standing_because == "its own console, polled at n:1, does not answer for it; views with a latency: 1"
    assert (found.console, found.console_silent) == ("n:1", True)
    silent = by_source(found)["n:1"]
    assert (silent.fresh, silent.chosen, silent.age_seconds, silent.dissent) == (False, False, 20, None)
    fleet.tables(100)
    found = explained(fleet, "n", now=100)
    assert (found.state, found.standing, found.views_by_state) == (None, None, {})
    assert [each.fresh for each in found.views] == [False, False]


def test_a_ghost_and_one_of_a_quorum() -> None:
    ghost, shown = view("a", latency="unknown", word="serving"), view("a", "q", **MEASURED)
    fleet = fleet_of({"a:1": console("a", ghost, shown), "b:1": console("b", view("b", "q"), view("b", "r"))})
    fleet.receive("a:1", console("a", ghost, shown), fresh_until=500, at=121)
    fleet.receive("b:1", console("b", view("b", "q"), view("b", "r")), fresh_until=500, at=121)
    fleet.tables(121)
    found = explained(fleet, "n", now=121)
    assert (found.standing, found.unmeasured_seconds) == ("ghost", 121)
    assert found.standing_because == "nobody has known a latency of it for 120 s, and it has no report of its own"
    assert found.basis_because == "no report of its own; only one observer has a view of it"
    quorum = explained(fleet, "q")
    assert quorum.basis_because == "no report of its own; 2 of 2 observers show this state, strictly most"
    assert quorum.standing_because.endswith("views with a measured latency: 1")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("history", "tie"),
    [
        (["", "serving"], "held"),
        ([{"b": MEASURED}], "measured"),
        ([{}], "observer"),
    ],
    ids=["the state held", "a measured latency", "the lowest observer"],
)
def test_what_decided_between_two_who_differ(history: list[Any], tie: str) -> None:
    fleet = Fleet("eu", WorkerRules(), Limits())
    if tie == "held":
        fleet.receive("b:1", console("b", view("b", word="client")), fresh_until=10, at=0)
        fleet.tables(0)
    more = history[0] if isinstance(history[0], dict) else {}
    fleet.receive("a:1", console("a", view("a", word="serving", **more.get("a", {}))), fresh_until=10, at=0)
    fleet.receive("b:1", console("b", view("b", word="client", **more.get("b", {}))), fresh_until=10, at=0)
    fleet.tables(1)
    assert explained(fleet, "n").basis_because == (
        f"no report of its own, and no state that strictly most observers show; {words.TIES[tie]}"
    )


def test_two_with_one_identity_say_what_decided() -> None:
    fleet = fleet_of({f"{word}:1": console("n", word=word, process=word) for word in ("standby", "serving")})
    found = explained(fleet, "n")
    assert found.state == "serving"
    assert found.basis_because == f"its own console's report comes before every other; {words.TIES['state']}"


def test_a_console_behind_a_name_has_the_age_of_its_own_answer() -> None:
    fleet = Fleet("eu", WorkerRules(), Limits())
    addresses = ("10.0.0.1:3131", "10.0.0.2:3131")
    both = {addresses[0]: console("a", view("a")), addresses[1]: console("b", view("b"))}
    fleet.receive("mesh:3131", ConsolesReading(both, addresses), fresh_until=15, at=0)
    fleet.receive("mesh:3131", ConsolesReading({addresses[0]: both[addresses[0]]}, addresses), fresh_until=20, at=5)
    fleet.tables(6)
    ages = {each.source: each.age_seconds for each in explained(fleet, "n", now=6).views}
    assert ages == {"mesh:3131 10.0.0.1:3131": 1, "mesh:3131 10.0.0.2:3131": 6}


def test_who_left_is_explained_by_what_is_remembered() -> None:
    evidence = fleet_of({"a:1": console("a")}).evidence
    evidence = evidence._replace(remembered=(NodeMemory("eu", "a", 1, 900.0, 0), NodeMemory("eu", "gone", 0)))
    here, gone = evidence.of("a", 0, 1000), evidence.of("gone", 0, 1000)
    assert here is not None
    assert (here.present, here.since) == (True, 900.0)
    assert gone is not None
    assert (gone.present, gone.since, gone.state, gone.views) == (False, None, None, ())
    assert evidence.of("nobody", 0, 1000) is None


def lookup(*fleets: Fleet) -> Lookup:
    evidence: dict[str, FleetEvidence] = {fleet.name: fleet.evidence for fleet in fleets}
    return Lookup(lambda: evidence, lambda: 4.0, lambda: 1004.0)


def test_a_node_is_found_by_id_before_host_name_and_by_its_label() -> None:
    odd = "n\x1b[31m" + "x" * 200
    fleet = fleet_of({"a:1": console("a", view("a", "b", hostname="a"), view("a", odd), hostname="gpu-a")})
    find = lookup(fleet)
    for name, node in {"a": "a", "gpu-a": "a", "b": "b", odd: odd, guard(odd): odd}.items():
        answer = find(name, None)
        assert (answer.status, json.loads(answer.body)["node"]) == (200, node)
        assert answer.body.isascii()
        assert b"\x1b" not in answer.body


def test_a_host_name_that_several_have_is_ambiguous_unless_one_of_them_is_fresh() -> None:
    two = [view("a", "n1", hostname="gpu"), view("a", "n2", hostname="gpu")]
    answer = lookup(fleet_of({"a:1": console("a", *two)}))("gpu", None)
    said = msgspec.json.decode(answer.body, type=Unexplained)
    assert (answer.status, said.candidates) == (409, (NodeName("eu", "n1", "gpu"), NodeName("eu", "n2", "gpu")))
    assert said.error == "expected the id or host name of a node, got 'gpu', which 2 nodes have"
    fleet = fleet_of({"a:1": console("a", two[0]), "b:1": console("b", two[1])})
    fleet.receive("a:1", console("a", two[0]), fresh_until=100, at=20)
    fleet.tables(20)
    assert json.loads(lookup(fleet)("gpu", None).body)["node"] == "n1"


def test_a_fleet_narrows() -> None:
    eu = fleet_of({"a:1": console("a")})
    us = Fleet("us", WorkerRules(), Limits())
    us.receive("a:2", console("a"), fresh_until=10, at=0)
    us.tables(0)
    find = lookup(eu, us)
    assert find("a", None).status == 409
    assert [json.loads(find("a", fleet).body)["fleet"] for fleet in ("eu", "us")] == ["eu", "us"]
    answer = find("a", "asia")
    assert (answer.status, json.loads(answer.body)["error"]) == (
        404,
        "expected a fleet that is read (eu, us), got 'asia'",
    )


def test_a_name_that_nobody_has_brings_those_like_it() -> None:
    find = lookup(fleet_of({"a:1": console("57a1e219ee", hostname="gpu-07")}))
    for name in ("57a1", "GPU-7", "57a1e219ef"):
        answer = find(name, None)
        said = msgspec.json.decode(answer.body, type=Unexplained)
        assert (answer.status, said.near) == (404, (NodeName("eu", "57a1e219ee", "gpu-07"),))
        assert said.error == f"expected the id or host name of a node, got {name!r}, which none has"
    assert msgspec.json.decode(find("zzz", None).body, type=Unexplained).near == ()
    assert lookup()("", None).status == lookup()("x" * 10_000, None).status == 404
    assert len(lookup()("x" * 10_000, None).body) < 400


def test_only_so_many_names_are_compared_letter_by_letter() -> None:
    many = [NodeName("eu", f"node-{number:05}", None) for number in range(COMPARED * 2)]
    assert NodeName("eu", "node-00900", None) in near("00900", many)
    assert NodeName("eu", "node-00900", None) not in near("nod-00900", many)
    assert meant("node-00900", dict.fromkeys(many, True)) == (NodeName("eu", "node-00900", None),)
