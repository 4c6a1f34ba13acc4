"""Two consoles that never agree on a third node, which has none: it stays as it was first said to be."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.real.meshes import FLEET, Shown, configuration, consistent, once, shown
from tests.real.rollcall import Rollcall, Samples
from tests.real.web import Answer, Asked, WebServer

READS = 12
ROUND_TRIPS = (None, 5, 40)
"""Latencies in milliseconds that take turns, at a different pace on either console."""


def console(me: str, models: list[str], pace: int) -> Callable[[Asked], Answer]:
    """A console of a node that lists node `c`, with these models or without any, and a latency that changes."""
    turns = itertools.count()

    def answer(asked: Asked) -> Answer:
        if asked.target != "/api/status":
            return Answer(404, b"")
        rtt = ROUND_TRIPS[next(turns) // pace % len(ROUND_TRIPS)]
        latency = {"rtt_ms": rtt, "latency_source": "unknown" if rtt is None else "direct"}
        peer = {"id": "c", "role": "Worker", "state": "serving" if models else "standby", "serving_models": models}
        said = {"node_id": me, "node_state": "standby", "llama_ready": True, "peers": [peer | latency]}
        return Answer(200, json.dumps(said).encode())

    return answer


def reads(samples: Samples) -> float:
    """The fewest good reads of a console."""
    return min((value for _, value in samples.find("rollcall_source_reads_total", result="ok")), default=0.0)


@pytest.mark.parametrize("serving", ["a", "b"])
def test_two_dissenting_consoles_cause_no_transition(tmp_path: Path, serving: str) -> None:
    """Neither does a restart in the midst of it."""
    answers = [console(me, ["m"] if me == serving else [], pace) for me, pace in (("a", 1), ("b", 2))]
    looks: list[Shown] = []

    def look(samples: Samples) -> bool:
        found = shown(samples, "c")
        if found is None or sum(found.views.values()) < 2:
            return False
        consistent(samples)
        looks.append(found)
        assert not [count for _, count in samples.find("rollcall_node_state_transitions_total", fleet=FLEET) if count]
        return reads(samples) >= READS

    with WebServer(answers[0]) as a, WebServer(answers[1]) as b:
        timing = configuration([a.url, b.url], stale_after="20s")
        for _ in range(2):
            with Rollcall(tmp_path, timing) as rollcall:
                last = once(rollcall, look, f"{READS} reads of either console")
            (tmp_path / "rollcall.log").unlink()
    assert {(each.state, each.basis, each.since) for each in looks} == {(looks[0].state, "single", looks[0].since)}
    assert all(each.views == {"serving": 1, "standby": 1} for each in looks)
    assert last.value("rollcall_node_views_disagree", node="c", kind="real") == 1
