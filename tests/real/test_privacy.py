"""`rollcall serve` with hidden names: canaries as node ids and host names are nowhere, and everything still joins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.promises.recording import Measured
from tests.real.process import wait_until
from tests.real.rollcall import OPENMETRICS, TEXT, Rollcall
from tests.real.web import Answer, Asked, WebServer, ask

CAPTURED = Path(__file__).parents[1] / "golden/mesh-llm-0.66.0/status-serving.json"
CANARY = "canary"


def payload() -> bytes:
    """A captured status in which every node id and host name bears the canary, and which lists a wakeable node."""
    said = json.loads(CAPTURED.read_text())
    said |= {"node_id": CANARY + said["node_id"], "my_hostname": "canary-me.example"}
    said["peers"] = [
        {**peer, "id": CANARY + peer["id"], "hostname": f"canary-{number}.example"}
        for number, peer in enumerate(said["peers"])
    ]
    said["wakeable_nodes"] = [{"logical_id": "canary-asleep", "state": "sleeping", "models": ["m"]}]
    return json.dumps(said).encode()


def configuration(folder: Path, port: int, privacy: str) -> str:
    entries = [
        {"logical_id": "canary-awake", "becomes": {"hostname": "canary-me.example"}, "state": "sleeping"},
        {"logical_id": "canary-0.example", "state": "sleeping"},
    ]
    (folder / "wakeable.yaml").write_text(yaml.safe_dump(entries))
    urls = [f"http://127.0.0.1:{port}", f"http://canary.localhost:{port}"]
    said = {
        "privacy": privacy,
        "registry": {"enabled": False},
        "host": {"enabled": False},
        "gpu": {"enabled": False},
        "meshes": [{"fleet": "eu", "urls": urls, "interval": "200ms", "timeout": "2s"}],
        "inventories": [{"fleet": "eu", "file": str(folder / "wakeable.yaml"), "interval": "200ms"}],
    }
    return yaml.safe_dump(said)


def seen(rollcall: Rollcall) -> tuple[dict[str, bytes], str, str]:
    """Every output of an exporter that has read everything, and the node and host name of the console itself."""
    wait_until(lambda: rollcall.get("/-/ready").status == 200, "every source to be read")
    rows = wait_until(
        lambda: [labels for labels, _ in rollcall.scrape().find("rollcall_node_info") if labels["basis"] == "self"],
        "the console's own node",
    )
    node, host = rows[0]["node"], rows[0]["hostname"]
    samples = rollcall.scrape()
    asleep = sum(1 for _ in samples.find("rollcall_wakeable_info"))
    assert asleep == 2, "the entry that becomes a live node is awake"
    shown = {accept: rollcall.get("/metrics", accept).body for accept in (TEXT, OPENMETRICS)}
    shown["page"] = rollcall.get("/").body
    shown["status"] = rollcall.get("/api/v1/status").body
    for name in (node, host, "nothing"):
        shown[f"explain {name}"] = rollcall.get(f"/api/v1/nodes/{name}").body
        shown[f"page of {name}"] = rollcall.get(f"/nodes/{name}").body
    shown["reload"] = ask(rollcall.url + "/-/reload", method="POST").body
    return shown, node, host


@pytest.mark.promise("Secrets", "With privacy {mode}, no canary of a node, host or console is in any output or file")
@pytest.mark.parametrize("mode", ["hash", "alias"])
def test_no_name_comes_out(mode: str, tmp_path: Path, measured: Measured) -> None:
    body = payload()

    def console(asked: Asked) -> Answer:
        return Answer(200, body) if asked.target == "/api/status" else Answer(404, f"no {CANARY} here".encode())

    with WebServer(console) as server:
        text = configuration(tmp_path, server.port, mode)
        lives = []
        for _ in range(2):
            with Rollcall(tmp_path, text, "--log.level", "debug") as rollcall:
                shown, *called = seen(rollcall)
                assert json.loads(shown[f"explain {called[0]}"])["views"], "the node is explained"
                log = rollcall.output()
            (tmp_path / "rollcall.log").unlink()
            lives.append(called)
            for place, told in {**shown, "log": log.encode()}.items():
                assert CANARY.encode() not in told, place
    assert lives[0] == lives[1], "the same names after a restart"
    files = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert all(CANARY.encode() not in path.read_bytes() for path in files)
    assert (tmp_path / "state" / mode / "rollcall.db") in files
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    measured("outputs", len(shown) + 1, "")
    measured("files", len(files), "")


def test_raw_names_are_shown(tmp_path: Path) -> None:
    with (
        WebServer(lambda _: Answer(200, payload())) as server,
        Rollcall(tmp_path, configuration(tmp_path, server.port, "raw"), "--log.level", "debug") as rollcall,
    ):
        shown, node, _ = seen(rollcall)
        log = rollcall.output()
    assert node.startswith(CANARY)
    quiet = {place for place, told in {**shown, "log": log.encode()}.items() if CANARY.encode() not in told}
    assert quiet <= {"reload", "explain nothing", "page of nothing"}, "the test looks where names are shown"
