"""The simulated fleet as a whole: reproducible, lively, and healthy when it is told to be."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

import exporter
from exporter.demo import DemoOptions, Simulation, simulate
from exporter.demo.api import ROLLOUT_STATUSES, Api
from exporter.demo.console import Console
from exporter.demo.server import Request

NOW = 1_800_000_000.0


def everything(simulation: Simulation) -> bytes:
    mesh, api = simulation.mesh, Api(simulation.store)
    parts = [
        Console(mesh, simulation.timeline, n).answer(Request("GET", "/api/status")).body for n in mesh.members.values()
    ]
    parts += [api.answer(Request("GET", f"/v1/agl/{path}")).body for path in ("workers", "rollouts", "statistics")]
    return b"\n".join(parts)


def status(simulation: Simulation, place: int = 0) -> dict[str, Any]:
    console = Console(simulation.mesh, simulation.timeline, simulation.mesh.consoles[place])
    answer: dict[str, Any] = json.loads(msgspec.json.encode(console.status()))
    return answer


def evidence(simulation: Simulation, worker_id: str) -> float:
    worker = simulation.store.workers[worker_id]
    return max(t or 0.0 for t in (worker.last_heartbeat_time, worker.last_dequeue_time, worker.last_busy_time))


def test_equal_seeds_give_equal_fleets_whatever_the_steps() -> None:
    one, two = simulate(DemoOptions(), NOW), simulate(DemoOptions(), NOW)
    one.advance(1200)
    for _ in range(1200):
        two.advance(1)
    assert everything(one) == everything(two)


def test_another_seed_gives_another_fleet() -> None:
    assert everything(simulate(DemoOptions(seed=2), NOW)) != everything(simulate(DemoOptions(), NOW))


def test_mesh_reaches_every_state_within_forty_minutes() -> None:
    simulation = simulate(DemoOptions(workers=0), NOW)
    seen: set[str] = set()
    for _ in range(2400):
        simulation.advance(1)
        payload = status(simulation)
        loading = payload["node_state"] == "standby" and payload["serving_models"] and not payload["llama_ready"]
        seen.add("loading" if loading else payload["node_state"])
        seen |= {"two models"} if len(payload["hosted_models"]) == 2 else set()
        for peer in payload["peers"]:
            dead = not simulation.mesh.members[peer["id"]].up
            seen |= {f"peer {peer['state']}", peer["latency_source"], *(["dead but listed"] if dead else [])}
        seen |= {node["state"] for node in payload["wakeable_nodes"]}
        names = {node["logical_id"] for node in payload["wakeable_nodes"]}
        assert names.isdisjoint(peer["hostname"] for peer in payload["peers"])
        seen |= {"woken" for peer in payload["peers"] if peer["hostname"].startswith("cloud-")}
    assert seen == {
        *("loading", "serving", "standby", "two models"),
        *("peer client", "peer serving", "peer standby", "dead but listed"),
        *("direct", "estimated", "unknown"),
        *("sleeping", "waking", "woken"),
    }


def test_store_reaches_every_state_within_an_hour() -> None:
    simulation = simulate(DemoOptions(nodes=1), NOW)
    store, seen, queue = simulation.store, set(), set()
    for _ in range(3600):
        simulation.advance(1)
        seen |= {worker.status for worker in store.workers.values()}
        seen |= {f"rollout {name}" for name, count in store.counts.items() if count}
        seen |= {
            "silent while busy"
            for worker in store.workers.values()
            if worker.status == "busy" and simulation.store_clock() - evidence(simulation, worker.worker_id) > 45.0
        }
        queue.add("empty" if store.queue_length == 0 else "long" if store.queue_length > 24 else "short")
    assert seen == {"idle", "busy", "unknown", "silent while busy", *(f"rollout {name}" for name in ROLLOUT_STATUSES)}
    assert queue == {"empty", "short", "long"}


def test_what_falls_silent_comes_back_with_the_same_id() -> None:
    simulation = simulate(DemoOptions(nodes=1, speed=10.0, silence=120.0), NOW)
    died: dict[str, float] = {}
    ended = []
    for _ in range(8000):
        simulation.advance(1)
        dead = simulation.runners.dead()
        ended += [simulation.wall() - died.pop(worker_id) for worker_id in set(died) - set(dead)]
        died |= {worker_id: simulation.wall() for worker_id in dead if worker_id not in died}
    assert len(ended) > 5
    assert all(seconds > 119.8 for seconds in ended)
    assert len(simulation.store.workers) == 24


@pytest.mark.parametrize("speed", [0.1, 1.0, 10.0])
def test_a_calm_fleet_never_has_a_silent_or_unknown_worker(speed: float) -> None:
    simulation = simulate(DemoOptions(nodes=1, calm=True, speed=speed), NOW)
    for _ in range(1800):
        simulation.advance(1)
        for worker in simulation.store.workers.values():
            assert worker.status in ("idle", "busy")
            assert simulation.store_clock() - evidence(simulation, worker.worker_id) <= 10.5
    assert {name for name, count in simulation.store.counts.items() if count} <= {
        *("queuing", "preparing", "running", "succeeded")
    }


def test_a_calm_mesh_loses_no_node_and_no_request() -> None:
    simulation = simulate(DemoOptions(workers=0, calm=True), NOW)
    for _ in range(240):
        simulation.advance(10)
        assert all(node.up and node.failed == 0 for node in simulation.mesh.members.values())
    assert sum(node.succeeded for node in simulation.mesh.members.values()) > 1000


def test_a_client_has_a_new_id_every_time() -> None:
    simulation = simulate(DemoOptions(workers=0), NOW)
    ids = set()
    for _ in range(360):
        simulation.advance(10)
        ids |= {node.node_id for node in simulation.mesh.members.values() if node.client}
    assert len(ids) > 4
    assert sum(node.client for node in simulation.mesh.members.values()) <= 1


def test_a_killed_node_is_listed_for_a_while_an_exited_one_is_not() -> None:
    simulation = simulate(DemoOptions(workers=0, calm=True), NOW)
    killed, exited = (node.node_id for node in simulation.mesh.consoles[1:])
    simulation.mesh.kill(killed)
    simulation.mesh.leave(exited)
    ages = []
    while killed in (peers := {peer["id"]: peer for peer in status(simulation)["peers"]}):
        assert exited not in peers
        assert peers[killed]["rtt_ms"] is not None
        ages.append(peers[killed]["latency_age_ms"])
        simulation.advance(5)
    assert len(ages) == 290 / 5
    assert max(ages) < 15000
    simulation.mesh.restart(killed)
    assert killed in {peer["id"] for peer in status(simulation)["peers"]}


@pytest.mark.parametrize("succeeds", [True, False])
def test_waking_ends_live_or_asleep(succeeds: bool) -> None:
    simulation = simulate(DemoOptions(workers=0, calm=True), NOW)
    name = "attic-gpu-31"
    simulation.mesh.wake(name, succeeds=succeeds)
    etas = []
    while entry := next((w for w in status(simulation)["wakeable_nodes"] if w["logical_id"] == name), None):
        if entry["state"] == "sleeping":
            break
        etas.append(entry["wake_eta_secs"])
        simulation.advance(1)
    assert etas == sorted(etas, reverse=True)
    assert 45 <= etas[0] <= 90
    assert etas[-1] <= 1
    live = name in {peer["hostname"] for peer in status(simulation)["peers"]}
    assert live is succeeds
    asleep_again = 0
    while name not in {entry["logical_id"] for entry in status(simulation)["wakeable_nodes"]}:
        simulation.advance(1)
        asleep_again += 1
        assert asleep_again <= 481
    assert (asleep_again > 200) is succeeds


def test_a_worker_killed_while_busy_stays_busy_until_its_replacement_comes() -> None:
    simulation = simulate(DemoOptions(nodes=1, calm=True), NOW)
    worker_id = "trainer-0-runner-0"
    simulation.runners.occupy(worker_id)
    simulation.runners.kill(worker_id)
    before = msgspec.json.encode(simulation.store.workers[worker_id])
    simulation.advance(600)
    worker = simulation.store.workers[worker_id]
    assert msgspec.json.encode(worker) == before
    assert worker.status == "busy"
    rollout = simulation.store.rollouts[worker.current_rollout_id or ""]
    simulation.runners.revive(worker_id)
    assert rollout.status == "cancelled"
    simulation.advance(30)
    assert simulation.store_clock() - evidence(simulation, worker_id) <= 10.5


def test_a_restarted_store_knows_busy_workers_by_heartbeat_only() -> None:
    simulation = simulate(DemoOptions(nodes=1, calm=True), NOW)
    simulation.runners.occupy("trainer-0-runner-0")
    simulation.restart_store()
    assert simulation.store.workers == {}
    simulation.advance(10.5)
    worker = simulation.store.workers["trainer-0-runner-0"]
    assert (worker.status, worker.last_dequeue_time, worker.last_busy_time) == ("unknown", None, None)
    assert simulation.store.statistics()["uptime"] == pytest.approx(10.5)
    simulation.advance(60)
    assert simulation.store.workers["trainer-0-runner-0"].status in ("idle", "busy")


def test_a_late_worker_is_flagged_while_its_heart_beats() -> None:
    simulation = simulate(DemoOptions(nodes=1, workers=24), NOW)
    for _ in range(3600):
        simulation.advance(1)
        flagged = [worker for worker in simulation.store.workers.values() if worker.status == "unknown"]
        fresh = [w for w in flagged if simulation.store_clock() - evidence(simulation, w.worker_id) <= 10.5]
        if fresh:
            break
    assert fresh
    assert fresh[0].current_rollout_id is None
    assert (fresh[0].last_idle_time or 0.0) > (fresh[0].last_busy_time or 0.0)


def test_old_finished_rollouts_are_forgotten_but_counted() -> None:
    simulation = simulate(DemoOptions(nodes=1, calm=True), NOW)
    simulation.advance(2 * 3600)
    store = simulation.store
    assert sum(store.counts.values()) == store.total_rollouts > 3000
    assert sum(rollout.status == "succeeded" for rollout in store.rollouts.values()) == 500
    assert store.attempts.keys() == store.rollouts.keys()


def test_clock_offset_moves_the_store_and_nothing_else() -> None:
    plain, ahead = simulate(DemoOptions(), NOW), simulate(DemoOptions(clock_offset=300.0), NOW)
    assert ahead.store_clock() - plain.store_clock() == 300.0
    first, second = plain.store.workers["trainer-0-runner-0"], ahead.store.workers["trainer-0-runner-0"]
    assert (second.last_heartbeat_time or 0.0) - (first.last_heartbeat_time or 0.0) == pytest.approx(300.0)
    assert first.heartbeat_stats == second.heartbeat_stats


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"nodes": 0}, "nodes: expected at least 1, got 0", id="no node"),
        pytest.param({"workers": -1}, "workers: expected at least 0, got -1", id="negative workers"),
        pytest.param({"consoles": 0}, "consoles: expected at least 1, got 0", id="no console"),
        pytest.param({"silence": -1.0}, "silence: expected at least 0, got -1.0", id="negative silence"),
        pytest.param({"split": 1}, "split: expected 0 or at least 2, got 1", id="split over one node"),
        pytest.param({"split": -1}, "split: expected at least 0, got -1", id="negative split"),
        pytest.param({"speed": 0.0}, "speed: expected 0.01 to 100, got 0", id="no speed"),
        pytest.param({"speed": float("nan")}, "speed: expected 0.01 to 100, got nan", id="speed is no number"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        DemoOptions(**options)
    assert str(caught.value) == message


def test_only_the_command_line_knows_of_the_demo_and_the_demo_of_nothing_else() -> None:
    package = Path(exporter.__file__).parent
    for path in package.rglob("*.py"):
        nodes = [
            node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        named = {getattr(node, "module", None) or alias.name for node in nodes for alias in node.names}
        inside = {name for name in named if name.split(".")[0] == "exporter"}
        if path.parent.name == "demo":
            assert all(name.startswith("exporter.demo") for name in inside), path
        elif path.name not in ("cli.py", "__main__.py"):
            assert not any(name.startswith("exporter.demo") for name in inside), path
