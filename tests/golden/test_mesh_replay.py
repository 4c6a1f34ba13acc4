"""A real mesh over 15 minutes: b killed, d leaving and coming back as hearsay, e joining and leaving, a killed.

Times are those of the capture: b is killed at 3 s and its peers list it, with a fresh latency, until 304 s; its next
process, with the same id, is seen from 452 s and answers from 468 s. d is stopped from 378 to 400 s, leaves cleanly at
411 s, and is back by gossip from 412 to 600 s. e is seen from 665 to 804 s. a is killed at 735 s.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from exporter.state.reconcile import GHOST_AFTER
from tests.golden.mesh_replay import Moment, replay, whole

STALE_AFTER = 15.0
INTERVALS = [1.0, 5.0]
KILLED, GONE, BACK = 2.1, 306.0, 470.5
LEFT, FORGOTTEN = 411.0, 602.0

pytestmark = pytest.mark.parametrize("interval", INTERVALS, ids=["every second", "every 5 s"])


@cache
def moments(interval: float) -> list[Moment]:
    return replay(whole(), interval, STALE_AFTER)


def between(interval: float, start: float, end: float) -> list[Moment]:
    found = [moment for moment in moments(interval) if start <= moment.t < end]
    assert found
    return found


def standings(interval: float, node: str, start: float, end: float) -> set[str | None]:
    """What a node's capacity counts as over a span; None where it is not there."""
    rows = [moment.nodes.get(node) for moment in between(interval, start, end)]
    return {row and row.standing for row in rows}


def test_a_killed_node_is_unconfirmed_as_soon_as_its_console_is_stale_though_peers_list_it(interval: float) -> None:
    assert standings(interval, "b", 0.01, KILLED) == {"confirmed"}
    listed = between(interval, KILLED + STALE_AFTER + interval, 282)
    assert {moment.nodes["b"].confirmed for moment in listed} == {0}
    assert {(moment.nodes["b"].ghost, moment.nodes["b"].basis) for moment in listed} == {(0, "quorum")}
    assert {moment.confirmed["standby"] for moment in listed} == {0}
    assert min(moment.views["b"].standby for moment in between(interval, 100, 282)) == 3
    assert standings(interval, "b", 282, GONE) <= {"unconfirmed", None}
    assert standings(interval, "b", GONE, 451) == {None}


def test_it_is_confirmed_again_only_when_its_own_console_answers(interval: float) -> None:
    assert standings(interval, "b", 460, 468.4) == {"unconfirmed"}
    assert standings(interval, "b", BACK, 804) == {"confirmed"}


def test_a_node_that_left_is_never_confirmed_again_and_a_ghost_after_120_s(interval: float) -> None:
    stale = LEFT + STALE_AFTER + interval
    assert standings(interval, "d", 0.02, 378) == {"confirmed"}
    assert standings(interval, "d", stale, FORGOTTEN) <= {"unconfirmed", "ghost", None}
    assert standings(interval, "d", stale, LEFT + STALE_AFTER - interval + GHOST_AFTER) == {"unconfirmed"}
    assert standings(interval, "d", stale + GHOST_AFTER, 599) == {"ghost"}
    ghostly = between(interval, stale + GHOST_AFTER, 599)
    assert {(moment.nodes["d"].confirmed, moment.nodes["d"].ghost) for moment in ghostly} == {(0, 1)}
    assert {moment.confirmed["serving"] for moment in ghostly} == {1}
    assert standings(interval, "d", FORGOTTEN, 1000) == {None}


def test_a_stopped_node_is_confirmed_again_with_its_first_answer(interval: float) -> None:
    assert standings(interval, "d", 400.415, LEFT + STALE_AFTER - interval - 0.1) == {"confirmed"}


def test_a_newcomer_that_some_only_estimate_is_never_a_ghost(interval: float) -> None:
    assert "ghost" not in standings(interval, "e", 665, 1000)
    assert standings(interval, "e", 668, 717) == {"confirmed"}
    assert standings(interval, "e", 725, 800) == {"unconfirmed"}


def test_nobody_else_is_ever_a_ghost(interval: float) -> None:
    for node in "abce":
        assert "ghost" not in standings(interval, node, 0, 1000)


def states(moment: Moment) -> dict[str, str]:
    return {node: row.state for node, row in moment.nodes.items()}


def dissents(moment: Moment) -> dict[str, int]:
    return {node: row.real for node, row in moment.views.items() if row.real}


def test_no_node_changes_its_state_in_the_whole_run(interval: float) -> None:
    seen: dict[str, set[str]] = {}
    for moment in moments(interval):
        for node, state in states(moment).items():
            seen.setdefault(node, set()).add(state)
    assert seen == {"a": {"serving"}, "b": {"standby"}, "c": {"client"}, "d": {"serving"}, "e": {"standby"}}


@pytest.mark.parametrize(
    "wrong",
    [dissents, lambda moment: {node for node, row in moment.views.items() if row.expected}],
    ids=["real", "expected"],
)
def test_nobody_disagrees(wrong: Callable[[Moment], object], interval: float) -> None:
    assert [(moment.t, wrong(moment)) for moment in moments(interval) if wrong(moment)] == []
