"""One family's text of a block: its compressed parts, and a tree of checksums over them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

from exporter.exposition.segments import Segment, combine


class Column:
    """The parts of one family's text of a block, and what they are together; another part costs not those of all.

    `sparse` tells whether little of it has changed since much did.
    The sums of CRC-32 and length stand as in a heap: that of all at 1, those of the halves of `n` at `2n` and `2n + 1`.
    """

    __slots__ = ("_crcs", "_dropped", "_lengths", "_samples", "pieces", "sparse")

    def __init__(self, segments: Sequence[Segment], *, sparse: bool = False) -> None:
        self.sparse = sparse
        self.pieces = [each.data for each in segments]
        self._samples = [each.samples for each in segments]
        self._dropped = [each.dropped for each in segments]
        half = halves(len(segments))
        rest = [0] * (half - len(segments))
        self._crcs = array("Q", [0] * half + [each.crc for each in segments] + rest)
        self._lengths = array("Q", [0] * half + [each.length for each in segments] + rest)
        self._add_up(range(half - 1, 0, -1))

    def renew(self, places: Sequence[int], segments: Sequence[Segment], above: Sequence[int]) -> None:
        """Put other parts in some places; `above` are the sums that these are in."""
        pieces, crcs, lengths = self.pieces, self._crcs, self._lengths
        half = len(crcs) // 2
        for place, segment in zip(places, segments, strict=True):
            pieces[place] = segment.data
            crcs[half + place] = segment.crc
            lengths[half + place] = segment.length
            self._samples[place] = segment.samples
            self._dropped[place] = segment.dropped
        self._add_up(above)

    @property
    def cut(self) -> bool:
        """Whether it is in short parts."""
        return len(self.pieces) > 1

    @property
    def sum(self) -> Segment:
        """All parts, without their data."""
        return Segment(b"", self._crcs[1], self._lengths[1], sum(self._samples), sum(self._dropped))

    def _add_up(self, sums: Iterable[int]) -> None:
        crcs, lengths = self._crcs, self._lengths
        for at in sums:
            left = at + at
            length = lengths[left + 1]
            crcs[at] = combine(crcs[left], crcs[left + 1], length)
            lengths[at] = lengths[left] + length


def halves(parts: int) -> int:
    """Where the heap's own sums end and those of single parts begin."""
    return 1 << (parts - 1).bit_length()


def above(places: Iterable[int], parts: int) -> list[int]:
    """The sums that some of the parts are in, those of fewer parts first."""
    found: list[int] = []
    level = {halves(parts) + place for place in places}
    while 1 not in level:
        level = {at >> 1 for at in level}
        found += level
    return found
