"""How often a source is read, how long that may take, and how long its answer counts."""

from __future__ import annotations

from exporter.config import check
from exporter.config.check import Section


def timing(section: Section, interval: float, longest_wait: float) -> tuple[float, float, float]:
    """Read interval, timeout and stale_after of a section, in seconds; the arguments are for want of the first two.

    An unsaid timeout is never longer than the interval, and an unsaid stale_after is three intervals.
    """
    interval = section.get("interval", check.duration(0.1), interval)
    timeout = section.get("timeout", check.duration(), min(longest_wait, interval))
    least = interval if section.sound("interval") else 0.0
    return interval, timeout, section.get("stale_after", check.duration(least, " (the interval)"), 3 * interval)
