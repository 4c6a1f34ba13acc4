"""The page of a node or worker: what it shows beside the explanation."""

from __future__ import annotations

import msgspec

from exporter.explain.lookup import answered
from exporter.overview import Overview
from exporter.pages.site import Site
from exporter.records.evidence import NodeEvidence
from exporter.records.transition import Transition
from tests.unit.asgi import ask

NODE = NodeEvidence(fleet="eu", node="n1", at=1000.0, judged_seconds_ago=0.0, state="serving", transitions_since=5.0)


def page(said: NodeEvidence) -> str:
    site = Site(lambda: Overview(at=1000.0, version="1"), {"nodes": lambda name, fleet: answered(200, said)})
    return ask(site, "/nodes/n1?fleet=eu").body.decode()


def test_a_node_has_its_last_changes_of_state() -> None:
    changed = msgspec.structs.replace(NODE, transitions=(Transition(60.0, "loading", "serving"),))
    assert "<td>1970-01-01 00:01:00 UTC</td><td>loading</td><td>serving</td>" in page(changed)
    assert "Changes of state" in page(NODE)
    assert "<td>loading</td>" not in page(NODE)
