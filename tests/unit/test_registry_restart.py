"""What a registry's workers seem to do while it is away, stopped, or they left: nothing that they did not do."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.records.registry import Registered
from tests.unit.ledgers import present, transitions
from tests.unit.registry_files import NOW, ask, beat, leave, report
from tests.unit.registry_life import TIMEOUT, Clock, Life, since, statuses

DEAD = [beat("dead"), report("dead", "a", "running")]
ALIVE = [beat("busy"), report("busy", "b", "running"), beat("idle"), ask("idle")]


def lived(folder: Path, clock: Clock) -> Life:
    """A registry that has lived for 100 s, with one worker that died after the first."""
    life = Life(folder, clock)
    life.take(*DEAD, *ALIVE)
    tables = life.run(100, *ALIVE)
    assert statuses(tables) == {"dead": "unknown silent", "busy": "busy", "idle": "idle"}
    assert transitions(tables) == {("busy", "unknown"): 1}
    return life


@pytest.mark.parametrize("away", [0.0, 30.0, 44.0, 600.0, 1e6])
def test_a_restart_makes_no_transition(tmp_path: Path, away: float) -> None:
    clock = Clock()
    life = lived(tmp_path, clock)
    before = since(life.read())
    life.die()
    clock.now += away
    life = Life(tmp_path, clock)
    back = life.clock.now
    for seconds in (0, 10, 34):
        tables = life.run(seconds)
        assert statuses(tables) == {"dead": "unknown silent", "busy": "busy", "idle": "idle"}
        assert (since(tables), transitions(tables)) == (before, {("busy", "unknown"): 1})
    assert life.clock.now - back == 44
    tables = life.run(6, ALIVE[2])
    assert statuses(tables) == {"dead": "unknown silent", "busy": "unknown silent", "idle": "idle"}
    assert since(tables) == {**before, "busy": back + 46 - NOW}
    assert transitions(tables) == {("busy", "unknown"): 2}
    life.die()


def test_a_registry_that_never_wrote_when_it_listened_gives_everybody_time(tmp_path: Path) -> None:
    clock = Clock()
    life = Life(tmp_path, clock)
    life.take(*ALIVE)
    life.store._connection.execute("UPDATE heard SET at = NULL")
    life.die()
    clock.now += 1e6
    life = Life(tmp_path, clock)
    assert statuses(life.run(44)) == {"busy": "busy", "idle": "idle"}
    assert statuses(life.run(2)) == {"busy": "unknown silent", "idle": "unknown silent"}
    life.die()


def test_a_process_that_is_stopped_after_its_start_begins_anew(tmp_path: Path) -> None:
    clock = Clock()
    lived(tmp_path, clock).die()
    clock.now += 3600
    life = Life(tmp_path, clock)
    life.run(20)
    life.read(after=300)
    assert statuses(life.run(44)) == {"dead": "unknown silent", "busy": "busy", "idle": "idle"}
    assert statuses(life.run(2))["busy"] == "unknown silent"
    life.die()


@pytest.mark.promise("State", "The time in which the process was stopped makes no worker of the registry silent")
@pytest.mark.parametrize(("gap", "jump"), [(120.0, 0.0), (0.0, 1e6), (3600.0, 3600.0)])
def test_the_time_in_which_the_process_was_stopped_or_its_clock_jumped_is_no_silence(
    tmp_path: Path, gap: float, jump: float
) -> None:
    clock = Clock()
    life = lived(tmp_path, clock)
    clock.now += gap + jump
    clock.jumped += jump
    tables = life.run(44)
    assert statuses(tables) == {"dead": "unknown silent", "busy": "busy", "idle": "idle"}
    assert transitions(tables) == {("busy", "unknown"): 1}
    assert statuses(life.run(2)) == dict.fromkeys(("dead", "busy", "idle"), "unknown silent")
    life.die()


@pytest.mark.parametrize("gap", [12.0, 20.0, 40.0, 100.0])
def test_a_registry_that_is_hard_to_read_does_not_hide_its_dead(tmp_path: Path, gap: float) -> None:
    life = lived(tmp_path, Clock())
    died, reads = life.clock.now, 0
    while statuses(life.read(gap))["busy"] != "unknown silent":
        reads += 1
        assert reads < 10
    assert life.clock.now - died <= TIMEOUT + 3 * gap
    life.die()


def test_a_clock_that_goes_back_alarms_nobody(tmp_path: Path) -> None:
    clock = Clock()
    life = lived(tmp_path, clock)
    clock.now -= 50
    clock.jumped -= 50
    assert statuses(life.run(20, *ALIVE)) == {"dead": "unknown silent", "busy": "busy", "idle": "idle"}
    life.die()


def test_who_says_goodbye_leaves_no_trace(tmp_path: Path) -> None:
    life = lived(tmp_path, Clock())
    (last,) = life.take(leave("busy"))
    assert isinstance(last, Registered)
    tables = life.read(2)
    assert (present(tables), statuses(tables)) == (
        {"dead": 1, "idle": 1},
        {"dead": "unknown silent", "idle": "idle"},
    )
    life.take(report("busy", "c", "running"))
    assert since(life.read(2))["busy"] == life.clock.now - NOW
    life.die()


@pytest.mark.parametrize("away", [1.0, 1e6])
def test_who_said_goodbye_just_before_the_process_died_leaves_no_trace(tmp_path: Path, away: float) -> None:
    clock = Clock()
    life = lived(tmp_path, clock)
    life.take(leave("busy"))
    life.die()
    clock.now += away
    life = Life(tmp_path, clock)
    assert present(life.read()) == {"dead": 1, "idle": 1}
    life.die()


def test_who_is_dropped_for_its_silence_leaves_no_trace(tmp_path: Path) -> None:
    life = lived(tmp_path, Clock())
    assert life.store.drop_silent(life.clock.now, 60, NOW) == 1
    assert present(life.read(2)) == {"busy": 1, "idle": 1}
    life.die()


def test_who_vanishes_without_a_word_is_missed(tmp_path: Path) -> None:
    life = lived(tmp_path, Clock())
    life.store._connection.execute("DELETE FROM worker WHERE worker_id = 'busy'")
    assert present(life.read(2)) == {"dead": 1, "idle": 1, "busy": 0}
    life.die()
