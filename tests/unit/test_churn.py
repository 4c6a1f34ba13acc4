"""Worker ids that come and go leave nothing behind: memory stays as it is, once the first tombstones are gone."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

from tests.bench.churn import Soak

GROWTH = 5 * 2**20 / 100_000
"""Bytes that may stay of each id."""

FULL = os.environ.get("ROLLCALL_FULL") == "1"


def test_what_passes_leaves_nothing(tmp_path: Path) -> None:
    ids = 5000
    with Soak(tmp_path, alive=300, step=200) as soak:
        sizes = list(soak.steps(2000))
        tracemalloc.start()
        try:
            sizes += soak.steps(2000)
            gc.collect()
            before, _ = tracemalloc.get_traced_memory()
            sizes += soak.steps(ids)
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert min(sizes) > 10_000
    assert max(sizes[10:]) < 1.2 * min(sizes[10:])
    assert after - before <= GROWTH * ids


def test_the_process_stays_as_large_as_it_is() -> None:
    """10,000 ids; with ROLLCALL_FULL=1 a hundred thousand."""
    command = [sys.executable, "-m", "tests.bench.churn", "--ids", "100000" if FULL else "10000"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=250)
    assert float(done.stdout) <= 5
