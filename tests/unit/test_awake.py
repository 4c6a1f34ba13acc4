"""Who is awake: which node an entry becomes where names are not unique, and what is known while a mesh is silent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from exporter.records import Node, WakeableCount, WakeableNode, WakeCount
from exporter.records.reading import InventoryReading, MeshReading
from exporter.sources.inventory import parse_json
from exporter.sources.mesh_llm import parse
from exporter.state.awake import Live
from exporter.state.fleet import Fleet, Limits, WorkerRules
from exporter.state.ledger import Ledger
from exporter.state.memory import Retention
from exporter.state.notes import Recalled
from exporter.state.reconcile import GHOST_AFTER
from exporter.state.wakeable import unclear_in

KINDS = ("mesh-llm", "inventory")
FRESH = 15.0
ID = {"becomes": {"node": "g1"}}
NAME = {"becomes": {"hostname": "gpu-01"}}


def peer(node: str, hostname: str, **said: Any) -> dict[str, Any]:
    return {"id": node, "hostname": hostname, "state": "standby", "rtt_ms": 1, "latency_source": "direct", **said}


def status(node: str, *peers: dict[str, Any], hostname: str = "console") -> MeshReading:
    body = {"node_id": node, "node_state": "standby", "my_hostname": hostname, "peers": peers}
    return parse(json.dumps(body).encode(), "eu")


def inventory(*entries: dict[str, Any]) -> InventoryReading:
    return parse_json(json.dumps([{"vram_gb": 10, **entry} for entry in entries]).encode(), "eu", "inv")


class Told:
    """A fleet with an inventory and a mesh, judged step by step."""

    def __init__(self, fleet: Fleet | None = None) -> None:
        self.fleet = fleet or Fleet("eu", WorkerRules(), Limits())

    def at(
        self,
        now: float,
        *entries: dict[str, Any],
        kinds: tuple[str, ...] = KINDS,
        **consoles: MeshReading,
    ) -> dict[str, str | None]:
        """The wakeable nodes with their states; what a console said before counts for `FRESH` seconds."""
        for source, reading in consoles.items():
            self.fleet.receive(source, reading, now + FRESH, now)
        self.inventory = inventory(*entries)
        self.fleet.receive("inv", self.inventory, now + FRESH, now)
        tables, _ = self.fleet.tables(now, kinds, 1e9 + now)
        self.standing = {row.node: row.standing for row in tables.get(Node, ()) if isinstance(row, Node)}
        self.wakes = {row.result: row.wakes for row in tables[WakeCount] if isinstance(row, WakeCount)}
        shown = {row.logical_id: row.state for row in tables[WakeableNode] if isinstance(row, WakeableNode)}
        counted = sum(row.count for row in tables[WakeableCount] if isinstance(row, WakeableCount))
        assert counted == len([state for state in shown.values() if state])
        return shown

    @property
    def drift(self) -> dict[str, int]:
        """What the judgement counts as drift of the inventory."""
        return dict(unclear_in(self.inventory, self.fleet.wakes))


HINTS = {"hostname": NAME, "id": ID}


@pytest.mark.parametrize("hint", HINTS.values(), ids=HINTS)
def test_a_mesh_that_cannot_be_read_sends_nobody_to_sleep(hint: dict[str, Any]) -> None:
    entry = {"logical_id": "w", **hint}
    told = Told()
    assert told.at(0, entry, a=status("a", peer("g1", "gpu-01"))) == {}
    assert told.at(FRESH + 1, entry) == {}
    assert told.at(9999, entry) == {}
    assert told.at(10_000, entry, a=status("a", peer("g1", "gpu-01"))) == {}
    assert told.at(10_010, entry, a=status("a")) == {"w": "sleeping"}


def test_a_node_that_is_not_confirmed_is_not_asleep() -> None:
    entry = {"logical_id": "w", **NAME}
    told = Told()
    own, other = status("g1", hostname="gpu-01"), status("a", peer("g1", "gpu-01"))
    assert told.at(0, entry, g=own, a=other) == {}
    assert told.at(20, entry, a=other) == {}
    assert told.standing["g1"] == "unconfirmed"
    assert told.at(30, entry, a=status("a")) == {"w": "sleeping"}


def test_a_node_that_was_never_confirmed_wakes_on() -> None:
    entry = {"logical_id": "w", "state": "waking", **NAME}
    newcomer = peer("g1", "gpu-01", rtt_ms=None, latency_source="estimated")
    told = Told()
    assert told.at(0, entry, a=status("a", newcomer)) == {"w": "waking"}
    assert told.at(5, entry, a=status("a", peer("g1", "gpu-01"))) == {}
    assert told.wakes["live"] == 1


def test_a_ghost_is_asleep() -> None:
    entry = {"logical_id": "w", **NAME}
    told = Told()
    ghost = status("a", peer("g1", "gpu-01", rtt_ms=None, latency_source="unknown"))
    assert told.at(0, entry, a=status("a", peer("g1", "gpu-01"))) == {}
    assert told.at(5, entry, a=ghost) == {}
    assert told.at(5 + GHOST_AFTER, entry, a=ghost) == {"w": "sleeping"}


def test_what_only_a_silent_console_listed_may_be_awake() -> None:
    entry = {"logical_id": "w", **NAME}
    told = Told()
    assert told.at(0, entry, a=status("a"), b=status("b", peer("g1", "gpu-01"))) == {}
    assert told.at(20, entry, a=status("a")) == {}
    assert told.at(25, entry, a=status("a"), b=status("b")) == {"w": "sleeping"}


def test_an_entry_that_is_said_to_wake_anew_is_not_awake() -> None:
    told = Told()
    listed = status("a", peer("g1", "gpu-01"))
    entry = {"logical_id": "w", **NAME}
    assert told.at(0, entry, g=status("g1", hostname="gpu-01"), a=listed) == {}
    assert told.at(20, entry, a=listed) == {}
    assert told.at(30, {**entry, "state": "waking"}, a=listed) == {"w": "waking"}
    assert told.at(40, {**entry, "state": "waking"}, g=status("g1", hostname="gpu-01"), a=listed) == {}
    assert told.wakes == {"live": 1, "returned": 0, "vanished": 0}
    assert told.at(60, {**entry, "state": "waking"}, a=listed) == {}


def test_a_changed_hint_or_a_fleet_without_a_mesh_knows_nothing_of_before() -> None:
    told = Told()
    entry = {"logical_id": "w", **NAME}
    assert told.at(0, entry, a=status("a", peer("g1", "gpu-01"))) == {}
    assert told.at(20, {"logical_id": "w", "becomes": {"hostname": "gpu-02"}}) == {"w": "sleeping"}
    assert told.at(21, entry) == {"w": "sleeping"}
    assert told.at(30, entry, a=status("a", peer("g1", "gpu-01"))) == {}
    recalled = Recalled(wakes=told.fleet.wakes)
    for kinds, shown in ((KINDS, {}), (("inventory",), {"w": "sleeping"})):
        assert Told(Fleet("eu", WorkerRules(), Limits(), recalled)).at(50, entry, kinds=kinds) == shown


def test_a_silent_inventory_tells_nothing_either() -> None:
    told = Told()
    entry = {"logical_id": "w", **NAME}
    assert told.at(0, entry, a=status("a", peer("g1", "gpu-01"))) == {}
    assert told.at(20) == {}
    assert told.at(21, entry) == {}


def test_a_restart_forgets_nobody_who_is_awake(tmp_path: Path) -> None:
    entry = {"logical_id": "w", **NAME}
    for turn, said in enumerate([status("a", peer("g1", "gpu-01")), None, None]):
        ledger = Ledger.open(tmp_path, retention=Retention(3600, 1000))
        told = Told(Fleet("eu", WorkerRules(), Limits(), ledger.recall("eu")))
        assert told.at(100.0 * turn, entry, **({"a": said} if said else {})) == {}
        ledger.observe({"eu": told.fleet.listing}, 1e9 + turn)
        ledger.close()


UNCLEAR: dict[str, tuple[list[dict[str, Any]], list[tuple[str, str]], dict[str, str | None], int]] = {
    "two entries, one node": (
        [{"logical_id": "v", **NAME}, {"logical_id": "w", "state": "waking", **NAME}],
        [("g1", "gpu-01")],
        {"v": "sleeping", "w": "waking"},
        2,
    ),
    "two entries, no node": (
        [{"logical_id": "v", **NAME}, {"logical_id": "w", **NAME}],
        [],
        {"v": "sleeping", "w": "sleeping"},
        2,
    ),
    "two entries of one id": (
        [{"logical_id": "v", **ID}, {"logical_id": "w", **ID}],
        [("g1", "gpu-01")],
        {"v": "sleeping", "w": "sleeping"},
        2,
    ),
    "one entry, two nodes": (
        [{"logical_id": "v", **NAME}],
        [("g1", "gpu-01"), ("g2", "gpu-01")],
        {"v": "sleeping"},
        1,
    ),
    "an id counts before a name": (
        [{"logical_id": "v", **NAME}, {"logical_id": "w", **ID}],
        [("g1", "gpu-01")],
        {"v": "sleeping"},
        1,
    ),
    "an id is clear among namesakes": (
        [{"logical_id": "w", **ID}],
        [("g1", "gpu-01"), ("g2", "gpu-01")],
        {},
        0,
    ),
    "each its own": (
        [{"logical_id": "v", "becomes": {"hostname": "gpu-02"}}, {"logical_id": "w", **NAME}],
        [("g1", "gpu-01"), ("g2", "gpu-02")],
        {},
        0,
    ),
}


@pytest.mark.parametrize(("entries", "nodes", "shown", "drift"), UNCLEAR.values(), ids=UNCLEAR)
def test_a_node_answers_for_one_entry_and_a_hint_for_one_node(
    entries: list[dict[str, Any]], nodes: list[tuple[str, str]], shown: dict[str, str | None], drift: int
) -> None:
    told = Told()
    assert told.at(0, *entries, a=status("a", *(peer(*node) for node in nodes))) == shown
    assert told.drift == ({"becomes": drift} if drift else {})
    assert sum(told.wakes.values()) == 0


def test_who_is_awake_stays_so_however_unclear_its_hint_becomes() -> None:
    told = Told()
    first, second = {"logical_id": "w", **NAME}, {"logical_id": "v", **NAME}
    assert told.at(0, first, a=status("a", peer("g1", "gpu-01"))) == {}
    both = status("a", peer("g1", "gpu-01"), peer("g2", "gpu-01"))
    assert (told.at(5, first, second, a=both), told.drift) == ({"v": "sleeping"}, {"becomes": 2})
    assert told.at(10, first, second, a=status("a", peer("g2", "gpu-01"))) == {"v": "sleeping", "w": "sleeping"}


def test_a_machine_that_comes_back_under_another_id_is_awake() -> None:
    told = Told()
    entry = {"logical_id": "w", **NAME}
    assert told.at(0, entry, a=status("a", peer("g1", "gpu-01"))) == {}
    assert told.at(5, entry, a=status("a", peer("g9", "gpu-01"))) == {}
    assert told.at(10, entry, a=status("a", peer("g1", "elsewhere"))) == {"w": "sleeping"}


def test_a_node_that_answers_for_a_listed_entry_ends_no_other_wake() -> None:
    told = Told()
    waking = {"state": "waking", **NAME}
    assert told.at(0, {"logical_id": "old", **waking}, a=status("a")) == {"old": "waking"}
    assert told.at(5, {"logical_id": "new", **waking}, a=status("a", peer("g1", "gpu-01"))) == {}
    assert told.wakes == {"live": 0, "returned": 0, "vanished": 0}


def test_names_of_live_nodes() -> None:
    live = Live({"a": "x", "b": "x", "x": None})
    assert (live.named("x"), live.named("a"), live.named("y")) == ({"a", "b", "x"}, {"a"}, set())
