"""Agent Lightning's own client, and a runner's heartbeats, cannot tell the registry from a store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.real.lightning import PYTHON, Lightning
from tests.real.process import Process, missing, wait_until
from tests.real.rollcall import Rollcall

SCRIPT = Path(__file__).parent / "registry_client.py"
CONFIGURATION = "host: {enabled: false}\ngpu: {enabled: false}\nregistry: {enabled: true, fleet: local}\n"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rollcall]:
    with Rollcall(tmp_path_factory.mktemp("registry"), CONFIGURATION) as started:
        yield started


def talk(urls: list[str], folder: Path) -> list[dict[str, Any]]:
    """What the client says of each server."""
    if not Path(PYTHON).exists():
        missing(f"no agentlightning 0.3.0: expected an interpreter that has it at {PYTHON}")
    # litellm, which agentlightning imports, asks the internet for prices unless told otherwise.
    environ = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    with Process([PYTHON, str(SCRIPT), *urls], folder / "client.log", environ) as process:
        assert process.wait(180) == 0, process.output()
        said: list[dict[str, Any]] = [json.loads(line) for line in process.output().splitlines() if line[:1] == "{"]
    for worker in [each for answers in said for each in answers.values() if isinstance(each, dict)]:
        worker["last_heartbeat_time"] = worker["last_heartbeat_time"] > 1e9
    return said


def test_the_client_says_the_same_of_both(registry: Rollcall, store: Lightning, tmp_path: Path) -> None:
    said, expected = talk([registry.url, store.url], tmp_path)
    assert said == expected
    assert (said["health"], said["unknown"], said["refused"], said["statistics"]) == (True, None, 400, 2)
    assert (
        said["without stats"]["heartbeat_stats"]
        == said["by id"]["heartbeat_stats"]
        == {"cpu_usage_pct": 1.5, "x": [None]}
    )
    assert said["sorted"] == [["client-2", "client-1"], -1, 0, 2]
    for mode in ("asyncio", "thread"):
        worker, beats, stats = said[f"runner, {mode}"]
        assert (worker.startswith("Worker-"), beats) == (True, 3)
        assert "mem_used_gb" in stats
    wait_until(lambda: _memory(registry), "a runner's memory in the metrics")


def _memory(registry: Rollcall) -> bool:
    samples = registry.scrape()
    return bool(samples.value("rollcall_worker_memory_total_bytes", fleet="local", worker="Worker-1"))
