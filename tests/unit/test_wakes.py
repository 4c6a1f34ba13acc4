"""The wake ledger: when a wake starts, how it ends, and what is remembered of it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.records import WAKE_RESULTS, Becomes, Node, WakeableNode
from exporter.state.awake import Live, match
from exporter.state.wakes import (
    MOST_PROVIDERS,
    MOST_WAKES,
    REMEMBERED,
    SETTLE,
    Listed,
    WakeCounts,
    WakeMemory,
    duration,
    judge_wakes,
    wake_counts,
)

A, B = "mesh-llm a:3131", "mesh-llm b:3131"
NOBODY = Live({})
NAMESAKE = Live({"id-7": "rack"})
HINTED = Live({"id-7": "gpu-07"})


class Follow:
    """The wakes of one fleet, judged step by step; `rack` is the one entry, listed by `sources`."""

    def __init__(self, becomes: Becomes | None = None) -> None:
        self.memory = WakeMemory()
        self.becomes = becomes

    def at(
        self,
        wall: float,
        word: str | None,
        live: Live = NOBODY,
        sources: tuple[str, ...] = (A,),
        answered: Iterable[str] = (A,),
        eta: float | None = 60.0,
    ) -> Follow:
        """One judgement; a `word` of None is: not listed."""
        state = None if word == "?" else word
        node = WakeableNode("eu", "rack", "aws", "mesh-llm", state, 1.0, eta)
        listed = {"rack": Listed(node, sources, self.becomes)} if word else {}
        self.memory = judge_wakes(listed, live, set(answered), self.memory, wall)
        return self

    @property
    def counts(self) -> tuple[int, int, int]:
        return tuple(self.memory.counts["aws"])  # type: ignore[return-value]

    @property
    def took(self) -> float | None:
        return self.memory.wakes["rack"].took


def test_a_sleeper_has_no_wake_but_its_rows() -> None:
    follow = Follow().at(100, "sleeping")
    assert follow.memory == WakeMemory({}, {"aws": WakeCounts()})
    assert [(row.provider, row.result, row.wakes) for row in wake_counts("eu", follow.memory)] == [
        ("aws", "live", 0),
        ("aws", "returned", 0),
        ("aws", "vanished", 0),
    ]


def test_while_it_wakes_its_duration_grows_and_its_first_promise_stands() -> None:
    follow = Follow().at(100, "sleeping").at(110, "waking", eta=60).at(150, "waking", eta=20)
    wake = follow.memory.wakes["rack"]
    assert (wake.started, wake.promised, duration(wake, 150)) == (110, 60, 40)
    assert follow.counts == (0, 0, 0)


def test_a_promise_that_comes_late_is_taken() -> None:
    follow = Follow().at(110, "waking", eta=None).at(115, "waking", eta=50)
    assert follow.memory.wakes["rack"].promised == 50


def test_it_went_back_to_sleep() -> None:
    follow = Follow().at(110, "waking").at(150, "sleeping").at(200, "sleeping")
    assert (follow.counts, follow.took) == ((0, 1, 0), 40)
    assert duration(follow.memory.wakes["rack"], 9999) == 40


HINTS = {"hostname": Becomes(hostname="gpu-07"), "node": Becomes(node="id-7")}


@pytest.mark.parametrize("hint", HINTS.values(), ids=HINTS)
def test_the_hinted_node_came_while_the_entry_is_still_listed(hint: Becomes) -> None:
    follow = Follow(hint).at(110, "waking").at(155, "waking", HINTED).at(160, "waking", HINTED)
    assert (follow.counts, follow.took) == ((1, 0, 0), 45)


def test_a_hinted_node_that_is_live_already_wakes_nothing() -> None:
    follow = Follow(HINTS["hostname"]).at(110, "waking", HINTED).at(120, "sleeping", HINTED)
    assert (follow.counts, follow.memory.wakes) == ((0, 0, 0), {})


def test_with_a_hint_no_other_node_counts() -> None:
    other = Live({"rack": "rack"})
    follow = Follow(HINTS["hostname"]).at(110, "waking").at(120, None, other).at(120 + SETTLE, None, other)
    assert follow.counts == (0, 0, 1)


def test_the_hint_of_an_entry_that_is_gone_is_remembered() -> None:
    follow = Follow(HINTS["node"]).at(110, "waking").at(120, None).at(130, None, HINTED)
    assert (follow.counts, follow.took) == ((1, 0, 0), 10)


NAMES = {"hostname": NAMESAKE, "id": Live({"rack": None})}


@pytest.mark.parametrize("live", NAMES.values(), ids=NAMES)
def test_without_a_hint_a_node_of_its_name_must_come_when_the_entry_is_gone(live: Live) -> None:
    follow = Follow().at(110, "waking").at(140, "waking", live)
    assert follow.counts == (0, 0, 0)
    assert (follow.at(150, None, live).counts, follow.took) == ((1, 0, 0), 40)


def test_the_node_may_come_a_while_after_the_entry_went() -> None:
    follow = Follow().at(110, "waking").at(120, None).at(119 + SETTLE, None)
    assert follow.counts == (0, 0, 0)
    assert (follow.at(119.5 + SETTLE, None, NAMESAKE).counts, follow.took) == ((1, 0, 0), 10)


def test_of_several_namesakes_none_is_what_woke() -> None:
    both = Live({"id-7": "rack", "id-8": "rack"})
    follow = Follow().at(110, "waking").at(120, None).at(130, None, both)
    assert follow.counts == (0, 0, 0)


def test_a_namesake_that_was_live_before_is_not_what_woke() -> None:
    follow = Follow().at(110, "waking", NAMESAKE).at(120, None, NAMESAKE).at(120 + SETTLE, None, NAMESAKE)
    assert follow.counts == (0, 0, 1)


def test_it_vanished() -> None:
    follow = Follow().at(110, "waking").at(120, None).at(119.9 + SETTLE, None)
    assert follow.counts == (0, 0, 0)
    follow.at(120 + SETTLE, None)
    assert (follow.counts, follow.took) == ((0, 0, 1), 10)
    assert follow.at(500 + SETTLE, None).counts == (0, 0, 1)


def test_an_entry_that_comes_back_waking_goes_on_with_its_wake() -> None:
    follow = Follow().at(110, "waking").at(120, None).at(130, "waking").at(130 + SETTLE, None)
    assert (follow.counts, follow.memory.wakes["rack"].started) == ((0, 0, 0), 110)


def test_silence_ends_nothing() -> None:
    follow = Follow().at(110, "waking").at(200, None, answered=()).at(200 + 2 * SETTLE, None, answered=(B,))
    assert follow.counts == (0, 0, 0)
    follow.at(700, "sleeping", sources=(B,), answered=(B,))
    assert follow.counts == (0, 0, 0)
    assert (follow.at(710, "waking").at(720, "sleeping").counts, follow.took) == ((0, 1, 0), 610)


def test_of_several_who_list_it_one_that_answers_is_enough() -> None:
    follow = Follow().at(110, "waking", sources=(A, B), answered=(A, B))
    follow.at(120, None, answered=(B,)).at(120 + SETTLE, None, answered=(B,))
    assert follow.counts == (0, 0, 1)


def test_the_last_to_list_it_may_fall_silent() -> None:
    follow = Follow().at(110, "waking", sources=(A, B), answered=(A, B))
    follow.at(120, "waking", sources=(B,), answered=(A, B)).at(130, None, NAMESAKE, answered=(A,))
    assert (follow.counts, follow.took) == ((1, 0, 0), 20)


def test_a_word_outside_the_set_ends_nothing() -> None:
    follow = Follow().at(110, "waking").at(120, "?").at(130, "waking")
    assert (follow.counts, follow.memory.wakes["rack"].started) == ((0, 0, 0), 110)


def test_a_second_wake_starts_only_after_a_rest() -> None:
    follow = Follow(HINTS["node"]).at(110, "waking").at(120, "waking", HINTED).at(130, "waking").at(140, "?")
    assert (follow.counts, follow.took) == ((1, 0, 0), 10)
    follow.at(150, "sleeping").at(160, "waking", eta=5)
    wake = follow.memory.wakes["rack"]
    assert (wake.started, wake.promised, wake.took, follow.counts) == (160, 5, None, (1, 0, 0))


def test_a_clock_that_jumps_back_makes_nothing_negative() -> None:
    follow = Follow().at(1000, "waking").at(500, "waking")
    assert duration(follow.memory.wakes["rack"], 500) == 0
    assert (follow.at(500, "sleeping").took, follow.counts) == (0, (0, 1, 0))


def test_after_a_jump_back_an_entry_that_is_gone_still_vanishes() -> None:
    follow = Follow().at(1000, "waking").at(1010, None).at(100, None).at(100 + SETTLE, None)
    assert (follow.counts, follow.took) == ((0, 0, 1), 0)


def test_a_steady_wake_changes_nothing_that_is_remembered() -> None:
    follow = Follow().at(1000, "waking")
    before = follow.memory
    assert follow.at(1010, "waking", eta=50).memory == before


def test_what_nobody_lists_is_forgotten() -> None:
    follow = Follow().at(0, "waking").at(10, "sleeping").at(REMEMBERED, None)
    assert "rack" in follow.memory.wakes
    assert follow.at(REMEMBERED + 1, None).memory == WakeMemory({}, {"aws": WakeCounts(returned=1)})


def test_wakes_and_providers_are_bounded() -> None:
    many = MOST_WAKES + 1
    listed = {
        f"w{at}": Listed(WakeableNode("eu", f"w{at}", f"p{at}", "mesh-llm", "waking", 1.0, None), (A,), None)
        for at in range(many)
    }
    memory = judge_wakes(listed, NOBODY, {A}, WakeMemory(), 10)
    assert (len(memory.wakes), len(memory.counts)) == (MOST_WAKES, MOST_PROVIDERS)
    asleep = {
        name: each._replace(node=msgspec.structs.replace(each.node, state="sleeping")) for name, each in listed.items()
    }
    counts = judge_wakes(asleep, NOBODY, {A}, memory, 20).counts
    assert set(counts.values()) <= {WakeCounts(returned=1), WakeCounts()}


def test_what_is_remembered_can_be_stored() -> None:
    memory = Follow(HINTS["node"]).at(110, "waking").at(120, "sleeping").memory
    assert msgspec.json.decode(msgspec.json.encode(memory), type=WakeMemory) == memory


def node(state: str, confirmed: int) -> Node:
    return Node(
        fleet="eu", node="id-7", hostname="gpu-07", role=None, version=None, basis="self", state=state, reason="",
        reported=None, standing="confirmed" if confirmed else "unconfirmed", confirmed=confirmed, ghost=0,
        vram_bytes=None, inflight_requests=None, requests_success=None, requests_failure=None,
    )  # fmt: skip


LIVES = {"serving": ("serving", 1, True), "standby": ("standby", 1, True), "loading": ("loading", 1, True)}
LIVES |= {"a client": ("client", 1, False), "unconfirmed": ("serving", 0, False)}


@pytest.mark.parametrize(("state", "confirmed", "expected"), LIVES.values(), ids=LIVES)
def test_live_is_confirmed_and_no_client(state: str, confirmed: int, expected: bool) -> None:
    live = Live.of([node(state, confirmed)])
    matched = [match({"rack": hint}, live, {}).nodes.get("rack") for hint in (*HINTS.values(), Becomes("other"))]
    assert matched == [*["id-7" if expected else None] * 2, None]


STEP = st.tuples(
    st.floats(-300, 300),
    st.sampled_from(["sleeping", "waking", "?", None]),
    st.sampled_from([NOBODY, NAMESAKE, HINTED]),
    st.sets(st.sampled_from([A, B])),
)


@given(st.lists(STEP, max_size=30), st.sampled_from([None, *HINTS.values()]))
def test_counts_never_fall_and_a_wake_ends_once(steps: list[tuple[float, str | None, Live, set[str]]], hint) -> None:  # type: ignore[no-untyped-def]
    follow, wall, ended = Follow(hint).at(1000, "sleeping"), 1000.0, 0
    for seconds, word, live, answered in steps:
        before, wall = follow.memory, wall + seconds
        follow.at(wall, word if answered else None, live, tuple(sorted(answered)), answered)
        was, now = before.wakes.get("rack"), follow.memory.wakes.get("rack")
        ends = was is not None and was.took is None and now is not None and now.took is not None
        ended += ends
        assert sum(follow.counts) == ended
        assert sum(follow.counts) - sum(before.counts["aws"]) == ends
        assert now is None or (duration(now, wall) or 0.0) >= 0
    assert {row.result for row in wake_counts("eu", follow.memory)} == set(WAKE_RESULTS)
