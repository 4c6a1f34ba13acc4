"""What the queries of the dashboards answer, by Prometheus' own engine (promtool)."""

from __future__ import annotations

from pathlib import Path

import pytest

from grafana.queries import alerts, fleet, graphs, shared
from tests.unit.declared import DECLARED
from tests.unit.promql import labels_of
from tests.unit.promtool import Sample, check
from tests.unit.shipped_rules import ALERTS as SHIPPED

BUILD: Sample = ('rollcall_build_info{version="0.1.0",instance="a"}', 1)
STORE = 'fleet="training",source="trainer:4747",kind="agent-lightning"'
CONSOLE = 'fleet="eu",source="gamma-01:3131",kind="mesh-llm"'
WORKER = 'fleet="training",worker="Worker-0"'
UNKNOWN = f'{{{WORKER},reason="silent"}}'

SILENT_WORKER: list[Sample] = [
    (f'fleet_worker_status:rollcall_worker_attention:max{{{WORKER},status="unknown"}}', 5),
    ('fleet_worker_status:rollcall_worker_attention:max{fleet="training",worker="Worker-1",status="busy"}', 2),
    (f'rollcall_worker_unknown_reason{{{WORKER},reason="silent",instance="a"}}', 1),
    (f'rollcall_worker_unknown_reason{{{WORKER},reason="silent",instance="b"}}', 1),
    (f'rollcall_worker_status_since_timestamp_seconds{{{WORKER},instance="a"}}', 20),
    (f'rollcall_worker_status_since_timestamp_seconds{{{WORKER},instance="b"}}', 30),
    ('rollcall_worker_status_since_timestamp_seconds{fleet="training",worker="Worker-1",instance="a"}', 50),
    (f'rollcall_worker_status_overridden{{{WORKER},reported="busy",instance="a"}}', 1),
    (f'rollcall_worker_status_overridden{{{WORKER},reported="busy",instance="b"}}', 1),
]
TWO_SOURCES: list[Sample] = [
    BUILD,
    (f"fleet_source_kind:rollcall_source_up:max{{{STORE}}}", 1),
    (f"fleet_source_kind:rollcall_source_up:max{{{CONSOLE}}}", 0),
    (f'rollcall_source_last_success_timestamp_seconds{{{CONSOLE},instance="a"}}', 12),
    (f'rollcall_source_read_duration_seconds{{{CONSOLE},instance="a"}}', 3),
    (f'rollcall_source_read_duration_seconds{{{CONSOLE},instance="b"}}', 0.5),
]
SLEEPING_CONSOLE: list[Sample] = [
    BUILD,
    (f"fleet_source_kind:rollcall_source_up:max{{{STORE}}}", 0),
    (f"fleet_source_kind:rollcall_source_up:max{{{CONSOLE}}}", 0),
    (f"fleet_source_kind:rollcall_source_asleep:max{{{CONSOLE}}}", 1),
]
COUNTS: list[Sample] = [
    BUILD,
    ('rollcall_nodes{fleet="eu",state="serving",standing="confirmed",instance="a"}', 3),
    ('rollcall_nodes{fleet="eu",state="serving",standing="confirmed",instance="b"}', 3),
    ('rollcall_nodes{fleet="eu",state="serving",standing="ghost",instance="a"}', 9),
    ('rollcall_nodes{fleet="elsewhere",state="serving",standing="confirmed",instance="a"}', 100),
    ('rollcall_workers{fleet="eu",status="busy",instance="a"}', 1),
    ('rollcall_workers{fleet="training",status="busy",instance="a"}', 2),
    ('rollcall_workers{fleet="training",status="idle",instance="a"}', 7),
    ('rollcall_wakeables{fleet="eu",state="waking",instance="a"}', 4),
    ('rollcall_rollouts{fleet="training",status="running",instance="a"}', 5),
]

