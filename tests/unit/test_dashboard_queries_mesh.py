"""What the dashboards Node, Wakeable capacity and Rollcall itself are answered, by Prometheus' own engine."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from grafana.queries import node, rollcall, topology, wakeable
from tests.unit.promtool import CHOSEN, Sample, check

BUILD: Sample = ('rollcall_build_info{version="0.1.0",python="3.11",job="r",instance="a"}', 1)
NODE = 'fleet="eu",node="n1"'
PROVIDER = 'fleet="eu",provider="slurm"'


def _node(condition: int, basis: str = "self", *more: Sample) -> list[Sample]:
    """A node that is so, as two exporters say."""
    info = f'rollcall_node_info{{{NODE},hostname="gpu-01",role="Host",version="0.66.0",basis="{basis}"'
    return [
        BUILD,
        (f"fleet_node:rollcall_node_condition:max{{{NODE}}}", condition),
        (f'{info},instance="a"}}', 1),
        (f'{info},instance="b"}}', 1),
        *more,
    ]


def _why(samples: list[Sample], sentence: str, name: str) -> object:
    return pytest.param(samples, f"count by (why) ({node.WHY})", [(f'{{why="{sentence}"}}', 1)], id=name)


CORRECTED: Sample = (f'rollcall_node_state_overridden{{{NODE},reported="standby",instance="a"}}', 1)
STAGE: Sample = (f'rollcall_node_stage{{{NODE},model="large",layers="16..32",instance="a"}}', 1)
OBSERVERS: list[Sample] = [
    (f"fleet_node:rollcall_node_condition:max{{{NODE}}}", 1),
    ('rollcall_node_peer{fleet="eu",node="o1",peer="n1",latency="direct"}', 1),
    ('rollcall_node_peer{fleet="eu",node="o1",peer="o2",latency="direct"}', 1),
    ('rollcall_node_peer{fleet="eu",node="o2",peer="o1",latency="direct"}', 1),
    ('rollcall_node_peer{fleet="training",node="o3",peer="o4",latency="direct"}', 1),
    *(
        (f'fleet_node_name:rollcall_node_info:max{{fleet="eu",node="{name}",name="{name}"}}', 1.0)
        for name in ("o1", "o2")
    ),
]

ELSEWHERE: Sample = ('fleet_node:rollcall_node_condition:max{fleet="training",node="o3"}', 1)


def _wakeable(name: str, state: str, eta: float, elapsed: float, *models: str) -> Iterable[Sample]:
    each = f'fleet="eu",logical_id="{name}"'
    yield f'rollcall_wakeable_info{{{each},provider="slurm",inventory="file"}}', 1
    for word in ("sleeping", "waking"):
        yield f'rollcall_wakeable_state{{{each},state="{word}"}}', float(word == state)
    yield f"rollcall_wakeable_wake_eta_seconds{{{each}}}", eta
    yield f"rollcall_wakeable_wake_duration_seconds{{{each}}}", elapsed
    yield f"fleet_logical_id:rollcall_wakeable_vram_bytes:max{{{each}}}", 80
    for model in models:
        yield f'rollcall_wakeable_model{{{each},model="{model}"}}', 1


ASLEEP: list[Sample] = [
    BUILD,
    *_wakeable("late", "waking", 60, 90, "big"),
    *_wakeable("soon", "waking", 100, 25),
    *_wakeable("bed", "sleeping", 300, 400, "big", "small"),
    ('fleet_model:rollcall_model_closable_by_waking:max{fleet="eu",model="big"}', 1),
    ('fleet_model:rollcall_model_closable_by_waking:max{fleet="eu",model="small"}', 0),
]
SOURCES: list[Sample] = [
    BUILD,
    ('up{job="r",instance="a"}', 1),
    ('up{job="other",instance="b"}', 0),
    ('rollcall_source_up{fleet="eu",source="x",kind="mesh-llm",instance="a"}', 0),
    ('rollcall_source_up{fleet="eu",source="x",kind="mesh-llm",instance="c"}', 1),
    ('rollcall_source_up{fleet="eu",source="y",kind="mesh-llm",instance="a"}', 0),
    ('rollcall_series_dropped{family="f",instance="a"}', 7),
    ('rollcall_series{family="rollcall_f",instance="a"}', 3),
    ('rollcall_series{family="rollcall_f",instance="c"}', 4),
]


def _band(name: str, condition: int, since: float | None, state: str) -> Iterable[Sample]:
    each = f'fleet="eu",node="{name}"'
    yield f"fleet_node:rollcall_node_condition:max{{{each}}}", condition
    yield f'fleet_node_name:rollcall_node_info:max{{{each},name="laptop"}}', 1
    yield f"rollcall_node_ordinal{{{each}}}", 0
    yield f'rollcall_node_state{{{each},state="{state}"}}', 1
    if since is not None:
        yield f"rollcall_node_state_since_timestamp_seconds{{{each}}}", since


SLEEPS: list[Sample] = [
    ('fleet_source_kind:rollcall_source_asleep:max{fleet="eu",source="x",kind="mesh-llm"}', 1),
    ('fleet_source_kind:rollcall_source_asleep:max{fleet="eu",source="y",kind="mesh-llm"}', 1),
]

CASES = [
    _why(_node(1), "a model is ready, says its own console", "its own word"),
    _why(_node(3, "quorum"), "it has no model, say most of the consoles that see it", "most peers' word"),
    _why(_node(2, "self", CORRECTED), node.CORRECTED.replace("$1", "standby"), "its word is corrected"),
    _why(_node(1, "self", CORRECTED), "a model is ready, says its own console", "a correction that is over"),
    _why(_node(1, "self", CORRECTED, STAGE), node.CORRECTED_STAGE.replace("$1", "standby"), "a stage of a split model"),
    _why(_node(1, "self", STAGE), "a model is ready, says its own console", "the first stage of a split model"),
    _why(_node(5), node.UNCONFIRMED, "nobody confirms it"),
    _why(_node(6), node.GHOST, "a ghost"),
    _why(_node(7), node.GONE, "gone"),
    _why([BUILD], "no node is chosen, or none is known", "no node"),
    pytest.param(
        OBSERVERS,
        node.OBSERVER,
        [
            ('{fleet="eu",node="o1",name="o1",latency="direct"}', 1),
            ('{fleet="eu",node="o2",name="o2",latency="not listed"}', 1),
        ],
        id="consoles of its mesh that list it, and that do not",
    ),
    pytest.param(
        [*OBSERVERS, ('fleet_node:rollcall_node_condition:max{fleet="eu",node="o2"}', 3), ELSEWHERE],
        node.OBSERVER_STATE,
        [('{fleet="eu",node="o2"}', 3)],
        id="the state of a console of its mesh, and of no other",
    ),
    pytest.param(
        [*_band("c1", 4, 10, "client"), *_band("c2", 4, 20, "client"), *_band("s", 1, 30, "serving")],
        topology.HISTORY,
        [('{fleet="eu",node="s",name="laptop"}', 1), ('{fleet="eu",node="c2",name="laptop"}', 4)],
        id="clients of a name are one band, with the id of the newest",
    ),
    pytest.param(
        [*_band("c1", 4, None, "client"), *_band("s", 1, 30, "serving")],
        topology.HISTORY,
        [('{fleet="eu",node="s",name="laptop"}', 1), ('{fleet="eu",name="laptop"}', 4)],
        id="clients whose ids are not known are a band too",
    ),
    pytest.param(ASLEEP, wakeable.count("waking"), [("{}", 2)], id="what wakes"),
    pytest.param([BUILD], wakeable.count("waking"), [("{}", 0)], id="nothing wakes"),
    pytest.param(ASLEEP, wakeable.OVERDUE, [("{}", 1)], id="what wakes for longer than promised"),
    pytest.param(ASLEEP, wakeable.vram("waking"), [("{}", 160)], id="the VRAM that wakes"),
    pytest.param(ASLEEP, wakeable.PROVIDER_LAST, [('{provider="slurm"}', 400)], id="last wakes, of what sleeps"),
    pytest.param(ASLEEP, wakeable.CLOSABLE, [('{fleet="eu",model="big"}', 1)], id="a model that waking brings back"),
    pytest.param(ASLEEP, wakeable.CLOSABLE_ETA, [('{fleet="eu",model="big"}', 60)], id="the soonest of its nodes"),
    pytest.param([BUILD], wakeable.SUCCESS, [], id="no wake has no success"),
    pytest.param(
        [
            (f'rollcall_wakes_total{{{PROVIDER},result="{result}"}}', count)
            for result, count in (("live", 3), ("returned", 1))
        ],
        wakeable.SUCCESS,
        [],
        id="wakes before the time range have none either",
    ),
    pytest.param(
        SOURCES, rollcall.EXPORTERS_DOWN, [("{}", 0)], id="a target that is no Rollcall is not one that is down"
    ),
    pytest.param(SOURCES, rollcall.SOURCES_DOWN, [("{}", 1)], id="down if no exporter can read it"),
    pytest.param([*SOURCES, *SLEEPS], rollcall.SOURCES_DOWN, [("{}", 0)], id="who sleeps is not down"),
    pytest.param(
        [*SOURCES, *SLEEPS],
        rollcall.SHOWN,
        [('{fleet="eu",source="x",kind="mesh-llm"}', 1), ('{fleet="eu",source="y",kind="mesh-llm"}', 0.5)],
        id="a console that is down on a host that sleeps",
    ),
    pytest.param(
        [*SOURCES, *SLEEPS, ('fleet_source_kind:rollcall_source_up:max{fleet="eu",source="y",kind="mesh-llm"}', 0)],
        rollcall.WENT_DOWN,
        [('{fleet="eu",source="y",kind="mesh-llm"}', 2)],
        id="the band of a console that is down on a host that sleeps",
    ),
    pytest.param(SOURCES, rollcall.DROPPED, [("{}", 7)], id="series that are left out"),
    pytest.param(SOURCES, rollcall.FAMILIES, [('{family="f"}', 7)], id="series of a family, of all exporters"),
    pytest.param([BUILD], rollcall.DRIFT, [("{}", 0)], id="nothing that was not understood"),
]


@pytest.mark.parametrize(("samples", "query", "answer"), CASES)
def test_query(samples: list[Sample], query: str, answer: list[Sample], tmp_path: Path) -> None:
    check(samples, query, answer, tmp_path, CHOSEN | {"node": "n1", "provider": ".*"})
