"""Figures that mesh-llm gives in 10^9 bytes."""

from __future__ import annotations

from collections import Counter

GB = 10**9


def in_bytes(gigabytes: float | None, drift: Counter[str]) -> float | None:
    """Bytes of a figure in 10^9 bytes, to the byte: mesh-llm divided a whole number. What is not finite stays so.

    Less than nothing is not said, and drift of `vram_gb`.
    """
    if gigabytes is None:
        return None
    if gigabytes < 0:
        drift["vram_gb"] += 1
        return None
    figure = gigabytes * GB
    return float(round(figure)) if figure - figure == 0 else figure
