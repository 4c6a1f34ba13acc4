"""The base of every table: a frozen, flat record whose key fields are the labels of its metrics."""

from __future__ import annotations

from typing import ClassVar

import msgspec


class Record(msgspec.Struct, frozen=True, gc=False):
    """One row of a table; `KEY` names the fields that identify it, and those are the labels of its metrics."""

    KEY: ClassVar[tuple[str, ...]] = ()


Tables = dict[type[Record], tuple[Record, ...]]
"""The tables of a slice of a snapshot, by record type."""
