"""A table is cut into blocks by its keys alone, and only what changed is rendered again."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.exposition.blocks import LARGEST, TableText
from exporter.families import Family, Value
from exporter.records import Record


class Thing(Record, frozen=True, gc=False):
    """A record for these tests."""

    KEY = ("fleet", "thing")
    fleet: str
    thing: str
    size: int = 0


FAMILY = Family("t_size", Thing, Value("size"), "Size.")


def table(count: int, start: int = 0) -> list[Thing]:
    return [Thing("f", f"thing-{number}", number) for number in range(start, start + count)]


def text_of(table_text: TableText) -> bytes:
    return b"".join(block.lines[0].text for block in table_text.blocks.values())


def test_nothing_changed_renders_nothing() -> None:
    text = TableText(Thing, [FAMILY])
    assert text.update(table(3000)) == len(text.blocks) > 1
    assert text.update(table(3000)) == 0


@pytest.mark.parametrize("count", [1, 7, 40])
def test_k_changes_render_at_most_k_blocks(count: int) -> None:
    text = TableText(Thing, [FAMILY])
    things = table(20_000)
    text.update(things)
    for number in random.Random(1).sample(range(20_000), count):
        things[number] = Thing("f", f"thing-{number}", -1)
    assert 0 < text.update(things) <= count


def test_joins_and_leaves_touch_only_their_own_blocks() -> None:
    text = TableText(Thing, [FAMILY])
    text.update(table(20_000))
    before = {block.labels[0]: block for block in text.blocks.values()}
    text.update(table(20_000)[3:] + table(2, start=900_000))
    kept = [block for block in text.blocks.values() if any(block is other for other in before.values())]
    assert len(before) - len(kept) <= 5


def test_the_order_of_the_upstream_does_not_matter() -> None:
    things = table(5000)
    text = TableText(Thing, [FAMILY])
    text.update(things)
    ordered = text_of(text)
    random.Random(2).shuffle(things)
    assert text.update(things) == 0
    assert text_of(text) == ordered


def test_no_block_is_larger_than_it_may_be() -> None:
    text = TableText(Thing, [FAMILY])
    text.update(table(30_000))
    assert max(len(block.labels) for block in text.blocks.values()) <= LARGEST
    assert sum(len(block.labels) for block in text.blocks.values()) == 30_000


def test_the_first_of_two_records_with_one_key_stands_and_the_other_is_counted() -> None:
    text = TableText(Thing, [FAMILY])
    text.update([Thing("f", "a", 1), Thing("f", "a", 2), Thing("f", "b", 3)])
    assert text_of(text) == b't_size{fleet="f",thing="a"} 1\nt_size{fleet="f",thing="b"} 3\n'
    assert text.duplicates == 1
    text.update([Thing("f", "a", 2)])
    assert (text_of(text), text.duplicates) == (b't_size{fleet="f",thing="a"} 2\n', 0)


KEYS = st.sets(st.integers(0, 3000), max_size=1500)


@given(KEYS, KEYS)
def test_updated_text_is_that_of_a_fresh_table(first: set[int], then: set[int]) -> None:
    kept, fresh = TableText(Thing, [FAMILY]), TableText(Thing, [FAMILY])
    kept.update([Thing("f", str(key), key) for key in first])
    kept.update([Thing("f", str(key), key) for key in then])
    fresh.update([Thing("f", str(key), key) for key in sorted(then)])
    assert text_of(kept) == text_of(fresh)
