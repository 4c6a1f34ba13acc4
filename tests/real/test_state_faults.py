"""A running exporter whose disk is full, whose state directory goes, that is stopped: what it says, and keeps."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.promises.recording import Measured
from tests.real.process import wait_until
from tests.real.rollcall import Rollcall
from tests.real.web import Answer, Asked, WebServer, post

PEERS = 200
ROOM = 2**17
"""Bytes that a file may have while the disk is full."""

STATS = {"filling": "x" * 9000}


class Mesh:
    """A console whose peers all change when a test says so."""

    def __init__(self) -> None:
        self.state = "standby"

    def __call__(self, _: Asked) -> Answer:
        peers = [{"id": f"peer-{number}", "state": self.state, "rtt_ms": 1.0} for number in range(PEERS)]
        return Answer(200, json.dumps({"node_id": "a", "node_state": "standby", "peers": peers}).encode())

    def change(self) -> None:
        self.state = "serving" if self.state == "standby" else "standby"


@contextmanager
def exporting(folder: Path, mesh: Mesh) -> Iterator[Rollcall]:
    with WebServer(mesh) as console:
        timing = {"interval": "100ms", "timeout": "2s", "stale_after": "3s"}
        tree = {
            "meshes": [{"fleet": "eu", "urls": [console.url], **timing}],
            "registry": {"fleet": "own"},
            "host": {"enabled": False},
            "gpu": {"enabled": False},
        }
        (folder / "rollcall.log").unlink(missing_ok=True)
        with Rollcall(folder, yaml.safe_dump(tree)) as rollcall:
            wait_until(lambda: changes(rollcall) is not None, "the mesh")
            yield rollcall


def changes(rollcall: Rollcall) -> float | None:
    """How often nodes went from standby to serving so far; None before the mesh was read."""
    steps = rollcall.scrape().find(
        "rollcall_node_state_transitions_total", fleet="eu", to="serving", **{"from": "standby"}
    )
    return next((count for _, count in steps), None)


def beat(rollcall: Rollcall, worker: str) -> int:
    """Send a heartbeat; its status."""
    return post(f"{rollcall.url}/v1/agl/workers/{worker}", {"heartbeat_stats": STATS}).status


def available(rollcall: Rollcall) -> float | None:
    return rollcall.scrape().value("rollcall_ledger_available")


def assert_serving(rollcall: Rollcall) -> None:
    """It exposes what it reads, whatever its disk does."""

    def shown() -> bool:
        samples = rollcall.scrape()
        nodes = len(list(samples.find("rollcall_node_info", fleet="eu")))
        return samples.value("rollcall_source_up", fleet="eu") == 1 and nodes == PEERS + 1

    wait_until(shown, "all nodes of a source that is up")


@pytest.mark.promise(
    "State", "On a full disk scrapes go on; what cannot be kept is said, not acknowledged, and taken up again"
)
def test_a_full_disk(tmp_path: Path, measured: Measured) -> None:
    mesh = Mesh()
    with exporting(tmp_path, mesh) as rollcall:
        assert (available(rollcall), beat(rollcall, "w-0")) == (1, 200)
        pid = rollcall.process.pid
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (ROOM, hard))

        def kept() -> bool:
            mesh.change()
            return available(rollcall) == 1

        acknowledged = ["w-0"]
        wait_until(lambda: not kept(), "the ledger not to be available")
        wait_until(lambda: not _acknowledged(rollcall, acknowledged), "a heartbeat that is not acknowledged")
        wait_until(lambda: rollcall.scrape().value("rollcall_source_up", fleet="own") == 0, "the registry to be down")
        assert_serving(rollcall)
        began = time.monotonic()
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
        wait_until(lambda: beat(rollcall, "w-after") == 200, "a heartbeat that is acknowledged")
        measured("heartbeats acknowledged again after", time.monotonic() - began, "s")
        rollcall.send(signal.SIGKILL)
        rollcall.wait()
    with exporting(tmp_path, mesh) as rollcall:
        listed = json.loads(rollcall.get("/v1/agl/workers").body)["items"]
        lost = {*acknowledged, "w-after"} - {worker["worker_id"] for worker in listed}
        measured("acknowledged heartbeats lost", len(lost), "")
        assert not lost
        assert available(rollcall) == 1


def _acknowledged(rollcall: Rollcall, acknowledged: list[str]) -> bool:
    worker = f"w-{len(acknowledged)}"
    status = beat(rollcall, worker)
    assert status in (200, 503)
    if status == 200:
        acknowledged.append(worker)
    return status == 200


@pytest.mark.promise(
    "State", "A state directory that is removed is noticed: the ledger is written anew, heartbeats get a 503"
)
def test_a_state_directory_that_is_removed(tmp_path: Path, measured: Measured) -> None:
    mesh = Mesh()
    with exporting(tmp_path, mesh) as rollcall:
        assert beat(rollcall, "w") == 200
        mesh.change()
        wait_until(lambda: changes(rollcall) == PEERS, "the peers to serve")
        began = time.monotonic()
        shutil.rmtree(tmp_path / "state")
        assert beat(rollcall, "w") == 503
        wait_until(lambda: (tmp_path / "state" / "rollcall.db").exists(), "a new ledger")
        measured("a new ledger after", time.monotonic() - began, "s")
        wait_until(lambda: rollcall.scrape().value("rollcall_source_up", fleet="own") == 0, "the registry to be down")
        assert_serving(rollcall)
        assert available(rollcall) == 1
        rollcall.send(signal.SIGKILL)
        rollcall.wait()
    with exporting(tmp_path, mesh) as rollcall:
        measured("transitions lost", PEERS - (changes(rollcall) or 0), "")
        assert changes(rollcall) == PEERS
        assert beat(rollcall, "w") == 200


@pytest.mark.promise(
    "State", "A process that is stopped for longer than an answer counts makes no transition when it goes on"
)
def test_a_process_that_is_stopped(tmp_path: Path, measured: Measured) -> None:
    mesh = Mesh()
    with exporting(tmp_path, mesh) as rollcall:
        assert beat(rollcall, "w") == 200
        before = since(rollcall)
        rollcall.send(signal.SIGSTOP)
        time.sleep(4)
        began = time.monotonic()
        rollcall.send(signal.SIGCONT)
        wait_until(lambda: since(rollcall) == before, "the same as before")
        measured("all nodes shown again after", time.monotonic() - began, "s")
        assert_serving(rollcall)
        assert changes(rollcall) == 0
        assert beat(rollcall, "w") == 200


def since(rollcall: Rollcall) -> dict[str, float]:
    """Since when each node is as it is."""
    found = rollcall.scrape().find("rollcall_node_state_since_timestamp_seconds", fleet="eu")
    return {labels["node"]: value for labels, value in found}
