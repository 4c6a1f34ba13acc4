"""Clocks that jump: nobody changes, nobody is silent, nothing is in the future, and every timer goes on."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from exporter.records import Worker
from tests.promises.recording import Measured
from tests.unit.ledgers import HOUR, mesh, opened, present, since, transitions
from tests.unit.registry_files import NOW
from tests.unit.registry_life import Clock, statuses
from tests.unit.registry_life import since as since_now
from tests.unit.test_registry_restart import ALIVE, lived

EXPORTER = Path(__file__).parents[2] / "exporter"
YEAR = 365.25 * 24 * HOUR
JUMPS = {"1 h ahead": HOUR, "1 h back": -HOUR, "1 year ahead": YEAR, "1 year back": -YEAR}


@pytest.mark.promise("State", "A clock that jumps {jump} changes nothing in the ledger, and no age is negative")
@pytest.mark.parametrize("jump", JUMPS)
def test_the_ledger_of_a_clock_that_jumps(jump: str, tmp_path: Path, measured: Measured) -> None:
    now = NOW
    ledger = opened(tmp_path)
    ledger.observe({"eu": mesh({"a": "standby", "b": "standby", "c": "standby"})}, now)
    ledger.observe({"eu": mesh({"a": "serving", "b": "standby"})}, now + 10)
    now += 20 + JUMPS[jump]
    ages = []
    for start in range(2):
        ledger.went_back(now)
        for second in range(10):
            shown = ledger.observe({"eu": mesh({"a": "serving", "b": "standby"})}, now + second)["eu"]
            assert transitions(shown) == {("standby", "serving"): 1}
            assert present(shown) == {"a": 1, "b": 1, **({} if JUMPS[jump] > 0 else {"c": 0})}, f"start {start}"
            ages += [now + second - at for at in since(shown).values() if at is not None]
        ledger.close()
        ledger = opened(tmp_path)
    negative = [age for age in ages if age < 0]
    measured("negative ages", len(negative), "")
    assert ages
    assert not negative
    ledger.close()


@pytest.mark.promise(
    "State", "A clock that jumps {jump} makes no worker of the registry silent, and no age is negative"
)
@pytest.mark.parametrize("jump", JUMPS)
def test_the_registry_of_a_clock_that_jumps(jump: str, tmp_path: Path, measured: Measured) -> None:
    clock = Clock()
    life = lived(tmp_path, clock)
    clock.now += JUMPS[jump]
    clock.jumped += JUMPS[jump]
    tables = life.read()
    assert statuses(tables) == {"dead": "unknown silent", "busy": "busy", "idle": "idle"}
    assert transitions(tables) == {("busy", "unknown"): 1}
    tables = life.run(100, *ALIVE)
    assert statuses(tables) == {"dead": "unknown silent", "busy": "busy", "idle": "idle"}
    assert transitions(tables) == {("busy", "unknown"): 1}
    ages = [clock.now - NOW - at for at in since_now(tables).values() if at is not None]
    ages += [clock.now - row.last_heartbeat for row in tables[Worker] if isinstance(row, Worker)]
    negative = [age for age in ages if age < 0]
    measured("negative ages", len(negative), "")
    assert len(ages) == 6
    assert not negative
    life.die()


WALL = {
    "agent/snapshot.py": "the time of a snapshot",
    "once.py": "when a source answered, in what one look tells",
    "poller.py": "when a source answered last, and since when a state is held",
    "registry/writer.py": "the times of heartbeats; what tells its jumps from silence is monotonic",
    "reload.py": "when the configuration was loaded last",
    "serve.py": "the ages in explanations, and the time of an overview",
    "sources/agent_lightning.py": "a store that sends no Date",
    "sources/lightning.py": "a store that sends no Date",
    "sources/registry.py": "the times of heartbeats; what tells its jumps from silence is monotonic",
}
"""Who asks for Unix time, and what for; what waits, expires or is due by it would follow its jumps."""


@pytest.mark.promise(
    "State", "Deadlines, intervals and waits are on a monotonic clock: Unix time is asked for nothing else"
)
def test_who_asks_for_unix_time(measured: Measured) -> None:
    found = set()
    for path in EXPORTER.rglob("*.py"):
        if path.relative_to(EXPORTER).parts[0] != "demo":
            names = {ast.unparse(node) for node in ast.walk(ast.parse(path.read_text("utf-8"))) if _names_a_clock(node)}
            found |= {str(path.relative_to(EXPORTER))} if names else set()
    assert found == set(WALL)
    measured("places that ask for Unix time", len(found), "")


def _names_a_clock(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and ast.unparse(node) in ("time.time", "time.time_ns", "datetime.now")
