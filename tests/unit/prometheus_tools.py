"""Runs Prometheus' and Alertmanager's own tools: Debian's, and the newest ones that tests/set_up.sh could get."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEWEST = ROOT / ".cache/newest/usr/bin"
PACKAGES = {"promtool": "prometheus", "amtool": "prometheus-alertmanager"}
VERSIONS = ("Debian's", "newest")


def run(
    tool: str, *arguments: str | Path, version: str = "Debian's", cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a tool to its end; without it, fail in CI and skip elsewhere."""
    program = _program(tool, version)
    if program is None:
        advice = "run tests/set_up.sh" if version == "newest" else f"Debian: apt install {PACKAGES[tool]}"
        message = f"{tool} ({version}) is not installed ({advice})"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    command = [program, *map(str, arguments)]
    environment = os.environ | {"GOGC": "400"}  # they live for seconds: less collecting of garbage
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=240, check=False)


def _program(tool: str, version: str) -> str | None:
    if version == "newest":
        return str(NEWEST / tool) if (NEWEST / tool).exists() else None
    return shutil.which(tool)
