"""The registry's file: what comes of requests, limits, who departed, who is dropped, and two that share it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from exporter.records.registry import Registered
from exporter.registry import store as registry
from exporter.registry.store import Accepted, Heartbeats, Refused, RegistryError, RegistryStore, Request
from exporter.state.events import Heartbeat
from tests.unit.registry_files import NOW, ask, beat, leave, names, opened, report, take


def beats(*workers: str, client: str = "client") -> Request:
    return Request(Heartbeats(tuple(Heartbeat(worker) for worker in workers)), client)


def test_a_worker_comes_back_as_it_was_answered_over_a_restart(tmp_path: Path) -> None:
    store = opened(tmp_path)
    stats = b'{"host":"\xc3\xa9","n":[1,2.5]}'
    take(store, beat("w", stats), report("w", "a", "failed"), now=NOW)
    (answered,) = take(store, ask("w", "r", "b"), now=NOW + 1e-6)
    store.close()
    store = opened(tmp_path)
    assert store.find("w") == answered
    assert answered == Registered(
        "w",
        "busy",
        stats,
        last_heartbeat=NOW,
        last_dequeue=NOW + 1e-6,
        last_busy=NOW + 1e-6,
        last_idle=NOW,
        rollout="r",
        attempt="b",
        last_rollout="r",
        last_attempt="b",
        attempt_status="preparing",
        finished=(("r", "a"),),
    )
    assert store.find("nobody") is None
    store.close()


def test_requests_of_one_transaction_see_each_other(tmp_path: Path) -> None:
    store = opened(tmp_path)
    first, busy, gone, missing, again = take(
        store, beat("w"), ask("w", "r", "a"), leave("w"), leave("w"), ask("w"), now=NOW
    )
    assert isinstance(first, Registered)
    assert isinstance(busy, Registered)
    assert (first.status, busy.status, gone, missing) == ("unknown", "busy", busy, None)
    assert again == store.find("w") == Registered("w", "idle", last_dequeue=NOW, last_idle=NOW)
    assert (store.count(), store.departed()) == (1, ())
    store.close()


def test_workers_are_listed_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    store = opened(tmp_path)
    take(store, *(beat(worker) for worker in "cabd"))
    take(store, beat("a"), leave("c"), beat("e"), ask("b"))
    assert names(store) == ["a", "b", "d", "e"]
    take(store, leave("e"))
    take(store, beat("c"), beat("e"))
    assert names(store) == ["a", "b", "d", "c", "e"]
    take(store, leave("b"), beat("b"))
    assert names(store) == ["a", "d", "c", "e", "b"]
    store.close()


def test_a_reader_that_pages_misses_nobody_who_comes_meanwhile(tmp_path: Path) -> None:
    store = opened(tmp_path)
    take(store, beat("a"), beat("b"))
    page = store.page(0, 10)
    take(store, leave("b"), beat("c"))
    assert [worker.worker_id for _, worker in store.page(page[-1][0], 10)] == ["c"]
    store.close()


def test_who_would_be_too_many_is_refused_and_the_others_are_not(tmp_path: Path) -> None:
    store = opened(tmp_path, most=5, per_client=3)
    outcomes = take(store, *(beat(f"w{number}") for number in range(5)), beat("w0"), beat("x", client="other"))
    refused = Refused(3, of_client=True)
    assert [outcome == refused for outcome in outcomes] == [False] * 3 + [True] * 2 + [False] * 2
    assert refused.reason == "workers"
    assert take(store, beat("y", client="other"), beat("z", client="other"))[1] == Refused(5, of_client=False)
    assert take(store, beat("w3"), beat("w0", client="other"))[0] == refused
    taken = take(store, leave("w1"), beat("w3"), beat("w4"))
    assert [outcome == refused for outcome in taken] == [False, False, True]
    assert (store.count(), names(store)) == (5, ["w0", "w2", "x", "y", "w3"])
    store.close()
    store = opened(tmp_path, most=4, per_client=3)
    assert store.count() == 5
    assert take(store, beat("w0"), beat("n", client="third"))[1] == Refused(4, of_client=False)
    store.close()


def test_of_a_batch_of_heartbeats_all_are_taken_or_none(tmp_path: Path) -> None:
    store = opened(tmp_path, per_client=3)
    assert take(store, beats("a", "b", "a")) == [Accepted(3)]
    assert take(store, beats("b", "c", "d")) == [Refused(3, of_client=True)]
    assert take(store, beats("b", "c")) == [Accepted(2)]
    assert names(store) == ["a", "b", "c"]
    store.close()


def test_who_departed_is_known_until_it_comes_back(tmp_path: Path) -> None:
    store = opened(tmp_path)
    take(store, beat("a"), beat("b"))
    take(store, leave("a"), leave("b"), leave("never-was"))
    store.close()
    store = opened(tmp_path)
    assert sorted(store.departed()) == ["a", "b"]
    take(store, beat("b"))
    assert store.departed() == ("a",)
    store.drop_silent(NOW + registry.REMEMBERED, 1e9, NOW)
    assert store.departed() == ("a",)
    store.drop_silent(NOW + registry.REMEMBERED + 1, 1e9, NOW)
    assert store.departed() == ()
    store.close()


def test_of_those_who_departed_the_last_are_known(tmp_path: Path) -> None:
    store = opened(tmp_path, most=3)
    for number in range(6):
        take(store, beat(f"w{number}"), now=NOW + number)
        take(store, leave(f"w{number}"), now=NOW + number)
    store.drop_silent(NOW + 10, 1e9, NOW)
    assert sorted(store.departed()) == ["w3", "w4", "w5"]
    store.close()


@pytest.mark.parametrize(
    "heard", [beat("w"), ask("w", "r", "a"), ask("w"), report("w", "a", "running"), report("w", "a", "succeeded")]
)
def test_a_worker_is_dropped_when_nothing_was_heard_of_it_for_the_retention(tmp_path: Path, heard: Request) -> None:
    store = opened(tmp_path)
    take(store, heard, now=NOW)
    assert store.drop_silent(NOW + 60, 60, NOW - 100) == 0
    assert store.drop_silent(NOW + 61, 60, NOW - 100) == 1
    assert (store.count(), store.departed()) == (0, ("w",))
    store.close()


def test_the_time_before_the_registry_started_is_no_silence(tmp_path: Path) -> None:
    store = opened(tmp_path)
    take(store, beat("w"), now=NOW)
    started = NOW + 1000
    assert store.drop_silent(started + 60, 60, started) == 0
    assert store.drop_silent(started + 61, 60, started) == 1
    store.close()


def test_the_silent_are_dropped_so_many_at_a_time(tmp_path: Path) -> None:
    store = opened(tmp_path, most=2000, per_client=2000)
    take(store, *(beat(f"w{number}") for number in range(registry.DROPPED + 7)))
    dropped = [store.drop_silent(NOW + 100, 60, NOW) for _ in range(3)]
    assert dropped == [registry.DROPPED, 7, 0]
    assert (store.count(), len(store.departed())) == (0, registry.DROPPED + 7)
    store.close()


def test_two_that_share_a_file_agree(tmp_path: Path) -> None:
    one, two = opened(tmp_path, per_client=2), opened(tmp_path, per_client=2)
    take(one, beat("a", b"1"))
    (seen,) = take(two, ask("a"))
    assert isinstance(seen, Registered)
    assert (seen.stats, one.find("a")) == (b"1", seen)
    take(two, beat("b"))
    assert take(one, beat("c")) == [Refused(2, of_client=True)]
    take(two, leave("a"))
    assert isinstance(take(one, beat("c"))[0], Registered)
    assert names(one) == names(two) == ["b", "c"]
    assert one.departed() == ("a",)
    one.close()
    assert isinstance(take(two, beat("b"))[0], Registered)
    two.close()


def test_when_it_listened_is_known_to_the_next(tmp_path: Path) -> None:
    def heard(*instants: float, event: Request | None = None) -> float | None:
        store = opened(tmp_path)
        for instant in instants:
            store.listen(instant) if event is None else take(store, event, now=instant)
        store.close()
        return store.heard

    assert heard() is None
    assert heard(100.0, 105.0) is None
    assert heard(200.0, 200.5, 201.5, 201.6, event=beat("w")) == 105.0
    assert heard(150.0, event=beat("w")) == 201.5
    assert heard() == 150.0


def test_a_reader_of_its_own_sees_what_is_committed_and_ends_with_the_store(tmp_path: Path) -> None:
    store = opened(tmp_path)
    reader = store.reader()
    take(store, beat("w"))
    assert [worker.worker_id for _, worker in reader.page(0, 10)] == ["w"]
    store.close()
    with pytest.raises(RegistryError, match=r"registry\.db: .*Cannot operate on a closed database"):
        reader.page(0, 10)


def test_rows_that_rollcall_never_wrote_are_refused(tmp_path: Path) -> None:
    store = opened(tmp_path)
    take(store, beat("w"), report("v", "a", "failed"))
    spoil(store, "UPDATE worker SET finished = '[1' WHERE worker_id = 'v'")
    for read in (lambda: store.find("v"), lambda: store.page(0, 10), lambda: take(store, beat("v"))):
        with pytest.raises(RegistryError, match="expected a registry's rows, got others"):
            read()
    assert isinstance(take(store, beat("w"))[0], Registered)
    store.close()


def spoil(store: RegistryStore, statement: str) -> None:
    connection = sqlite3.connect(store.path, isolation_level=None)
    connection.execute(statement)
    connection.close()
