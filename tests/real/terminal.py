"""A pseudo-terminal whose session a program leads, as a person sees it and types there."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import termios
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.real.process import wait_until

ROOT = Path(__file__).parents[2]


class Terminal:
    """A terminal of so many lines and columns, whose session a program leads."""

    def __init__(self, command: Sequence[str], lines: int, columns: int) -> None:
        pid, self._master = pty.fork()
        if pid == 0:
            termios.tcsetwinsize(0, (lines, columns))
            os.chdir(ROOT)
            os.execve(command[0], list(command), {"PATH": os.environ["PATH"], "PS1": "prompt> "})
        os.set_blocking(self._master, False)
        self.pid = pid
        self.status: int | None = None
        self._shown = b""

    def resize(self, lines: int, columns: int) -> None:
        """Give it another size; what runs there is told."""
        termios.tcsetwinsize(self._master, (lines, columns))

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
def terminal(*command: str, lines: int = 24, columns: int = 80) -> Iterator[Terminal]:
    """Run a program at a terminal; it is ended at the end."""
    started = Terminal(command, lines, columns)
    try:
        yield started
    finally:
        started.close()
