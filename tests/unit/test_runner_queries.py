"""What the queries of the dashboards Runners, Runner and Hosts and GPUs answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from grafana.queries import hosts, runner, runners
from tests.unit.promtool import Sample, check

BUILD: Sample = ('rollcall_build_info{version="0.1.0"}', 1)
W = 'fleet="training",worker="w"'
X = 'fleet="training",worker="x"'
ATTENTION = "fleet_worker_status:rollcall_worker_attention:max"
CONDITION = "fleet_worker:rollcall_worker_condition:max"

QUEUES: list[Sample] = [
    BUILD,
    ('rollcall_rollouts{fleet="eu",status="queuing",instance="a"}', 3),
    ('rollcall_rollouts{fleet="eu",status="queuing",instance="b"}', 3),
    ('rollcall_rollouts{fleet="eu",status="requeuing"}', 1),
    ('rollcall_rollouts{fleet="eu",status="running"}', 9),
    ('rollcall_workers{fleet="eu",status="idle"}', 1),
    ('rollcall_workers{fleet="eu",status="busy"}', 9),
    ('rollcall_rollouts{fleet="training",status="queuing"}', 2),
    ('rollcall_workers{fleet="training",status="idle"}', 7),
    ('fleet:rollcall_workers_live:sum{fleet="eu"}', 10),
    ('fleet:rollcall_workers_live:sum{fleet="training"}', 8),
]
REGISTRY: list[Sample] = [BUILD, ('rollcall_workers{fleet="eu",status="idle"}', 4)]
SILENT: list[Sample] = [
    BUILD,
    (f'{ATTENTION}{{{W},status="unknown"}}', 5),
    (f'{ATTENTION}{{{X},status="busy"}}', 2),
    (f'{ATTENTION}{{fleet="training",worker="g",status="gone"}}', 3),
    (f"{CONDITION}{{{W}}}", 3),
    (f"{CONDITION}{{{X}}}", 1),
    (f'rollcall_worker_unknown_reason{{{W},reason="silent",instance="a"}}', 1),
    (f'rollcall_worker_unknown_reason{{{W},reason="silent",instance="b"}}', 1),
    (f'rollcall_worker_status_overridden{{{W},reported="busy"}}', 1),
    (f'rollcall_worker_assignment{{{W},rollout="ro-1",attempt="at-1"}}', 1),
    (f'rollcall_worker_last_heartbeat_timestamp_seconds{{{W},instance="a"}}', 10),
    (f'rollcall_worker_last_heartbeat_timestamp_seconds{{{W},instance="b"}}', 20),
    (f"rollcall_worker_last_heartbeat_timestamp_seconds{{{X}}}", 90),
    (f'rollcall_worker_telemetry_stale{{{W},instance="a"}}', 1),
    (f"rollcall_worker_telemetry_stale{{{X}}}", 0),
]
LABELS = "fleet, worker, at, band"
HOSTS: list[Sample] = [
    BUILD,
    ('rollcall_host_boot_timestamp_seconds{instance="a"}', 0),
    ('rollcall_host_boot_timestamp_seconds{instance="b"}', 0),
    ('instance:rollcall_host_temperature_celsius:max{instance="a"}', 50),
    ('instance_mode:rollcall_host_cpu_usage_ratio:avg{instance="b",mode="idle"}', 0.5),
    ('instance_mode:rollcall_host_cpu_usage_ratio:avg{instance="b",mode="iowait"}', 0.25),
    ('rollcall_host_network_receive_bytes_total{instance="a",device="eth0"}', 0),
    ('rollcall_gpu_info{instance="a",gpu="0",uuid="u",name="H100",driver="570"}', 1),
    ('rollcall_gpu_memory_total_bytes{instance="a",gpu="0",uuid="u"}', 80),
    ('rollcall_gpu_memory_used_bytes{instance="a",gpu="0",uuid="u"}', 20),
    ('rollcall_gpu_throttle_reason{instance="a",gpu="0",uuid="u",reason="gpu_idle"}', 1),
    ('rollcall_gpu_throttle_reason{instance="a",gpu="0",uuid="u",reason="hw_thermal_slowdown"}', 1),
    ('rollcall_gpu_throttle_reason{instance="a",gpu="0",uuid="u",reason="sw_power_cap"}', 1),
]

CASES = [
    pytest.param(QUEUES, runners.WAITING, [("{}", 6)], id="queued and requeued rollouts wait"),
    pytest.param(QUEUES, runners.IDLE_IN_VAIN, [("{}", 3)], id="idle in vain: fleet by fleet the smaller number"),
    pytest.param(REGISTRY, runners.IDLE_IN_VAIN, [("{}", 0)], id="nobody is idle in vain without a queue"),
    pytest.param(REGISTRY, runners.WAITING, [("{}", 0)], id="nothing waits in a registry"),
    pytest.param(QUEUES, runners.BUSY_SHARE, [("{}", 0.5)], id="busy ones of all that live"),
    pytest.param([BUILD], runners.BUSY_SHARE, [("{}", 0)], id="nobody is busy where nobody is"),
    pytest.param(
        SILENT,
        runners.LISTED,
        [(f'{ATTENTION}{{{W},status="unknown"}}', 5), (f'{ATTENTION}{{{X},status="busy"}}', 2)],
        id="a row per worker, none for one that is gone",
    ),
    pytest.param(
        SILENT,
        runners.REASON,
        [(f'{{{W},reason="silent"}}', 1), (f'{{{X},reason="–"}}', 2)],
        id="a reason or a dash for every row",
    ),
    pytest.param(
        SILENT,
        runners.HOLDS,
        [(f'{{{W},rollout="ro-1",attempt="at-1"}}', 1), (f'{{{X},rollout="–",attempt="–"}}', 2)],
        id="what is held or a dash for every row",
    ),
    pytest.param(
        SILENT,
        runners.age("heartbeat"),
        [(f"{{{W}}}", 40), (f"{{{X}}}", 0)],
        id="the age of the newest heartbeat, from 0",
    ),
    pytest.param(SILENT, runners.ON_TIME, [("{}", 0.5)], id="heartbeats on time"),
    pytest.param(
        SILENT,
        f"count by (band, runner) ({runners.HISTORY})",
        [('{band="1",runner="w · training"}', 1), ('{band="2",runner="x · training"}', 1)],
        id="unknown ones are drawn first",
    ),
    pytest.param(
        SILENT,
        f"count by (why) ({runner.WHY})",
        [('{why="the newest evidence of life is older than the heartbeat timeout"}', 1)],
        id="why it is unknown, in words",
    ),
    pytest.param(
        [BUILD],
        f"count by (why) ({runner.WHY})",
        [('{why="no runner is chosen, or none is known"}', 1)],
        id="no such runner",
    ),
    pytest.param(
        SILENT,
        f"max by ({LABELS}) ({runner.HISTORY})",
        [
            (f'{{{W},at="0",band="status"}}', 3),
            (f'{{{W},at="1",band="reported"}}', 1),
            (f'{{{W},at="2",band="unknown reason"}}', 11),
            (f'{{{W},at="3",band="telemetry"}}', 22),
        ],
        id="the four bands of a silent worker",
    ),
    pytest.param(
        SILENT,
        runner.HELD_STATUS,
        [(f'{{{W},rollout="ro-1",attempt="at-1"}}', 3)],
        id="it fell silent with it",
    ),
    pytest.param(SILENT, runner.HELD_FOR, [(f'{{{W},rollout="ro-1",attempt="at-1"}}', 60)], id="for how long"),
    pytest.param(SILENT, runner.REPORTED, [(f'{{{W},reported="busy"}}', 1)], id="what its store says"),
    pytest.param(
        [(f"{CONDITION}{{{W}}}", 2)],
        runner.HOLDS,
        [(f'{{{W},rollout="none",attempt="none"}}', 2)],
        id="it holds nothing",
    ),
    pytest.param(SILENT, runner.MISSED, [(f"{{{W}}}", 0)], id="not missed is 0"),
    pytest.param(
        HOSTS,
        hosts.LISTED,
        [('{instance="a"}', 50), ('{instance="b"}', 0.25)],
        id="hosts by temperature, else by CPU",
    ),
    pytest.param([BUILD], hosts.COUNT, [("{}", 0)], id="no host is 0"),
    pytest.param(
        HOSTS,
        hosts.GPU_HELD_BACK_BY,
        [
            ('{instance="a",gpu="0",reason="hw_thermal_slowdown"}', 1),
            ('{instance="a",gpu="0",reason="sw_power_cap"}', 1),
        ],
        id="why a GPU is held back; being idle is no reason",
    ),
    pytest.param(HOSTS, hosts.held_back(hosts.HEAT), [("{}", 1)], id="GPUs held back by heat"),
    pytest.param(HOSTS, hosts.HELD_BACK_OF_HOST, [('{instance="a"}', 1)], id="held back twice is one GPU"),
    pytest.param(
        HOSTS,
        hosts.of_hottest_over_time(hosts.gpu_memory),
        [('{instance="a",gpu="0"}', 0.25)],
        id="memory of the hottest GPUs",
    ),
]


@pytest.mark.parametrize(("samples", "query", "answer"), CASES)
def test_query(samples: list[Sample], query: str, answer: list[Sample], tmp_path: Path) -> None:
    check(samples, query, answer, tmp_path)


def test_the_table_of_runners_is_cut_where_there_are_more(tmp_path: Path) -> None:
    many = [(f'{ATTENTION}{{fleet="eu",worker="w{number}",status="idle"}}', 1.0) for number in range(2 * runners.ROWS)]
    many.append((f'{ATTENTION}{{fleet="eu",worker="lost",status="unknown"}}', 5.0))
    lost = f"count({runners.LISTED}) + 1000 * count({runners.LISTED} == 5)"
    check(many, lost, [("{}", 1000 + runners.ROWS)], tmp_path)
