"""The page of a node or worker: what it shows beside the explanation."""

from __future__ import annotations

import re

import msgspec

from exporter.explain.lookup import answered
from exporter.overview import Overview
from exporter.overview.holdings import MOST, Holdings
from exporter.pages.site import Site
from exporter.records import NodeGpu, NodeModel, NodeSlots, NodeStage, PeerLink, Worker, WorkerGpu
from exporter.records.evidence import NodeEvidence
from exporter.records.table import Tables
from exporter.records.transition import Transition
from tests.unit.asgi import ask
from tests.unit.test_pages import VIEW

NODE = NodeEvidence(fleet="eu", node="n1", at=1000.0, judged_seconds_ago=0.0, state="serving", transitions_since=5.0)


def page(said: NodeEvidence, holdings: Holdings | None = None) -> str:
    explain = {"nodes": lambda name, fleet: answered(200, said)}
    site = Site(lambda: Overview(at=1000.0, version="1"), explain, holdings or Holdings(dict))
    return ask(site, "/nodes/n1?fleet=eu").body.decode()


def test_a_node_has_its_last_changes_of_state() -> None:
    changed = msgspec.structs.replace(NODE, transitions=(Transition(60.0, "loading", "serving"),))
    assert "<td>1970-01-01 00:01:00 UTC</td><td>loading</td><td>serving</td>" in page(changed)
    assert "Changes of state" in page(NODE)
    assert "<td>loading</td>" not in page(NODE)


def test_a_column_that_nobody_has_anything_for_is_left_out() -> None:
    headings = ["observer", "source", "age", "word", "flags", "state", "reason"]
    for view, more in ((VIEW, []), (msgspec.structs.replace(VIEW, dissent="real"), ["dissent"])):
        said = page(msgspec.structs.replace(NODE, views=(VIEW, view)))
        assert re.findall(r'<th scope="col">(\w+)', said) == headings + more


EVIL = "<i>m</i>"

SHOWN: dict[str, Tables] = {
    "sources": {},
    "fleet eu": {
        NodeModel: (
            NodeModel("eu", "n1", EVIL, "serving"),
            NodeModel("eu", "n1", EVIL, "hosted"),
            NodeModel("eu", "n2", "other", "hosted"),
        ),
        NodeGpu: (NodeGpu("eu", "n1", "0", "H100", 80e9, None, None),),
        NodeSlots: (NodeSlots("eu", "n1", "m", 4, 0),),
        NodeStage: (NodeStage("eu", "n1", "m", "0..16"),),
        PeerLink: tuple(PeerLink("eu", "n1", f"p{number}", "direct", 0.0021) for number in range(MOST + 1)),
    },
    "fleet us": {NodeModel: (NodeModel("us", "n1", "elsewhere", "hosted"),)},
    "fleet training": {
        Worker: (
            Worker(
                *("training", "w", "busy", None, None, "host", "Linux", 0, 1.0, None, None, None),
                *(0.0, 3e9, 64e9, None, None, 5e6, None),
            ),
        ),
        WorkerGpu: (
            WorkerGpu("training", "w", "0", 0.97, 70e9, 800e9, 61.4),
            WorkerGpu("training", "v", "0", 0.5, None, None, None),
        ),
    },
}


def test_what_a_node_has() -> None:
    held = {each.title: each for each in Holdings(lambda: SHOWN)("nodes", "eu", "n1")}
    assert {title: each.rows for title, each in held.items() if title != "Peers"} == {
        "Models": ((EVIL, "hosted, serving"),),
        "GPUs": (("0", "H100", "80.0 GB"),),
        "Slots": (("m", "4", "0"),),
        "Stages": (("m", "0..16"),),
    }
    peers = held["Peers"]
    assert (peers.rows[0], len(peers.rows), peers.of) == (("p0", "direct", "2.1 ms"), MOST, MOST + 1)
    assert Holdings(lambda: SHOWN)("nodes", "eu", "n3") == []


def test_what_a_worker_has() -> None:
    machine, gpus = Holdings(lambda: SHOWN)("workers", "training", "w")
    assert machine.rows == (("CPU", "0 %", ""), ("memory", "3.0 GB", "64.0 GB"), ("network sent", "5.0 MB", ""))
    assert gpus.rows == (("0", "97 %", "70.0 GB", "800 GB", "61 °C"),)
    assert [each.title for each in Holdings(lambda: SHOWN)("workers", "training", "v")] == ["GPUs"]


def test_a_page_shows_what_its_node_has_escaped_and_how_much_is_left_out() -> None:
    shown = page(NODE, Holdings(lambda: SHOWN))
    assert "<td>&lt;i&gt;m&lt;/i&gt;</td><td>hosted, serving</td>" in shown
    assert "50 of 51 shown" in shown
    assert "elsewhere" not in shown
    assert "Peers" not in page(NODE)
