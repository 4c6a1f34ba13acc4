"""A block of a table as compressed text, in one part or in short ones, of which only what changed is rendered again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import compress, groupby
from typing import NamedTuple

from exporter.exposition.columns import Column, above
from exporter.exposition.lines import Keys, Lines, Renderer
from exporter.exposition.segments import Packer, Segment
from exporter.records import Record

PART = 16
"""Keys of a short part of a block."""

BATCH = 64
"""Parts that are rendered at once, about: their records stay in a processor's cache from one family to the next."""

MOST = 1 << 32
"""More parts than a block has: what numbers those of several blocks in a row."""

SPARSE = 2
"""A change is sparse when it touches no more than one part in so many."""

Changes = Mapping[int, Record]
"""Other records of the same keys, by their place in a block."""


class Block(NamedTuple):
    """Some records of a table, rendered; `labels` are their keys.

    `columns` are by family: of one part each, or of one for every `PART` keys where it is `cut`. `sparse` tells whether
    the last change was.
    """

    labels: list[str]
    records: list[Record]
    columns: list[Column]
    cut: bool = False
    sparse: bool = False

    @property
    def parts(self) -> int:
        """How many short parts the block has where it is cut."""
        return -(-len(self.labels) // PART)


class _Touched(NamedTuple):
    """A cut block, the other records that it is to have, and how many parts these are in."""

    block: Block
    renewed: Changes
    parts: int


class _Ready(NamedTuple):
    """Parts of one family that are rendered: the family's place, and what `_Selection` tells of where they belong."""

    place: int
    segments: list[Segment]
    targets: list[tuple[list[Column], slice, list[int], list[int]]]


class _Selection(NamedTuple):
    """Parts of some blocks in a row: their keys, their records, and where each ends.

    `targets` are the blocks' columns, which of the parts are of each, their places there, and the sums above these.
    """

    keys: Keys
    rows: list[Record]
    edges: list[int]
    targets: list[tuple[list[Column], slice, list[int], list[int]]]


class Writer:
    """Renders and compresses blocks for one update of a table.

    `rendered` counts their parts; `families` are the places of those of which something was rendered.
    A block is in one part, which compresses best, until little of it changes twice in a row: then it is cut into short
    ones, until much of it changes.
    """

    def __init__(self, renderers: Sequence[Renderer]) -> None:
        self._renderers = renderers
        self._packer = Packer()
        self.rendered = 0
        self.families: set[int] = set()

    def whole(self, labels: list[str], rows: list[Record]) -> Block:
        """A block in one part."""
        return self._whole(Block(labels, rows, []), rows, [None] * len(self._renderers))

    def changed(self, blocks: Sequence[Block], changes: Mapping[int, Changes]) -> list[Block]:
        """The blocks with other records in some of them, by their number; those that are cut are changed themselves.

        Families whose fields did not change keep their text. Where one cannot be rendered, no block is changed.
        """
        found = list(blocks)
        touched: list[_Touched] = []
        for number, every in changes.items():
            block = blocks[number]
            before = block.records
            renewed = {at: now for at, now in every.items() if now is not before[at] and now != before[at]}
            if not renewed:
                continue
            parts = len({at // PART for at in renewed})
            sparse = SPARSE * PART * parts <= len(before)
            if block.cut and sparse:
                touched.append(_Touched(block, renewed, parts))
                continue
            rows = list(before)
            for at, now in renewed.items():
                rows[at] = now
            if sparse and block.sparse:
                found[number] = self._cut(block.labels, rows)
            else:
                found[number] = self._again(block, rows, renewed, sparse)
        self._renew(touched)
        return found

    def _again(self, block: Block, rows: list[Record], places: Iterable[int], sparse: bool) -> Block:
        """A block in one part, of which the families that did not change are kept if they are so already."""
        if block.cut:
            return self.whole(block.labels, rows)
        before, after = [block.records[at] for at in places], [rows[at] for at in places]
        same = [each.same(before, after) for each in self._renderers]
        kept = [column if keep else None for column, keep in zip(block.columns, same, strict=True)]
        return self._whole(block, rows, kept, sparse)

    def _whole(self, block: Block, rows: list[Record], kept: Sequence[Column | None], sparse: bool = False) -> Block:
        self.rendered += 1
        keys, short = Keys.of(block.labels), len(rows) <= PART
        self.families.update(place for place, column in enumerate(kept) if column is None)
        columns = [
            column or Column([self._packed(each.lines(keys, rows), short=short)])
            for each, column in zip(self._renderers, kept, strict=True)
        ]
        return Block(block.labels, rows, columns, False, sparse)

    def _cut(self, labels: list[str], rows: list[Record]) -> Block:
        """A block in short parts."""
        edges = [*range(PART, len(rows), PART), len(rows)]
        self.rendered += len(edges)
        keys = Keys.of(labels)
        self.families.update(range(len(self._renderers)))
        columns = [Column(self._parts(each, keys, rows, edges)) for each in self._renderers]
        return Block(labels, rows, columns, True, True)

    def _renew(self, touched: Sequence[_Touched]) -> None:
        """Render the parts that changed; then put all where they belong."""
        ready = [each for batch in _batches(touched) for each in self._batch(batch)]
        for place, segments, targets in ready:
            for columns, run, places, sums in targets:
                columns[place].renew(places, segments[run], sums)
        for block, renewed, _ in touched:
            for at, now in renewed.items():
                block.records[at] = now

    def _batch(self, touched: Sequence[_Touched]) -> Iterator[_Ready]:
        """Render the parts of some blocks that changed, all of a family at once."""
        before = [each.block.records[at] for each in touched for at in each.renewed]
        after = [now for each in touched for now in each.renewed.values()]
        parts = [number * MOST + at // PART for number, each in enumerate(touched) for at in each.renewed]
        self.rendered += len({*parts})
        selections: dict[tuple[int, ...], _Selection] = {}
        for place, renderer in enumerate(self._renderers):
            others = tuple(sorted({*compress(parts, renderer.others(before, after))}))
            if not others:
                continue
            if others not in selections:
                selections[others] = _selection(touched, others)
            keys, rows, edges, targets = selections[others]
            self.families.add(place)
            yield _Ready(place, self._parts(renderer, keys, rows, edges), targets)

    def _parts(self, renderer: Renderer, keys: Keys, rows: list[Record], edges: Sequence[int]) -> list[Segment]:
        """A segment of one family for each run of rows."""
        return [self._packed(lines, short=True) for lines in renderer.runs(keys, rows, edges)]

    def _packed(self, lines: Lines, *, short: bool) -> Segment:
        return self._packer.pack(lines.text, lines.samples, lines.dropped, short=short)


def _batches(touched: Iterable[_Touched]) -> Iterator[Sequence[_Touched]]:
    """Blocks in runs of at least `BATCH` parts, but for the last."""
    batch: list[_Touched] = []
    parts = 0
    for each in touched:
        batch.append(each)
        parts += each.parts
        if parts >= BATCH:
            yield batch
            batch, parts = [], 0
    if batch:
        yield batch


def _selection(touched: Sequence[_Touched], parts: Sequence[int]) -> _Selection:
    """Parts of blocks, by their numbers in a row of which each block takes `MOST`."""
    keys: list[str] = []
    rows: list[Record] = []
    edges: list[int] = []
    targets = []
    for number, found in groupby(parts, lambda part: part // MOST):
        block, renewed, _ = touched[number]
        places = [part % MOST for part in found]
        targets.append((block.columns, slice(len(edges), len(edges) + len(places)), places, above(places, block.parts)))
        starts = {}
        for place in places:
            run = slice(place * PART, (place + 1) * PART)
            starts[place] = len(rows)
            keys += block.labels[run]
            rows += block.records[run]
            edges.append(len(rows))
        for at, now in renewed.items():
            if at // PART in starts:
                rows[starts[at // PART] + at % PART] = now
    return _Selection(Keys.of(keys), rows, edges, targets)
