"""A block of a table as compressed text, in one part or in short ones, of which only what changed is rendered again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import msgspec

from exporter.exposition.lines import Keys, Renderer
from exporter.exposition.segments import Packer, Segment, summed
from exporter.records import Record

PART = 16
"""Keys of a short part of a block."""

GROUP = 8
"""Parts whose checksums are put together, so that another part costs not those of all."""

SPARSE = 2
"""A change is sparse when it touches no more than one part in so many."""


class Column(msgspec.Struct, frozen=True, gc=False):
    """One family's text of a block: its segments, their bytes, and what they are together, by group and all."""

    segments: tuple[Segment, ...]
    pieces: tuple[bytes, ...]
    groups: tuple[Segment, ...]
    sum: Segment

    @classmethod
    def of(cls, segments: Sequence[Segment]) -> Column:
        """Put segments together."""
        starts = range(0, len(segments), GROUP)
        groups = tuple([summed(segments[start : start + GROUP]) for start in starts])
        return cls(tuple(segments), tuple([segment.data for segment in segments]), groups, summed(groups))

    def renewed(self, places: Sequence[int], segments: Sequence[Segment]) -> Column:
        """The same with other segments in some places."""
        every, pieces, groups = list(self.segments), list(self.pieces), list(self.groups)
        for place, segment in zip(places, segments, strict=True):
            every[place], pieces[place] = segment, segment.data
        for group in {place // GROUP for place in places}:
            groups[group] = summed(every[group * GROUP : (group + 1) * GROUP])
        return Column(tuple(every), tuple(pieces), tuple(groups), summed(groups))


class Block(NamedTuple):
    """Some records of a table, rendered; `labels` are their keys.

    `columns` are by family: of one segment each, or one for every `PART` keys where it is `cut`. `sparse` tells whether
    the last change was.
    """

    labels: list[str]
    records: list[Record]
    columns: list[Column]
    cut: bool = False
    sparse: bool = False


class Writer:
    """Renders and compresses blocks for one update of a table; `rendered` counts their parts.

    A block is in one part, which compresses best, until little of it changes twice in a row: then it is cut into short
    ones, until much of it changes.
    """

    def __init__(self, renderers: Sequence[Renderer]) -> None:
        self._renderers = renderers
        self._packer = Packer()
        self.rendered = 0

    def whole(self, labels: list[str], rows: list[Record]) -> Block:
        """A block in one part."""
        return self._whole(Block(labels, rows, []), rows, [None] * len(self._renderers))

    def changed(self, block: Block, renewed: Mapping[int, Record]) -> Block:
        """The block with other records of the same keys at some of its places.

        Families whose fields did not change keep their segments.
        """
        before = block.records
        changes = [at for at, now in renewed.items() if now is not before[at] and now != before[at]]
        if not changes:
            return block
        rows = list(before)
        for at in changes:
            rows[at] = renewed[at]
        before, after = [before[at] for at in changes], [rows[at] for at in changes]
        kept = [
            column if each.same(before, after) else None
            for each, column in zip(self._renderers, block.columns, strict=True)
        ]
        parts = sorted({at // PART for at in changes})
        sparse = SPARSE * PART * len(parts) <= len(rows)
        if block.cut:
            return self._renewed(block, rows, kept, parts) if sparse else self.whole(block.labels, rows)
        if sparse and block.sparse:
            return self._cut(block.labels, rows)
        return self._whole(block, rows, kept, sparse)

    def _whole(self, block: Block, rows: list[Record], kept: Sequence[Column | None], sparse: bool = False) -> Block:
        self.rendered += 1
        keys, short = Keys.of(block.labels), len(rows) <= PART
        columns = [
            column or Column.of([self._packer.pack(*each.lines(keys, rows), short=short)])
            for each, column in zip(self._renderers, kept, strict=True)
        ]
        return Block(block.labels, rows, columns, False, sparse)

    def _cut(self, labels: list[str], rows: list[Record]) -> Block:
        """A block in short parts."""
        self.rendered += -(-len(rows) // PART)
        keys = Keys.of(labels)
        columns = [Column.of(self._parts(each, keys, rows)) for each in self._renderers]
        return Block(labels, rows, columns, True, True)

    def _renewed(self, block: Block, rows: list[Record], kept: list[Column | None], parts: list[int]) -> Block:
        """A block in short parts, some of which are rendered anew for the families that are not kept."""
        self.rendered += len(parts)
        runs = [slice(part * PART, (part + 1) * PART) for part in parts]
        keys = Keys.of([*chain.from_iterable([block.labels[run] for run in runs])])
        some = [*chain.from_iterable([rows[run] for run in runs])]
        columns = [
            column or was.renewed(parts, self._parts(each, keys, some))
            for each, was, column in zip(self._renderers, block.columns, kept, strict=True)
        ]
        return Block(block.labels, rows, columns, True, True)

    def _parts(self, renderer: Renderer, keys: Keys, rows: list[Record]) -> list[Segment]:
        """A segment of one family for each `PART` rows."""
        return [self._packer.pack(*lines, short=True) for lines in renderer.runs(keys, rows, PART)]
