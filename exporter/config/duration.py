"""Durations as Prometheus writes them: `500ms`, `5s`, `1m30s`."""

from __future__ import annotations

import re

EXPECTED = "a duration such as 500ms, 5s or 1m30s"

_UNITS = {"y": 31_536_000_000, "w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_LONGEST = 2**63 // 1_000_000  # milliseconds in Go's time.Duration
_PATTERN = re.compile("".join(f"(?:([0-9]{{1,19}}){unit})?" for unit in _UNITS))


def parse_duration(text: str) -> float:
    """Parse a duration into seconds: units in descending order, each at most once, or `0` alone.

    A year is 365 days, a day 24 hours (rule: what Prometheus 2.42 takes, ParseDuration of prometheus/common,
    model/time.go). Raises ValueError with what was expected and what was found; more than 292 years are out of range.
    """
    if text == "0":
        return 0.0
    match = _PATTERN.fullmatch(text)
    if match is None or not text:
        raise ValueError(f"expected {EXPECTED}, got {text[:60]!r}")
    milliseconds = sum(int(count) * size for count, size in zip(match.groups("0"), _UNITS.values(), strict=True))
    if milliseconds > _LONGEST:
        raise ValueError(f"expected a duration of at most 292y, got {text[:60]!r}")
    return milliseconds / 1000


def format_duration(seconds: float) -> str:
    """Write seconds as a duration, to the millisecond; years and weeks only where nothing is left over.

    Rule: what Prometheus 2.42 prints (Duration.String of prometheus/common, model/time.go). Raises ValueError for a
    negative number.
    """
    left = round(seconds * 1000)
    if left < 0:
        raise ValueError(f"expected a duration of 0 or more, got {seconds!r} seconds")
    parts: list[str] = []
    for unit, size in _UNITS.items():
        whole = unit in "yw"
        if left >= size and not (whole and left % size):
            parts.append(f"{left // size}{unit}")
            left %= size
    return "".join(parts) or "0s"
