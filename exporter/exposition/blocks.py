"""A table as kept text: cut into blocks in the order of its keys, of which only what changed is rendered again."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from itertools import chain, islice
from operator import attrgetter
from typing import Any, NamedTuple

from exporter.exposition.labels import pairs
from exporter.exposition.lines import Renderer
from exporter.exposition.parts import SPARSE, Block, Writer
from exporter.exposition.segments import Segment, summed
from exporter.families import Family
from exporter.records import Record
from exporter.records.table import label, others

LARGEST = 2048
"""Keys of a block at most; a larger one is cut into halves of these."""

NOWHERE = -1
"""The block of a record whose labels another one has."""

Labels = list[str]


class _Places(NamedTuple):
    """Where records are: each block's labels and the records that these are of, each record's block and place there."""

    labels: Sequence[Labels]
    rows: Sequence[Sequence[int]]
    blocks: Sequence[int]
    spots: Sequence[int]


class TableText:
    """One table of one fleet as text; `update` renders only what changed.

    Its samples stand in the order of their labels, whatever blocks they are in: so k keys that come, go or change make
    at most k blocks dirty, and those that a block is cut into.
    """

    def __init__(self, record: type[Record], families: Sequence[Family]) -> None:
        self.blocks: list[Block] = []
        self._renderers = tuple(map(Renderer, families))
        self._names = tuple(map(label, record.KEY))
        self._key = _key_of(record)
        self._records: tuple[Record, ...] = ()
        self._places = _Places([], [], [], [])
        self._kept: dict[int, tuple[Sequence[bytes], Segment]] = {}

    def update(self, records: Sequence[Record]) -> int:
        """Take the table's new records; returns how many parts of blocks were rendered."""
        before, records, key = self._records, tuple(records), self._key
        writer = Writer(self._renderers)
        changes: dict[int, dict[int, Record]] = {}
        changed = others(before, records)
        places, blocks = self._places, self.blocks
        if len(records) == len(before) and _at(changed, before, key) == _at(changed, records, key):
            if SPARSE * len(changed) > len(records):
                blocks = [
                    writer.renewed(block, [records[at] for at in positions])
                    for block, positions in zip(blocks, places.rows, strict=True)
                ]
            else:
                for at in changed:
                    changes.setdefault(places.blocks[at], {})[places.spots[at]] = records[at]
                changes.pop(NOWHERE, None)
        else:
            places, blocks = self._arranged(records), []
            kept = {id(block.labels): block for block in self.blocks}
            for number, (labels, positions) in enumerate(zip(places.labels, places.rows, strict=True)):
                rows, block = [records[at] for at in positions], kept.get(id(labels))
                blocks.append(block or writer.whole(labels, rows))
                changes[number] = dict(enumerate(rows))
        self.blocks = writer.changed(blocks, changes)
        if places is not self._places:
            self._kept.clear()
        for place in writer.families:
            self._kept.pop(place, None)
        self._records, self._places = records, places
        return writer.rendered

    @property
    def duplicates(self) -> int:
        """Records whose labels another one before them has."""
        return len(self._records) - sum(map(len, self._places.labels))

    def pieces(self, place: int) -> Sequence[bytes]:
        """The segments' bytes of the family at a place, in order."""
        return self._shown(place)[0]

    def sum(self, place: int) -> Segment:
        """What the segments of the family at a place are together."""
        return self._shown(place)[1]

    def _shown(self, place: int) -> tuple[Sequence[bytes], Segment]:
        """Pieces and sum of a family, put together for the first who asks after it changed."""
        if place not in self._kept:
            columns = [block.columns[place] for block in self.blocks]
            pieces = [*chain.from_iterable([column.pieces for column in columns])]
            self._kept[place] = (pieces, summed([column.sum for column in columns]))
        return self._kept[place]

    def _arranged(self, records: Sequence[Record]) -> _Places:
        """Find each record's block; of records with the same labels the first stands."""
        known: dict[Any, str] = {}
        for block, positions in zip(self.blocks, self._places.rows, strict=True):
            known.update(zip([self._key(self._records[at]) for at in positions], block.labels, strict=True))
        found: dict[str, int] = {}
        for at, key in enumerate(map(self._key, records)):
            found.setdefault(known.get(key) or pairs(self._names, key), at)
        before = {text for labels in self._places.labels for text in labels}
        arranged = rearranged(self._places.labels, before - found.keys(), found.keys() - before)
        rows = [array("L", [found[text] for text in labels]) for labels in arranged]
        numbers, spots = array("l", [NOWHERE]) * len(records), array("l", [0]) * len(records)
        for number, positions in enumerate(rows):
            for spot, at in enumerate(positions):
                numbers[at], spots[at] = number, spot
        return _Places(arranged, rows, numbers, spots)


def _at(places: Sequence[int], records: Sequence[Record], key: Callable[[Record], tuple[str, ...]]) -> list[Any]:
    """The keys of the records at some places."""
    return list(map(key, map(records.__getitem__, places)))


def _key_of(record: type[Record]) -> Callable[[Record], tuple[str, ...]]:
    """Gives the key of a table's records."""
    match record.KEY:
        case ():
            return lambda _: ()
        case (name,):
            get = attrgetter(name)
            return lambda each: (get(each),)
        case names:
            return attrgetter(*names)


def rearranged(blocks: Sequence[Labels], gone: Collection[str], come: Collection[str]) -> list[Labels]:
    """Sorted runs of labels after some are gone and others have come; a run that stays as it is is the same object."""
    if not blocks:
        return _halves(sorted(come))
    starts = [labels[0] for labels in blocks]
    leaving: dict[int, set[str]] = {}
    for text in gone:
        leaving.setdefault(bisect_right(starts, text) - 1, set()).add(text)
    coming: dict[int, Labels] = {}
    for text in come:
        coming.setdefault(max(0, bisect_right(starts, text) - 1), []).append(text)
    found: list[Labels] = []
    for number, labels in enumerate(blocks):
        if number in leaving or number in coming:
            dropped = leaving.get(number, ())
            labels = sorted([text for text in labels if text not in dropped] + coming.get(number, []))
            if found and len(found[-1]) + len(labels) <= LARGEST // 2:
                labels = found.pop() + labels
        found += [labels] if len(labels) <= LARGEST else _halves(labels)
    return [labels for labels in found if labels]


def _halves(labels: Labels) -> list[Labels]:
    """Cut sorted labels into runs of half the largest block."""
    every = iter(labels)
    return [run for _ in range(0, len(labels), LARGEST // 2) if (run := list(islice(every, LARGEST // 2)))]
