"""Nodes that die, leave or flap, as their peers really tell of it: the exporter as a process, consoles on loopback.

A killed node stays listed with a fresh latency for 290 s, and one that left cleanly comes back by gossip: here
simulated time runs faster, and `stale_after` is 1 s instead of 15 s.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.real.meshes import INTERVAL, Shown, consistent, counted, names, once, serving, shown, simulated, start
from tests.real.rollcall import Rollcall, Samples
from tests.real.scale import FULL

TOMBSTONE = 3.0
GHOST_AFTER = 120.0


def unconfirmed(samples: Samples, node: str) -> Shown | None:
    """A node that is listed, and that nobody should count on."""
    found = shown(samples, node)
    return found if found and not found.confirmed else None


def test_a_killed_node_that_its_peers_go_on_listing(tmp_path: Path) -> None:
    with (
        simulated(nodes=5, consoles=3, speed=40.0) as demo,
        start(tmp_path, demo, tombstone=f"{TOMBSTONE:g}s") as rollcall,
    ):
        victim = serving(rollcall, demo.console_nodes[:2])
        url = demo.mesh_urls[demo.console_nodes.index(victim)].removeprefix("http://")
        demo.kill_node(victim)
        killed = once(rollcall, lambda samples: unconfirmed(samples, victim), "the killed node to be unconfirmed")
        heard = killed.value("rollcall_source_last_success_timestamp_seconds", source=url)
        assert heard is not None
        assert time.time() - heard >= 1.0
        assert killed.value("rollcall_source_up", source=url) == 0
        found = shown(killed, victim)
        assert found is not None
        assert (found.state, found.present, found.ghost) == ("serving", True, False)
        assert found.basis in ("quorum", "single")
        assert "direct" in found.latencies.values()
        assert counted(killed)["serving", "unconfirmed"] == 1
        consistent(killed)
        there = time.time()
        while names(last := rollcall.scrape(), victim) != {"rollcall_node_present"}:
            assert unconfirmed(last, victim), "a node that is dead must not be confirmed again"
            there = time.time()
            assert there - heard < 60
        assert last.value("rollcall_node_present", node=victim) == 0
        once(rollcall, lambda samples: not names(samples, victim), "no series of the node")
        assert time.time() - there >= TOMBSTONE


def test_a_restarted_exporter_knows_whose_console_is_silent(tmp_path: Path) -> None:
    with simulated(nodes=5, consoles=3, speed=4.0) as demo:
        with start(tmp_path, demo) as first:
            victim = serving(first, demo.console_nodes[:2])
            demo.kill_node(victim)
            since = shown(once(first, lambda samples: unconfirmed(samples, victim), "an unconfirmed node"), victim)
        (tmp_path / "rollcall.log").unlink()
        with start(tmp_path, demo) as second:
            back = shown(once(second, lambda samples: shown(samples, victim), "the node"), victim)
            later = shown(once(second, lambda samples: reads(samples) >= 10, "ten more reads"), victim)
    assert since is not None
    for found in (back, later):
        assert found is not None
        assert (found.confirmed, found.state, found.since) == (False, since.state, since.since)


def reads(samples: Samples) -> float:
    """The fewest good reads of a console that answers."""
    found = [value for _, value in samples.find("rollcall_source_reads_total", result="ok") if value]
    return min(found, default=0.0)


def haunted(rollcall: Rollcall, ghost: str) -> tuple[Samples, Shown]:
    """The first scrape in which gossip is all that is left of a node."""

    def gossip(samples: Samples) -> bool:
        found = shown(samples, ghost)
        return found is not None and not found.confirmed and set(found.latencies.values()) == {"unknown"}

    samples = once(rollcall, gossip, "the node that left, back by gossip")
    found = shown(samples, ghost)
    assert found is not None
    return samples, found


@pytest.mark.timeout(400)
def test_a_clean_exit_and_the_ghost_that_gossip_brings_back(tmp_path: Path) -> None:
    """With ROLLCALL_FULL=1 until it counts as a ghost, after 120 s."""
    with simulated(nodes=5, consoles=3) as demo, start(tmp_path, demo) as rollcall:
        left = serving(rollcall, demo.console_nodes[:2])
        gone = time.time()
        demo.exit_node(left, gossiped_to=demo.console_nodes)
        samples, found = haunted(rollcall, left)
        assert (found.state, found.present) == ("serving", True)
        end = gone + (GHOST_AFTER + 60 if FULL else 8)
        while not found.ghost and time.time() < end:
            samples = rollcall.scrape()
            consistent(samples)
            again = shown(samples, left)
            assert again is not None
            assert (again.state, again.confirmed, again.since) == ("serving", False, found.since)
            found = again
            time.sleep(INTERVAL)
        assert found.ghost == FULL
        assert not found.ghost or time.time() - gone >= GHOST_AFTER
        assert counted(samples)["serving", "ghost" if FULL else "unconfirmed"] == 1


def test_a_ghost_in_one_view(tmp_path: Path) -> None:
    with simulated(nodes=5, consoles=3) as demo, start(tmp_path, demo) as rollcall:
        left, witness = serving(rollcall, demo.console_nodes[:1]), demo.console_nodes[1]
        before = counted(rollcall.scrape())
        demo.exit_node(left, gossiped_to=[witness])
        samples, found = haunted(rollcall, left)
        samples = once(rollcall, lambda samples: len((shown(samples, left) or found).latencies) == 1, "one witness")
    found = shown(samples, left) or found
    assert (found.basis, found.views, found.latencies) == ("single", {"serving": 1}, {witness: "unknown"})
    after = counted(samples)
    assert after["serving", "unconfirmed"] == 1
    assert sum(after.values()) == sum(before.values())
    assert sum(count for (_, standing), count in after.items() if standing == "confirmed") == sum(before.values()) - 1


class Life:
    """What a node went through, scrape by scrape."""

    def __init__(self, rollcall: Rollcall, node: str) -> None:
        self._rollcall = rollcall
        self._node = node
        self.looks: list[tuple[Shown, float, dict[tuple[str, str], float]]] = []

    def until(self, state: str, basis: str) -> None:
        """Look until its state has a basis; fails when it is not there."""

        def reached(samples: Samples) -> bool:
            consistent(samples)
            found = shown(samples, self._node)
            ordinal = samples.value("rollcall_node_ordinal", node=self._node)
            assert found is not None
            assert found.present
            assert ordinal is not None
            steps = samples.find("rollcall_node_state_transitions_total")
            self.looks.append((found, ordinal, {(step["from"], step["to"]): count for step, count in steps}))
            return (found.state, found.confirmed) == (state, basis == "self")

        once(self._rollcall, reached, f"{state} by {basis}")


def test_a_flapping_node(tmp_path: Path) -> None:
    """Three times killed and started again: always present, in one state, and every change of it is counted."""
    with simulated(nodes=4, consoles=3, speed=20.0) as demo, start(tmp_path, demo) as rollcall:
        node = serving(rollcall, demo.console_nodes[:2])
        life = Life(rollcall, node)
        for _ in range(3):
            life.until("serving", "self")
            demo.kill_node(node)
            life.until("serving", "peers")
            demo.restart_node(node)
        life.until("serving", "self")
    assert len({ordinal for _, ordinal, _ in life.looks}) == 1
    for (was, _, before), (found, _, after) in zip(life.looks, life.looks[1:], strict=False):
        assert found.since >= was.since
        assert found.state == was.state or found.since > was.since
        if found.since != was.since:
            assert sum(after.values()) > sum(before.values())
        if found.state != was.state:
            assert sum(n for (old, _), n in after.items() if old == was.state) > sum(
                n for (old, _), n in before.items() if old == was.state
            )
    assert {found.state for found, _, _ in life.looks} >= {"serving", "standby"}
