"""The registry killed with SIGKILL while workers write, and written by two processes: nothing acknowledged is lost.

20 kills and 5 s unless ROLLCALL_FULL=1: then 200 and 60 s.
"""

from __future__ import annotations

import json
import random
import sqlite3
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pytest

from exporter.registry.reader import Reader
from exporter.registry.schema import FILE
from exporter.registry.store import RegistryStore
from tests.promises.recording import Measured
from tests.real.process import Process, wait_until
from tests.real.registry_beats import SHARED
from tests.real.scale import FULL

KILLS = 200 if FULL else 20
TOGETHER = 60.0 if FULL else 5.0

pytestmark = pytest.mark.timeout(1200 if FULL else 180)


class Beat(NamedTuple):
    """A heartbeat that was acknowledged: the registry's time of it, and its number."""

    at: float
    number: int


def started(folder: Path, log: Path, name: str, first: int, threads: int, seconds: float) -> Process:
    """A process that sends heartbeats."""
    told = [str(each) for each in (folder, name, first, threads, seconds)]
    return Process([sys.executable, "-m", "tests.real.registry_beats", *told], log)


def lines(log: Path) -> list[str]:
    """The whole lines that a process has printed."""
    return log.read_text().split("\n")[:-1]


def acknowledged(printed: Iterable[str]) -> dict[str, Beat]:
    """By worker the last heartbeat that was acknowledged; every line must be one."""
    found: dict[str, Beat] = {}
    for line in printed:
        word, *rest = line.split(" ")
        assert word == "beat", line
        worker, number, at = rest
        found[worker] = max(Beat(float(at), int(number)), found.get(worker, Beat(0.0, 0)))
    return found


def kept(folder: Path) -> dict[str, Beat]:
    """By worker the heartbeat that the file holds, after SQLite's own check of all of it."""
    store = RegistryStore.open(folder, most=10_000, per_client=10_000)
    held = [worker for _, worker in store.page(0, 10_000)]
    assert len(held) == store.count()
    store.close()
    connection = sqlite3.connect(folder / FILE)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    return {
        worker.worker_id: Beat(worker.last_heartbeat or 0.0, json.loads(worker.stats or b"")["number"])
        for worker in held
    }


@pytest.mark.promise(
    "State", "A registry killed with SIGKILL while it is written keeps what it acknowledged, and is sound"
)
def test_kills_under_load_lose_nothing_that_was_acknowledged_and_corrupt_nothing(
    tmp_path: Path, measured: Measured
) -> None:
    chance = random.Random(KILLS)
    folder = tmp_path / "state"
    last: dict[str, Beat] = {}
    beats = 0
    for number in range(KILLS):
        log = tmp_path / f"beats-{number}.log"
        with started(folder, log, "w", number * 1_000_000, 4, 1e6) as process:
            if chance.random() < 0.3:
                time.sleep(chance.uniform(0.0, 1.0))
            else:
                wanted = chance.randint(1, 1500)
                wait_until(lambda: process.ended() or len(lines(log)) >= wanted, f"{wanted} heartbeats")  # noqa: B023
                time.sleep(chance.uniform(0.0, 0.01))
            process.process.kill()
            process.wait()
        last |= acknowledged(lines(log))
        beats += len(lines(log))
        held = kept(folder)
        lost = {worker: beat for worker, beat in last.items() if worker not in held or held[worker].at < beat.at}
        assert lost == {}, f"after kill {number}"
    assert beats > 100 * KILLS
    measured("kills", KILLS, "")
    measured("acknowledged heartbeats, none lost", beats, "")


def test_two_processes_on_one_file_lose_nothing_and_wait_for_each_other(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    logs = {name: tmp_path / f"{name}.log" for name in ("one", "two")}
    first, second = (started(folder, log, name, 1, 4, TOGETHER) for name, log in logs.items())
    pages = 0
    with first, second:
        wait_until(lambda: all(log.exists() and lines(log) for log in logs.values()), "heartbeats of both")
        reader = Reader(folder / FILE)
        while first.process.poll() is None or second.process.poll() is None:
            reader.page(0, 500)
            pages += 1
            time.sleep(0.02)
        reader.close()
        assert (first.wait(), second.wait()) == (0, 0)
    held = kept(folder)
    printed = {name: lines(log) for name, log in logs.items()}
    assert [each[-1] for each in printed.values()] == ["end", "end"]
    told = {name: acknowledged(each[:-1]) for name, each in printed.items()}
    assert set(held) == set(told["one"]) | set(told["two"])
    for beats in told.values():
        assert {worker: held[worker] for worker in beats if worker != SHARED} == {
            worker: beat for worker, beat in beats.items() if worker != SHARED
        }
    assert held[SHARED].at in {beats[SHARED].at for beats in told.values()}
    print(f"{TOGETHER:g} s: {[len(each) - 1 for each in printed.values()]} heartbeats, read {pages} times meanwhile")
