"""Real processes on loopback: started with their output in a file, awaited by what they do, ended by pid."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import NoReturn, TypeVar

import pytest

T = TypeVar("T")

STEP = 0.05
"""Seconds between two looks at a condition."""

PATIENCE = 60.0
"""Seconds within which anything must have happened, on a machine that is busy with other things."""


def wait_until(condition: Callable[[], T | None], what: str, seconds: float = PATIENCE) -> T:
    """Ask `condition` until it gives something true, and give that; fails with `what` after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            pytest.fail(f"expected within {seconds:g} s: {what}; the last look found {found!r}")
        time.sleep(STEP)


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listened on a moment ago; below those that Linux gives out by itself."""
    while True:
        port = 11_000 + secrets.randbelow(32_768 - 11_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def missing(reason: str) -> NoReturn:
    """Something that the test needs is not on this machine: fail in CI, skip elsewhere."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def program(name: str) -> str:
    """Path of a Debian program, or fail or skip without it."""
    found = shutil.which(name)
    return found if found is not None else missing(f"{name} is not installed (Debian: apt install {name})")


class Process:
    """A process; as a context manager it is ended at the end, stopped or not. `log` is its standard output and error.

    Its environment is `PATH`, a home in `log`'s folder, and `environ`.
    """

    def __init__(
        self, command: Sequence[str], log: Path, environ: Mapping[str, str] | None = None, *, piped: bool = False
    ) -> None:
        self.log = log
        surroundings = {"PATH": os.environ["PATH"], "HOME": str(log.parent), "PYTHONUNBUFFERED": "1", **(environ or {})}
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=surroundings,
                cwd=Path(__file__).parents[2],
            )

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def output(self) -> str:
        """What it has written so far."""
        return self.log.read_text(errors="replace")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self, seconds: float = 30.0) -> int:
        """Wait for its end; gives its exit status."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            pytest.fail(f"expected an end within {seconds:g} s, got none; its output:\n{self.output()}")

    def end(self) -> None:
        """End it for certain."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.send_signal(signal.SIGCONT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        if self.process.stdin is not None:
            self.process.stdin.close()

    def ended(self) -> None:
        """Fail if it is gone."""
        if self.process.poll() is not None:
            pytest.fail(f"expected a running process, got exit status {self.process.returncode}:\n{self.output()}")
