"""Which of several exporters of one configuration this one is."""

from __future__ import annotations

import re

import msgspec

from exporter.config.file import shown

MOST = 1000
"""The most shards: each of them reads every source."""


class Shard(msgspec.Struct, frozen=True):
    """One of `count` exporters, each of which shows a part; `index` is from 0."""

    index: int = 0
    count: int = 1

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def parse_shard(text: str) -> Shard:
    """Parse `I/N`, such as `0/3`, the first of three; raises ValueError with what was expected and what was found."""
    match = re.fullmatch(r"(0|[1-9][0-9]{0,3})/([1-9][0-9]{0,3})", text)
    if match is None or not int(match[1]) < int(match[2]) <= MOST:
        raise ValueError(f"expected I/N with 0 <= I < N <= {MOST}, got {shown(text)!r}")
    return Shard(int(match[1]), int(match[2]))
