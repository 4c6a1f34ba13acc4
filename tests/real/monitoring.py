"""Real Prometheus and Alertmanager with the shipped configuration, in which only addresses and durations differ."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml

from tests.real.process import Process, free_port, program, wait_until
from tests.real.web import answers, ask

SHIPPED = Path(__file__).parents[2] / "prometheus"
RULES = "rules/alerts.yml"


class Prometheus(Process):
    """A Prometheus whose configuration is `folder`/prometheus.yml; waits until it is ready."""

    def __init__(self, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        command = [
            program("prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={self.url.removeprefix('http://')}",
            "--rules.alert.resend-delay=1s",
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


def adapt(folder: Path, exporters: list[str], alertmanager: str | None, *, hold: float, keep: float) -> None:
    """Copy the shipped files to `folder`, scrape these exporters and nothing else, and evaluate, every second.

    `exporters` and `alertmanager` are HOST:PORT; `hold` and `keep` are the seconds of `for` and `keep_firing_for` of
    RollcallWorkerUnknown.
    """
    for name in ("rules", "targets"):
        shutil.copytree(SHIPPED / name, folder / name)
    (folder / "targets/rollcall.yml").write_text(yaml.safe_dump([{"targets": exporters}]))
    told = [{"targets": [alertmanager]}] if alertmanager else []
    (folder / "targets/alertmanager.yml").write_text(yaml.safe_dump(told))
    shipped = yaml.safe_load((SHIPPED / "prometheus.yml").read_text())
    shipped["global"] |= {"scrape_interval": "1s", "evaluation_interval": "1s"}
    shipped["scrape_configs"] = [job for job in shipped["scrape_configs"] if job["job_name"] == "rollcall"]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(shipped))
    rules = yaml.safe_load((folder / RULES).read_text())
    (rule,) = [
        rule for group in rules["groups"] for rule in group["rules"] if rule.get("alert") == "RollcallWorkerUnknown"
    ]
    assert {"for", "keep_firing_for"} <= set(rule)
    rule |= {"for": f"{hold * 1000:.0f}ms", "keep_firing_for": f"{keep * 1000:.0f}ms"}
    (folder / RULES).write_text(yaml.safe_dump(rules))


def adapt_alertmanager(folder: Path, webhook: str) -> None:
    """Copy the shipped alertmanager.yml to `folder`, with this webhook and groups that are told at once."""
    shipped = yaml.safe_load((SHIPPED / "alertmanager.yml").read_text())
    for route in (shipped["route"], *shipped["route"]["routes"]):
        route |= {"group_wait": "1s", "group_interval": "1s"}
    (receiver,) = [each for each in shipped["receivers"] if each["name"] == shipped["route"]["receiver"]]
    (hook,) = receiver["webhook_configs"]
    hook["url"] = webhook
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(shipped))
