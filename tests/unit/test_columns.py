"""The sums of a column's parts, whichever of them are renewed."""

from __future__ import annotations

import zlib

from hypothesis import given
from hypothesis import strategies as st

from exporter.exposition.columns import Column, above
from exporter.exposition.segments import Packer, Segment, inflated, summed

PARTS = st.tuples(st.binary(max_size=60), st.integers(0, 3), st.integers(0, 3))


def packed(part: tuple[bytes, int, int]) -> Segment:
    text, samples, dropped = part
    return Packer().pack(text, samples, dropped, short=True)


@given(st.lists(PARTS, min_size=1, max_size=70), st.lists(st.dictionaries(st.integers(0, 69), PARTS), max_size=3))
def test_the_sum_is_that_of_all_parts_whichever_are_renewed(
    parts: list[tuple[bytes, int, int]], rounds: list[dict[int, tuple[bytes, int, int]]]
) -> None:
    segments = list(map(packed, parts))
    column = Column(segments)
    for changed in [{}, *rounds]:
        renewed = {place: packed(part) for place, part in changed.items() if place < len(parts)}
        for place, segment in renewed.items():
            segments[place] = segment
        if renewed:
            column.renew([*renewed], [*renewed.values()], above(renewed, len(parts)))
        assert column.sum == summed(segments)
        text = b"".join(inflated(column.pieces))
        assert (column.sum.crc, column.sum.length) == (zlib.crc32(text), len(text))


def test_one_part_is_its_own_sum_and_no_other_is_above_it() -> None:
    column = Column([packed((b"one 1\n", 1, 0))])
    assert above([0], 1) == []
    column.renew([0], [packed((b"two 2\n", 1, 2))], [])
    assert column.sum == Segment(b"", zlib.crc32(b"two 2\n"), 6, 1, 2)


def test_the_sums_above_some_parts_are_those_that_they_are_in_the_smallest_first() -> None:
    assert above([0, 5], 6) == [4, 6, 2, 3, 1]
