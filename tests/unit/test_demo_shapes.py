"""The demo's payloads have the keys, the order and the types of captured ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter.demo import DemoOptions, Simulation, simulate
from exporter.demo.api import Api
from exporter.demo.console import Console
from exporter.demo.server import Request

GOLDEN = Path(__file__).parents[1] / "golden"
NOW = 1_800_000_000.0
MESH_CAPTURES = [
    GOLDEN / "mesh-llm-0.66.0" / f"{name}.json"
    for name in (
        "status-client",
        "status-serving",
        "status-serving-inflight",
        "status-standby",
        "status-starting",
        "status-gpus-simulated",
        "status-two-models",
        "status-ghost-peer",
        "status-owner-verified",
        "ghost/b-014-t250s",
    )
]
OLD_LACKS = {
    "": {"node_state", "node_status"},
    ".peers[]": {"state", "latency_ms", "latency_source", "latency_age_ms", "latency_observer_id"},
}
# Declared by mesh-llm's source (crates of 0.66.0), optional there and in no capture.
NOT_CAPTURED = {".gpus[].reserved_bytes", ".gpus[].mem_bandwidth_gbps"}
NOT_CAPTURED |= {".peers[]" + path for path in NOT_CAPTURED}


def objects(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(value, dict):
        yield path, value
        for key, item in value.items():
            yield from objects(item, f"{path}.{key}")
    elif isinstance(value, list):
        for item in value:
            yield from objects(item, f"{path}[]")


class Shape:
    """What captured payloads look like: by path, the keys always there, their order, and the types seen."""

    def __init__(self, payloads: list[Any], variable: tuple[str, ...] = ()) -> None:
        self.always: dict[str, set[str]] = {}
        self.before: set[tuple[str, str, str]] = set()
        self.types: dict[str, set[type]] = {}
        self.variable = variable
        for payload in payloads:
            for path, found in objects(payload):
                keys = list(found)
                self.always[path] = self.always.get(path, set(keys)) & set(keys)
                self.before |= {(path, a, b) for place, a in enumerate(keys) for b in keys[place + 1 :]}
                for key, value in found.items():
                    self.types.setdefault(f"{path}.{key}", set()).update(kinds(value))

    def faults(self, payload: Any, lacks: dict[str, set[str]], extra: set[str]) -> list[str]:
        wrong = []
        for path, found in objects(payload):
            if path.startswith(self.variable or ("\0",)):
                continue
            keys = list(found)
            wrong += [
                f"{path}.{key} missing" for key in self.always.get(path, set()) - set(keys) - lacks.get(path, set())
            ]
            for place, a in enumerate(keys):
                wrong += [f"{path}: {b} before {a}" for b in keys[place + 1 :] if (path, b, a) in self.before]
                if f"{path}.{a}" in extra:
                    continue
                strange = kinds(found[a]) - self.types.get(f"{path}.{a}", set())
                wrong += [f"{path}.{a}: {kind.__name__}" for kind in strange]
        return wrong


def kinds(value: Any) -> set[type]:
    return {list} | {type(item) for item in value} if isinstance(value, list) else {type(value)}


def ask(api: Api, target: str) -> Any:
    path, _, query = target.partition("?")
    answer = api.answer(Request("GET", path, query))
    assert answer.status == 200
    return json.loads(answer.body)


def golden_response(name: str) -> Any:
    return json.loads((GOLDEN / "agentlightning-0.3.0" / f"{name}.json").read_text())["response"]


@pytest.fixture(scope="module")
def moments() -> list[tuple[dict[str, Any], bool]]:
    """Status payloads of three consoles every 20 s for 40 simulated minutes, and whether the node is an old one."""
    simulation = simulate(DemoOptions(workers=0), NOW)
    consoles = [(Console(simulation.mesh, simulation.timeline, n), n.old) for n in simulation.mesh.consoles]
    # A client has no console of its own in the demo; its payload must be right all the same.
    seen = []
    for _ in range(120):
        simulation.advance(20)
        clients = [n for n in simulation.mesh.members.values() if n.client]
        asked = consoles + [(Console(simulation.mesh, simulation.timeline, n), False) for n in clients]
        seen += [(json.loads(c.answer(Request("GET", "/api/status")).body), old) for c, old in asked]
    return seen


def test_status_has_the_captured_shape(moments: list[tuple[dict[str, Any], bool]]) -> None:
    shape = Shape([json.loads(path.read_text()) for path in MESH_CAPTURES])
    faults = set()
    for payload, old in moments:
        payload = dict(payload, wakeable_nodes=[])
        faults |= set(shape.faults(payload, OLD_LACKS if old else {}, NOT_CAPTURED))
    assert faults == set()


def test_captures_themselves_pass_and_a_changed_one_does_not() -> None:
    captures = [json.loads(path.read_text()) for path in MESH_CAPTURES]
    shape = Shape(captures)
    assert [fault for capture in captures for fault in shape.faults(capture, {}, set())] == []
    changed = dict(captures[0], api_port="9337")
    del changed["token"]
    changed["version"] = changed.pop("version")
    faults = shape.faults(changed, {}, set())
    assert ".token missing" in faults
    assert ".api_port: str" in faults
    assert ": version before node_id" in faults


def test_an_old_node_has_flags_only(moments: list[tuple[dict[str, Any], bool]]) -> None:
    old = [payload for payload, is_old in moments if is_old]
    assert old
    assert not any("node_state" in payload for payload in old)
    assert not any("state" in peer for payload in old for peer in payload["peers"])
    new = [payload for payload, is_old in moments if not is_old]
    assert all("state" in peer for payload in new for peer in payload["peers"])


def test_wakeable_nodes_have_the_fields_of_the_source(moments: list[tuple[dict[str, Any], bool]]) -> None:
    forms = {(entry["state"], *entry) for payload, _ in moments for entry in payload["wakeable_nodes"]}
    fields = ("logical_id", "models", "vram_gb")
    assert forms == {
        ("sleeping", *fields, "provider", "state"),
        ("sleeping", *fields, "state"),
        ("waking", *fields, "provider", "state", "wake_eta_secs"),
        ("waking", *fields, "state", "wake_eta_secs"),
    }


@pytest.fixture(scope="module")
def busy_store() -> Simulation:
    simulation = simulate(DemoOptions(nodes=1), NOW)
    simulation.advance(900)
    return simulation


@pytest.mark.parametrize(
    ("target", "capture"),
    [
        pytest.param("/v1/agl/workers?sort_by=worker_id", "workers-mixed", id="workers"),
        pytest.param("/v1/agl/workers?worker_id_contains=nobody", "workers-empty", id="no worker"),
        pytest.param("/v1/agl/rollouts", "rollouts", id="rollouts"),
        pytest.param("/v1/agl/statistics", "statistics", id="statistics"),
        pytest.param("/v1/agl/health", "health", id="health"),
        pytest.param("/v1/agl/workers/nobody", "worker-unknown-id", id="unknown worker"),
    ],
)
def test_store_answers_have_the_captured_shape(busy_store: Simulation, target: str, capture: str) -> None:
    captured = golden_response(capture)
    answer = ask(Api(busy_store.store), target)
    assert type(answer) is type(captured)
    shape = Shape([captured], variable=(".items[].input",))
    extra = set() if target.endswith("id") else {".items[].mode", ".items[].config.timeout_seconds"}
    # The captured heartbeats all had GPUs, other runners' have none: `gpus` is then absent.
    lacks = {".items[].heartbeat_stats": {"gpus"}}
    extra |= {".items[].attempt.last_heartbeat_time", ".items[].config.retry_condition"}
    assert shape.faults(answer, lacks, extra) == []


def test_attempts_have_the_captured_shape(busy_store: Simulation) -> None:
    names = ("attempt-succeeded", "attempt-timeout")
    captures = [
        json.loads((GOLDEN / "agentlightning-0.3.0" / f"{name}.json").read_text())["response"] for name in names
    ]
    shape = Shape([{"items": captures, "limit": -1, "offset": 0, "total": 2}])
    api = Api(busy_store.store)
    tried = [r["rollout_id"] for r in ask(api, "/v1/agl/rollouts")["items"] if "attempt" in r]
    for rollout_id in tried:
        answer = ask(api, f"/v1/agl/rollouts/{rollout_id}/attempts")
        assert shape.faults(answer, {}, {".items[].last_heartbeat_time"}) == []
        assert answer["total"] == len(answer["items"]) > 0
