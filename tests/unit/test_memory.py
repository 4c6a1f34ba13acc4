"""What a fresh read changes of what is remembered, case by case."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from exporter.state.memory import Change, Held, Recollection, Retention, Roster, change

NOW = 1_000_000.0
HOUR = 3600.0


def made(
    held: Mapping[str, Held], states: Mapping[str, str | None], kind: str = "node", now: float = NOW, **more: object
) -> Change:
    retention = Retention(HOUR, int(str(more.pop("most", 100))))
    passing = more.pop("passing", ())
    return change(kind, held, Roster(states, **more), now, retention, passing)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "state", "after", "steps"),
    [
        pytest.param(None, "idle", Held("idle", NOW), {}, id="a-newcomer"),
        pytest.param(Held("idle", 5.0), "idle", None, {}, id="nothing-changes"),
        pytest.param(Held("idle", 5.0), "busy", Held("busy", NOW), {("idle", "busy"): 1}, id="a-transition"),
        pytest.param(Held("idle", 5.0, 9.0), "idle", Held("idle", NOW), {}, id="returns-in-its-state"),
        pytest.param(Held("idle", 5.0, 9.0), "busy", Held("busy", NOW), {}, id="returns-in-another-state"),
        pytest.param(Held("idle", NOW + 9), "idle", Held("idle", NOW), {}, id="since-after-now"),
        pytest.param(Held("idle", 5.0), None, Held(None, NOW), {}, id="a-word-that-is-no-state"),
        pytest.param(Held(None, 5.0), "idle", Held("idle", NOW), {}, id="a-word-that-is-one-again"),
    ],
)
def test_who_is_there(before: Held | None, state: str | None, after: Held | None, steps: dict[object, int]) -> None:
    found = made({} if before is None else {"w": before}, {"w": state}, "worker")
    assert (found.put.get("w"), found.forgotten, found.steps) == (after, set(), steps)


LEFT = Held("serving", 5.0)


@pytest.mark.parametrize(
    ("kind", "before", "now", "more", "after", "forgotten"),
    [
        pytest.param("node", LEFT, NOW, {}, LEFT._replace(gone=NOW), False, id="leaves-a-tombstone"),
        pytest.param("node", LEFT._replace(gone=NOW), NOW + HOUR - 1, {}, None, False, id="within-the-window"),
        pytest.param("node", LEFT._replace(gone=NOW), NOW + HOUR, {}, None, True, id="after-the-window"),
        pytest.param(
            "node", LEFT._replace(gone=NOW + 9), NOW, {}, LEFT._replace(gone=NOW), False, id="clock-went-back"
        ),
        pytest.param("node", Held("client", 5.0), NOW, {}, None, True, id="a-client"),
        pytest.param("node", LEFT, NOW, {"passing": ["x"]}, None, True, id="a-console-no-longer-polled"),
        pytest.param("worker", Held("unknown", 5.0), NOW, {"dropped": ["x"]}, None, True, id="a-forgotten-worker"),
        pytest.param("wakeable", Held("waking", 5.0), NOW, {}, None, True, id="a-wakeable-node"),
        pytest.param("wakeable", Held("waking", 5.0), NOW, {"whole": False}, None, False, id="somebody-is-silent"),
    ],
)
def test_who_is_there_no_longer(
    kind: str, before: Held, now: float, more: dict[str, object], after: Held | None, forgotten: bool
) -> None:
    found = made({"x": before}, {}, kind, now, **more)
    put = None if found.put.get("x") is None else found.put["x"]._replace(ordinal=None)
    assert (put, found.forgotten, found.steps) == (after, {"x"} if forgotten else set(), {})


def test_of_too_many_tombstones_the_oldest_go() -> None:
    held = {f"n{number}": Held("serving", 1.0, NOW - number, number) for number in range(5)}
    assert made(held, {}, most=2).forgotten == {"n2", "n3", "n4"}
    held |= {"there": Held("serving", 1.0, None, 5)}
    assert made(held, {"there": "serving"}, most=5).forgotten == set()
    assert made(held, {}, most=5).forgotten == {"n4"}


def test_ordinals_are_the_lowest_that_are_free_and_stay_with_who_returns() -> None:
    part = Recollection("node", Retention(HOUR, 100))

    def ordinals(now: float, *nodes: str) -> dict[str, int | None]:
        part.observe(Roster(dict.fromkeys(nodes, "serving")), now)
        return {name: each.ordinal for name, each in part.held.items()}

    assert ordinals(0, "c", "a", "b") == {"a": 0, "b": 1, "c": 2}
    assert ordinals(10, "c", "b", "d") == {"a": 0, "b": 1, "c": 2, "d": 3}
    assert ordinals(20, "a", "c", "d") == {"a": 0, "b": 1, "c": 2, "d": 3}
    assert ordinals(20 + HOUR, "a", "c", "d", "e") == {"a": 0, "e": 1, "c": 2, "d": 3}


def test_only_nodes_have_ordinals() -> None:
    assert made({}, {"w": "idle"}, "worker").put["w"].ordinal is None
    assert made({}, {"n": "standby"}, "node").put["n"].ordinal == 0


def test_a_read_that_changes_nothing_gives_nothing_until_a_tombstone_is_due() -> None:
    part = Recollection("worker", Retention(HOUR, 100))
    assert part.observe(Roster({"a": "idle", "b": "busy"}), NOW) is not None
    assert part.observe(Roster({"a": "idle"}), NOW + 1) is not None
    assert part.observe(Roster({"a": "idle"}), NOW + HOUR) is None
    assert list(part.tombstones()) == ["b"]
    assert part.observe(Roster({"a": "idle"}), NOW + 1 + HOUR) == Change({}, {"b"}, {})
    assert list(part.tombstones()) == []


def test_those_whose_console_is_no_longer_polled_are_so_once() -> None:
    part = Recollection("node", Retention(HOUR, 100), {"a": Held("serving", 1.0, None, 0)}, passing=["a"])
    part.observe(Roster({"a": "serving"}), NOW)
    part.observe(Roster({}), NOW + 1)
    assert list(part.tombstones()) == ["a"]
