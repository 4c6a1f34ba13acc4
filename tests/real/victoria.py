"""A real VictoriaMetrics, an agent and a vmalert, and the examples in prometheus/ with other addresses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml

from tests.real.monitoring import SHIPPED, Prometheus
from tests.real.process import Process, free_port, program, wait_until
from tests.real.web import answers, ask

STORE = "http://127.0.0.1:8428"
"""Where the examples write to."""

SENT = re.compile(r"^prometheus_remote_storage_queue_highest_sent_timestamp_seconds\{.*\} (.*)$", re.MULTILINE)


class Victoria(Process):
    """A VictoriaMetrics that answers about this very moment; waits until it is ready."""

    def __init__(self, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        command = [
            program("victoria-metrics"),
            f"-storageDataPath={folder / 'victoria'}",
            f"-httpListenAddr={self.url.removeprefix('http://')}",
            "-search.latencyOffset=0s",
            "-search.disableCache",
        ]
        super().__init__(command, folder / "victoria.log")

    def __enter__(self) -> Victoria:
        wait_until(self._ready, "VictoriaMetrics to be ready")
        return self

    def _ready(self) -> bool:
        self.ended()
        return answers(self.url + "/health")

    def api(self, path: str, **parameters: str) -> Any:
        """The data of an answer of its API; a range is asked as it is, and not aligned to the step."""
        asked = urlencode({**parameters, "nocache": "1"})
        answer = json.loads(ask(f"{self.url}/api/v1/{path}?{asked}").body)
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression: str) -> list[Any]:
        """The result of an instant query now."""
        result: list[Any] = self.api("query", query=expression)["result"]
        return result

    def settle(self) -> None:
        """Let everything that was written be found."""
        assert ask(self.url + "/internal/force_flush").status == 200


class Agent(Process):
    """A Prometheus as an agent, with a configuration; waits until it is ready."""

    def __init__(self, configuration: Path) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        folder = configuration.parent
        command = [
            program("prometheus"),
            "--enable-feature=agent",
            f"--config.file={configuration}",
            f"--storage.agent.path={folder / 'data'}",
            f"--web.listen-address={self.url.removeprefix('http://')}",
        ]
        super().__init__(command, folder / "agent.log")

    def __enter__(self) -> Agent:
        wait_until(self._ready, "the agent to be ready")
        return self

    def _ready(self) -> bool:
        self.ended()
        return answers(self.url + "/-/ready")


class Vmalert(Process):
    """A vmalert that evaluates rules over a store each second, writes to it, and tells the URL `notifier`."""

    def __init__(self, folder: Path, rules: Path, store: Victoria, notifier: str) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        command = [
            program("vmalert"),
            f"-rule={rules}/*.yml",
            f"-datasource.url={store.url}",
            f"-remoteWrite.url={store.url}",
            f"-notifier.url={notifier}",
            "-evaluationInterval=1s",
            f"-httpListenAddr={self.url.removeprefix('http://')}",
        ]
        super().__init__(command, folder / "vmalert.log")

    def __enter__(self) -> Vmalert:
        wait_until(self._ready, "vmalert to be ready")
        return self

    def _ready(self) -> bool:
        self.ended()
        return answers(self.url + "/health")

    def groups(self) -> list[Any]:
        """What it says of every group of rules."""
        found: list[Any] = ask(f"{self.url}/api/v1/rules").json()["data"]["groups"]
        return found


def example(folder: Path, path: str, target: str, store: Victoria) -> Path:
    """A copy of an example `path` in `folder`, which scrapes `target` (HOST:PORT) and itself, and writes to `store`."""
    copy = folder / "examples" / path
    copy.parent.mkdir(parents=True)
    (folder / "targets").mkdir(exist_ok=True)
    (folder / "targets/rollcall.yml").write_text(yaml.safe_dump([{"targets": [target]}]))
    text = (SHIPPED / "examples" / path).read_text()
    assert STORE in text
    copy.write_text(text.replace(STORE, store.url))
    return copy


def every_second(rules: Path, folder: Path) -> Path:
    """A copy of rules without `keep_firing_for`, which vmalert 1.79 does not know, and without intervals."""
    copies = folder / "every-second"
    copies.mkdir()
    for path in rules.glob("*.yml"):
        told = yaml.safe_load(path.read_text())
        for group in told["groups"]:
            group.pop("interval", None)
            for rule in group["rules"]:
                rule.pop("keep_firing_for", None)
        (copies / path.name).write_text(yaml.safe_dump(told))
    return copies


def writes(folder: Path, path: str, store: Victoria) -> None:
    """Let the Prometheus that is adapted in `folder` write to a store, and be called, as an example says."""
    told = yaml.safe_load((SHIPPED / "examples" / path).read_text().replace(STORE, store.url))
    adapted = yaml.safe_load((folder / "prometheus.yml").read_text())
    adapted["global"]["external_labels"] = told["global"]["external_labels"]
    adapted["remote_write"] = told["remote_write"]
    for each in adapted["remote_write"]:
        each["queue_config"] = {"batch_send_deadline": "200ms", "max_shards": 1}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(adapted))


def written(prometheus: Prometheus, until: float) -> bool:
    """Tell whether a Prometheus has written everything up to a Unix time; its only queue writes in order."""
    found = SENT.search(ask(prometheus.url + "/metrics").body.decode())
    return found is not None and float(found[1]) > until
