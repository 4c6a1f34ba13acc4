"""An agent's program at a real terminal: what is typed there reaches it once, and a shell can stop and continue it."""

from __future__ import annotations

import contextlib
import os
import pty
import shlex
import signal
import sys
from collections.abc import Iterator, Sequence

import pytest

from tests.real.agents import AGENT, ROOT
from tests.real.process import program, wait_until

AWAY = ["--registry", "http://127.0.0.1:9", "--log.level", "error"]
INTERRUPT, STOP, QUIT, END = b"\x03", b"\x1a", b"\x1c", b"\x04"


class Terminal:
    """A terminal whose session a program leads."""

    def __init__(self, command: Sequence[str]) -> None:
        pid, self._master = pty.fork()
        if pid == 0:
            os.chdir(ROOT)
            os.execve(command[0], list(command), {"PATH": os.environ["PATH"], "PS1": "prompt> "})
        os.set_blocking(self._master, False)
        self.pid = pid
        self.status: int | None = None
        self._shown = b""

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._master, keys)

    def shows(self, text: str, times: int = 1) -> str:
        """Wait until it shows a text so often; gives everything shown so far."""
        wait_until(lambda: self._look().count(text) >= times, f"{text!r} at the terminal, which shows {self._shown!r}")
        return self._look()

    def end(self) -> int:
        """Wait for the program's end; gives its exit status."""
        return wait_until(self._ended, f"an end of the program, which shows {self._shown!r}") - 1

    def close(self) -> None:
        """Hang up, and end the program for certain."""
        os.close(self._master)
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def _look(self) -> str:
        # EIO is how Linux tells the end of the other side.
        with contextlib.suppress(BlockingIOError, OSError):
            self._shown += os.read(self._master, 65536)
        return self._shown.decode(errors="replace")

    def _ended(self) -> int | None:
        self._look()
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid == 0:
            return None
        self.status = os.waitstatus_to_exitcode(status)
        return self.status + 1


@contextlib.contextmanager
def terminal(*command: str) -> Iterator[Terminal]:
    started = Terminal(command)
    try:
        yield started
    finally:
        started.close()


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
