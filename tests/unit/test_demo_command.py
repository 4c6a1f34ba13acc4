"""`rollcall demo` as a process."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from urllib.request import urlopen

import pytest
import yaml

COMMAND = [sys.executable, "-m", "exporter.cli", "demo", "--mesh-port", "0", "--store-port", "0"]
PATIENCE = 60.0


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    arguments = [*COMMAND, "--workers", "5", "--consoles", "2", "--split", "2", "--host", "0.0.0.0"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as running:
        yield running
        running.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_prints_a_configuration_answers_and_stops(process: subprocess.Popen[str], number: int) -> None:
    assert process.stdout is not None
    text = ""
    while "heartbeat_timeout" not in text:
        line = process.stdout.readline()
        assert line
        text += line
    config = yaml.safe_load(text)
    assert len(config["meshes"][0]["urls"]) == 2
    for url in (f"{config['meshes'][0]['urls'][1]}/api/status", f"{config['stores'][0]['url']}/v1/agl/workers"):
        assert url.startswith("http://127.0.0.1:")
        with urlopen(url, timeout=PATIENCE) as answer:
            assert answer.status == 200
    process.send_signal(number)
    assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize(
    ("flag", "value", "status", "message"),
    [
        ("--nodes", "0", 2, "rollcall: nodes: expected at least 1, got 0\n"),
        ("--split", "1", 2, "rollcall: split: expected 0 or at least 2, got 1\n"),
        ("--speed", "nan", 2, "rollcall: speed: expected 0.01 to 100, got nan\n"),
        ("--store-version", "2", 2, "rollcall: store_version: expected 0.3 or 1, got '2'\n"),
    ],
)
def test_bad_numbers_are_wrong_usage(flag: str, value: str, status: int, message: str) -> None:
    done = subprocess.run([*COMMAND, flag, value], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", message)


def test_a_taken_port_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        arguments = [*COMMAND, "--mesh-port", str(taken.getsockname()[1])]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "rollcall: cannot listen on 127.0.0.1: Address already in use\n"
