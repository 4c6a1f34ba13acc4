"""What people are shown of the fleets: rows of the tables, the unhealthy first, filtered, sorted, page by page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from exporter.health import SourceHealth
from exporter.isolate import Attempted
from exporter.overview import Choice, Overview, Overviews, chosen
from exporter.overview.choice import ChoiceError
from exporter.records import (
    Assignment,
    Inconsistency,
    Node,
    NodeCount,
    NodeMemory,
    NodeModel,
    NodeViews,
    PeerLink,
    WakeableBecomes,
    WakeableMemory,
    WakeableModel,
    WakeableNode,
    Worker,
    WorkerCount,
    WorkerGpu,
    WorkerMemory,
)
from exporter.records.table import Tables
from exporter.sources.source import Pace

NOW = 1_800_000_000.0


def node(name: str, state: str = "serving", standing: str = "confirmed", **said: Any) -> Node:
    rest = dict.fromkeys(
        ("hostname", "role", "version", "reported", "vram_bytes", "inflight_requests", "requests_success"), None
    )
    fixed = {"fleet": "eu", "node": name, "basis": "self", "state": state, "reason": "word", "standing": standing}
    ones = {"confirmed": int(standing == "confirmed"), "ghost": int(standing == "ghost")}
    return Node(**{**rest, "requests_failure": None, **fixed, **ones, **said})


def worker(name: str, status: str, reason: str | None = None, **said: Any) -> Worker:
    fields = dict.fromkeys(Worker.__struct_fields__)
    return Worker(**{**fields, "fleet": "eu", "worker": name, "status": status, "reason": reason, **said})


EU: Tables = {
    Node: (
        node("n1", hostname="gpu-10", vram_bytes=80e9, version="0.66.0"),
        node("n2", "loading", hostname="gpu-2", vram_bytes=24e9),
        node("n3", "standby", "ghost", hostname="gpu-3"),
        node("n4", "standby", role="Worker", reported="loading"),
    ),
    NodeMemory: (
        NodeMemory("eu", "n1", 1, NOW - 60, 0),
        NodeMemory("eu", "n2", 1, NOW - 5, 1),
        NodeMemory("eu", "left", 0),
    ),
    NodeModel: (NodeModel("eu", "n1", "qwen", "hosted"), NodeModel("eu", "n1", "qwen", "available")),
    NodeViews: (NodeViews(fleet="eu", node="n4", standby=1, real=2),),
    PeerLink: (PeerLink("eu", "n1", "n2", "direct", 0.001), PeerLink("eu", "n2", "n1", "direct", 0.001)),
    NodeCount: (NodeCount("eu", "serving", "confirmed", 1), NodeCount("eu", "standby", "ghost", 1)),
    Worker: (
        worker("w-10", "idle"),
        worker("w-2", "idle", host="box"),
        worker("w-1", "busy", last_heartbeat=NOW - 3),
        worker("w-3", "unknown", "silent", reported="busy"),
    ),
    WorkerGpu: (
        WorkerGpu("eu", "w-1", "0", 0.5, 30e9, 80e9, None),
        WorkerGpu("eu", "w-1", "1", 1.0, 10e9, None, None),
        WorkerGpu("eu", "w-2", "0", None, None, 24e9, 40.0),
    ),
    WorkerMemory: (WorkerMemory("eu", "w-3", 1, NOW - 600), WorkerMemory("eu", "w-9", 0)),
    Assignment: (Assignment("eu", "w-3", "ro-1", "at-1", "unknown"),),
    Inconsistency: (Inconsistency("eu", "w-2", "shared_id"),),
    WorkerCount: (WorkerCount("eu", "unknown", 1), WorkerCount("eu", "idle", 2), WorkerCount("eu", "busy", 1)),
    WakeableNode: (
        WakeableNode("eu", "rack-1", "wol", "mesh-llm", "sleeping", 160e9, 240.0),
        WakeableNode("eu", "rack-2", None, "file", "waking", None, 60.0, 90.0),
    ),
    WakeableModel: (WakeableModel("eu", "rack-1", "llama"),),
    WakeableBecomes: (WakeableBecomes("eu", "rack-1", None, "gpu-7"),),
    WakeableMemory: (WakeableMemory("eu", "rack-1", NOW - 1),),
}


class Store:
    """A source that nobody reads."""

    def __init__(self, name: str, *, optional: bool = False) -> None:
        self.fleet, self.name, self.kind = "eu", name, "agent-lightning"
        self.pace = Pace(5, 3, 15, optional)


def health(name: str, *, optional: bool = False, result: str = "") -> SourceHealth:
    told = SourceHealth(Store(name, optional=optional))  # type: ignore[arg-type]
    if result:
        told.take(Attempted(None, result, "", 0.1), NOW)  # type: ignore[arg-type]
    return told


def everything(shown: Callable[[], dict[str, Tables]] = lambda: {"fleet eu": EU}) -> Overview:
    sources = [health("a:4747", result="refused"), health("b:4747"), health("c:4747", optional=True)]
    return Overviews(shown, lambda: sources, lambda: NOW)()


def names(overview: Overview, table: str) -> list[str]:
    return [row.name for row in getattr(overview, table)]


def see(**parameters: str) -> Overview:
    return chosen(everything(), Choice.of(parameters, 100))


def test_the_unhealthy_come_first_and_names_are_in_the_order_of_their_numbers() -> None:
    shown = see()
    assert names(shown, "nodes") == ["left", "gpu-3", "n4", "gpu-2", "gpu-10"]
    assert names(shown, "workers") == ["w-3", "w-9", "w-2", "w-1", "w-10"]
    assert names(shown, "wakeable") == ["rack-2", "rack-1"]
    assert names(shown, "sources") == ["a:4747", "b:4747"]
    assert shown.of == {"nodes": 5, "workers": 5, "wakeable": 2, "sources": 2}


def test_a_row_has_what_the_tables_have() -> None:
    shown = see()
    gpu = shown.nodes[-1]
    assert (gpu.node, gpu.state, gpu.models, gpu.since, gpu.peers) == ("n1", "serving", ("qwen",), NOW - 60, ("n2",))
    assert (shown.nodes[0].state, shown.nodes[2].disagree, shown.nodes[2].reported) == ("gone", 2, "loading")
    lost = shown.workers[0]
    assert (lost.reason, lost.reported, lost.rollout, lost.attempt, lost.since) == (
        *("silent", "busy", "ro-1", "at-1"),
        NOW - 600,
    )
    assert shown.workers[2].inconsistencies == ("shared_id",)
    assert (shown.wakeable[1].becomes, shown.wakeable[1].models) == ("gpu-7", ("llama",))
    (fleet,) = shown.fleets
    assert (fleet.nodes, fleet.workers) == ({"serving": 1}, {"unknown": 1, "idle": 2, "busy": 1})
    assert (fleet.sources, fleet.sources_down) == (2, 2)


def test_a_worker_has_the_average_use_and_the_whole_memory_of_its_gpus() -> None:
    fields = ("gpu_utilization_ratio", "gpu_memory_used_bytes", "gpu_memory_total_bytes")
    said = {row.worker: tuple(getattr(row, field) for field in fields) for row in everything().workers}
    assert said["w-1"] == (0.75, 40e9, 80e9)
    assert said["w-2"] == (None, None, 24e9)
    assert said["w-10"] == (None, None, None)


@pytest.mark.parametrize(
    ("parameters", "table", "expected"),
    [
        ({"q": "gpu-1"}, "nodes", ["gpu-10"]),
        ({"q": "QWEN eu"}, "nodes", ["gpu-10"]),
        ({"q": "nobody"}, "nodes", []),
        ({"state": "ghost"}, "nodes", ["gpu-3"]),
        ({"state": "gone"}, "workers", ["w-9"]),
        ({"state": "silent"}, "workers", ["w-3"]),
        ({"state": "refused"}, "sources", ["a:4747"]),
        ({"fleet": "us"}, "workers", []),
        ({"sort_nodes": "vram_bytes"}, "nodes", ["gpu-2", "gpu-10", "left", "gpu-3", "n4"]),
        ({"sort_nodes": "-vram_bytes"}, "nodes", ["gpu-10", "gpu-2", "left", "gpu-3", "n4"]),
        ({"sort_workers": "worker"}, "workers", ["w-1", "w-2", "w-3", "w-9", "w-10"]),
        ({"sort_workers": "-worker", "limit": "2"}, "workers", ["w-10", "w-9"]),
        ({"limit": "2", "page_workers": "3"}, "workers", ["w-10"]),
        ({"limit": "2", "page_workers": "4"}, "workers", []),
    ],
)
def test_what_is_asked_for_is_shown(parameters: dict[str, str], table: str, expected: list[str]) -> None:
    assert names(see(**parameters), table) == expected


@pytest.mark.parametrize(
    ("parameters", "wrong"),
    [
        ({"sort_nodes": "size"}, "sort_nodes: expected one of fleet, node, hostname, "),
        ({"sort_cats": "size"}, "expected one of fleet, limit, page_nodes, "),
        ({"limit": "0"}, "limit: expected a whole number from 1 to 100000, got '0'"),
        ({"page_nodes": "1e9"}, "page_nodes: expected a whole number from 1 to 100000, got '1e9'"),
        ({"page_nodes": "٣"}, "page_nodes: expected a whole number from 1 to 100000, got '٣'"),
    ],
)
def test_what_cannot_be_followed_is_said(parameters: dict[str, str], wrong: str) -> None:
    with pytest.raises(ChoiceError) as raised:
        Choice.of(parameters, 100)
    assert str(raised.value).startswith(wrong)


def test_rows_of_tables_that_have_not_changed_are_made_once() -> None:
    shown = {"fleet eu": EU}
    overviews = Overviews(lambda: dict(shown), list, lambda: NOW)
    first, second = overviews(), overviews()
    assert first.nodes[0] is second.nodes[0]
    shown["fleet eu"] = dict(EU)
    assert overviews().nodes[0] is not first.nodes[0]
    shown.clear()
    assert overviews().nodes == ()


def test_text_of_upstreams_is_as_in_labels() -> None:
    rows = everything(lambda: {"x": {Worker: (worker("a\x1b[31m", "idle", host="h" * 300),)}}).workers
    assert "\x1b" not in rows[0].worker
    assert len(rows[0].host or "") == 128
