"""Sample lines of each projection, and the values that never become one."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from exporter.exposition.lines import Keys, Lines, Renderer
from exporter.families import Family, OneOf, Split, Value, Word
from exporter.records import Record


class Thing(Record, frozen=True, gc=False):
    """A record for these tests."""

    KEY = ("thing",)
    thing: str
    state: str | None = None
    size: float | None = None
    count: int | None = None


def lines(family: Family, *things: Thing) -> Lines:
    return Renderer(family).lines(Keys.of([f'thing="{thing.thing}"' for thing in things]), things)


def test_a_value_is_absent_while_none_and_zero_is_zero() -> None:
    family = Family("t_size_bytes", Thing, Value("size"), "Size.")
    things = (Thing("a", size=1.5), Thing("b"), Thing("c", size=0.0), Thing("d", size=3e20))
    assert lines(family, *things) == Lines(
        b't_size_bytes{thing="a"} 1.5\nt_size_bytes{thing="c"} 0.0\nt_size_bytes{thing="d"} 3e20\n',
        3,
        0,
    )


def test_further_labels_follow_the_key_and_none_is_empty() -> None:
    family = Family("t_info", Thing, Value(None, ("state",)), "Info.")
    assert lines(family, Thing("a", state='x"y'), Thing("b")).text == (
        b't_info{thing="a",state="x\\"y"} 1\nt_info{thing="b",state=""} 1\n'
    )


def test_a_word_is_absent_while_none() -> None:
    family = Family("t_reported", Thing, Word("state"), "Word.")
    assert lines(family, Thing("a", state="up"), Thing("b")) == Lines(b't_reported{thing="a",state="up"} 1\n', 1, 0)


@pytest.mark.parametrize(("state", "values"), [("up", "10"), ("down", "01"), (None, "00")])
def test_one_of_has_a_row_for_every_word(state: str | None, values: str) -> None:
    family = Family("t_state", Thing, OneOf("state", ("up", "down")), "State.")
    up, down = values
    assert lines(family, Thing("a", state=state)).text.decode() == (
        f't_state{{thing="a",state="up"}} {up}\nt_state{{thing="a",state="down"}} {down}\n'
    )


def test_split_puts_several_fields_under_one_label() -> None:
    family = Family("t_all_total", Thing, Split("kind", (("big", "size"), ("many", "count"))), "All.")
    assert lines(family, Thing("a", size=1.0), Thing("b", size=2.0, count=3)) == Lines(
        b't_all_total{thing="a",kind="big"} 1.0\nt_all_total{thing="b",kind="big"} 2.0\n'
        b't_all_total{thing="b",kind="many"} 3\n',
        3,
        0,
    )


@pytest.mark.parametrize("size", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_is_dropped_counted_and_costs_nobody_else(size: float) -> None:
    family = Family("t_size_bytes", Thing, Value("size"), "Size.")
    assert lines(family, Thing("a", size=size), Thing("b", size=2.0)) == Lines(b't_size_bytes{thing="b"} 2.0\n', 1, 1)


@pytest.mark.parametrize("size", ["5", "1,2", '"', True, [1.0], 10**400, 2**63, object()])
def test_what_is_no_number_is_dropped_counted_and_costs_nobody_else(size: object) -> None:
    family = Family("t_size_bytes", Thing, Value("size"), "Size.")
    things = (Thing("a", size=size), Thing("b", size=2.0), Thing("c", size=3))  # type: ignore[arg-type]
    assert lines(family, *things) == Lines(b't_size_bytes{thing="b"} 2.0\nt_size_bytes{thing="c"} 3\n', 2, 1)


def test_a_counter_below_zero_is_dropped_and_a_gauge_is_not() -> None:
    counter = Family("t_things_total", Thing, Value("count"), "Count.")
    gauge = Family("t_things", Thing, Value("count"), "Count.")
    assert lines(counter, Thing("a", count=-1), Thing("b", count=0)) == Lines(b't_things_total{thing="b"} 0\n', 1, 1)
    assert lines(gauge, Thing("a", count=-1)).text == b't_things{thing="a"} -1\n'


PROJECTIONS = (
    Family("t_size_bytes", Thing, Value("size"), "Size."),
    Family("t_size_bytes", Thing, Value("size", ("state",)), "Size."),
    Family("t_things_total", Thing, Value("count"), "Count."),
    Family("t_info", Thing, Value(None, ("state",)), "Info."),
    Family("t_reported", Thing, Word("state"), "Word."),
    Family("t_state", Thing, OneOf("state", ("up", "down")), "State."),
)
THINGS = st.lists(
    st.builds(
        Thing,
        thing=st.sampled_from("abc"),
        state=st.sampled_from(["up", "down", None]),
        size=st.none() | st.floats() | st.just(1.5),
        count=st.none() | st.integers(-3, 3),
    ),
    max_size=40,
)


@given(st.sampled_from(PROJECTIONS), st.lists(THINGS.filter(bool), min_size=1, max_size=5))
def test_runs_are_the_lines_of_each_run(family: Family, parts: list[list[Thing]]) -> None:
    things = [thing for part in parts for thing in part]
    edges = list(accumulate(map(len, parts)))
    runs = Renderer(family).runs(Keys.of([f'thing="{thing.thing}"' for thing in things]), things, edges)
    assert runs == [lines(family, *part) for part in parts]
    assert b"".join(run.text for run in runs) == lines(family, *things).text


@given(THINGS, THINGS)
def test_samples_are_others_where_their_lines_are(before: list[Thing], after: list[Thing]) -> None:
    both = [(was, structs.replace(now, thing=was.thing)) for was, now in zip(before, after, strict=False)]
    for family in PROJECTIONS:
        others = Renderer(family).others([was for was, _ in both], [now for _, now in both])
        texts = [[lines(family, each).text.replace(b" -0.0", b" 0.0") for each in pair] for pair in both]
        assert all(other or was == now for other, (was, now) in zip(others, texts, strict=True))
