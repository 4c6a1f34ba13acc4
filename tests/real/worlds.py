"""Fleets that real Prometheuses with the shipped rules have watched, and what those told the dashboards.

A fleet is watched until in it has happened what dashboards are for; then everything is asked at one instant.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from exporter.demo import Demo, DemoOptions
from tests.nvml.library import build
from tests.real.dashboards import STEP, Asker, Told
from tests.real.lightning import Lightning, Nursery, Runner
from tests.real.monitoring import Prometheus, adapt
from tests.real.process import wait_until
from tests.real.rollcall import Rollcall

BEFORE, SCRAPES = 3, 9
"""So many scrapes before anything happens, and in all: changes and rates want several, and rules that record what other
rules recorded come an evaluation later."""

INSTANCE = "gpu-01:10470"
"""How Prometheus calls the exporter: by the name of the node `gpu-01`, as where a Rollcall runs on its machine."""

ASLEEP = "rollcall_wakeable_info"
LLAMA = "llama-3.3-70b"
INVENTORY = [
    {"logical_id": "rack-c-gpu-41", "provider": "slurm", "models": [LLAMA], "vram_gb": 160, "wake_eta_secs": 60}
]
SILENT = "trainer-0-runner-1"

CALM = (f"fleet:rollcall_nodes_lost:sum offset {STEP}s == 0",)
"""What has been so for a step of a dashboard before anything happens: what changes, changes from something."""

BUSY = (
    'ALERTS{alertname="RollcallWorkerUnknown",alertstate="firing"}',
    "fleet:rollcall_nodes_lost:sum > 0",
    "fleet_model:rollcall_model_closable_by_waking:max > 0",
    'rollcall_wakes_total{result="live"} > 0',
    'rollcall_wakes_total{result="returned"} > 0',
    'rollcall_wakeable_state{state="waking"} > 0',
)
"""What is to happen in the simulated fleet before anything is asked."""

SILENCED = ('ALERTS{alertname="RollcallWorkerUnknown",alertstate="firing"}', "rollcall_worker_inconsistency > 0")
"""And in the fleet of a real store."""


def busy(folder: Path) -> Told:
    """A simulated fleet, ten times as fast, in which a node and a worker fall silent, wakes end and one does not.

    With this seed the node that falls silent is the only one that hosts its model, which the one that wakes cannot.
    """
    options = DemoOptions(nodes=9, mesh_port=0, store_port=0, speed=10, seed=6, calm=True, steady=True, split=3)
    gpus, wakeable = folder / "gpus", folder / "wakeable.yaml"
    gpus.write_text("gpus 2")
    wakeable.write_text(yaml.safe_dump(INVENTORY))
    environ = {"LD_LIBRARY_PATH": str(build(folder / "nvml").parent), "NVML_STUB_SCENARIO": str(gpus)}
    with Demo(options) as demo:
        configuration = yaml.safe_load(demo.configuration(interval="500ms", heartbeat_timeout="5s"))
        configuration["inventories"] = [{"fleet": "demo", "file": str(wakeable)}]
        with _watched(folder, configuration, environ) as prometheus:
            _await(prometheus, BEFORE, CALM)
            _misfortune(demo)
            _await(prometheus, SCRAPES, BUSY)
            return Asker(prometheus, {"node": "gpu-01", "observer": "gpu-01", "worker": SILENT}).told(ASLEEP)


def _misfortune(demo: Demo) -> None:
    ids = {name: node for node, name in demo.nodes().items()}
    demo.kill_node(ids["gpu-03"])
    demo.kill_worker(SILENT, busy=True)
    demo.wake("attic-gpu-31")
    demo.wake("cloud-a100-1", succeeds=False)
    demo.wake("rack-b-gpu-21", overrun=3600)


def empty(folder: Path) -> Told:
    """A store without a worker, and nothing else."""
    with Demo(DemoOptions(mesh_port=0, store_port=0, workers=0, calm=True)) as demo:
        configuration = yaml.safe_load(demo.configuration(interval="500ms"))
        only_store = {"stores": configuration["stores"], "host": {"enabled": False}, "gpu": {"enabled": False}}
        with _watched(folder, only_store) as prometheus:
            _await(prometheus, SCRAPES)
            return Asker(prometheus, {}).told()


def lightning(folder: Path, nursery: Nursery) -> Told:
    """A real LightningStore with runners, one of which falls silent with a rollout in hand."""
    store = Lightning(nursery, scan=1.0)
    configuration = {
        "stores": [
            {"fleet": "real", "url": store.url, "interval": "500ms", "timeout": "5s", "heartbeat_timeout": "3s"}
        ],
        "gpu": {"enabled": False},
    }
    try:
        with _watched(folder, configuration) as prometheus, ExitStack() as living:
            runners = [Runner(store, f"Worker-{number}", beat=0.5, patience=5.0) for number in range(4)]
            store.enqueue()
            store.enqueue()
            silent, *_ = (living.enter_context(runner) for runner in runners)
            wait_until(lambda: silent.held, "work in hand of the runner that will fall silent")
            _await(prometheus, BEFORE)
            silent.leave()
            _await(prometheus, SCRAPES, SILENCED)
            return Asker(prometheus, {"worker": silent.worker}).told()
    finally:
        store.kill()


@contextmanager
def _watched(
    folder: Path, configuration: Mapping[str, Any], environ: Mapping[str, str] | None = None
) -> Iterator[Prometheus]:
    """A Prometheus with the shipped rules that scrapes an exporter."""
    with Rollcall(folder, yaml.safe_dump(dict(configuration)), environ=environ) as exporter:
        wait_until(lambda: exporter.get("/-/ready").status == 200, "every source to be read")
        target = exporter.url.removeprefix("http://")
        adapt(folder, [target], None, hold=2, keep=60)
        named = [{"targets": [target], "labels": {"instance": INSTANCE}}]
        (folder / "targets/rollcall.yml").write_text(yaml.safe_dump(named))
        with Prometheus(folder) as prometheus:
            yield prometheus


def _await(prometheus: Prometheus, scrapes: int, happened: Collection[str] = ()) -> None:
    """Wait until so many scrapes are over, and all has happened."""
    for expr in (f"sum(count_over_time(up[10m])) >= {scrapes}", *happened):
        wait_until(partial(prometheus.query, expr), expr)
