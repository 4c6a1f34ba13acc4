"""`rollcall agent` and `Worker` with the registry of a real exporter."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter.client import Worker
from tests.real.agents import Agent, run
from tests.real.process import free_port, wait_until
from tests.real.rollcall import Rollcall
from tests.real.web import answers, ask

SLEEP = ("sleep", "600")
QUIET = "host: {enabled: false}\ngpu: {enabled: false}\n"


@pytest.fixture(scope="module")
def rollcall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rollcall]:
    with Rollcall(tmp_path_factory.mktemp("registry"), QUIET) as started:
        yield started


def known(rollcall: Rollcall, worker: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = ask(f"{rollcall.url}/v1/agl/workers/{worker}").json()
    return found


def until(rollcall: Rollcall, worker: str, **fields: object) -> dict[str, Any]:
    """A worker once it is as expected."""

    def look() -> dict[str, Any] | None:
        found = known(rollcall, worker)
        return found if found and fields.items() <= found.items() else None

    return wait_until(look, f"{worker} with {fields}")


def test_what_a_worker_says_is_what_the_registry_holds(rollcall: Rollcall) -> None:
    with Worker("said", rollcall.url, interval=0.2) as worker:
        assert until(rollcall, "said", status="idle")["last_dequeue_time"] > 0
        worker.busy("r1", "a1")
        until(rollcall, "said", status="busy", current_rollout_id="r1", current_attempt_id="a1")
        worker.failed()
        until(rollcall, "said", status="idle", current_rollout_id=None, current_attempt_id=None)
        worker.dequeue(claimed=True)
        until(rollcall, "said", status="busy", current_rollout_id=None)
        worker.busy("r1", "a1")
        until(rollcall, "said", status="busy", current_rollout_id="r1")
        wait_until(lambda: (known(rollcall, "said") or {})["heartbeat_stats"], "a snapshot")
    assert known(rollcall, "said") is None


def test_an_agent_without_a_program_is_idle(rollcall: Rollcall, tmp_path: Path) -> None:
    with Agent(tmp_path, rollcall.url, "--worker-id", "machine") as agent:
        found = until(rollcall, "machine", status="idle")
        assert found["last_busy_time"] is None
        agent.send(signal.SIGTERM)
        assert agent.wait() == 0
    assert known(rollcall, "machine") is None
    assert "LightningStore" not in agent.output()


def test_a_registry_that_is_killed_and_comes_back_knows_its_workers(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    listen, name = ("--web.listen-address", address), ("--worker-id", "w")
    folder = tmp_path / "registry"
    folder.mkdir()
    with (
        Rollcall(folder, QUIET, *listen) as first,
        Agent(tmp_path, first.url, *name, program=["sleep", "600"]) as agent,
    ):
        before = until(first, "w", status="busy")
        first.send(signal.SIGKILL)
        first.wait()
        wait_until(lambda: "cannot report to" in agent.output(), "a line that says that it is away")
        with Rollcall(folder, QUIET, *listen) as second:
            wait_until(lambda: answers(f"{second.url}/v1/agl/health"), "the registry to answer again")
            assert until(second, "w", status="busy")["current_attempt_id"] == before["current_attempt_id"]
            wait_until(lambda: f"reports to http://{address} again" in agent.output(), "a line that it is back")
            agent.send(signal.SIGTERM)
            assert agent.wait() == 143
            assert known(second, "w") is None


def test_a_token_opens_the_registry(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    with Rollcall(tmp_path, f"{QUIET}registry: {{token_file: {token}}}\n") as guarded:
        refused = run("--registry", guarded.url, "--", "sleep", "0.5")
        assert refused.returncode == 0
        assert "got 401; it wants a token, or another one" in refused.stderr
        with Agent(tmp_path, guarded.url, "--token-file", str(token), "--worker-id", "w") as agent:

            def known_to_it() -> bool:
                headers = {"Authorization": "Bearer s3cret"}
                return b'"idle"' in ask(f"{guarded.url}/v1/agl/workers/w", headers=headers).body

            wait_until(known_to_it, "an idle worker")
            assert agent.output().count("\n") == 1, "one line that says who it is"
        assert "s3cret" not in agent.output() + guarded.output()
