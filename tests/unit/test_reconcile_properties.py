"""What holds for every fleet: random meshes, seen by consoles that agree, differ, come, go, and share identities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from exporter.records import (
    NODE_STATES,
    WAKEABLE_STATES,
    Node,
    NodeCount,
    NodeModel,
    NodeView,
    NodeViews,
    PeerLink,
    WakeableModel,
    WakeableNode,
)
from exporter.records.reading import MeshReading, Sighting
from exporter.records.table import Tables
from exporter.state.consoles import Heard
from exporter.state.mesh import node_state
from exporter.state.mesh_tables import MeshMemory, count_mesh, mesh_tables

IDS = ("n0", "n1", "n2", "n3")
MODELS = ("qwen", "llama")
SOURCES = ("s0:1", "s1:1", "s2:1", "s3:1", "s4:1")
Fresh = Mapping[str, MeshReading]

latencies = st.sampled_from(
    [(None, "unknown"), (None, None), (None, "estimated"), (0.0, "direct"), (0.002, "direct"), (0.5, None)]
)


@st.composite
def views(draw: st.DrawFn, observer: str, node: str) -> Sighting:
    rtt, latency = (None, None) if observer == node else draw(latencies)
    view = NodeView(
        fleet="eu",
        observer=observer,
        node=node,
        own=observer == node,
        hostname=draw(st.sampled_from([None, "x", "y"])),
        role=draw(st.sampled_from([None, "Client", "Host", "Worker"])),
        word=draw(st.sampled_from([None, "asleep", *NODE_STATES])),
        is_client=draw(st.booleans()),
        is_host=draw(st.booleans()),
        llama_ready=draw(st.sampled_from([None, True, False])),
        has_model=draw(st.booleans()),
        serving=draw(st.booleans()),
        hosted=draw(st.booleans()),
        latency=latency,
        rtt_seconds=rtt,
        vram_bytes=draw(st.sampled_from([None, 0.0, 8e9])),
    )
    models = draw(st.lists(st.sampled_from(MODELS), unique=True))
    return Sighting(view, tuple(NodeModel("eu", node, model, "hosted") for model in models))


@st.composite
def readings(draw: st.DrawFn) -> MeshReading:
    observer, *peers = draw(st.lists(st.sampled_from(IDS), min_size=1, unique=True))
    seen = [draw(views(observer, node)) for node in (observer, *peers)]
    links = [PeerLink("eu", observer, each.view.node, "direct", each.view.rtt_seconds) for each in seen[1:]]
    return MeshReading(observer=observer, sightings=tuple(seen), links=tuple(links))


fleets = st.dictionaries(st.sampled_from(SOURCES), readings(), max_size=len(SOURCES))
rounds = st.lists(fleets, min_size=1, max_size=4)


@st.composite
def wakeables(draw: st.DrawFn) -> dict[str, Any]:
    """Wakeable capacity that has much in common with live nodes: ids, states and models."""
    ids = draw(st.lists(st.sampled_from([*IDS, "rack"]), unique=True))
    states = st.sampled_from([None, "serving", *WAKEABLE_STATES])
    return {
        "wakeables": tuple(WakeableNode("eu", each, "aws", "mesh-llm", draw(states), 8e9, 60.0) for each in ids),
        "wakeable_models": tuple(WakeableModel("eu", each, model) for each in ids for model in MODELS),
    }


def judge(history: list[Fresh]) -> Tables:
    """The tables after the last of several judgements, a minute apart, with the fleet's counts."""
    memory, tables = MeshMemory(), {}
    for number, fresh in enumerate(history):
        tables, memory = mesh_tables(Heard.of(fresh), memory, 60.0 * number)
    return {**tables, **count_mesh("eu", tables)}


def rows(tables: Tables) -> dict[str, Counter[Any]]:
    """Every table but those of wakeable capacity, whatever the order of its rows."""
    return {record.__name__: Counter(table) for record, table in tables.items() if "Wak" not in record.__name__}


