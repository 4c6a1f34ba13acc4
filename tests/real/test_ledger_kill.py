"""The ledger killed with SIGKILL while a fleet changes: what was shown is in the file, and the file is sound."""

from __future__ import annotations

import json
import random
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from exporter.state.database import FILE, Database, Rows
from tests.promises.recording import Measured
from tests.real.process import Process, wait_until

KILLS = 50


def lines(log: Path) -> list[dict[str, Any]]:
    """The whole lines that the process has printed."""
    return [json.loads(line) for line in log.read_text().split("\n")[:-1]]


def churned(folder: Path, seed: int, log: Path, reads: int) -> list[dict[str, Any]]:
    """Run the churn until it has shown so many reads, kill it at once, and give what it showed."""
    command = [sys.executable, "-m", "tests.real.ledger_churn", str(folder), str(seed)]
    with Process(command, log) as process:

        def enough() -> bool:
            process.ended()
            return len(lines(log)) >= reads

        wait_until(enough, f"{reads} reads of the churn")
        process.process.kill()
        process.wait()
    return lines(log)


def kept(folder: Path) -> Rows:
    """What the file holds, after SQLite's own check of all of it."""
    database = Database.open(folder)
    rows = database.read()
    database.close()
    connection = sqlite3.connect(folder / FILE)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    return rows


def counts(rows: Rows) -> dict[str, int]:
    """The transitions that the file holds."""
    return {f"{origin}/{target}": count for _, _, origin, target, count in rows.steps}


@pytest.mark.promise("State", "A ledger killed with SIGKILL while it is written keeps what was shown, and stays sound")
def test_fifty_kills_in_mid_churn_lose_nothing_that_was_shown_and_corrupt_nothing(
    tmp_path: Path, measured: Measured
) -> None:
    chance = random.Random(50)
    folder = tmp_path / "state"
    before: dict[str, int] = {}
    for seed in range(1, KILLS + 1):
        shown = churned(folder, seed, tmp_path / f"churn-{seed}.log", chance.randint(1, 25))
        rows = kept(folder)
        first, last = shown[0], shown[-1]
        found = counts(rows)
        assert all(first["steps"].get(step, 0) >= count for step, count in before.items())
        assert all(found[step] >= count for step, count in last["steps"].items())
        held = {name: (state, since, gone) for _, _, name, state, since, gone, _ in rows.held}
        for node, (state, since) in last["there"].items():
            assert is_kept(held.get(node), state, since, last["now"]), f"{node}: {state} since {since}"
        assert {node for node in last["left"] if node not in held} == set()
        before = found
    assert sum(before.values()) > KILLS
    measured("kills", KILLS, "")
    measured("transitions, none lost", sum(before.values()), "")


def is_kept(held: tuple[str | None, float, float | None] | None, state: str, since: float, shown_at: float) -> bool:
    """Tell whether the file holds what was shown, or what the next read, not shown any more, made of it.

    A client that leaves is forgotten.
    """
    if held is None:
        return state == "client"
    return held == (state, since, None) or shown_at + 1 in held[1:]
