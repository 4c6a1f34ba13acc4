"""What a scrape copies: the cached text of everything that is polled, in one order, and compressed once."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from threading import Lock
from typing import NamedTuple

from exporter.exposition.formats import Format, family_header
from exporter.families import Family
from exporter.records import FamilySeries

LEVEL = 1
"""zlib's fastest level: label text compresses 15 to 1 with it already."""

GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


class Deflated(NamedTuple):
    """A raw deflate segment ended by a full flush, with CRC-32 and length of what it holds."""

    segment: bytes
    crc: int
    length: int


class Snapshot:
    """An immutable moment: the families that have samples, each with its blocks' text; and figures about them.

    `series` has a record per family that is polled, `size` is in bytes of plain text.
    """

    def __init__(self, parts: Sequence[tuple[Family, Sequence[bytes]]], series: tuple[FamilySeries, ...]) -> None:
        self._parts = tuple(parts)
        self._lock = Lock()
        self._deflated: dict[Format, Deflated] = {}
        self.series = series
        self.size = sum(
            len(family_header(family, Format.TEXT)) + sum(map(len, blocks)) for family, blocks in self._parts
        )

    def chunks(self, form: Format) -> list[bytes]:
        """The exposition's pieces in order, without an end."""
        return [piece for family, blocks in self._parts for piece in (family_header(family, form), *blocks)]

    def deflated(self, form: Format) -> Deflated:
        """The exposition compressed; the first caller pays for it, others wait and share it."""
        with self._lock:
            if form not in self._deflated:
                self._deflated[form] = deflate(self.chunks(form))
            return self._deflated[form]


def deflate(chunks: Sequence[bytes]) -> Deflated:
    """Compress chunks into one segment that any other segment can follow."""
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    crc = length = 0
    packed = []
    for chunk in chunks:
        packed.append(packer.compress(chunk))
        crc = zlib.crc32(chunk, crc)
        length += len(chunk)
    packed.append(packer.flush(zlib.Z_FULL_FLUSH))
    return Deflated(b"".join(packed), crc, length)


def gzip_member(first: Deflated, last: bytes) -> list[bytes]:
    """One gzip member that holds a kept segment and then `last`; the format is RFC 1952's."""
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    rest = packer.compress(last) + packer.flush()
    trailer = struct.pack("<II", zlib.crc32(last, first.crc), (first.length + len(last)) & 0xFFFFFFFF)
    return [GZIP_HEADER, first.segment, rest, trailer]