@given(rounds, st.data())
def test_wakeable_entries_never_change_a_live_figure(history: list[Fresh], data: st.DataObject) -> None:
    more = [
        {source: msgspec.structs.replace(said, **data.draw(wakeables())) for source, said in fresh.items()}
        for fresh in history
    ]
    assert rows(judge(more)) == rows(judge(history))


@given(rounds)
def test_the_sum_over_states_is_the_number_of_nodes(history: list[Fresh]) -> None:
    tables = judge(history)
    known = {each.view.node for said in history[-1].values() for each in said.sightings}
    assert sum(row.count for row in tables[NodeCount] if isinstance(row, NodeCount)) == len(known)
    assert {row.node for row in tables[Node] if isinstance(row, Node)} == known
    assert {row.node for row in tables[NodeViews] if isinstance(row, NodeViews)} == known
    assert len(tables[Node]) == len(tables[NodeViews]) == len(known)


@given(rounds, st.randoms(use_true_random=False))
def test_every_permutation_of_the_same_views_gives_the_same_tables(history: list[Fresh], random: Any) -> None:
    def shuffled(fresh: Fresh) -> Fresh:
        said = list(fresh.items())
        random.shuffle(said)
        return {source: _peers_shuffled(reading, random) for source, reading in said}

    assert rows(judge([shuffled(fresh) for fresh in history])) == rows(judge(history))


def _peers_shuffled(reading: MeshReading, random: Any) -> MeshReading:
    own, *peers = reading.sightings
    random.shuffle(peers)
    return msgspec.structs.replace(reading, sightings=(own, *peers))


@given(rounds)
def test_a_judgement_is_one_of_the_views_and_says_whose(history: list[Fresh]) -> None:
    tables = judge(history)
    shown: dict[str, list[tuple[str, str]]] = {}
    for said in history[-1].values():
        for each in said.sightings:
            shown.setdefault(each.view.node, []).append((each.view.observer, node_state(each.view).state))
    for row in tables[Node]:
        assert isinstance(row, Node)
        own = {state for observer, state in shown[row.node] if observer == row.node}
        votes = Counter(state for _, state in set(shown[row.node]))
        most = [state for state, count in votes.items() if count == max(votes.values()) and count >= 2]
        basis = "self" if own else "quorum" if len(most) == 1 else "single"
        assert row.basis == basis
        assert row.state in (own or (most if basis == "quorum" else votes))
        assert (row.confirmed, row.ghost) == (int(row.standing == "confirmed"), int(row.standing == "ghost"))
        assert row.confirmed or not own


@given(rounds)
def test_views_and_disagreements_add_up(history: list[Fresh]) -> None:
    tables = judge(history)
    states = {row.node: row.state for row in tables[Node] if isinstance(row, Node)}
    for row in tables[NodeViews]:
        assert isinstance(row, NodeViews)
        counts = {state: getattr(row, state) for state in NODE_STATES}
        assert counts[states[row.node]] >= 1
        assert row.expected + row.real <= sum(counts.values()) - counts[states[row.node]]
        assert len(history) > 1 or row.real == 0


@given(
    st.permutations(NODE_STATES),
    st.lists(st.tuples(st.booleans(), latencies, latencies), min_size=2, max_size=12),
)
def test_two_dissenting_consoles_cause_no_transition(
    words: list[str], reads: list[tuple[bool, tuple[float | None, str | None], tuple[float | None, str | None]]]
) -> None:
    memory, states = MeshMemory(), set()
    for swapped, *measured in reads:
        fresh = {}
        for observer, word, (rtt, latency) in zip("ab", words, measured, strict=False):
            view = NodeView(
                fleet="eu", observer=observer, node="n", own=False, word=word, rtt_seconds=rtt, latency=latency
            )
            fresh[f"{observer}:1"] = MeshReading(observer=observer, sightings=(Sighting(view),))
        tables, memory = mesh_tables(Heard.of(dict(reversed(fresh.items())) if swapped else fresh), memory, 0.0)
        states |= {row.state for row in tables[Node] if isinstance(row, Node)}
    assert len(states) == 1
