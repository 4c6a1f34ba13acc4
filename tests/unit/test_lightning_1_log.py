"""Counting what finished from a log that grows, whose rollouts are deleted, and whose server is replaced."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.sources.lightning_1_log import Finished, FinishedLog, advance
from exporter.sources.lightning_1_payload import parse_log
from tests.golden.canned_server import CannedServer

LIMIT = 3


class Reader:
    """Reads a server's log in pages of three, up to its end or for some pages."""

    def __init__(self, server: CannedServer) -> None:
        self.server = server
        self.log = FinishedLog()
        self.drift: Counter[str] = Counter()

    def read(self, pages: int = 1000) -> Finished | None:
        for _ in range(pages):
            after = self.log.after
            body = self.server.get(f"/api/rollouts/terminal?after={after}&limit={LIMIT}").body
            page = parse_log(body, after, LIMIT, self.drift)
            self.log = advance(self.log, page, self.drift)
            if self.log.reached(page):
                return self.log.whole
        return self.log.whole


@pytest.fixture
def server() -> CannedServer:
    return CannedServer()


@pytest.fixture
def reader(server: CannedServer) -> Reader:
    return Reader(server)


def names(count: int, start: int = 0) -> list[str]:
    return [f"r{number}" for number in range(start, start + count)]


def test_an_empty_log_is_zero(reader: Reader) -> None:
    assert reader.read() == (0, 0, 0)


def test_rollouts_are_counted_by_how_they_ended_and_once(server: CannedServer, reader: Reader) -> None:
    server.finish(*names(4))
    server.finish("bad", state="failed")
    assert reader.read() == (4, 1, 0)
    assert reader.read() == (4, 1, 0)
    server.finish(*names(5, 10))
    assert reader.read() == (9, 1, 0)


def test_nothing_is_told_before_the_end_was_reached(server: CannedServer, reader: Reader) -> None:
    server.finish(*names(8))
    assert reader.read(pages=2) is None
    assert reader.read(pages=2) == (8, 0, 0)


def test_who_falls_behind_later_tells_the_last_whole_count(server: CannedServer, reader: Reader) -> None:
    server.finish(*names(2))
    assert reader.read() == (2, 0, 0)
    server.finish(*names(20, 10))
    assert reader.read(pages=2) == (2, 0, 0)
    assert reader.read() == (22, 0, 0)


def test_a_log_is_asked_for_again_from_the_last_known_entry_on(server: CannedServer, reader: Reader) -> None:
    server.finish(*names(4))
    reader.read()
    reader.read()
    afters = [path.partition("after=")[2].partition("&")[0] for path in server.asked]
    assert afters == ["0", "2", "3"]


def test_what_was_deleted_before_is_in_no_count(server: CannedServer, reader: Reader) -> None:
    server.finish(*names(5))
    del server.rollouts["r1"], server.rollouts["r4"]
    assert reader.read() == (3, 0, 0)


def test_what_was_deleted_since_is_unknown(server: CannedServer, reader: Reader) -> None:
    server.finish(*names(2))
    reader.read()
    server.finish(*names(7, 10))
    del server.rollouts["r10"], server.rollouts["r13"], server.rollouts["r16"]
    assert reader.read() == (6, 0, 3)
    del server.rollouts["r0"], server.rollouts["r15"]
    assert reader.read() == (6, 0, 3)


def test_a_trainer_that_deletes_everything_at_once(server: CannedServer, reader: Reader) -> None:
    reader.read()
    for turn in range(10):
        server.finish(*names(5, 10 * turn))
        server.rollouts.clear()
        assert reader.read() == (0, 0, 5 * turn + 5)
    assert not +reader.drift


def test_the_last_known_entry_deleted_is_not_counted_twice(server: CannedServer, reader: Reader) -> None:
    server.finish("a", "b")
    reader.read()
    del server.rollouts["b"]
    assert reader.read() == (2, 0, 0)
    server.finish("c")
    assert reader.read() == (3, 0, 0)


def test_one_deleted_and_made_anew_ends_twice(server: CannedServer, reader: Reader) -> None:
    reader.read()
    server.finish("a")
    server.rollouts["a"] = "running"
    assert reader.read() == (0, 0, 1)
    server.finish("a", state="failed")
    assert reader.read() == (0, 1, 1)
    assert not +reader.drift


def test_a_word_that_is_no_state_is_drift_once(server: CannedServer, reader: Reader) -> None:
    reader.read()
    server.finish("a", "b")
    server.finish("c", state="evaporated")
    assert reader.read() == (2, 0, 1)
    assert reader.read() == (2, 0, 1)
    assert +reader.drift == {"rollout_status": 1}


REPLACED = {
    "shorter": names(2, 100),
    "of equal length": names(5, 100),
    "longer": names(9, 100),
    "empty": [],
}


@pytest.mark.parametrize("new", REPLACED.values(), ids=REPLACED)
def test_a_server_that_was_replaced_is_counted_from_its_beginning(
    server: CannedServer, reader: Reader, new: list[str]
) -> None:
    server.finish(*names(5))
    assert reader.read() == (5, 0, 0)
    server.restart()
    server.finish(*new, state="failed")
    assert reader.read() == (0, len(new), 0)


def test_a_replaced_server_is_no_partial_count_meanwhile(server: CannedServer, reader: Reader) -> None:
    server.finish(*names(9))
    reader.read()
    server.restart()
    server.finish(*names(7, 100))
    assert reader.read(pages=1) is None
    assert reader.read(pages=1) is None
    assert reader.read() == (7, 0, 0)


EVENTS = st.lists(st.sampled_from(["succeeded", "failed", "delete", "read", "read some", "restart"]), max_size=60)


@given(events=EVENTS, deletes=st.booleans(), data=st.data())
def test_counts_are_the_logs(events: list[str], deletes: bool, data: st.DataObject) -> None:
    server = CannedServer()
    reader = Reader(server)
    said: Finished | None = None
    truth: Counter[str] = Counter()
    for number, event in enumerate(events):
        if event in ("succeeded", "failed"):
            server.finish(f"r{number}", state=event)
            truth[event] += 1
        elif event == "delete" and deletes and server.rollouts:
            del server.rollouts[data.draw(st.sampled_from(sorted(server.rollouts)))]
        elif event == "restart" and not deletes:
            server.restart()
            truth, said = Counter(), None
            reader.read()
        elif event.startswith("read"):
            before, said = said, reader.read(*([1] if event == "read some" else []))
            assert before is None or (said is not None and all(map(int.__le__, before, said)))
    whole = reader.read()
    assert whole is not None
    if deletes:
        assert whole.succeeded <= truth["succeeded"]
        assert whole.failed <= truth["failed"]
        assert sum(whole) <= len(server.log)
    else:
        assert whole == (truth["succeeded"], truth["failed"], 0)
    assert not +reader.drift


@given(finished=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=12))
def test_nothing_that_finished_since_the_first_read_is_lost(finished: list[tuple[int, int]]) -> None:
    server = CannedServer()
    reader = Reader(server)
    reader.read()
    for turn, (made, deleted) in enumerate(finished):
        server.finish(*names(made, 100 * turn))
        for name in list(server.rollouts)[:deleted]:
            del server.rollouts[name]
        whole = reader.read()
        assert whole is not None
        assert sum(whole) == len(server.log)
