"""Why a node is in its state, asked of a running exporter by its command and its API."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import yaml

from exporter.demo import Demo, DemoOptions
from tests.real.process import free_port, wait_until
from tests.real.rollcall import Rollcall


def explain(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `rollcall explain node`."""
    command = [sys.executable, "-m", "exporter.cli", "explain", "node", *arguments, "--url", url]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_node_is_explained_as_it_is_exposed(tmp_path: Path) -> None:
    with Demo(DemoOptions(nodes=4, workers=1, consoles=2, mesh_port=0, store_port=0, calm=True)) as demo:
        tree = yaml.safe_load(demo.configuration()) | {"host": {"enabled": False}, "gpu": {"enabled": False}}
        with Rollcall(tmp_path, yaml.safe_dump(tree)) as rollcall:
            found = wait_until(
                lambda: {labels["node"]: labels for labels, _ in rollcall.scrape().find("rollcall_node_info")}, "nodes"
            )
            for node, labels in found.items():
                answer = rollcall.get(f"/api/v1/nodes/{node}")
                assert answer.headers["content-type"] == "application/json"
                said = answer.json()
                assert [said[name] for name in ("fleet", "node", "hostname", "basis")] == [
                    labels[name] for name in ("fleet", "node", "hostname", "basis")
                ]
                assert said["present"]
                assert [each["fresh"] for each in said["views"]] == [True, True]
            node, labels = next(iter(found.items()))
            text = explain(rollcall.url, labels["hostname"], "--fleet", labels["fleet"])
            assert (text.returncode, text.stderr) == (0, "")
            assert text.stdout.startswith(f"{node} ({labels['hostname']}) of fleet {labels['fleet']}: ")
            assert "\x1b" not in text.stdout
            assert json.loads(explain(rollcall.url, node, "--json").stdout)["node"] == node
            unknown = explain(rollcall.url, node[:4])
            assert (unknown.returncode, unknown.stdout) == (1, "")
            assert unknown.stderr.startswith(f"rollcall: expected the id or host name of a node, got '{node[:4]}'")
            assert node in unknown.stderr
            assert rollcall.get("/api/v1/nodes/nobody").status == 404
        assert "Traceback" not in rollcall.output()


def test_an_exporter_that_does_not_answer_is_one_line() -> None:
    ended = explain(f"http://127.0.0.1:{free_port()}", "x")
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("rollcall: cannot ask http://127.0.0.1:")
    assert line.endswith("Connection refused")
