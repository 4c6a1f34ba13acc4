"""What a fleet tells the ledger: everybody before any limit, who was dropped, and what it has a fresh read of."""

from __future__ import annotations

from exporter.records import NodeView, Store, WakeableNode, WorkerReport
from exporter.records.reading import MeshReading, Sighting, StoreReading
from exporter.state.fleet import Fleet, Limits, WorkerRules


def console(observer: str, *wakeables: WakeableNode) -> MeshReading:
    own = NodeView(fleet="eu", observer=observer, node=observer, own=True, word="standby")
    return MeshReading(observer=observer, sightings=(Sighting(own),), wakeables=wakeables)


def workers(**last_heartbeats: float) -> StoreReading:
    reports = [
        WorkerReport(fleet="eu", worker=name, word="idle", last_heartbeat=at, last_idle=1.0)
        for name, at in last_heartbeats.items()
    ]
    return StoreReading(store=Store("eu", None), workers=tuple(reports), read_at=1000.0)


def test_only_what_has_a_fresh_read_has_a_roster() -> None:
    fleet = Fleet("eu", WorkerRules(), Limits())
    fleet.tables(0.0, ["mesh-llm", "agent-lightning"])
    assert (fleet.listing.kinds, fleet.listing.rosters) == ({"node", "wakeable", "worker"}, {})
    fleet.receive("a:1", console("a"), fresh_until=10.0)
    fleet.receive("store", workers(), fresh_until=20.0)
    fleet.tables(5.0, ["mesh-llm", "agent-lightning"])
    assert {kind: dict(roster.states) for kind, roster in fleet.listing.rosters.items()} == {
        "node": {"a": "standby"},
        "wakeable": {},
        "worker": {},
    }
    assert fleet.listing.notes == {("console", "a"): "a:1"}
    fleet.tables(15.0, ["mesh-llm", "agent-lightning"])
    assert set(fleet.listing.rosters) == {"worker"}


def test_a_worker_that_is_forgotten_is_dropped() -> None:
    fleet = Fleet("eu", WorkerRules(heartbeat_timeout=45, forget_after=100), Limits())
    fleet.receive("store", workers(live=999.0, silent=950.0, dead=1.0), fresh_until=10.0)
    fleet.tables(0.0, ["agent-lightning"])
    roster = fleet.listing.rosters["worker"]
    assert (dict(roster.states), set(roster.dropped), roster.shown) == (
        {"live": "idle", "silent": "unknown"},
        {"dead"},
        None,
    )


def test_everybody_is_listed_and_what_a_limit_leaves_is_shown() -> None:
    fleet = Fleet("eu", WorkerRules(), Limits(objects=1))
    fleet.receive("store", workers(live=999.0, silent=1.0), fresh_until=10.0)
    fleet.tables(0.0, ["agent-lightning"])
    roster = fleet.listing.rosters["worker"]
    assert (dict(roster.states), roster.shown) == ({"live": "idle", "silent": "unknown"}, {"silent"})


def test_wakeable_nodes_do_not_leave_while_somebody_is_silent_who_may_list_them() -> None:
    asleep = WakeableNode("eu", "z", None, "mesh-llm", "sleeping", None, None)
    fleet = Fleet("eu", WorkerRules(), Limits())
    fleet.receive("a:1", console("a", asleep), fresh_until=10.0)
    fleet.receive("b:1", console("b"), fresh_until=20.0)
    fleet.tables(5.0, ["mesh-llm"])
    assert (dict(fleet.listing.rosters["wakeable"].states), fleet.listing.rosters["wakeable"].whole) == (
        {"z": "sleeping"},
        True,
    )
    fleet.tables(15.0, ["mesh-llm"])
    assert (dict(fleet.listing.rosters["wakeable"].states), fleet.listing.rosters["wakeable"].whole) == ({}, False)
