"""An agent's program at a real terminal: what is typed there reaches it once, and a shell can stop and continue it."""

from __future__ import annotations

import os
import shlex
import signal
import sys

import pytest

from tests.real.agents import AGENT
from tests.real.process import program
from tests.real.terminal import terminal

AWAY = ["--registry", "http://127.0.0.1:9", "--log.level", "error"]
INTERRUPT, STOP, QUIT, END = b"\x03", b"\x1a", b"\x1c", b"\x04"


TELLS = """
import signal
numbers = {signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1}
signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
print("ready", flush=True)
number = None
while number != signal.SIGUSR1:
    number = signal.sigwait(numbers)
    print("got", signal.Signals(number).name, flush=True)
"""


@pytest.mark.parametrize(("key", "name"), [(INTERRUPT, "SIGINT"), (QUIT, "SIGQUIT")], ids=["Ctrl-C", "Ctrl-backslash"])
def test_a_key_reaches_the_program_once(key: bytes, name: str) -> None:
    """The agent is stopped until the program has it, and gets another signal behind it, which it has to pass on."""
    with terminal(*AGENT, *AWAY, "--", sys.executable, "-c", TELLS) as screen:
        screen.shows("ready")
        os.kill(screen.pid, signal.SIGSTOP)
        screen.type(key)
        screen.shows(f"got {name}")
        os.kill(screen.pid, signal.SIGUSR1)
        os.kill(screen.pid, signal.SIGCONT)
        assert screen.shows("got SIGUSR1").count("got") == 2
        assert screen.end() == 0


def test_an_interrupted_program_ends_with_130() -> None:
    with terminal(*AGENT, *AWAY, "--", "sh", "-c", "echo ready; exec sleep 600") as screen:
        screen.shows("ready")
        screen.type(INTERRUPT)
        assert screen.end() == 130


def test_a_shell_stops_its_job_and_goes_on_with_it() -> None:
    """A key that stops a job makes the terminal forget what was typed before, so each is pressed after an answer."""
    job = shlex.join([*AGENT, *AWAY, "--", "sh", "-c", 'echo "be""gun"; while read line; do echo "<$line>"; done'])
    with terminal(program("bash"), "--norc", "--noediting", "-i") as screen:
        screen.type(job.encode() + b"\n")
        screen.shows("begun")
        for stops in (1, 2):
            screen.type(STOP)
            screen.shows("Stopped", stops)
            screen.type(f"fg >/dev/null\nword {stops}\n".encode())
            screen.shows(f"<word {stops}>")
        screen.type(END)
        screen.type(b"echo $((6 * 7))\n")
        screen.shows("42")
        screen.type(b"exit 0\n")
        assert screen.end() == 0
