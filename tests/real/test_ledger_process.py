"""The exporter as a process and its ledger: killed in the middle of states, and started on a file that is not sound."""

from __future__ import annotations

import signal
import stat
import time
from pathlib import Path

import pytest
import yaml

from exporter.demo import Demo, DemoOptions
from tests.real.process import wait_until
from tests.real.rollcall import Rollcall, Samples

Since = dict[tuple[str, str], float]


def since(samples: Samples) -> Since:
    """Since when every node and worker is as it is."""
    nodes = samples.find("rollcall_node_state_since_timestamp_seconds")
    workers = samples.find("rollcall_worker_status_since_timestamp_seconds")
    return {("node", labels["node"]): value for labels, value in nodes} | {
        ("worker", labels["worker"]): value for labels, value in workers
    }


def transitions(samples: Samples) -> dict[tuple[str, str, str], float]:
    """All transitions so far."""
    return {
        (name, labels["from"], labels["to"]): value
        for name in ("rollcall_node_state_transitions_total", "rollcall_worker_status_transitions_total")
        for labels, value in samples.find(name)
    }


def whole(rollcall: Rollcall, nodes: int, workers: int) -> Samples:
    """What it exposes once every node and worker is there."""

    def look() -> Samples | None:
        samples = rollcall.scrape()
        return samples if len(since(samples)) >= nodes + workers else None

    return wait_until(look, f"{nodes} nodes and {workers} workers")


def test_killed_in_the_middle_of_states_it_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    with Demo(DemoOptions(nodes=4, workers=6, speed=5, mesh_port=0, store_port=0)) as demo:
        tree = yaml.safe_load(demo.configuration())
        tree |= {"host": {"enabled": False}, "gpu": {"enabled": False}}
        for source in (*tree["meshes"], *tree["stores"]):
            source["interval"] = "200ms"
        configuration = yaml.safe_dump(tree)
        with Rollcall(tmp_path, configuration) as first:
            whole(first, 4, 6)
            wait_until(lambda: sum(transitions(first.scrape()).values()) > 3, "some transitions")
            before = first.scrape()
            killed = time.time()
            first.send(signal.SIGKILL)
            first.wait()
        assert before.value("rollcall_ledger_available") == 1
        (tmp_path / "rollcall.log").unlink()
        with Rollcall(tmp_path, configuration) as second:
            after = whole(second, 4, 6)
    went_on = [name for name, at in since(before).items() if since(after).get(name) == at]
    changed = [at for name, at in since(after).items() if name in since(before) and name not in went_on]
    assert went_on
    assert all(at > killed - 1 for at in changed)
    assert all(transitions(after)[step] >= count for step, count in transitions(before).items())


@pytest.mark.parametrize("content", [b"", b"state: lost\n" * 100], ids=["empty", "text"])
def test_on_a_file_that_is_not_sound_it_does_not_start(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "state" / "rollcall.db"
    file.parent.mkdir()
    file.write_bytes(content)
    with Rollcall(tmp_path, "meshes: []\n") as rollcall:
        assert rollcall.wait() == 2
        (line,) = rollcall.output().splitlines()
    assert line.startswith(f"rollcall: {file}: expected a ledger, got ")
    assert line.endswith(f"move {file}* away to start with nothing remembered")
    assert file.read_bytes() == content


def test_without_a_state_directory_it_serves_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with Rollcall(tmp_path, "host: {enabled: false}\nmeshes: [{fleet: a, urls: ['http://127.0.0.1:9']}]\n") as rollcall:
        wait_until(lambda: rollcall.scrape().value("rollcall_source_up", fleet="a") == 0, "a read")
        assert rollcall.scrape().value("rollcall_ledger_available") == 0
        assert f"the ledger is kept in memory only: {tmp_path / 'state' / 'rollcall.db'}" in rollcall.output()


@pytest.mark.promise("Access", "The state directory is made 0700, its files 0600; one that others may enter is told")
def test_a_state_directory_is_its_owners_own(tmp_path: Path) -> None:
    folder, configuration = tmp_path / "state", "host: {enabled: false}\nmeshes: []\n"
    with Rollcall(tmp_path, configuration) as first:
        assert first.get("/-/healthy").status == 200
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
        assert {"rollcall.db", "registry.db"} <= files.keys()
        assert set(files.values()) == {0o600}
        assert "0700" not in first.output()
    (tmp_path / "rollcall.log").unlink()
    folder.chmod(0o750)
    with Rollcall(tmp_path, configuration) as second:
        assert second.get("/-/healthy").status == 200
        assert f"{folder}: expected a state directory of mode 0700, got 0750; chmod 700 {folder}" in second.output()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o750
