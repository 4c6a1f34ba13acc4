"""A table is cut into blocks in the order of its keys, and only what changed is rendered again."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.exposition.blocks import LARGEST, TableText, rearranged
from exporter.exposition.parts import PART
from exporter.exposition.segments import inflated
from exporter.families import Family, Value, Word
from exporter.records import Record


class Thing(Record, frozen=True, gc=False):
    """A record for these tests."""

    KEY = ("fleet", "thing")
    fleet: str
    thing: str
    size: int = 0
    weight: int = 0


FAMILY = Family("t_size", Thing, Value("size"), "Size.")
OTHER = Family("t_weight", Thing, Value("weight"), "Weight.")


def table(count: int, start: int = 0) -> list[Thing]:
    return [Thing("f", f"thing-{number}", number) for number in range(start, start + count)]


def text_of(table_text: TableText, place: int = 0) -> bytes:
    return b"".join(inflated(table_text.pieces(place)))


def change(things: list[Thing], count: int, chance: random.Random) -> None:
    for number in chance.sample(range(len(things)), count):
        things[number] = Thing("f", things[number].thing, chance.randrange(10**9))


def test_nothing_changed_renders_nothing() -> None:
    text = TableText(Thing, [FAMILY])
    assert text.update(table(3000)) == len(text.blocks) > 1
    assert text.update(table(3000)) == 0


@pytest.mark.parametrize("count", [1, 7, 40])
def test_k_changes_render_at_most_k_blocks(count: int) -> None:
    text = TableText(Thing, [FAMILY])
    things = table(20_000)
    text.update(things)
    change(things, count, random.Random(1))
    assert 0 < text.update(things) <= count


def test_a_block_of_which_little_changes_is_cut_and_then_only_what_changes_is_rendered() -> None:
    chance = random.Random(3)
    text = TableText(Thing, [FAMILY, OTHER])
    things = table(10_000)
    text.update(things)
    for _ in range(2):
        for at in range(0, len(things), 250):
            things[at] = Thing("f", things[at].thing, chance.randrange(10**9))
        text.update(things)
    cut = [block for block in text.blocks if len(block.columns[0].pieces) == -(-len(block.labels) // PART)]
    assert len(cut) >= len(text.blocks) - 1, "the last one may be too short"
    change(things, 10, chance)
    kept = text.pieces(1)
    assert text.update(things) <= 10
    assert all(now is was for now, was in zip(text.pieces(1), kept, strict=True)), "no weight changed"
    change(things, 10_000, chance)
    text.update(things)
    assert {len(column.pieces) for block in text.blocks for column in block.columns} == {1}


def test_joins_and_leaves_touch_only_their_own_blocks() -> None:
    text = TableText(Thing, [FAMILY])
    text.update(table(20_000))
    before = text.blocks
    text.update(table(20_000)[3:] + table(2, start=900_000))
    kept = [block for block in text.blocks if any(block is other for other in before)]
    assert len(before) - len(kept) <= 5


def test_the_order_of_the_upstream_does_not_matter() -> None:
    things = table(5000)
    text = TableText(Thing, [FAMILY])
    text.update(things)
    ordered = text_of(text)
    random.Random(2).shuffle(things)
    assert text.update(things) == 0
    assert text_of(text) == ordered


def test_no_block_is_larger_than_it_may_be_nor_are_many_small() -> None:
    text = TableText(Thing, [FAMILY])
    for start in range(0, 30_000, 700):
        text.update(table(start, 5000))
        assert max([len(block.labels) for block in text.blocks], default=0) <= LARGEST
    for start in range(0, 29_000, 700):
        text.update(table(30_000 - start, start))
    assert sum(len(block.labels) for block in text.blocks) == 30_000 - start
    assert len(text.blocks) <= 4 * (30_000 - start) // LARGEST + 1


def test_the_first_of_two_records_with_one_key_stands_and_the_other_is_counted() -> None:
    text = TableText(Thing, [FAMILY])
    text.update([Thing("f", "a", 1), Thing("f", "a", 2), Thing("f", "b", 3)])
    assert text_of(text) == b't_size{fleet="f",thing="a"} 1\nt_size{fleet="f",thing="b"} 3\n'
    assert text.duplicates == 1
    text.update([Thing("f", "a", 2)])
    assert (text_of(text), text.duplicates) == (b't_size{fleet="f",thing="a"} 2\n', 0)


@pytest.mark.parametrize("cut", [False, True])
def test_an_update_that_fails_leaves_the_text_as_it_was_and_the_next_one_goes_on(cut: bool) -> None:
    word = Family("t_word", Thing, Word("size"), "Word.")
    sound: list[Any] = [Thing("f", f"thing-{number:04}", "small") for number in range(2000)]  # type: ignore[arg-type]
    text = TableText(Thing, [OTHER, word])
    text.update(sound)
    for weight in range(1, 3 if cut else 1):
        for at in range(0, len(sound), 100):
            sound[at] = Thing("f", sound[at].thing, sound[at].size, weight)
        text.update(list(sound))
    assert {block.columns[0].cut for block in text.blocks} == {cut}
    assert not any(block.columns[1].cut for block in text.blocks), "no word changed"
    before = text_of(text, 0) + text_of(text, 1)
    for broken in ([*sound[5:], Thing("f", "z", 7)], [*sound[:-1], Thing("f", "thing-1999", 7, 9)]):
        with pytest.raises(TypeError):
            text.update(broken)
        assert text_of(text, 0) + text_of(text, 1) == before
    text.update(sound[3:])
    fresh = TableText(Thing, [OTHER, word])
    fresh.update(sound[3:])
    assert [text_of(text, place) for place in (0, 1)] == [text_of(fresh, place) for place in (0, 1)]
    assert text.duplicates == 0


def test_the_text_of_a_block_that_is_gone_is_gone() -> None:
    first, last = [Thing("f", f"a{number}") for number in range(LARGEST // 2)], [Thing("f", f"b{LARGEST}")]
    text = TableText(Thing, [FAMILY])
    text.update([*first, *last])
    more = [*first, Thing("f", "a")]
    text.update([*more, *last])
    assert text.sum(0).samples == len(more) + 1
    assert text.update(more) == 0
    assert text.sum(0).samples == len(more) == text_of(text).count(b"\n")


KEYS = st.sets(st.integers(0, 3000), max_size=1500)


@given(KEYS, KEYS)
def test_updated_text_is_that_of_a_fresh_table(first: set[int], then: set[int]) -> None:
    kept, fresh = TableText(Thing, [FAMILY]), TableText(Thing, [FAMILY])
    kept.update([Thing("f", str(key), key) for key in first])
    kept.update([Thing("f", str(key), key) for key in then])
    fresh.update([Thing("f", str(key), key) for key in sorted(then)])
    assert text_of(kept) == text_of(fresh)


@given(st.lists(st.lists(st.integers(0, 99), max_size=40), max_size=6), st.integers(0, 99))
def test_changed_text_is_that_of_a_fresh_table(rounds: list[list[int]], start: int) -> None:
    things = table(100, start)
    kept = TableText(Thing, [FAMILY, OTHER])
    kept.update(things)
    for number, changed in enumerate(rounds):
        for at in changed:
            things[at] = Thing("f", things[at].thing, number, at % 2)
        kept.update(list(things))
    fresh = TableText(Thing, [FAMILY, OTHER])
    fresh.update(things)
    assert [text_of(kept, place) for place in (0, 1)] == [text_of(fresh, place) for place in (0, 1)]
    assert [kept.sum(place).samples for place in (0, 1)] == [100, 100]


def test_text_after_few_changes_many_times_is_that_of_a_fresh_table() -> None:
    chance = random.Random(5)
    things = table(3000)
    kept, cut = TableText(Thing, [FAMILY, OTHER]), 0
    for number in range(60):
        for at in chance.sample(range(len(things)), chance.choice([1, 1, 9, 40, 400])):
            one = things[at]
            things[at] = Thing("f", one.thing, chance.choice([one.size, number]), chance.choice([one.weight, number]))
        if number % 7 == 6:
            things.pop(chance.randrange(len(things)))
            things.append(Thing("f", f"new-{number}"))
        kept.update(list(things))
        fresh = TableText(Thing, [FAMILY, OTHER])
        fresh.update(things)
        assert [text_of(kept, place) for place in (0, 1)] == [text_of(fresh, place) for place in (0, 1)]
        both = [(kept.sum(place), fresh.sum(place)) for place in (0, 1)]
        assert all(
            (one.crc, one.length, one.samples) == (other.crc, other.length, other.samples) for one, other in both
        )
        cut += any(column.cut for block in kept.blocks for column in block.columns)
    assert cut > 20


@given(st.lists(st.tuples(st.sets(st.text("ab", max_size=6)), st.sets(st.text("ab", max_size=6))), max_size=5))
def test_runs_stay_sorted_whoever_comes_and_goes(steps: list[tuple[set[str], set[str]]]) -> None:
    runs: list[list[str]] = []
    there: set[str] = set()
    for come, gone in steps:
        come, gone = come - there, gone & there
        runs = rearranged(runs, gone, come)
        there = (there | come) - gone
        assert [text for run in runs for text in run] == sorted(there)
        assert all(runs)
