"""Captured runs of a real mesh (0.66.0), replayed through `parse` and the rules of a fleet.

`mesh-llm-0.66.0/{leave,ghost}/` hold a payload for each change of a mesh, `CONSOLE-NUMBER-tSECONDSs.json`, and
`polls.jsonl.gz`, a line per poll, compressed: seconds since the run's start, console, and either `down` or, by id, a
row of role, state, round trip time in ms, its source, serving and hosted models for each peer listed. `ghost` begins
444 s after `leave`. What a poll says of its peers stands in the payload's place.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from exporter.records import Node, NodeCount, NodeViews
from exporter.records.reading import MeshReading
from exporter.sources.mesh_llm import parse
from exporter.state.fleet import Fleet, Limits, WorkerRules

RUNS = Path(__file__).parent / "mesh-llm-0.66.0"
GHOST_BEGINS = 444.0
NAMES = {"bf4cdc57bc": "a", "48c9e03cb6": "b", "d511be82ad": "c", "5c4da11e0f": "d", "293839abed": "e"}
"""The nodes by the letter of their console; e is a newcomer whose console was never polled."""

FIELDS = ("role", "state", "rtt_ms", "latency_source", "serving_models", "hosted_models")


class Moment(NamedTuple):
    """What Rollcall knows at `t`, by node: the nodes, who sees them how, and how many are confirmed, by state."""

    t: float
    nodes: dict[str, Node]
    views: dict[str, NodeViews]
    confirmed: dict[str, int]


class Poll(NamedTuple):
    """One poll of a console: when, of whom, and the payload; None where it did not answer."""

    t: float
    console: str
    payload: dict[str, Any] | None


def polls(run: str) -> Iterator[Poll]:
    """Every poll of a run, in the order of time."""
    files = sorted(RUNS.joinpath(run).glob("?-*-t*s.json"))
    changes = [
        (path.name[0], int(re.findall(r"-t(\d+)s", path.name)[0]), json.loads(path.read_text())) for path in files
    ]
    with gzip.open(RUNS / run / "polls.jsonl.gz", "rt") as lines:
        for line in map(json.loads, lines):
            payload = None
            if "down" not in line:
                newest = [said for who, t, said in changes if who == line["console"] and t <= round(line["t"])][-1]
                payload = {**newest, "peers": _peers(newest, line["peers"])}
            yield Poll(line["t"], line["console"], payload)


def whole() -> list[Poll]:
    """Both runs as the one that they were."""
    later = [poll._replace(t=poll.t + GHOST_BEGINS) for poll in polls("ghost")]
    return [poll for poll in polls("leave") if poll.t < GHOST_BEGINS] + later


def reading(payload: dict[str, Any]) -> MeshReading:
    """What the exporter makes of a payload."""
    return parse(json.dumps(payload).encode(), "eu")


def replay(
    said: list[Poll],
    interval: float,
    stale_after: float = 15.0,
    read: Callable[[dict[str, Any]], MeshReading] = reading,
) -> list[Moment]:
    """Read every console every `interval` seconds, and judge at every poll."""
    fleet = Fleet("eu", WorkerRules(), Limits())
    due: dict[str, float] = {}
    moments = []
    for poll in said:
        if poll.t >= due.get(poll.console, 0.0):
            due[poll.console] = poll.t + interval - 0.5
            if poll.payload is not None:
                fleet.receive(f"{poll.console}:3131", read(poll.payload), fresh_until=poll.t + stale_after)
        tables, _ = fleet.tables(poll.t, ["mesh-llm"])
        counts = [row for row in tables[NodeCount] if isinstance(row, NodeCount) and row.standing == "confirmed"]
        moments.append(
            Moment(
                poll.t,
                {NAMES[row.node]: row for row in tables[Node] if isinstance(row, Node)},
                {NAMES[row.node]: row for row in tables[NodeViews] if isinstance(row, NodeViews)},
                {row.state: row.count for row in counts},
            )
        )
    return moments


def _peers(payload: dict[str, Any], rows: dict[str, list[Any]]) -> list[dict[str, Any]]:
    peers = {peer["id"]: peer for peer in payload["peers"]}
    assert peers.keys() == rows.keys()
    return [{**peers[peer], **dict(zip(FIELDS, row, strict=True))} for peer, row in rows.items()]
