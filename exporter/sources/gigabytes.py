"""Figures that mesh-llm gives in 10^9 bytes."""

from __future__ import annotations

from collections import Counter

from exporter.sources.decode import sound

GB = 10**9


def in_bytes(gigabytes: float | None, field: str, drift: Counter[str]) -> float | None:
    """Bytes of a figure in 10^9 bytes, to the byte: mesh-llm divided a whole number.

    Less than nothing and what is not finite is not said, and drift of `field`.
    """
    figure = sound(None if gigabytes is None else gigabytes * GB, field, drift)
    return None if figure is None else float(round(figure))
