"""The durations of the tests of silence: scaled down, or with ROLLCALL_FULL=1 those that people use."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

import yaml


class Scale(NamedTuple):
    """Seconds. `beat` is between two signs of a runner's life, `patience` how long one of its requests waits.

    `outage` is how long a store is stopped, `suspended` how long the exporter is, `hold` the alert's `for`.
    """

    interval: float
    heartbeat_timeout: float
    beat: float
    patience: float
    outage: float
    suspended: float
    hold: float

    def configuration(self, stores: Mapping[str, str]) -> str:
        """An exporter's configuration for stores: by fleet, their URLs."""
        each = {
            "interval": f"{self.interval * 1000:.0f}ms",
            "timeout": f"{self.interval * 500:.0f}ms",
            "heartbeat_timeout": f"{self.heartbeat_timeout * 1000:.0f}ms",
        }
        entries = [{"fleet": fleet, "url": url, **each} for fleet, url in stores.items()]
        return yaml.safe_dump({"host": {"enabled": False}, "gpu": {"enabled": False}, "stores": entries})


FULL = os.environ.get("ROLLCALL_FULL") == "1"

SCALE = (
    Scale(interval=10, heartbeat_timeout=45, beat=10, patience=30, outage=120, suspended=90, hold=60)
    if FULL
    else Scale(interval=1, heartbeat_timeout=5, beat=0.5, patience=3, outage=7, suspended=7, hold=3)
)

LONG = 900 if FULL else 120
"""Seconds after which a test of this scale is ended."""
