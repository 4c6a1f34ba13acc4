"""From a runner that falls silent to a delivered notification, and from its return to the resolution.

Real LightningStore, exporter, Prometheus and Alertmanager with the shipped configuration and rules. Only addresses and
durations differ: scraped and evaluated every second, `for` and `keep_firing_for` 2 s, heartbeat timeout 5 s.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.real.lightning import Lightning, Runner
from tests.real.monitoring import Alertmanager, Prometheus, adapt, adapt_alertmanager
from tests.real.process import free_port, wait_until
from tests.real.rollcall import Rollcall
from tests.real.web import Answer, Asked, WebServer

CONFIGURATION = """\
    host: {{enabled: false}}
    gpu: {{enabled: false}}
    stores:
      - fleet: training
        url: {url}
        interval: 500ms
        heartbeat_timeout: 5s
        stale_after: 10s
"""


class Sink:
    """A webhook receiver that keeps the notifications it was sent."""

    def __init__(self) -> None:
        self.notifications: list[dict[str, Any]] = []

    def take(self, asked: Asked) -> Answer:
        """Take a notification, as Alertmanager posts it."""
        self.notifications.append(json.loads(asked.body))
        return Answer(200, b"")

    def alerts(self, status: str) -> list[dict[str, Any]]:
        """The alerts on workers that were delivered in a status, firing or resolved."""
        return [
            alert
            for notification in list(self.notifications)
            for alert in notification["alerts"]
            if alert["labels"]["alertname"] == "RollcallWorkerUnknown" and alert["status"] == status
        ]


@pytest.mark.timeout(240)
def test_silent_runner_is_notified_and_its_return_resolved(store: Lightning, tmp_path: Path) -> None:
    sink = Sink()
    port = free_port()
    with (
        Rollcall(tmp_path, CONFIGURATION.format(url=store.url)) as rollcall,
        WebServer(sink.take) as receiver,
    ):
        adapt_alertmanager(tmp_path, receiver.url + "/")
        adapt(tmp_path, [rollcall.url.removeprefix("http://")], f"127.0.0.1:{port}", hold=2, keep=2)
        with Alertmanager(tmp_path, port), Prometheus(tmp_path) as prometheus:
            silence_and_recover(store, prometheus, sink)


def silence_and_recover(store: Lightning, prometheus: Prometheus, sink: Sink) -> None:
    """Let a busy runner fall silent beside one that works on, and come back when that was delivered."""
    store.enqueue()
    store.enqueue()
    runner = Runner(store, "trainer-0-runner-0", beat=0.3, patience=5)
    with Runner(store, "trainer-0-runner-1", beat=0.3, patience=5) as other:
        with runner:
            wait_until(lambda: runner.held and other.held, "both runners to be busy")
            busy = 'count(rollcall_worker_status{status="busy"} == 1) == 2'
            wait_until(lambda: prometheus.query(busy), "Prometheus to know two busy workers")
            assert not prometheus.query('ALERTS{alertname="RollcallWorkerUnknown"}')
        fired = delivered(sink, "firing")
        assert fired["labels"] | {"fleet": "training", "worker": "trainer-0-runner-0"} == fired["labels"]
        assert "trainer-0-runner-0" in fired["annotations"]["summary"]
        assert "silent" in fired["annotations"]["description"]
        assert "busy" in fired["annotations"]["description"]
        assert not sink.alerts("resolved")
        with runner:
            runner.finish()
            wait_until(lambda: store.worker("trainer-0-runner-0")["status"] == "idle", "the runner to finish")
            resolved = delivered(sink, "resolved")
        assert resolved["labels"] == fired["labels"]
        assert resolved["fingerprint"] == fired["fingerprint"]
    workers = {alert["labels"]["worker"] for status in ("firing", "resolved") for alert in sink.alerts(status)}
    assert workers == {"trainer-0-runner-0"}
    assert {one["groupLabels"]["fleet"] for one in sink.notifications if _of_a_worker(one)} == {"training"}


def delivered(sink: Sink, status: str) -> dict[str, Any]:
    """Wait for the first alert on a worker that is delivered in a status."""
    return wait_until(lambda: sink.alerts(status), f"a notification that is {status}", 90.0)[0]


def _of_a_worker(notification: dict[str, Any]) -> bool:
    return bool(notification["groupLabels"]["alertname"] == "RollcallWorkerUnknown")
