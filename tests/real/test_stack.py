"""`make stack`: everything runs, knows of each other, and is gone after one signal."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from exporter.demo.stack import PACKAGES
from tests.real.process import Process, free_port, program, wait_until
from tests.real.web import ask


def addresses() -> dict[str, str]:
    ports: set[int] = set()
    while len(ports) < 3:
        ports.add(free_port())
    return dict(zip(("exporter", "prometheus", "alertmanager"), (f"127.0.0.1:{port}" for port in ports), strict=True))


def test_everything_runs_and_ends_with_one_signal(tmp_path: Path) -> None:
    for name in PACKAGES:
        program(name)
    chosen = addresses()
    flags = [f"--{name}={address}" for name, address in chosen.items()]
    command = [sys.executable, "-m", "exporter.demo.stack", *flags, f"--folder={tmp_path}", "--", "--nodes", "3"]
    with Process(command, tmp_path / "stack.log") as stack:
        wait_until(lambda: stack.process.poll() is not None or "Ctrl-C" in stack.output(), "all to be ready")
        assert all(f"http://{address}" in stack.output() for address in chosen.values()), stack.output()

        prometheus = Asked(f"http://{chosen['prometheus']}/api/v1")
        wait_until(lambda: prometheus('query?query=up{job="rollcall"}==1')["result"], "a scrape")
        assert prometheus("alertmanagers")["activeAlertmanagers"] == [
            {"url": f"http://{chosen['alertmanager']}/api/v2/alerts"}
        ]
        stack.send(signal.SIGINT)
        assert stack.wait() == 0
    for address in chosen.values():
        host, _, port = address.partition(":")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)))


def test_a_process_that_ends_ends_all(tmp_path: Path) -> None:
    program("prometheus")
    chosen = addresses()
    command = [sys.executable, "-m", "exporter.demo.stack", f"--folder={tmp_path}"]
    command += [f"--{name}={address}" for name, address in chosen.items()]
    with socket.create_server(("127.0.0.1", int(chosen["exporter"].rpartition(":")[2]))):
        result = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert (result.returncode, result.stdout) == (1, "")
    wrong = f"cannot listen on {chosen['exporter']}: Address already in use"
    assert result.stderr == f"stack: rollcall: expected a running process, got exit status 1: rollcall: {wrong}\n"


class Asked:
    """Asks Prometheus' API."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __call__(self, path: str) -> Any:
        return ask(f"{self._url}/{path}").json()["data"]