ALERT = 'alertname="RollcallWorkerUnknown",severity="warning",fleet="training",worker="Worker-0"'
ABOUT_NOTHING = f'{ALERT},about="–"'
DOWN = 'alertname="RollcallDown",severity="critical",about="a:1"'
HOT = 'alertname="RollcallGpuHot",severity="ticket",alertstate="firing"'
PARTS: list[Sample] = [
    (f'ALERTS{{{HOT},instance="a:1",gpu="0",uuid="GPU-0"}}', 1),
    (f'ALERTS{{{HOT},instance="a:1",gpu="1",uuid="GPU-1"}}', 1),
    (f'ALERTS{{{HOT.replace("Hot", "Missing")},instance="a:1",uuid="GPU-2"}}', 1),
    (f'ALERTS{{{HOT.replace("GpuHot", "HostDiskFull")},instance="a:1",device="/dev/sda1"}}', 1),
]
ABOUT_PARTS = (
    f'{HOT},about="a:1, GPU 0"',
    f'{HOT},about="a:1, GPU 1"',
    f'{HOT.replace("Hot", "Missing")},about="a:1, GPU-2"',
    f'{HOT.replace("GpuHot", "HostDiskFull")},about="a:1, /dev/sda1"',
)
ALERTS: list[Sample] = [
    BUILD,
    (f'ALERTS{{{ALERT},alertstate="firing"}}', 1),
    (f"ALERTS_FOR_STATE{{{ALERT}}}", 7),
    (f'ALERTS{{{DOWN.replace("about", "instance")},alertstate="pending"}}', 1),
    (f"ALERTS_FOR_STATE{{{DOWN.replace('about', 'instance')}}}", 8),
    ('ALERTS{alertname="Watchdog",severity="none",alertstate="firing"}', 1),
    ('ALERTS{alertname="RollcallWorkerUnknown",fleet="elsewhere",worker="w",alertstate="firing"}', 1),
]
MESH: list[Sample] = [
    *(
        (f'{name}{{fleet="eu",node="{node}"}}', value)
        for node, at in (("seer", 0.0), ("peer", 0.25), ("far", 0.5))
        for name, value in (
            ("fleet_node:rollcall_node_condition:max", 1),
            ("fleet_node:rollcall_node_reach:max", 1),
            ("fleet_node:rollcall_node_turn:max", 2 * at * 3.141592653589793),
            ("rollcall_node_ordinal", at * 60),
            ("rollcall_node_vram_bytes", 16e9),
        )
    ),
    *(
        (f'rollcall_node_info{{fleet="eu",node="{node}",role="Host",version="1",basis="self",instance="{at}"}}', 1)
        for node in ("seer", "peer", "far")
        for at in "ab"
    ),
    *(
        (f'fleet_node_name:rollcall_node_info:max{{fleet="eu",node="{node}",name="{node}"}}', 1)
        for node in ("seer", "peer", "far")
    ),
    ('rollcall_node_peer{fleet="eu",node="seer",peer="peer",latency="direct"}', 1),
    ('rollcall_node_peer{fleet="eu",node="seer",peer="far",latency="estimated"}', 1),
    ('rollcall_node_peer{fleet="eu",node="seer",peer="unlisted",latency="estimated"}', 1),
    ('rollcall_node_peer_rtt_seconds{fleet="eu",node="seer",peer="peer",instance="a"}', 0.0042),
    ('rollcall_node_peer_rtt_seconds{fleet="eu",node="seer",peer="peer",instance="b"}', 0.0041),
    ('fleet_node:rollcall_node_condition:max{fleet="us",node="other"}', 1),
    ('fleet_node:rollcall_node_reach:max{fleet="us",node="other"}', 1),
]

