"""The captured runs of a real mesh, told by a console on loopback: HTTP changes nothing of what follows from them."""

from __future__ import annotations

import json
from typing import Any

from exporter.endpoint import parse_url
from exporter.records.reading import MeshReading
from exporter.sources.fetch import Resolver
from exporter.sources.mesh_llm import MeshConsole
from exporter.sources.source import Deadline, Pace
from tests.golden.mesh_replay import replay, whole
from tests.unit.loopback import Loopback, Peer, answer

INTERVAL = 5.0


def test_what_is_read_over_http_is_what_was_captured() -> None:
    """15 minutes of four consoles: killed, leaving, back by gossip, new and gone nodes; see test_mesh_replay."""
    payloads: list[bytes] = []

    def console(peer: Peer) -> None:
        if peer.head():
            peer.send(answer(payloads[-1]))

    with Loopback(console) as loopback:
        endpoint = parse_url(f"http://127.0.0.1:{loopback.port}", 3131)
        source = MeshConsole("eu", endpoint, Resolver(), Pace(INTERVAL, 5.0, 15.0))

        def read(payload: dict[str, Any]) -> MeshReading:
            payloads.append(json.dumps(payload).encode())
            return source.read(Deadline(10.0))

        told = replay(whole(), INTERVAL, read=read)
    assert len(payloads) > 400
    assert told == replay(whole(), INTERVAL)
