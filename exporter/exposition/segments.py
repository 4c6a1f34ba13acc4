"""Text as raw deflate segments that stand in any order: each remembers nothing of those before, and ends on a byte."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from types import ModuleType
from typing import NamedTuple

import msgspec

from exporter.exposition.checksum import combination

try:
    from isal import isal_zlib

    FASTEST: ModuleType = isal_zlib
except ImportError:
    FASTEST = zlib

combine = combination()

LEVEL = 1
"""zlib's fastest level, and ISA-L's that fits its code to the text."""
GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


class Segment(msgspec.Struct, frozen=True, gc=False):
    """A raw deflate segment ended by a full flush, with CRC-32 and length of the text in it, and counts of its lines.

    `samples` are in it; `dropped` values were no number to expose.
    """

    data: bytes
    crc: int
    length: int
    samples: int = 0
    dropped: int = 0


NOTHING = Segment(b"", 0, 0)


class Chain(NamedTuple):
    """Deflate segments in a row, with CRC-32 and length of the text in all of them."""

    pieces: Sequence[bytes]
    crc: int
    length: int


class Packer:
    """Compresses texts one by one with a module like `zlib`; not safe for threads."""

    def __init__(self, module: ModuleType = FASTEST) -> None:
        # ISA-L has a fixed code at level 0 only.
        quick = LEVEL if module is zlib else 0
        self._long = module.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._short = module.compressobj(quick, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_FIXED)
        self._crc32 = module.crc32

    def pack(self, text: bytes, samples: int = 0, dropped: int = 0, *, short: bool = False) -> Segment:
        """Compress a text; a `short` one with a fixed code, for one of its own costs more than it saves."""
        if not text:
            return Segment(b"", 0, 0, samples, dropped) if dropped else NOTHING
        packer = self._short if short else self._long
        data = packer.compress(text) + packer.flush(zlib.Z_FULL_FLUSH)
        return Segment(data, self._crc32(text), len(text), samples, dropped)


def summed(segments: Iterable[Segment]) -> Segment:
    """One without data that stands for all of them."""
    crc = length = samples = dropped = 0
    for each in segments:
        crc = combine(crc, each.crc, each.length)
        length += each.length
        samples += each.samples
        dropped += each.dropped
    return Segment(b"", crc, length, samples, dropped)


def inflated(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The text of segments, piece by piece."""
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    return map(unpacker.decompress, pieces)


def gzip_member(chain: Chain, last: bytes) -> list[bytes]:
    """One gzip member that holds what a chain does and then `last`; the format is RFC 1952's."""
    packer = FASTEST.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    rest = packer.compress(last) + packer.flush()
    crc = combine(chain.crc, zlib.crc32(last), len(last))
    trailer = struct.pack("<II", crc, (chain.length + len(last)) & 0xFFFFFFFF)
    return [GZIP_HEADER, *chain.pieces, rest, trailer]