CASES = [
    pytest.param(COUNTS, shared.nodes("serving"), [("{}", 3)], id="nodes of chosen fleets, confirmed, once"),
    pytest.param(COUNTS, shared.nodes("loading"), [("{}", 0)], id="no node in a state is 0"),
    pytest.param(COUNTS, shared.workers("busy"), [("{}", 3)], id="workers of all chosen fleets"),
    pytest.param(COUNTS, shared.wakeables("waking"), [("{}", 4)], id="wakeables"),
    pytest.param(COUNTS, shared.rollouts("running"), [("{}", 5)], id="rollouts"),
    pytest.param([BUILD], shared.workers("busy"), [("{}", 0)], id="an empty fleet is 0"),
    pytest.param([], shared.workers("busy"), [], id="no exporter is no answer"),
    pytest.param([], fleet.SOURCES_DOWN, [], id="no exporter is no answer about sources"),
    pytest.param([BUILD], fleet.SOURCES_DOWN, [("{}", 0)], id="no source is 0 down"),
    pytest.param(TWO_SOURCES, fleet.SOURCES_DOWN, [("{}", 1)], id="down if no exporter can read it"),
    pytest.param(SLEEPING_CONSOLE, fleet.SOURCES_DOWN, [("{}", 1)], id="who sleeps is not down"),
    pytest.param(
        SLEEPING_CONSOLE,
        fleet.EACH_SOURCES_DOWN,
        [('{fleet="training"}', 1), ('{fleet="eu"}', 0)],
        id="who sleeps is not down in its fleet",
    ),
    pytest.param(
        SLEEPING_CONSOLE,
        fleet.SOURCE_UP,
        [(f"{{{STORE}}}", 0), (f"{{{CONSOLE}}}", 0.5)],
        id="a console that is down on a host that sleeps",
    ),
    pytest.param(TWO_SOURCES, fleet.SOURCE_LAST_SUCCESS, [(f"{{{CONSOLE}}}", 12000)], id="last success in ms"),
    pytest.param(SILENT_WORKER, fleet.UNKNOWN_SINCE, [(f"{{{WORKER}}}", 30000)], id="since, in ms, and no other's"),
    pytest.param(SILENT_WORKER, fleet.UNKNOWN_REASON, [(UNKNOWN, 1)], id="an unknown worker has one reason"),
    pytest.param(
        SILENT_WORKER, fleet.UNKNOWN_REPORTED, [(f'{{{WORKER},reported="busy"}}', 1)], id="what its store claims"
    ),
    pytest.param([BUILD], fleet.UNKNOWN, [], id="nobody unknown is no row"),
    pytest.param(ALERTS, fleet.ALERTS_FIRING, [("{}", 1)], id="alerts that fire, without the watchdog"),
    pytest.param([BUILD], fleet.ALERTS_FIRING, [("{}", 0)], id="no alert is 0"),
    pytest.param(
        ALERTS,
        alerts.ALERTS,
        [(f'{{{ABOUT_NOTHING},alertstate="firing"}}', 2), (f'{{{DOWN},alertstate="pending"}}', 1)],
        id="an alert about a worker, and one about an exporter",
    ),
    pytest.param(
        [
            (
                f'ALERTS{{alertname="RollcallNodeGone",severity="ticket",fleet="eu",node="{node}",alertstate="firing"}}',
                1,
            )
            for node in ("a", "b")
        ],
        alerts.ALERTS,
        [
            (f'{{alertname="RollcallNodeGone",severity="ticket",fleet="eu",about="{node}",alertstate="firing"}}', 2)
            for node in ("a", "b")
        ],
        id="an alert about two nodes is two",
    ),
    pytest.param(PARTS, alerts.ALERTS, [(f"{{{about}}}", 2) for about in ABOUT_PARTS], id="alerts name the part"),
    pytest.param(PARTS, fleet.ALERTS_FIRING, [("{}", 4)], id="alerts about two parts are two"),
    pytest.param(ALERTS, alerts.SINCE, [(f"{{{ABOUT_NOTHING}}}", 7000), (f"{{{DOWN}}}", 8000)], id="alerts since"),
    pytest.param(
        MESH,
        f"round({graphs.MESH_X})",
        [('{id="seer"}', 0), ('{id="peer"}', 0), ('{id="far"}', -350)],
        id="the observer is in the middle",
    ),
    pytest.param(
        MESH,
        f"count by (id, source, target, mainstat, strokedasharray) ({graphs.MESH_EDGES})",
        [
            ('{id="seer:peer",source="seer",target="peer",mainstat="4.2 ms",strokedasharray="none"}', 1),
            ('{id="seer:far",source="seer",target="far",mainstat="estimated",strokedasharray="5 5"}', 1),
        ],
        id="a measured peer, one from hearsay, and none that is not drawn",
    ),
    pytest.param(
        MESH,
        f"count by (id, title, subtitle, mainstat, secondarystat) ({graphs.MESH_NODES})",
        [
            (f'{{id="{name}",title="{name}",subtitle="serving",mainstat="16 GB",secondarystat="{latency}"}}', 1)
            for name, latency in (("seer", "observer"), ("peer", "4.2 ms"), ("far", "estimated"))
        ],
        id="the nodes of the observer's mesh",
    ),
]


@pytest.mark.parametrize("alert", SHIPPED)
def test_an_alert_is_shown_with_what_tells_it_from_others(alert: str) -> None:
    """A fleet and a worker have columns of their own; of one exporter, or source, there is one kind."""
    shown = {"fleet", "worker", "kind", *alerts.THINGS, *alerts.PARTS}
    assert labels_of(SHIPPED[alert]["expr"], DECLARED) <= shown


@pytest.mark.parametrize(("samples", "query", "answer"), CASES)
def test_query(samples: list[Sample], query: str, answer: list[Sample], tmp_path: Path) -> None:
    check(samples, query, answer, tmp_path)
