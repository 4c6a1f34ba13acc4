"""Commands of the documentation as a person runs them: those that end are awaited, those that serve go on beside."""

from __future__ import annotations

import re
import shlex
from pathlib import PurePath
from typing import NamedTuple

from tests.shell import Shell

PATIENCE = 90.0
"""Seconds within which a command must end, and what serves must answer, on a machine that is busy with other things."""

EXPORTER = "10470"
_INTERRUPTED_MAKE = 130


class Serving(NamedTuple):
    """What does not end by itself: a place that one at a time has, how it shows that it is there, and how it ends.

    `ready` are shell commands in which `$log` is the file of its output. `stays`: the commands after it need it.
    """

    place: str
    ready: str
    stays: bool = True
    status: int = 0


def serving(command: str) -> Serving | None:
    """How a command serves; None for one that ends by itself."""
    words = shlex.split(command.removesuffix("&"), comments=True)
    match [PurePath(words[0]).name, *words[1:]]:
        case ["rollcall", "serve", *flags]:
            port = next((each.rpartition(":")[2] for each in flags if re.fullmatch(r"[\d.]+:\d+", each)), EXPORTER)
            secured = "--insecure --user observer:secret https" if "--web.config.file" in flags else "http"
            return Serving(port, f"curl --silent --fail-with-body {secured}://127.0.0.1:{port}/-/ready")
        case ["rollcall", "demo", *_]:
            return Serving("demo", "curl --silent --fail-with-body http://127.0.0.1:3131/api/status")
        case ["rollcall", "agent", *flags] if "--" not in flags:
            asked = f"curl --silent http://127.0.0.1:{EXPORTER}/metrics"
            seen = 'grep --quiet "^rollcall_worker_status{.*worker=\\"$HOSTNAME\\".*} 1"'
            return Serving("agent", f"{asked} | {seen}", stays=False)
        case ["rollcall", "status", *flags] if "--watch" in flags:
            return Serving("watch", "grep --quiet ^Sources: $log", stays=False)
        case ["prometheus", *_]:
            return Serving("9090", "curl --silent --fail-with-body http://127.0.0.1:9090/-/ready")
        case ["make", "run" | "demo"]:
            ready = f"curl --silent --fail-with-body http://127.0.0.1:{EXPORTER}/-/ready"
            return Serving(EXPORTER, ready, status=_INTERRUPTED_MAKE)
        case ["make", "stack"]:
            return Serving(EXPORTER, "grep --quiet Ctrl-C $log", stays=False, status=_INTERRUPTED_MAKE)
    return None


class Terminal:
    """Runs commands in a shell; raises ShellError for one that fails."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._running: dict[str, Serving] = {}
        self.run("set -m")

    def run(self, command: str) -> str:
        """Run a command to its end, or until it serves; gives what it wrote."""
        served = serving(command)
        if served is None:
            return self._shell.run(command, PATIENCE).output
        if served.place in self._running:
            self._end(served.place)
        self._start(command.removesuffix("&"), served)
        if not served.stays:
            self._end(served.place)
        return ""

    def end(self) -> None:
        """End all that still serves, the last first."""
        for place in reversed([*self._running]):
            self._end(place)

    def _start(self, command: str, served: Serving) -> None:
        self._running[served.place] = served
        started = f"log=/tmp/{served.place}.log\n{command} >$log 2>&1 &\npid_{served.place}=$!\n"
        gone = f"kill -0 $pid_{served.place} 2>/dev/null || {{ cat $log; exit 1; }}"
        self._shell.run(f"{started}until {served.ready} >/dev/null 2>&1; do {gone}; sleep 0.1; done", PATIENCE)

    def _end(self, place: str) -> None:
        """Interrupt it as Ctrl-C does, and want the exit status that it then has."""
        wanted = self._running.pop(place).status
        ended = f"status=0\nkill -INT -- -$pid_{place}\nwait $pid_{place} || status=$?\n"
        other = f'{{ echo "expected status {wanted}, got $status"; cat /tmp/{place}.log; exit 1; }}'
        self._shell.run(f"{ended}[ $status = {wanted} ] || {other}", PATIENCE)
