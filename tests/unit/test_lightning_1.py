"""The source of an Agent Lightning 1.x server: what one read asks for, how much of it, and what it makes of that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from exporter.records.reading import StoreReading
from exporter.sources.lightning_1 import LIMITS, LOG_PAGE, RETRY, LightningServer
from exporter.sources.source import Deadline, SourceError
from tests.golden.canned_server import CannedServer

LISTS = "/api/rollouts?state_in=queuing&state_in=running&limit="
LOG = "/api/rollouts/terminal?after="


@pytest.fixture
def server() -> CannedServer:
    return CannedServer()


@pytest.fixture
def source(server: CannedServer) -> LightningServer:
    return LightningServer("training", timeout=5, connect=server)


def counts(reading: StoreReading) -> dict[str, int]:
    return {row.status: row.count for row in reading.rollouts}


def finished(reading: StoreReading) -> dict[str, int]:
    return {row.status: row.finished for row in reading.finished}


def limits(server: CannedServer) -> list[int]:
    """What the lists since the last call were asked for."""
    asked = [int(path.removeprefix(LISTS)) for path in server.asked if path.startswith(LISTS)]
    server.asked.clear()
    return asked


def fill(server: CannedServer, queuing: int) -> None:
    server.rollouts = {f"q{number}": "queuing" for number in range(queuing)}


def test_requests_of_one_read(server: CannedServer, source: LightningServer) -> None:
    source.read(Deadline(20))
    assert server.asked == [f"{LISTS}500", f"{LOG}0&limit=1000"]


def test_rollouts_by_status_and_what_finished(server: CannedServer, source: LightningServer) -> None:
    server.finish("a", "b", "c")
    server.finish("d", state="failed")
    server.rollouts |= {"e": "queuing", "f": "queuing", "g": "running"}
    reading = source.read(Deadline(20))
    assert counts(reading) == {
        "queuing": 2,
        "preparing": 0,
        "running": 1,
        "failed": 1,
        "succeeded": 3,
        "cancelled": 0,
        "requeuing": 0,
    }
    assert finished(reading) == {"succeeded": 3, "failed": 1, "unknown": 0}
    assert (reading.workers, reading.lists_workers, reading.drift) == ((), False, {})
    assert (reading.store.fleet, reading.store.started) == ("training", None)


def test_states_that_are_none_are_drift(server: CannedServer, source: LightningServer) -> None:
    items = [
        {"rollout_id": "a", "status": {"state": "running"}},
        {"rollout_id": "b", "status": {"state": "paused"}},
        {"rollout_id": "c", "status": {"state": "succeeded"}},
        {"rollout_id": "d"},
    ]
    server.broken = lambda path: items if path.startswith(LISTS) else None
    reading = source.read(Deadline(20))
    assert reading.drift == {"rollout_status": 2, "rollouts": 1}
    assert (counts(reading)["running"], counts(reading)["succeeded"]) == (1, 0)


@pytest.mark.parametrize(
    ("queuing", "asked"),
    [(499, [500]), (500, [500, 4_000]), (3_999, [500, 4_000]), (4_001, [500, 4_000, 20_000])],
)
def test_a_list_that_is_full_is_asked_for_more(
    server: CannedServer, source: LightningServer, queuing: int, asked: list[int]
) -> None:
    fill(server, queuing)
    reading = source.read(Deadline(20))
    assert (counts(reading)["queuing"], reading.drift) == (queuing, {})
    assert limits(server) == asked
    assert counts(source.read(Deadline(20)))["queuing"] == queuing
    assert limits(server) == asked[-1:]
    fill(server, 3)
    source.read(Deadline(20))
    source.read(Deadline(20))
    assert limits(server) == [asked[-1], 500]


def test_more_than_any_list_holds_is_drift(server: CannedServer, source: LightningServer) -> None:
    fill(server, LIMITS[-1] + 5)
    reading = source.read(Deadline(20))
    assert (counts(reading)["queuing"], reading.drift) == (LIMITS[-1], {"rollouts_beyond": 1})


def too_large(server: CannedServer, most: int) -> None:
    """Let lists of more rollouts than `most` be too large."""

    def broken(path: str) -> Any:
        if path.startswith(LISTS) and min(int(path.removeprefix(LISTS)), len(server.rollouts)) > most:
            raise SourceError("too_large", "expected at most 64 MiB, got more")

    server.broken = broken


@pytest.mark.parametrize(
    ("most", "asked", "counted"),
    [(1_000, [500, 4_000], 500), (100, [500, 50], 50)],
    ids=["larger than usual", "the usual one"],
)
def test_a_list_that_is_too_large_is_asked_for_less_for_a_while(
    server: CannedServer, source: LightningServer, most: int, asked: list[int], counted: int
) -> None:
    fill(server, 2_000)
    too_large(server, most)
    reading = source.read(Deadline(20))
    assert (counts(reading)["queuing"], reading.drift) == (counted, {"rollouts_beyond": 1})
    assert limits(server) == asked
    for _ in range(RETRY - 1):
        source.read(Deadline(20))
    assert limits(server) == [counted] * (RETRY - 1)
    source.read(Deadline(20))
    assert limits(server)[0] == counted
    server.broken = lambda path: None
    for _ in range(RETRY):
        reading = source.read(Deadline(20))
    assert (counts(reading)["queuing"], reading.drift) == (2_000, {})


def test_the_shortest_list_that_is_too_large_fails_the_read(server: CannedServer, source: LightningServer) -> None:
    fill(server, 100)
    too_large(server, 10)
    with pytest.raises(SourceError, match=r"^expected at most 64 MiB, got more$"):
        source.read(Deadline(20))
    assert limits(server) == [500, 50]


def test_a_long_list_that_takes_too_long_is_asked_for_less_next_time(
    server: CannedServer, source: LightningServer
) -> None:
    fill(server, 2_000)

    def broken(path: str) -> Any:
        if path == f"{LISTS}4000":
            raise SourceError("timeout", "no whole answer within 5 s")

    server.broken = broken
    with pytest.raises(SourceError, match="no whole answer within 5 s"):
        source.read(Deadline(20))
    reading = source.read(Deadline(20))
    assert (counts(reading)["queuing"], reading.drift) == (500, {"rollouts_beyond": 1})
    assert limits(server) == [500, 4_000, 500]


def test_a_server_that_hangs_is_asked_for_no_less(server: CannedServer, source: LightningServer) -> None:
    def hangs(path: str) -> Any:
        raise SourceError("timeout", "no whole answer within 5 s")

    server.broken = hangs
    for _ in range(2):
        with pytest.raises(SourceError, match="no whole answer"):
            source.read(Deadline(20))
    assert limits(server) == [500, 500]


def test_a_long_log_takes_several_pages(server: CannedServer, source: LightningServer) -> None:
    server.finish(*(f"r{number}" for number in range(2 * LOG_PAGE + 5)))
    assert finished(source.read(Deadline(20))) == {"succeeded": 2 * LOG_PAGE + 5, "failed": 0, "unknown": 0}
    assert [path for path in server.asked if path.startswith(LOG)] == [
        f"{LOG}0&limit=1000",
        f"{LOG}999&limit=1000",
        f"{LOG}1998&limit=1000",
    ]


class Ticking:
    """A clock that goes on by a second at each look."""

    def __init__(self) -> None:
        self._times: Iterator[int] = iter(range(10**6))

    def __call__(self) -> float:
        return float(next(self._times))


def test_a_log_that_is_longer_than_the_time_is_read_over_several_reads(
    server: CannedServer, source: LightningServer
) -> None:
    server.finish(*(f"r{number}" for number in range(3 * LOG_PAGE)))
    server.rollouts["q"] = "queuing"
    told = []
    for _ in range(4):
        reading = source.read(Deadline(5, Ticking()))
        told.append((finished(reading).get("succeeded"), counts(reading)["succeeded"], counts(reading)["queuing"]))
    assert told == [(None, 0, 1), (None, 0, 1), (None, 0, 1), (3 * LOG_PAGE, 3 * LOG_PAGE, 1)]
    afters = [path for path in server.asked if path.startswith(LOG)]
    assert len(afters) == len(set(afters)) == 4


def test_a_log_without_end_is_bounded_by_the_deadline(server: CannedServer, source: LightningServer) -> None:
    def endless(path: str) -> Any:
        if path.startswith(LOG):
            after = int(path.removeprefix(LOG).partition("&")[0])
            return {"items": [], "next_after": after + 1, "total_terminal": 2**62}
        return None

    server.broken = endless
    for _ in range(3):
        assert finished(source.read(Deadline(20, Ticking()))) == {}
    assert len(server.asked) < 100


def test_what_was_read_of_the_log_stays_read_when_the_read_fails(server: CannedServer, source: LightningServer) -> None:
    server.finish(*(f"r{number}" for number in range(LOG_PAGE)))
    server.finish("odd", state="evaporated")

    def broken(path: str) -> Any:
        if path.startswith(LOG) and not path.startswith(f"{LOG}0&"):
            raise SourceError("refused", "no")
        if path.startswith(LOG):
            items = [{"rollout_id": f"r{number}", "state": "succeeded"} for number in range(LOG_PAGE - 1)]
            return {"items": [*items, {"state": 1}], "next_after": LOG_PAGE, "total_terminal": LOG_PAGE + 1}
        return None

    server.broken = broken
    with pytest.raises(SourceError, match=r"^no$"):
        source.read(Deadline(20))
    server.broken = lambda path: None
    reading = source.read(Deadline(20))
    assert server.asked[-1] == f"{LOG}1000&limit=1000"
    assert finished(reading) == {"succeeded": LOG_PAGE - 1, "failed": 0, "unknown": 0}
    assert reading.drift == {"finished_rollouts": 1, "rollout_status": 1}
    assert source.read(Deadline(20)).drift == {}
