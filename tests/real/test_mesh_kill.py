"""The exporter killed with SIGKILL again and again while a mesh changes: nothing that a scrape had shown is lost."""

from __future__ import annotations

import random
import signal
import sqlite3
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from exporter.demo import Demo
from tests.real.meshes import FLEET, consistent, counted, once, simulated, start
from tests.real.rollcall import Samples
from tests.real.scale import FULL

KILLS = 50 if FULL else 6
LOOKS = 12


class Look(NamedTuple):
    """What a scrape begun at `at` (Unix time) showed: transitions so far, and by node its state and since when."""

    at: float
    steps: dict[tuple[str, str], float]
    nodes: dict[str, tuple[str, float]]


def look(samples: Samples, at: float) -> Look:
    """What there is to remember of a scrape begun at `at`."""
    states = {labels["node"]: labels["state"] for labels, one in samples.find("rollcall_node_state") if one == 1}
    since = samples.find("rollcall_node_state_since_timestamp_seconds", fleet=FLEET)
    steps = samples.find("rollcall_node_state_transitions_total", fleet=FLEET)
    return Look(
        at,
        {(labels["from"], labels["to"]): count for labels, count in steps},
        {labels["node"]: (states[labels["node"]], moment) for labels, moment in since},
    )


def stir(demo: Demo, chance: random.Random, dead: list[str]) -> None:
    """Kill a node, but never that of the first console, or start one again: it stands by, loads and serves."""
    able = [node for node, hostname in demo.nodes().items() if hostname.startswith("gpu")]
    alive = [node for node in able if node not in (*dead, demo.console_nodes[0])]
    if dead and (len(dead) > 2 or chance.random() < 0.5):
        demo.restart_node(dead.pop(0))
    else:
        dead.append(chance.choice(alive))
        demo.kill_node(dead[-1])


def lost_nothing(before: Look, after: Look) -> None:
    """Fail if anything that was shown before is not so any more, unless it changed since."""
    assert all(after.steps[step] >= count for step, count in before.steps.items())
    for node in before.nodes.keys() & after.nodes.keys():
        (was, at), (state, since) = before.nodes[node], after.nodes[node]
        assert since >= at
        assert (state, since) == (was, at) or since > before.at - 1


@pytest.mark.timeout(600)
def test_killed_again_and_again_in_mid_churn_it_loses_nothing_that_it_has_shown(tmp_path: Path) -> None:
    """Six times; with ROLLCALL_FULL=1 fifty times."""
    chance, dead = random.Random(9), list[str]()
    looks: list[Look] = []
    with simulated(nodes=7, consoles=3, speed=40.0) as demo:
        for _ in range(KILLS):
            with start(tmp_path, demo) as rollcall:
                began = time.time()
                first = look(once(rollcall, lambda samples: sum(counted(samples).values()) > 3, "the nodes"), began)
                if looks:
                    lost_nothing(looks[-1], first)
                looks.append(first)
                for turn in range(chance.randint(2, LOOKS)):
                    if turn % 3 == 0:
                        stir(demo, chance, dead)
                    began, samples = time.time(), rollcall.scrape()
                    consistent(samples)
                    looks.append(look(samples, began))
                    lost_nothing(looks[-2], looks[-1])
                    time.sleep(0.1)
                rollcall.send(signal.SIGKILL)
                rollcall.wait()
            (tmp_path / "rollcall.log").unlink()
    connection = sqlite3.connect(tmp_path / "state" / "rollcall.db")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    assert sum(looks[-1].steps.values()) > KILLS
