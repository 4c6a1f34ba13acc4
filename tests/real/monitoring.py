"""Real Prometheus and Alertmanager with the shipped configuration, in which only addresses and durations differ.

The rules are those that `rollcall rules` writes with a file of values.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml

from exporter.rules.values import Values
from tests.real.process import Process, free_port, program, wait_until
from tests.real.web import answers, ask

SHIPPED = Path(__file__).parents[2] / "prometheus"


class Prometheus(Process):
    """A Prometheus whose configuration is `folder`/prometheus.yml; waits until it is ready. Debian's without `path`."""

    def __init__(self, folder: Path, path: str | None = None) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        command = [
            path or program("prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={self.url.removeprefix('http://')}",
            "--rules.alert.resend-delay=10s",
        ]
        super().__init__(command, folder / "prometheus.log")

    def __enter__(self) -> Prometheus:
        wait_until(self._ready, "Prometheus to be ready")
        return self

    def _ready(self) -> bool:
        self.ended()
        return answers(self.url + "/-/ready")

    def api(self, path: str, **parameters: str) -> Any:
        """The data of an answer of its API."""
        answer = ask(f"{self.url}/api/v1/{path}?{urlencode(parameters)}").json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression: str) -> list[Any]:
        """The result of an instant query now."""
        result: list[Any] = self.api("query", query=expression)["result"]
        return result


class Alertmanager(Process):
    """An Alertmanager whose configuration is `folder`/alertmanager.yml; waits until it is ready."""

    def __init__(self, folder: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        command = [
            program("prometheus-alertmanager"),
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ]
        super().__init__(command, folder / "alertmanager.log")

    def __enter__(self) -> Alertmanager:
        wait_until(self._ready, "Alertmanager to be ready")
        return self

    def _ready(self) -> bool:
        self.ended()
        return answers(self.url + "/-/ready")


def adapt(
    folder: Path,
    exporters: list[str],
    alertmanager: str | None,
    *,
    hold: float,
    keep: float,
    values: Values | None = None,
) -> None:
    """Make a configuration in `folder` that scrapes these exporters and nothing else, and evaluates, every second.

    `exporters` and `alertmanager` are HOST:PORT; `hold` and `keep` are the seconds of `for` and `keep_firing_for` of
    RollcallWorkerUnknown; `values` are others, as in a file for `rollcall rules --values`.
    """
    shutil.copytree(SHIPPED / "targets", folder / "targets")
    (folder / "targets/rollcall.yml").write_text(yaml.safe_dump([{"targets": exporters}]))
    told = [{"targets": [alertmanager]}] if alertmanager else []
    (folder / "targets/alertmanager.yml").write_text(yaml.safe_dump(told))
    shipped = yaml.safe_load((SHIPPED / "prometheus.yml").read_text())
    shipped["global"] |= {"scrape_interval": "1s", "evaluation_interval": "1s"}
    shipped["scrape_configs"] = [job for job in shipped["scrape_configs"] if job["job_name"] == "rollcall"]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(shipped))
    short = {"for": f"{hold * 1000:.0f}ms", "keep_firing_for": f"{keep * 1000:.0f}ms"}
    chosen = dict(values or {})
    chosen["alerts"] = {"RollcallWorkerUnknown": short} | chosen.get("alerts", {})
    chosen["records"] = {"runners_drawn_every": "1s", "tickets_every": "1s"} | chosen.get("records", {})
    (folder / "values.yml").write_text(yaml.safe_dump(chosen))
    tune(folder / "values.yml", folder / "rules")


def tune(values: Path, directory: Path) -> None:
    """Let `rollcall rules` write the rules with an operator's values."""
    command = [sys.executable, "-m", "exporter.cli", "rules", f"--values={values}", f"--directory={directory}"]
    result = subprocess.run(command, cwd=SHIPPED.parent, capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (0, "")


def adapt_alertmanager(folder: Path, webhook: str, *, group_wait: str = "1s") -> None:
    """Copy the shipped alertmanager.yml to `folder`, with groups that are told soon.

    Every receiver that a route names posts to `webhook` and its own name.
    """
    shutil.copytree(SHIPPED / "templates", folder / "templates")
    shipped = yaml.safe_load((SHIPPED / "alertmanager.yml").read_text())
    routes = (shipped["route"], *shipped["route"]["routes"])
    for route in routes:
        route |= {"group_wait": group_wait, "group_interval": "1s"}
    named = {route["receiver"] for route in routes}
    for receiver in shipped["receivers"]:
        if receiver["name"] in named:
            receiver["webhook_configs"] = [{"url": f"{webhook}{receiver['name']}", "send_resolved": True}]
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(shipped))
