"""Why a node or a worker is as it is, asked of a running exporter by its command and its API."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import yaml

from exporter.demo import Demo, DemoOptions
from tests.real.process import free_port, wait_until
from tests.real.rollcall import Rollcall


def explain(url: str, *arguments: str, what: str = "node") -> subprocess.CompletedProcess[str]:
    """Run `rollcall explain`."""
    command = [sys.executable, "-m", "exporter.cli", "explain", what, *arguments, "--url", url]
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


def test_a_worker_is_explained_as_it_is_exposed(tmp_path: Path) -> None:
    with Demo(DemoOptions(nodes=1, workers=4, consoles=1, mesh_port=0, store_port=0, calm=True)) as demo:
        tree = yaml.safe_load(demo.configuration()) | {"host": {"enabled": False}, "gpu": {"enabled": False}}
        with Rollcall(tmp_path, yaml.safe_dump(tree)) as rollcall:

            def info() -> list[dict[str, str]]:
                return [labels for labels, _ in rollcall.scrape().find("rollcall_worker_info")]

            wait_until(lambda: len(info()) == 4, "four workers")
            for labels in info():
                said = rollcall.get(f"/api/v1/workers/{labels['worker']}").json()
                assert [said[name] for name in ("fleet", "worker", "host", "os")] == [
                    labels.get(name) for name in ("fleet", "worker", "host", "os")
                ]
                assert said["status"] in ("idle", "busy")
                assert (said["reason"], said["present"], said["fresh"]) == ("reported", True, True)
                assert [each["what"] for each in said["signs"] if each["newest"]]
                assert said["transitions_since"] is not None
                narrowed = rollcall.get(f"/api/v1/workers/{labels['worker']}?fleet={labels['fleet']}").json()
                assert narrowed["since"] is not None
            text = explain(rollcall.url, labels["worker"], what="worker")
            assert (text.returncode, text.stderr) == (0, "")
            assert text.stdout.startswith(f"{labels['worker']} ({labels['host']}) of fleet {labels['fleet']}: ")
            assert "store says  " in text.stdout
            assert "\x1b" not in text.stdout
            asked = json.loads(explain(rollcall.url, labels["worker"], "--json", what="worker").stdout)
            assert (asked["worker"], asked["source"]) == (labels["worker"], said["source"])
            unknown = explain(rollcall.url, labels["worker"] + "x", what="worker")
            assert (unknown.returncode, unknown.stdout) == (1, "")
            expected = (
                f"rollcall: expected the id of a worker, got '{labels['worker']}x', which none has; much like it: "
            )
            assert unknown.stderr.startswith(expected)
            assert rollcall.get("/api/v1/workers/nobody").status == 404
        assert "Traceback" not in rollcall.output()


def test_an_exporter_that_does_not_answer_is_one_line() -> None:
    ended = explain(f"http://127.0.0.1:{free_port()}", "x")
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("rollcall: cannot ask http://127.0.0.1:")
    assert line.endswith("Connection refused")
