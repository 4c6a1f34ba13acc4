"""A table as cached text: cut into blocks, of which only those whose records changed are rendered again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple
from zlib import crc32

from exporter.exposition.labels import pairs
from exporter.exposition.lines import Lines, render, unchanged
from exporter.families import Family
from exporter.records import Record
from exporter.records.table import label

LARGEST = 512
"""Keys of a block at most; a larger one is split in four."""

Leaf = tuple[int, int]


class Block(NamedTuple):
    """Some records of a table, rendered: one `Lines` per family of the table."""

    labels: list[str]
    records: list[Record]
    lines: tuple[Lines, ...]


class TableText:
    """One table of one fleet as text; `update` renders only the blocks whose records changed.

    A key's block follows from a hash of its labels and from how many keys share the hash's first bits: never from its
    neighbours' order. So k keys that come, go or change make at most k blocks dirty.
    """

    def __init__(self, record: type[Record], families: Sequence[Family]) -> None:
        self.families = tuple(families)
        self.blocks: Mapping[Leaf, Block] = {}
        self.duplicates = 0
        self._names = tuple(map(label, record.KEY))
        self._key = attrgetter(*record.KEY) if record.KEY else None
        self._keys: list[Any] = []
        self._leaves: dict[Leaf, tuple[list[int], list[str]]] = {}

    def update(self, records: Sequence[Record]) -> int:
        """Take the table's new records; returns how many blocks were rendered."""
        keys = self._keys_of(records)
        if keys != self._keys or not self._leaves:
            self._arrange(keys)
        blocks: dict[Leaf, Block] = {}
        rendered = 0
        for leaf, (positions, labels) in self._leaves.items():
            rows = [records[position] for position in positions]
            block = self.blocks.get(leaf)
            if block is None or block.labels != labels:
                block = Block(labels, rows, tuple([render(family, labels, rows) for family in self.families]))
                rendered += 1
            elif block.records != rows:
                block = self._changed(block, rows)
                rendered += 1
            blocks[leaf] = block
        self.blocks = blocks
        return rendered

    def _changed(self, block: Block, rows: list[Record]) -> Block:
        """The block with new records of the same keys; families whose fields did not change keep their text."""
        kept = zip(self.families, block.lines, strict=True)
        lines = [
            old if unchanged(family, block.records, rows) else render(family, block.labels, rows)
            for family, old in kept
        ]
        return Block(block.labels, rows, tuple(lines))

    def _keys_of(self, records: Sequence[Record]) -> list[Any]:
        if self._key is None:
            return [()] * len(records)
        if len(self._names) == 1:
            return list(zip(map(self._key, records), strict=True))
        return list(map(self._key, records))

    def _arrange(self, keys: list[Any]) -> None:
        """Cut the keys into leaves; of keys with the same labels the first stands and the others are counted."""
        seen: dict[str, int] = {}
        for position, key in enumerate(keys):
            seen.setdefault(pairs(self._names, key), position)
        self._keys = keys
        self.duplicates = len(keys) - len(seen)
        self._leaves = {
            leaf: ([seen[text] for text in texts], texts) for leaf, texts in sorted(_cut(list(seen)).items())
        }


def _cut(texts: list[str]) -> dict[Leaf, list[str]]:
    """Give the texts of each leaf (bits used, their value), sorted."""
    leaves: dict[Leaf, list[str]] = {}
    open_leaves: list[tuple[int, int, list[tuple[int, str]]]] = [
        (0, 0, [(crc32(text.encode()), text) for text in texts])
    ]
    while open_leaves:
        bits, value, members = open_leaves.pop()
        if len(members) <= LARGEST or bits == 32:
            leaves[(bits, value)] = sorted([text for _, text in members])
            continue
        parts: list[list[tuple[int, str]]] = [[] for _ in range(4)]
        shift = 30 - bits
        for member in members:
            parts[(member[0] >> shift) & 3].append(member)
        open_leaves += [(bits + 2, (value << 2) | digit, part) for digit, part in enumerate(parts) if part]
    return leaves
