"""A shell that goes on from one block of commands to the next, as the one that a person types into."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

ENDING = 30.0
"""Seconds that a shell has to end once it is told nothing more."""


class Ran(NamedTuple):
    """Exit status of some commands, what they wrote, and the seconds that they took."""

    status: int
    output: str
    seconds: float


class ShellError(Exception):
    """A shell that ended, or did not get done in time; the text has what it wrote."""


class Shell:
    """A bash as a context manager.

    `command` starts it: `bash` itself, or what executes it elsewhere and ends with it all that it started. Both outputs
    go to the file `log`. After an error it is killed.
    """

    def __init__(self, command: Sequence[str], log: Path, environ: Mapping[str, str] | None = None) -> None:
        self._log = log
        self._told, told = os.pipe()
        self._says = told
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=output, stderr=output, pass_fds=[told], env=environ
            )
        os.close(told)

    def __enter__(self) -> Shell:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        stdin.close()
        if error is not None:
            self._process.kill()
        try:
            self._process.wait(ENDING)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._told)

    def run(self, commands: str, limit: float, *, apart: bool = False) -> Ran:
        """Run commands until the first that fails; `apart`: in a shell of their own, which may fail.

        Raises ShellError where they take more than `limit` seconds, or have ended the shell.
        """
        before = self._log.stat().st_size
        began = time.monotonic()
        # A here-document's last line ends with the line, and `set -e` does not count in a list with `||`.
        body = f"( set -e\n{commands}\n)\n" if apart else f"set -e\n{{\n{commands}\n}}\nset +e\n"
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(f"{body}printf '%s\\n' $? >&{self._says}\n".encode())
        stdin.flush()
        status = self._status(commands, began + limit, before)
        return Ran(status, self._since(before), time.monotonic() - began)

    def _status(self, commands: str, until: float, before: int) -> int:
        said = b""
        while not said.endswith(b"\n"):
            if select.select([self._told], [], [], 0.1)[0] and (read := os.read(self._told, 64)):
                said += read
            elif (status := self._process.poll()) is not None:
                raise ShellError(
                    f"{commands}\nexpected status 0, the shell ended with {status}:\n{self._since(before)}"
                )
            elif time.monotonic() > until:
                raise ShellError(f"{commands}\nexpected an end in time, got none:\n{self._since(before)}")
        return int(said)

    def _since(self, before: int) -> str:
        with self._log.open("rb") as log:
            log.seek(before)
            return log.read().decode("utf-8", "replace")
