"""An agent's worker in a real Prometheus, through the registry of a real exporter: busy, then gone, or unknown.

The times are 1/9 of those that people use (heartbeat timeout 45 s) unless ROLLCALL_FULL=1.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.real.agents import Agent
from tests.real.monitoring import Prometheus, adapt
from tests.real.process import wait_until
from tests.real.rollcall import Rollcall
from tests.real.scale import LONG, SCALE

pytestmark = pytest.mark.timeout(LONG)

BUSY_MACHINE = 10.0
"""Seconds that a read, a scrape and a query may be late together, on a machine that is busy with other things."""


RUNS = "15"
"""Seconds for which a program runs, so that a read and a scrape that are late still see it."""


class Watched(NamedTuple):
    """An exporter, and the Prometheus that scrapes it every second."""

    rollcall: Rollcall
    prometheus: Prometheus

    def now(self, name: str, **labels: str) -> list[dict[str, str]]:
        """The labels of the series of a name that are 1 now."""
        return [series["metric"] for series in self.prometheus.query(f"{_selector(name, labels)} == 1")]

    def ever(self, name: str, **labels: str) -> list[tuple[float, float]]:
        """Time and value of all samples that there were of the only series of a name."""
        found: list[Any] = self.prometheus.query(f"{_selector(name, labels)}[1h]")
        assert len(found) <= 1, found
        return [(at, float(value)) for series in found for at, value in series["values"]]


def _selector(name: str, labels: dict[str, str]) -> str:
    return name + "{" + ",".join(f'{label}="{value}"' for label, value in labels.items()) + "}"


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("agents")
    silence = f"{SCALE.heartbeat_timeout * 1000:.0f}ms"
    configuration = f"""
        host: {{enabled: false}}
        gpu: {{enabled: false}}
        registry: {{fleet: runners, heartbeat_timeout: {silence}}}
    """
    with Rollcall(folder, configuration) as rollcall:
        adapt(folder, [rollcall.url.removeprefix("http://")], None, hold=SCALE.hold, keep=SCALE.hold)
        with Prometheus(folder) as prometheus:
            yield Watched(rollcall, prometheus)


def test_a_program_is_busy_while_it_runs_and_then_gone_without_a_tombstone(watched: Watched, tmp_path: Path) -> None:
    with Agent(tmp_path, watched.rollcall.url, "--worker-id", "sleeps", program=["sleep", RUNS]) as agent:
        wait_until(
            lambda: watched.now("rollcall_worker_status", worker="sleeps", status="busy"), "a busy worker in Prometheus"
        )
        assert watched.now("rollcall_worker_assignment", worker="sleeps", fleet="runners")
        assert agent.wait() == 0
        assert agent.output() == ""
    wait_until(lambda: not watched.now("rollcall_worker_info", worker="sleeps"), "no worker in Prometheus")
    scraped = len(watched.ever("up", job="rollcall"))
    wait_until(lambda: len(watched.ever("up", job="rollcall")) > scraped + 3, "more scrapes")
    assert {value for _, value in watched.ever("rollcall_worker_present", worker="sleeps")} == {1.0}
    assert not watched.prometheus.query('{worker="sleeps"}')
    assert {value for _, value in watched.ever("rollcall_worker_status", worker="sleeps", status="unknown")} == {0.0}
    assert watched.now("rollcall_source_up", kind="registry")


def test_an_agent_that_is_killed_is_unknown_within_the_timeout(watched: Watched, tmp_path: Path) -> None:
    command = ["sh", "-c", "echo $$; exec sleep 600"]
    with Agent(tmp_path, watched.rollcall.url, "--worker-id", "killed", program=command) as agent:
        wait_until(
            lambda: watched.now("rollcall_worker_status", worker="killed", status="busy"), "a busy worker in Prometheus"
        )
        pid = int(wait_until(agent.output, "the pid of the program"))
        try:
            agent.send(signal.SIGKILL)
            agent.wait()
            wait_until(
                lambda: watched.now("rollcall_worker_status", worker="killed", status="unknown"),
                "an unknown worker in Prometheus",
                SCALE.heartbeat_timeout + 60,
            )
        finally:
            os.kill(pid, signal.SIGTERM)
    assert watched.now("rollcall_worker_unknown_reason", worker="killed", reason="silent")
    assert watched.now("rollcall_worker_status_overridden", worker="killed", reported="busy")
    unknown = watched.ever("rollcall_worker_status", worker="killed", status="unknown")
    first = next(at for at, value in unknown if value == 1)
    heard = max(value for _, value in watched.ever("rollcall_worker_last_heartbeat_timestamp_seconds", worker="killed"))
    after, timeout = first - heard, SCALE.heartbeat_timeout
    print(f"unknown in Prometheus {after:.2f} s after the last heartbeat, with a timeout of {timeout:g} s")
    assert timeout < after < timeout + BUSY_MACHINE
