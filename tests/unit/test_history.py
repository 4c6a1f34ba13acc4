"""The last changes of status of each worker: how many are kept, of whom, and what counts as one."""

from __future__ import annotations

from exporter.state.history import EACH, History, Move
from exporter.state.ledger import Ledger
from exporter.state.listing import Listing
from exporter.state.memory import Retention, Roster


def test_the_last_moves_of_a_worker_the_oldest_first() -> None:
    history = History()
    assert (history.of("f", "w"), history.since("f")) == ((), None)
    for number in range(EACH + 3):
        history.note("f", "worker", [("w", "idle", "busy")], float(number))
    assert [move.at for move in history.of("f", "w")] == list(range(3, EACH + 3))
    assert history.since("f") == 0.0
    assert history.of("g", "w") == history.of("f", "v") == ()


def test_of_many_those_that_moved_last_are_kept() -> None:
    history = History(most=5)
    for number, name in enumerate(["a", "b", "a", "c", "d", "e"]):
        history.note("f", "worker", [(name, "idle", "busy")], float(number))
    assert {name: len(history.of("f", name)) for name in "abcde"} == {"a": 2, "b": 0, "c": 1, "d": 1, "e": 1}


def test_what_is_bounded_stays_so_however_often_one_moves() -> None:
    history = History(most=EACH + 1)
    for number in range(200):
        history.note("f", "worker", [("a", "idle", "busy"), ("b", "busy", "idle")], float(number))
    assert len(history.of("f", "a")) + len(history.of("f", "b")) <= EACH + 1
    assert history.of("f", "b")


def test_changes_that_the_ledger_sees_are_kept_arrivals_are_not() -> None:
    ledger = Ledger(retention=Retention(tombstone=100.0))
    for now, states in enumerate(
        [{"w": "idle", "v": "busy"}, {"w": "busy"}, {"w": "busy"}, {"v": "idle", "w": "busy"}]
    ):
        rosters = {"worker": Roster(states), "node": Roster(states)}
        ledger.observe({"f": Listing(("worker", "node"), rosters)}, float(now))
    assert ledger.history.of("f", "w") == (Move(1.0, "idle", "busy"),)
    assert ledger.history.of("f", "v") == (Move(1.0, "busy", None), Move(3.0, None, "idle"))
    assert ledger.history.since("f") == 0.0


def test_who_is_forgotten_has_left_once_and_has_no_history() -> None:
    ledger = Ledger(retention=Retention(tombstone=10.0))
    told = []
    for now in (0, 1, 2, 20, 30):
        states = {} if now else {"w": "idle"}
        ledger.observe({"f": Listing(("worker",), {"worker": Roster(states)})}, float(now))
        told.append(ledger.history.of("f", "w"))
    left = (Move(1.0, "idle", None),)
    assert told == [(), left, left, (), ()]
    dropped = Roster({}, dropped=("v",))
    ledger.observe({"f": Listing(("worker",), {"worker": Roster({"v": "busy"})})}, 40.0)
    ledger.observe({"f": Listing(("worker",), {"worker": dropped})}, 41.0)
    assert ledger.history.of("f", "v") == ()


def test_a_node_and_a_worker_of_one_name_are_two_and_what_is_wakeable_is_none() -> None:
    history = History()
    for now, kind in enumerate(("worker", "node", "wakeable")):
        history.note("f", kind, [("x", kind, "after")], float(now))
    assert history.of("f", "x") == (Move(0.0, "worker", "after"),)
    assert history.of("f", "x", "node") == (Move(1.0, "node", "after"),)
    assert history.of("f", "x", "wakeable") == ()
    assert [history.since("f", kind) for kind in ("worker", "node", "wakeable")] == [0.0, 1.0, None]
    history.drop("f", "worker", ["x"])
    assert history.of("f", "x") == ()
    assert history.of("f", "x", "node")
    history.forget("f")
    assert (history.of("f", "x", "node"), history.since("f", "node")) == ((), None)


def test_what_is_forgotten_makes_room() -> None:
    history = History(most=2)
    history.note("f", "worker", [("a", "idle", "busy"), ("b", "idle", "busy")], 0.0)
    history.drop("f", "worker", ["a", "c"])
    history.drop("f", "node", ["b"])
    history.note("f", "worker", [("d", "idle", "busy")], 1.0)
    assert [len(history.of("f", name)) for name in "abd"] == [0, 1, 1]
