"""Asks Prometheus' own engine, through promtool."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import yaml

Sample = tuple[str, float]
CHOSEN = {
    "fleet": "eu|training",
    "observer": "seer",
    "status": ".*",
    "named": "",
    "worker": "w",
    "instance": ".*",
    "__rate_interval": "1m",
    "__range": "1m",
    "__interval": "15s",
}
"""What is put in for the variables of the dashboards."""


def check(
    samples: Sequence[Sample],
    query: str,
    answer: Sequence[Sample],
    folder: Path,
    chosen: Mapping[str, str] = CHOSEN,
) -> None:
    """Fail unless a query of a dashboard, a minute after the samples began, has this answer.

    Every sample is a series that keeps its value for a minute, scraped every 15 s from Unix time 0 on. Skips where
    promtool is not installed, and fails there in CI.
    """
    if shutil.which("promtool") is None:
        message = "promtool is not installed (Debian: apt install prometheus)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    for name in sorted(chosen, key=len, reverse=True):
        query = query.replace(f"${name}", chosen[name])
    expected = [{"labels": labels, "value": value} for labels, value in answer]
    series = [{"series": name, "values": f"{value}+0x4"} for name, value in samples]
    asked = [{"expr": query, "eval_time": "1m", "exp_samples": expected}]
    test = {"interval": "15s", "input_series": series, "promql_expr_test": asked}
    path = folder / "test.yml"
    path.write_text(yaml.safe_dump({"evaluation_interval": "15s", "tests": [test]}))
    command = ["promtool", "test", "rules", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
