"""Checksums of texts in a row, from those of each."""

from __future__ import annotations

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.exposition.checksum import Combine, combination, combined, isal_combine, zlib_combine

WAYS = {"pure": combined, "zlib": zlib_combine(), "ISA-L": isal_combine(), "chosen": combination()}
FOUND = {name: way for name, way in WAYS.items() if way is not None}
CHECKSUM = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("way", FOUND.values(), ids=FOUND)
@given(first=st.binary(max_size=300), second=st.binary(max_size=300))
def test_the_checksum_of_both_follows_from_that_of_each(way: Combine, first: bytes, second: bytes) -> None:
    assert way(crc32(first), crc32(second), len(second)) == crc32(first + second)


@pytest.mark.parametrize("way", FOUND.values(), ids=FOUND)
@given(first=CHECKSUM, second=CHECKSUM, length=st.integers(0, 2**40))
def test_every_way_gives_the_same(way: Combine, first: int, second: int, length: int) -> None:
    assert way(first, second, length) == combined(first, second, length)


def test_python_s_own_zlib_is_found() -> None:
    assert FOUND["zlib"] is not None
    assert FOUND["chosen"] is not combined
