"""Deflate segments that stand in any order, and the one gzip member that is made of them."""

from __future__ import annotations

import gzip
import random
import shutil
import subprocess
import zlib
from collections.abc import Sequence
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.exposition.segments import FASTEST, Chain, Packer, Segment, gzip_member, inflated, summed

MODULES = {module.__name__: module for module in (zlib, FASTEST)}
TEXTS = [b"".join(b't_size{thing="thing-%d"} %d\n' % (at, at * at) for at in range(n)) for n in (1, 3, 16, 500, 5000)]

every_module = pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)


def chain(segments: Sequence[Segment]) -> Chain:
    whole = summed(segments)
    return Chain([segment.data for segment in segments], whole.crc, whole.length)


def member(segments: Sequence[Segment], last: bytes = b"") -> bytes:
    return b"".join(gzip_member(chain(segments), last))


@every_module
def test_kept_segments_stand_in_any_order_and_again(module: ModuleType) -> None:
    packer = Packer(module)
    segments = {short: [packer.pack(text, short=short) for text in TEXTS] for short in (True, False)}
    chance = random.Random(8)
    for _ in range(20):
        order = [(chance.randrange(len(TEXTS)), chance.random() < 0.5) for _ in range(9)]
        body = member([segments[short][at] for at, short in order], b"last 1\n")
        whole = b"".join([TEXTS[at] for at, _ in order]) + b"last 1\n"
        assert gzip.decompress(body) == whole
        unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
        assert unpacker.decompress(body) == whole
        assert (unpacker.eof, unpacker.unused_data) == (True, b"")


@every_module
@given(texts=st.lists(st.tuples(st.binary(max_size=200), st.booleans()), max_size=8), last=st.binary(max_size=50))
def test_any_bytes_come_back(module: ModuleType, texts: list[tuple[bytes, bool]], last: bytes) -> None:
    packer = Packer(module)
    segments = [packer.pack(text, short=short) for text, short in texts]
    whole = b"".join(text for text, _ in texts)
    assert gzip.decompress(member(segments[::-1], last)) == b"".join(text for text, _ in texts[::-1]) + last
    assert gzip.decompress(member(segments, last)) == whole + last
    assert b"".join(inflated(chain(segments).pieces)) == whole


def test_what_is_kept_is_small_and_counted() -> None:
    text = TEXTS[-1]
    segment = Packer().pack(text, 5000, 2)
    assert (segment.crc, segment.length) == (zlib.crc32(text), len(text))
    assert len(segment.data) * 4 < len(text)
    both = summed([segment, Packer().pack(b"", 0, 3)])
    assert both == Segment(b"", zlib.crc32(text), len(text), 5000, 5)


def test_gunzip_takes_it() -> None:
    program = shutil.which("gunzip")
    assert program is not None
    body = member([Packer().pack(text) for text in TEXTS], b"last 1\n")
    done = subprocess.run([program, "-c"], input=body, capture_output=True, check=False, timeout=30)
    assert (done.returncode, done.stderr, done.stdout) == (0, b"", b"".join(TEXTS) + b"last 1\n")
