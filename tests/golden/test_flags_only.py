"""A captured mesh payload says the same with its words removed, as older versions of mesh-llm send it: flags only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from exporter.records import NODE_STATES
from exporter.sources.mesh_llm import parse
from exporter.state.mesh import NodeVerdict, node_state
from tests.golden.cases import MESH

PAYLOADS = sorted(path for path in MESH.rglob("*.json"))


def without_words(payload: dict[str, Any]) -> dict[str, Any]:
    """The payload without `node_state` and `node_status`, its peers without `state`."""
    peers = [{key: said for key, said in peer.items() if key != "state"} for peer in payload["peers"]]
    kept = {key: said for key, said in payload.items() if key not in ("node_state", "node_status")}
    return {**kept, "peers": peers}


def verdicts(payload: Any) -> dict[str, NodeVerdict]:
    reading = parse(json.dumps(payload).encode(), "eu")
    return {sighting.view.node: node_state(sighting.view) for sighting in reading.sightings}


@pytest.mark.parametrize("path", PAYLOADS, ids=[str(path.relative_to(MESH)) for path in PAYLOADS])
def test_states_are_the_same_without_words(path: Path) -> None:
    payload = json.loads(path.read_text())
    said, flags = verdicts(payload), verdicts(without_words(payload))
    assert {node: verdict.state for node, verdict in flags.items()} == {
        node: verdict.state for node, verdict in said.items()
    }
    assert [node for node, verdict in said.items() if verdict.drift] == []


def test_captures_show_every_state() -> None:
    states = {verdict.state for path in PAYLOADS for verdict in verdicts(json.loads(path.read_text())).values()}
    assert states == set(NODE_STATES)
