"""`rollcall agent` as a process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.real.process import Process

AGENT = (sys.executable, "-m", "exporter.cli", "agent")
ROOT = Path(__file__).parents[2]


class Agent(Process):
    """An agent that reports to `registry` every 200 ms; with `program`, it runs one.

    A signal that it is started `ignoring`, as nohup does it, is ignored.
    """

    def __init__(
        self,
        folder: Path,
        registry: str,
        *arguments: str,
        program: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
        ignoring: str | None = None,
    ) -> None:
        command = [*AGENT, "--registry", registry, "--interval", "200ms", *arguments]
        command += ["--", *program] if program else []
        if ignoring is not None:
            command = ["sh", "-c", f'trap "" {ignoring}; exec "$@"', "sh", *command]
        super().__init__(command, folder / "agent.log", environ)

    def __enter__(self) -> Agent:
        return self


def run(*arguments: str, told: str = "", environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run an agent that ends by itself, with text for its standard input."""
    return subprocess.run(
        [*AGENT, *arguments],
        input=told,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
        env=environ,
    )
