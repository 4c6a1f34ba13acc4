"""A block of a table as compressed text, each family's in one part or in short ones: what changed is rendered again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
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

    `columns` are by family: of one part each, or of one for every `PART` keys where it is cut.
    """

    labels: list[str]
    records: list[Record]
    columns: list[Column]

    @property
    def parts(self) -> int:
        """How many short parts a column has that is cut."""
        return -(-len(self.labels) // PART)


class _Touched(NamedTuple):
    """A block, the other records that it is to have, and how many short parts these are in."""

    block: Block
    renewed: Changes
    parts: int

    @property
    def rows(self) -> list[Record]:
        """All records that it is to have."""
        return _with(self.block.records, self.renewed)


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
    A column is in one part, which compresses best, until little of it changes for the second time: then it is cut into
    short ones, until much of it changes.
    """

    def __init__(self, renderers: Sequence[Renderer]) -> None:
        self._renderers = renderers
        self._packer = Packer()
        self.rendered = 0
        self.families: set[int] = set()

    def whole(self, labels: list[str], rows: list[Record]) -> Block:
        """A block in one part."""
        return self._whole(labels, rows, [None] * len(self._renderers))

    def renewed(self, block: Block, rows: list[Record]) -> Block:
        """A block with other records of the same keys, of which many are others; families that did not change stay."""
        return self._again(block, block.records, rows, rows)

    def changed(self, blocks: Sequence[Block], changes: Mapping[int, Changes]) -> list[Block]:
        """The blocks with other records in some of them, by their number; where few are, the block itself is changed.

        Families whose fields did not change keep their text. Where one cannot be rendered, no block is changed.
        """
        found = list(blocks)
        touched: list[_Touched] = []
        for number, every in changes.items():
            block = blocks[number]
            before = block.records
            renewed = {at: now for at, now in every.items() if now is not before[at] and now != before[at]}
            parts = len({at // PART for at in renewed})
            if SPARSE * PART * parts > len(before):
                earlier = [before[at] for at in renewed]
                found[number] = self._again(block, earlier, [*renewed.values()], _with(before, renewed))
            elif renewed:
                touched.append(_Touched(block, renewed, parts))
        ready = [put for batch in _batches(touched) for put in self._batch(batch)]
        for put in ready:
            put()
        for each in touched:
            for at, now in each.renewed.items():
                each.block.records[at] = now
        return found

    def _again(self, block: Block, before: Sequence[Record], after: Sequence[Record], rows: list[Record]) -> Block:
        """A block that has `after` in place of `before` now; families that did not change are kept."""
        same = [each.same(before, after) for each in self._renderers]
        kept = [column if keep else None for column, keep in zip(block.columns, same, strict=True)]
        return self._whole(block.labels, rows, kept)

    def _whole(self, labels: list[str], rows: list[Record], kept: Sequence[Column | None]) -> Block:
        self.rendered += 1
        keys = Keys.of(labels)
        self.families.update(place for place, column in enumerate(kept) if column is None)
        columns = [
            column or Column([self._part(each, keys, rows)]) for each, column in zip(self._renderers, kept, strict=True)
        ]
        return Block(labels, rows, columns)

    def _batch(self, touched: Sequence[_Touched]) -> Iterator[Callable[[], None]]:
        """Render what changed of some blocks, short parts of a family at once; gives what puts each in its place."""
        before = [each.block.records[at] for each in touched for at in each.renewed]
        after = [now for each in touched for now in each.renewed.values()]
        parts = [number * MOST + at // PART for number, each in enumerate(touched) for at in each.renewed]
        self.rendered += len({*parts})
        selections: dict[tuple[int, ...], _Selection] = {}
        for place, renderer in enumerate(self._renderers):
            others = tuple(sorted({*compress(parts, renderer.others(before, after))}))
            if not others:
                continue
            self.families.add(place)
            uncut = {number for number, each in enumerate(touched) if not each.block.columns[place].cut}
            if uncut:
                for number in uncut.intersection(part // MOST for part in others):
                    column = self._column(renderer, touched[number], touched[number].block.columns[place])
                    yield partial(touched[number].block.columns.__setitem__, place, column)
                others = tuple(part for part in others if part // MOST not in uncut)
            if others not in selections:
                selections[others] = _selection(touched, others)
            keys, rows, edges, targets = selections[others]
            segments = self._parts(renderer, keys, rows, edges)
            for columns, run, places, sums in targets:
                yield partial(columns[place].renew, places, segments[run], sums)

    def _column(self, renderer: Renderer, touched: _Touched, before: Column) -> Column:
        """All of a family's text of a block of which little changed, cut if that was so before."""
        keys, rows = Keys.of(touched.block.labels), touched.rows
        if not before.sparse:
            return Column([self._part(renderer, keys, rows)], sparse=True)
        edges = [*range(PART, len(rows), PART), len(rows)]
        return Column(self._parts(renderer, keys, rows, edges), sparse=True)

    def _part(self, renderer: Renderer, keys: Keys, rows: Sequence[Record]) -> Segment:
        """A segment of one family for all rows."""
        return self._packed(renderer.lines(keys, rows), short=len(rows) <= PART)

    def _parts(self, renderer: Renderer, keys: Keys, rows: list[Record], edges: Sequence[int]) -> list[Segment]:
        """A segment of one family for each run of rows."""
        return [self._packed(lines, short=True) for lines in renderer.runs(keys, rows, edges)]

    def _packed(self, lines: Lines, *, short: bool) -> Segment:
        return self._packer.pack(lines.text, lines.samples, lines.dropped, short=short)


def _with(records: Sequence[Record], renewed: Changes) -> list[Record]:
    """The records with others in some places."""
    rows = list(records)
    for at, now in renewed.items():
        rows[at] = now
    return rows


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
