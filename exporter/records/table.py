"""The base of every table: a frozen, flat record whose key fields are the labels of its metrics."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress, count
from operator import attrgetter, is_not
from typing import ClassVar, TypeVar

import msgspec


class Record(msgspec.Struct, frozen=True, gc=False):
    """One row of a table; `KEY` names the fields that identify it, and those are the labels of its metrics."""

    KEY: ClassVar[tuple[str, ...]] = ()

    @property
    def rank(self) -> int:
        """Where a limit must leave some out, those of a lower rank stay: the unhealthy."""
        return 0


def label(field: str) -> str:
    """The label of a field: its name, less the `_` of one that Python keeps for itself."""
    return field.removesuffix("_")


R = TypeVar("R", bound=Record)

Tables = dict[type[Record], tuple[Record, ...]]
"""The tables of a slice of a snapshot, by record type."""


SPARSE = 4
"""A change of a table is sparse where it is of one record in so many at most."""


SLICE = 32
"""Records that are compared at once."""


def kept(before: tuple[R, ...] | None, now: tuple[R, ...]) -> tuple[R, ...]:
    """The rows of before, if those of now are the same: who compares tables then need not look at their rows."""
    return before if before is not None and before == now else now


def others(before: Sequence[Record], now: Sequence[Record]) -> list[int]:
    """The places where a table has another record than before; an equal one may be left out.

    Slices of what stays are passed by at once: Python compares these by identity first.
    """
    found: list[int] = []
    for start in range(0, min(len(before), len(now)), SLICE):
        those, these = before[start : start + SLICE], now[start : start + SLICE]
        if those != these:
            found += compress(count(start), map(is_not, those, these))
    return [*found, *range(len(before), len(now))]


def first(records: Sequence[Record], limit: int) -> tuple[Record, ...]:
    """The records that stay where a limit must leave some out: by rank, then in their order."""
    return tuple(sorted(records, key=attrgetter("rank"))[:limit])
