"""All that runs in a soak: an exporter, what it reads, who scrapes it, and who writes to it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import yaml

from exporter.demo import Demo, DemoOptions
from tests.real.monitoring import SHIPPED, Prometheus
from tests.real.process import program, wait_until
from tests.real.rollcall import Rollcall
from tests.soak.gate import Gate
from tests.soak.workers import Workers
from tests.unit.prometheus_tools import NEWEST

JOBS = ("rollcall", *(f"beside-{number}" for number in range(4)))
"""Jobs of each Prometheus: the one that rules and dashboards are for, and others that spread scrapes over time."""

MODELS = [{"logical_id": "burst-1", "provider": "soak", "vram_gb": 80.0, "state": "sleeping"}]


class World:
    """Everything, running; a context manager. Prometheuses scrape every `every` seconds, the exporter reads `interval`.

    The gates are by what stands behind them: the demo fleet's consoles and its store.
    """

    def __init__(self, folder: Path, every: float, interval: float) -> None:
        self.folder = folder
        self._every = every
        self._pace = {"interval": f"{interval * 1000:.0f}ms", "timeout": "2s", "stale_after": "15s"}
        self._stack = ExitStack()

    def __enter__(self) -> World:
        with ExitStack() as stack:
            options = DemoOptions(mesh_port=0, store_port=0, speed=5)
            self.demo = stack.enter_context(Demo(options))
            self.consoles = [stack.enter_context(Gate(each.port)) for each in self.demo.console_servers]
            self.store = stack.enter_context(Gate(self.demo.store_server.port))
            (self.folder / "wakeable.yaml").write_text(yaml.safe_dump(MODELS))
            self.rollcall = stack.enter_context(Rollcall(self.folder, self.configuration()))
            self.process = psutil.Process(self.rollcall.process.pid)
            wait_until(self.well, "every source to be read")
            self.workers = stack.enter_context(Workers(self.rollcall.url))
            paths = [program("prometheus"), str(NEWEST / "prometheus")]
            self.prometheuses = [stack.enter_context(self._prometheus(path)) for path in paths if Path(path).exists()]
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def gates(self) -> Mapping[str, Gate]:
        """The gates that faults are at."""
        return {"console": self.consoles[0], "store": self.store}

    def configuration(self, *, more: bool = False) -> str:
        """The exporter's configuration, or one with another interval, an inventory, and a console that is not read."""
        consoles = [gate.url for gate in self.consoles]
        tree: dict[str, Any] = {
            "meshes": [{"fleet": "demo", "urls": consoles[:-1] if more else consoles, **self._pace}],
            "stores": [{"fleet": "demo", "url": self.store.url, **self._pace}],
            "registry": {"fleet": "own"},
            "tombstone": "1m",
        }
        if more:
            tree["inventories"] = [{"fleet": "demo", "file": "wakeable.yaml", "interval": "1s", "timeout": "1s"}]
        return yaml.safe_dump(tree)

    def well(self) -> bool:
        """Tell whether every source is up."""
        self.rollcall.ended()
        ups = [value for _, value in self.rollcall.scrape().find("rollcall_source_up")]
        return len(ups) > len(self.consoles) and all(ups)

    def scraped(self) -> bool:
        """Tell whether the last scrape of every job succeeded."""
        return all(each.query(f"count(up == 1) == {len(JOBS)}") for each in self.prometheuses)

    def _prometheus(self, path: str) -> Prometheus:
        folder = self.folder / f"prometheus-{len(list(self.folder.glob('prometheus-*')))}"
        folder.mkdir()
        targets = [{"targets": [self.rollcall.url.removeprefix("http://")]}]
        every = f"{self._every:g}s"
        tree = {
            "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
            "rule_files": [str(SHIPPED / "rules/*.yml")],
            "scrape_configs": [{"job_name": job, "static_configs": targets} for job in JOBS],
        }
        keep = {"source_labels": ["__name__"], "regex": "rollcall_build_info", "action": "keep"}
        for job in tree["scrape_configs"][1:]:
            job["metric_relabel_configs"] = [keep]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(tree))
        return Prometheus(folder, path)
