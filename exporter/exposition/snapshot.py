"""What a scrape copies: the kept segments of everything that is polled, in one order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from exporter.exposition.formats import Format
from exporter.exposition.segments import Chain, Segment, inflated, summed
from exporter.records import FamilySeries


class Shown(NamedTuple):
    """A family that has samples: its header in each format, its segments in order, and what these are together."""

    headers: Mapping[Format, Segment]
    pieces: Sequence[bytes]
    sum: Segment


class Snapshot:
    """An immutable moment: the families that have samples, and figures about them.

    `series` has a record per family that is polled, `size` is in bytes of plain text.
    """

    def __init__(self, shown: Sequence[Shown], series: tuple[FamilySeries, ...]) -> None:
        self._shown = tuple(shown)
        self._chains: dict[Format, Chain] = {}
        self.series = series
        self.size = sum(each.headers[Format.TEXT].length + each.sum.length for each in self._shown)

    def chain(self, form: Format) -> Chain:
        """The exposition compressed, without an end; put together for the first caller."""
        chain = self._chains.get(form)
        if chain is None:
            pieces: list[bytes] = []
            for each in self._shown:
                pieces.append(each.headers[form].data)
                pieces += each.pieces
            whole = summed(segment for each in self._shown for segment in (each.headers[form], each.sum))
            chain = self._chains[form] = Chain(pieces, whole.crc, whole.length)
        return chain

    def chunks(self, form: Format) -> Iterator[bytes]:
        """The exposition as text, piece by piece, without an end."""
        return inflated(self.chain(form).pieces)
