"""What the queries of the dashboards answer, by Prometheus' own engine (promtool)."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from grafana import queries

Sample = tuple[str, float]

BUILD: Sample = ('rollcall_build_info{version="0.1.0",instance="a"}', 1)
STORE = 'fleet="training",source="trainer:4747",kind="agent-lightning"'
CONSOLE = 'fleet="eu",source="gamma-01:3131",kind="mesh-llm"'
WORKER = 'fleet="training",worker="Worker-0"'
UNKNOWN = f'{{{WORKER},reason="silent"}}'

SILENT_WORKER: list[Sample] = [
    (f'rollcall_worker_unknown_reason{{{WORKER},reason="silent",instance="a"}}', 1),
    (f'rollcall_worker_unknown_reason{{{WORKER},reason="silent",instance="b"}}', 1),
    (f'rollcall_worker_last_heartbeat_timestamp_seconds{{{WORKER},instance="a"}}', 20),
    (f'rollcall_worker_last_heartbeat_timestamp_seconds{{{WORKER},instance="b"}}', 30),
    ('rollcall_worker_last_heartbeat_timestamp_seconds{fleet="training",worker="Worker-1",instance="a"}', 50),
    (f'rollcall_worker_status_overridden{{{WORKER},reported="busy",instance="a"}}', 1),
    (f'rollcall_worker_status_overridden{{{WORKER},reported="busy",instance="b"}}', 1),
]
TWO_SOURCES: list[Sample] = [
    BUILD,
    (f'rollcall_source_up{{{STORE},instance="a"}}', 0),
    (f'rollcall_source_up{{{STORE},instance="b"}}', 1),
    (f'rollcall_source_up{{{CONSOLE},instance="a"}}', 0),
    (f'rollcall_source_last_success_timestamp_seconds{{{CONSOLE},instance="a"}}', 12),
    (f'rollcall_source_read_duration_seconds{{{CONSOLE},instance="a"}}', 3),
    (f'rollcall_source_read_duration_seconds{{{CONSOLE},instance="b"}}', 0.5),
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

CASES = [
    pytest.param(COUNTS, queries.nodes("serving"), [("{}", 3)], id="nodes of chosen fleets, confirmed, once"),
    pytest.param(COUNTS, queries.nodes("loading"), [("{}", 0)], id="no node in a state is 0"),
    pytest.param(COUNTS, queries.workers("busy"), [("{}", 3)], id="workers of all chosen fleets"),
    pytest.param(COUNTS, queries.wakeables("waking"), [("{}", 4)], id="wakeables"),
    pytest.param(COUNTS, queries.rollouts("running"), [("{}", 5)], id="rollouts"),
    pytest.param([BUILD], queries.workers("busy"), [("{}", 0)], id="an empty fleet is 0"),
    pytest.param([], queries.workers("busy"), [], id="no exporter is no answer"),
    pytest.param([], queries.SOURCES_DOWN, [], id="no exporter is no answer about sources"),
    pytest.param([BUILD], queries.SOURCES_DOWN, [("{}", 0)], id="no source is 0 down"),
    pytest.param(TWO_SOURCES, queries.SOURCES_UP, [("{}", 1)], id="up if either exporter can read it"),
    pytest.param(TWO_SOURCES, queries.SOURCES_DOWN, [("{}", 1)], id="down if no exporter can read it"),
    pytest.param(TWO_SOURCES, queries.SOURCE_LAST_SUCCESS, [(f"{{{CONSOLE}}}", 12000)], id="last success in ms"),
    pytest.param(TWO_SOURCES, queries.SLOWEST_READ, [('{kind="mesh-llm"}', 3)], id="slowest read by kind"),
    pytest.param(SILENT_WORKER, queries.UNKNOWN_WORKER, [(UNKNOWN, 1)], id="an unknown worker is one row"),
    pytest.param(
        SILENT_WORKER,
        queries.UNKNOWN_WORKER_LAST_HEARTBEAT,
        [(UNKNOWN, 30000)],
        id="its heartbeat, in ms, and no other's",
    ),
    pytest.param(
        SILENT_WORKER,
        queries.UNKNOWN_WORKER_REPORTED,
        [(UNKNOWN.replace("}", ',reported="busy"}'), 1)],
        id="what its store claims",
    ),
    pytest.param([BUILD], queries.UNKNOWN_WORKER, [], id="nobody unknown is no row"),
]


@pytest.mark.parametrize(("samples", "query", "answer"), CASES)
def test_query(samples: list[Sample], query: str, answer: list[Sample], tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        message = "promtool is not installed (Debian: apt install prometheus)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    expected = [{"labels": labels, "value": value} for labels, value in answer]
    case = {"expr": query.replace("$fleet", "eu|training"), "eval_time": "1m", "exp_samples": expected}
    series = [{"series": name, "values": f"{value}+0x4"} for name, value in samples]
    test = {"interval": "15s", "input_series": series, "promql_expr_test": [case]}
    path = tmp_path / "test.yml"
    path.write_text(yaml.safe_dump({"evaluation_interval": "15s", "tests": [test]}))
    command = ["promtool", "test", "rules", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
