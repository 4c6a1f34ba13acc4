"""Signals and stops between a program and whoever started it, without a program."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from signal import Signals
from typing import NamedTuple

import pytest

from exporter.agent.child import SI_KERNEL, WATCHED, Attendant, CommandError, System, spawn

CHILD, AGENT = 4000, 3000
SI_USER = 0


class Info(NamedTuple):
    si_signo: int
    si_code: int = SI_USER


def exited(code: int) -> int:
    return code << 8


def stopped(number: Signals) -> int:
    return number << 8 | 0x7F


CONTINUED = 0xFFFF
RUNNING = None


class World:
    """What happens: signals that come, each with what wait(2) says after it; `kills` are the signals sent.

    The first of `children` is what wait(2) says before any signal came.
    """

    def __init__(self, signals: Sequence[Info], children: Sequence[int | None], pid: int = AGENT) -> None:
        self.kills: list[tuple[int, Signals]] = []
        self.now = 100.0
        self.reaped: list[int] = []
        self.strangers = [5000, 5001] if pid == 1 else []
        self._signals = list(signals)
        self._children = list(children)
        self._fresh = True
        self.system = System(self._wait, self._reap, self._kill, lambda: pid, lambda: self.now)

    def run(self) -> int:
        return Attendant(CHILD, self.system).wait()

    def _wait(self, signals: frozenset[Signals]) -> Info:
        assert signals == WATCHED
        self._fresh = True
        return self._signals.pop(0)

    def _reap(self, whose: int, options: int) -> tuple[int, int]:
        assert options == os.WNOHANG | os.WUNTRACED | os.WCONTINUED
        if self.strangers:
            assert whose == -1
            return self.strangers.pop(), exited(0)
        status = self._children.pop(0) if self._fresh else None
        self._fresh = False
        return (0, 0) if status is None else (CHILD, status)

    def _kill(self, pid: int, number: int) -> None:
        self.kills.append((pid, Signals(number)))


CHLD = Info(signal.SIGCHLD)


@pytest.mark.parametrize(
    ("status", "code"),
    [(exited(0), 0), (exited(3), 3), (exited(255), 255), (signal.SIGKILL, 137), (signal.SIGTERM, 143)],
    ids=["success", "3", "255", "killed", "terminated"],
)
def test_the_exit_status_is_the_program_s(status: int, code: int) -> None:
    assert World([CHLD], [RUNNING, status]).run() == code
    assert World([], [status]).run() == code, "it had ended before anybody looked"


@pytest.mark.parametrize(
    "name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGCONT", "SIGTSTP"]
)
def test_a_signal_from_a_process_is_passed_on(name: str) -> None:
    world = World([Info(Signals[name]), CHLD], [RUNNING, RUNNING, exited(0)])
    assert world.run() == 0
    assert world.kills == [(CHILD, Signals[name])]


@pytest.mark.parametrize("name", ["SIGINT", "SIGQUIT", "SIGTSTP", "SIGWINCH", "SIGTTIN", "SIGTTOU"])
def test_what_a_terminal_sends_has_reached_the_program(name: str) -> None:
    world = World([Info(Signals[name], SI_KERNEL), CHLD], [RUNNING, RUNNING, exited(0)])
    assert world.run() == 0
    assert world.kills == []


@pytest.mark.parametrize("name", ["SIGHUP", "SIGCONT"])
def test_a_hang_up_reaches_the_leader_of_a_session_alone(name: str) -> None:
    world = World([Info(Signals[name], SI_KERNEL), CHLD], [RUNNING, RUNNING, exited(0)])
    assert world.run() == 0
    assert world.kills == [(CHILD, Signals[name])]


STOP_AND_GO_ON = [(AGENT, signal.SIGSTOP), (CHILD, signal.SIGCONT)]


@pytest.mark.parametrize(
    ("signals", "children"),
    [
        ([Info(signal.SIGTSTP, SI_KERNEL), CHLD, CHLD], [RUNNING, RUNNING, stopped(signal.SIGTSTP), exited(0)]),
        ([CHLD, Info(signal.SIGTSTP, SI_KERNEL), CHLD], [RUNNING, stopped(signal.SIGTSTP), RUNNING, exited(0)]),
        ([Info(signal.SIGTTIN, SI_KERNEL), CHLD, CHLD], [RUNNING, RUNNING, stopped(signal.SIGTTIN), exited(0)]),
        ([Info(signal.SIGTSTP, SI_KERNEL), CHLD, CHLD], [RUNNING, RUNNING, stopped(signal.SIGSTOP), exited(0)]),
    ],
    ids=["asked first", "stopped first", "reads a terminal in the background", "tidies up and stops itself"],
)
def test_a_program_that_stops_when_it_is_asked_stops_the_agent(signals: list[Info], children: list[int | None]) -> None:
    world = World(signals, children)
    assert world.run() == 0
    assert world.kills == STOP_AND_GO_ON


def test_a_program_that_ignores_a_stop_does_not_stop_the_agent() -> None:
    world = World([Info(signal.SIGTSTP, SI_KERNEL), CHLD], [RUNNING, RUNNING, exited(0)])
    assert world.run() == 0
    assert world.kills == []


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGTSTP])
def test_a_program_that_somebody_stops_on_its_own_does_not_stop_the_agent(number: Signals) -> None:
    world = World([CHLD, CHLD, CHLD], [RUNNING, stopped(number), CONTINUED, exited(0)])
    assert world.run() == 0
    assert world.kills == []


def test_a_stop_long_after_it_was_asked_for_is_another_one() -> None:
    class Later(World):
        def _wait(self, signals: frozenset[Signals]) -> Info:
            self.now += 20.0
            return super()._wait(signals)

    world = Later([Info(signal.SIGTSTP, SI_KERNEL), CHLD, CHLD], [RUNNING, RUNNING, stopped(signal.SIGSTOP), exited(0)])
    assert world.run() == 0
    assert world.kills == []


def test_the_first_process_of_a_container_reaps_orphans() -> None:
    world = World([CHLD], [RUNNING, exited(5)], pid=1)
    assert world.run() == 5
    assert world.strangers == []


@pytest.mark.parametrize(
    ("command", "status", "message"),
    [
        ("no-such-program", 127, "cannot run 'no-such-program': No such file or directory"),
        ("/no/such/program", 127, "cannot run '/no/such/program': No such file or directory"),
        ("", 127, "cannot run '': expected the name of a program"),
        ("/", 126, "cannot run '/': Permission denied"),
        (__file__, 126, f"cannot run {__file__!r}: Permission denied"),
    ],
)
def test_a_program_that_cannot_be_started(command: str, status: int, message: str) -> None:
    with pytest.raises(CommandError) as raised:
        spawn([command], set())
    assert (raised.value.status, str(raised.value)) == (status, message)


def test_a_script_without_an_interpreter_cannot_be_started(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("echo")
    script.chmod(0o755)
    with pytest.raises(CommandError, match="Exec format error") as raised:
        spawn([str(script)], set())
    assert raised.value.status == 126
