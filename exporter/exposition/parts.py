"""A block of a table as compressed text, in one part or in short ones, of which only what changed is rendered again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from exporter.exposition.lines import Keys, Renderer
from exporter.exposition.segments import Packer, Segment, summed
from exporter.records import Record

PART = 16
"""Keys of a short part of a block."""

GROUP = 8
"""Parts whose checksums are put together, so that another part costs not those of all."""

SPARSE = 2
"""A change is sparse when it touches no more than one part in so many."""


class Column(NamedTuple):
    """One family's text of a block: its segments, their bytes, and what they are together, all and by group."""

    segments: list[Segment]
    pieces: list[bytes]
    groups: list[Segment]
    sum: Segment

    @classmethod
    def of(cls, segments: list[Segment]) -> Column:
        """Put segments together."""
        starts = range(0, len(segments), GROUP)
        return cls._of(segments, [summed(segments[start : start + GROUP]) for start in starts])

    def renewed(self, segments: Mapping[int, Segment]) -> Column:
        """The same with other segments in some places."""
        every, groups = list(self.segments), list(self.groups)
        for place, segment in segments.items():
            every[place] = segment
        for group in {place // GROUP for place in segments}:
            groups[group] = summed(every[group * GROUP : (group + 1) * GROUP])
        return self._of(every, groups)

    @classmethod
    def _of(cls, segments: list[Segment], groups: list[Segment]) -> Column:
        return cls(segments, [segment.data for segment in segments], groups, summed(groups))


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

    def changed(self, block: Block, rows: list[Record]) -> Block:
        """The block with new records of the same keys; families whose fields did not change keep their segments."""
        both = zip(block.records, rows, strict=True)
        changes = [at for at, (was, now) in enumerate(both) if was is not now and was != now]
        if not changes:
            return block
        before, after = [block.records[at] for at in changes], [rows[at] for at in changes]
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
        runs = [slice(start, start + PART) for start in range(0, len(rows), PART)]
        self.rendered += len(runs)
        pieces = [(Keys.of(labels[run]), rows[run]) for run in runs]
        columns = [
            Column.of([self._packer.pack(*each.lines(*piece), short=True) for piece in pieces])
            for each in self._renderers
        ]
        return Block(labels, rows, columns, True, True)

    def _renewed(self, block: Block, rows: list[Record], kept: list[Column | None], parts: list[int]) -> Block:
        """A block in short parts, some of which are rendered anew for the families that are not kept."""
        self.rendered += len(parts)
        runs = [slice(part * PART, (part + 1) * PART) for part in parts]
        pieces = [(Keys.of(block.labels[run]), rows[run]) for run in runs]
        columns = list(block.columns)
        for place, each in enumerate(self._renderers):
            if kept[place] is None:
                both = zip(parts, pieces, strict=True)
                renewed = {part: self._packer.pack(*each.lines(*piece), short=True) for part, piece in both}
                columns[place] = columns[place].renewed(renewed)
        return Block(block.labels, rows, columns, True, True)
