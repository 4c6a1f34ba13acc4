"""A trainer's machine, as a runner's heartbeat describes it."""

from __future__ import annotations

import random
from datetime import datetime
from typing import Any

import msgspec

from exporter.demo.store import Attempt, Snapshot

GPU_NAME = "NVIDIA H100 80GB HBM3"
GPU_MEMORY_MIB = 81559


class Machine:
    """Processors, memory, disk and, where `number` is even, two GPUs."""

    def __init__(self, number: int, rng: random.Random) -> None:
        self._host, self._rng = f"trainer-{number}", rng
        self._gpus = 2 if number % 2 == 0 else 0
        self._sent, self._received = rng.uniform(100.0, 900.0), rng.uniform(2000.0, 9000.0)

    def snapshot(self, now: float, wall: float, attempt: Attempt | None) -> Snapshot:
        """Describe the machine at simulated `now` and Unix time `wall`; an attempt makes it work harder."""
        load = self._rng.uniform(0.55, 0.95) if attempt is not None else self._rng.uniform(0.01, 0.08)
        memory, disk = round(24.0 + 60.0 * load, 2), round(310.0 + now / 3600.0, 2)
        return Snapshot(
            timestamp=datetime.fromtimestamp(wall).isoformat(timespec="seconds"),
            host=self._host,
            os="Linux-6.1.0-28-amd64-x86_64-with-glibc2.36",
            cpu_name="",
            cpu_cores=32,
            cpu_threads=64,
            cpu_usage_pct=round(100.0 * load, 1),
            mem_used_gb=memory,
            mem_total_gb=251.55,
            mem_pct=round(100.0 * memory / 251.55, 1),
            disk_used_gb=disk,
            disk_total_gb=1863.01,
            disk_pct=round(100.0 * disk / 1863.01, 1),
            bytes_sent_mb=round(self._sent + now * 0.02, 2),
            bytes_recv_mb=round(self._received + now * 0.3, 2),
            gpus=[self._gpu(load) for _ in range(self._gpus)] or msgspec.UNSET,
        )

    def _gpu(self, load: float) -> dict[str, Any]:
        return {
            "gpu": GPU_NAME,
            "util_pct": round(100 * load),
            "mem_used_mb": round(2000 + 70000 * load),
            "mem_total_mb": GPU_MEMORY_MIB,
            "temp_c": round(38 + 30 * load),
        }
