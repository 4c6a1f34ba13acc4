"""A LightningStore's source: pages, counts, and what became of attempts that it gave up on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from exporter.endpoint import parse_url
from exporter.records.reading import StoreReading
from exporter.sources.agent_lightning import LOOK_UPS, LightningStore
from exporter.sources.fetch import Resolver
from exporter.sources.source import Deadline, Pace, SourceError
from tests.golden.answers import CannedStore, store_answer
from tests.unit.loopback import Loopback, answer, sends

NOW = 1_795_330_870.0


def worker(name: str, status: str = "idle", rollout: str | None = None, attempt: str | None = None) -> dict[str, Any]:
    return {
        "worker_id": name,
        "status": status,
        "heartbeat_stats": None,
        "last_heartbeat_time": NOW,
        "current_rollout_id": rollout,
        "current_attempt_id": attempt,
    }


def attempt(rollout: str, status: str = "running", number: int = 1) -> dict[str, Any]:
    return {"rollout_id": rollout, "attempt_id": f"{rollout}-{number}", "status": status, "last_heartbeat_time": NOW}


def rollout(name: str, status: str, **more: Any) -> dict[str, Any]:
    return {"rollout_id": name, "status": status, "input": {"large": "x"}, **more}


def counts(reading: StoreReading) -> dict[str, int]:
    return {row.status: row.count for row in reading.rollouts}


def names(reading: StoreReading) -> list[str]:
    return [report.worker for report in reading.workers]


def test_large_stores_are_read_in_pages_of_500() -> None:
    store = CannedStore()
    workers = [worker(f"w{n}") for n in range(1201)]
    active = [rollout(f"r{n}", "running", attempt=attempt(f"r{n}")) for n in range(501)]
    reading = store.read(store_answer(workers, active), NOW)
    assert names(reading) == [f"w{n}" for n in range(1201)]
    assert counts(reading)["running"] == 501
    assert [path for path in store.asked if path.startswith("/workers")] == [
        "/workers?limit=500&offset=0",
        "/workers?limit=500&offset=500",
        "/workers?limit=500&offset=1000",
    ]


def test_requests_of_one_read_of_a_small_store() -> None:
    store = CannedStore()
    store.read(store_answer([worker("w")]), NOW)
    assert store.asked == [
        "/workers?limit=500&offset=0",
        "/rollouts?status_in=preparing&status_in=running&limit=500&offset=0",
        "/rollouts?status_in=queuing&limit=1",
        "/rollouts?status_in=failed&limit=1",
        "/rollouts?status_in=succeeded&limit=1",
        "/rollouts?status_in=cancelled&limit=1",
        "/rollouts?status_in=requeuing&limit=1",
        "/statistics",
    ]


def workers_in(pages: list[list[str]], total: Callable[[int], int]) -> Callable[[str], Any]:
    """Answer `/workers` with one of `pages` after the other, then with empty ones; the rest as an empty store does."""
    rest = store_answer([])
    turn = iter(range(10**9))

    def answered(path: str) -> Any:
        if not path.startswith("/workers"):
            return rest(path)
        number = next(turn)
        page = pages[number] if number < len(pages) else []
        return {"items": [worker(name) for name in page], "total": total(number)}

    return answered


TOTALS: dict[str, tuple[list[list[str]], Callable[[int], int], list[str], int]] = {
    "a worker twice, across pages": ([["a", "b"], ["b", "c"]], lambda n: 4, ["a", "b", "c"], 1),
    "a worker twice on a page": ([["a", "a", "b"]], lambda n: 3, ["a", "b"], 1),
    "a total that is too high": ([["a", "b"]], lambda n: 1000, ["a", "b"], 0),
    "a total that is too low": ([["a", "b"], ["c"]], lambda n: 1, ["a", "b"], 0),
    "a total that grows meanwhile": ([["a", "b"], ["c"]], lambda n: 2 + n + 1, ["a", "b", "c"], 0),
    "a total that shrinks meanwhile": ([["a", "b"], ["c"]], lambda n: 4 - n, ["a", "b", "c"], 0),
    "a total of 2**63 - 1": ([["a"]], lambda n: 2**63 - 1, ["a"], 0),
}


@pytest.mark.parametrize(("pages", "total", "expected", "drift"), TOTALS.values(), ids=TOTALS)
def test_pages_that_do_not_add_up(
    pages: list[list[str]], total: Callable[[int], int], expected: list[str], drift: int
) -> None:
    reading = CannedStore().read(workers_in(pages, total), NOW)
    assert names(reading) == expected
    assert reading.drift.get("workers", 0) == drift


def test_an_endless_store_is_bounded_by_the_deadline() -> None:
    asked = 0

    def endless(path: str) -> Any:
        nonlocal asked
        asked += 1
        return {"items": [worker(f"w{asked}")], "total": 2**62}

    with pytest.raises(SourceError, match=r"no whole answer within 5 s") as caught:
        CannedStore().read(endless, NOW, Deadline(5, lambda: asked * 0.1))
    assert (caught.value.result, asked) == ("timeout", 50)


def test_a_page_larger_than_asked_for_is_refused() -> None:
    pages = [[f"w{number}" for number in range(501)]]
    with pytest.raises(SourceError, match="expected at most 500 workers in a page, got 501") as caught:
        CannedStore().read(workers_in(pages, lambda n: 501), NOW)
    assert caught.value.result == "too_large"


def test_a_list_without_end_is_refused() -> None:
    page = [f"w{number}" for number in range(500)]
    with pytest.raises(SourceError, match="expected at most 1000000 workers, got more") as caught:
        CannedStore().read(workers_in([page] * 2001, lambda n: 2**62), NOW)
    assert caught.value.result == "too_large"


def test_rollouts_are_counted_by_status_without_being_listed() -> None:
    statuses = ["queuing"] * 7 + ["succeeded"] * 900 + ["failed"] * 3 + ["running"] * 2 + ["preparing", "requeuing"]
    reading = CannedStore().read(store_answer([], [rollout(f"r{n}", said) for n, said in enumerate(statuses)]), NOW)
    assert counts(reading) == {
        "queuing": 7,
        "preparing": 1,
        "running": 2,
        "failed": 3,
        "succeeded": 900,
        "cancelled": 0,
        "requeuing": 1,
    }


def test_the_clock_is_the_date_of_the_answer_else_that_of_the_request() -> None:
    store = CannedStore(clock=lambda: 5.0)
    assert store.read(store_answer([worker("w")]), NOW).read_at == NOW
    assert store.read(store_answer([worker("w")]), None).read_at == 5.0


HOLDS = [worker("w", "busy", "r", "r-1")]
FLAGGED = [worker("w", "unknown")]


def test_the_attempt_that_a_worker_holds_comes_from_the_list() -> None:
    reading = CannedStore().read(store_answer(HOLDS, [rollout("r", "running", attempt=attempt("r"))]), NOW)
    assert (reading.attempts["w"].attempt, reading.attempts["w"].last_heartbeat) == ("r-1", NOW)


@pytest.mark.parametrize("status", ["timeout", "unresponsive", "running"])
def test_an_attempt_taken_from_a_worker_is_looked_up_once(status: str) -> None:
    store = CannedStore()
    store.read(store_answer(HOLDS, [rollout("r", "running", attempt=attempt("r"))]), NOW)
    retried = {"r": [attempt("r", status), attempt("r", "preparing", 2)]}
    after = store_answer(FLAGGED, [rollout("r", "preparing", attempt=attempt("r", "preparing", 2))], attempts=retried)
    assert store.read(after, NOW).attempts["w"].status == status
    assert "/rollouts/r/attempts" in store.asked
    assert store.read(after, NOW).attempts["w"].status == status
    assert "/rollouts/r/attempts" not in store.asked


def test_an_attempt_that_the_store_no_longer_knows_has_no_status() -> None:
    store = CannedStore()
    store.read(store_answer(HOLDS), NOW)
    assert store.read(store_answer(FLAGGED), NOW).attempts["w"].status == ""
    store.read(store_answer(HOLDS), NOW)
    assert store.read(store_answer(FLAGGED, attempts={"r": []}), NOW).attempts["w"].status == ""


def test_what_is_in_an_id_cannot_change_the_path() -> None:
    store = CannedStore()
    store.read(store_answer([worker("w", "busy", "../a b?x#y", "at")]), NOW)
    store.read(store_answer(FLAGGED, attempts={"../a b?x#y": [{"attempt_id": "at", "status": "timeout"}]}), NOW)
    assert store.asked[-1] == "/rollouts/..%2Fa%20b%3Fx%23y/attempts"


@pytest.mark.parametrize("result", ["timeout", "refused", "malformed"])
def test_a_look_up_that_fails_fails_the_read_and_is_made_again(result: str) -> None:
    store = CannedStore()
    store.read(store_answer(HOLDS), NOW)
    healthy = store_answer(FLAGGED, attempts={"r": [attempt("r", "timeout")]})

    def broken(path: str) -> Any:
        if path.endswith("/attempts"):
            raise SourceError(result, "no")
        return healthy(path)

    with pytest.raises(SourceError, match=r"^no$"):
        store.read(broken, NOW)
    assert store.read(healthy, NOW).attempts["w"].status == "timeout"


def test_look_ups_of_one_read_are_bounded_and_the_rest_follows() -> None:
    store = CannedStore()
    many = 2 * LOOK_UPS + 5
    store.read(store_answer([worker(f"w{n}", "busy", f"r{n}", f"r{n}-1") for n in range(many)]), NOW)
    flagged = store_answer(
        [worker(f"w{n}", "unknown") for n in range(many)],
        attempts={f"r{n}": [attempt(f"r{n}", "timeout")] for n in range(many)},
    )
    known = []
    for _ in range(4):
        reading = store.read(flagged, NOW)
        known.append((len(reading.attempts), sum(path.endswith("/attempts") for path in store.asked)))
    assert known == [(20, 20), (40, 20), (45, 5), (45, 0)]


FORGETS: dict[str, list[dict[str, Any]]] = {
    "the worker is idle": [worker("w", "idle")],
    "the worker is gone": [],
}


@pytest.mark.parametrize("between", FORGETS.values(), ids=FORGETS)
def test_what_a_worker_held_is_forgotten_when(between: list[dict[str, Any]]) -> None:
    store = CannedStore()
    store.read(store_answer(HOLDS), NOW)
    store.read(store_answer(between), NOW)
    reading = store.read(store_answer(FLAGGED, attempts={"r": [attempt("r", "timeout")]}), NOW)
    assert reading.attempts == {}
    assert "/rollouts/r/attempts" not in store.asked


def test_a_new_attempt_replaces_the_one_given_up_on() -> None:
    store = CannedStore()
    store.read(store_answer(HOLDS), NOW)
    lost = {"r": [attempt("r", "timeout")], "s": [attempt("s", "unresponsive")]}
    assert store.read(store_answer(FLAGGED, attempts=lost), NOW).attempts["w"].status == "timeout"
    store.read(store_answer([worker("w", "busy", "s", "s-1")]), NOW)
    assert store.read(store_answer(FLAGGED, attempts=lost), NOW).attempts["w"].status == "unresponsive"


def test_a_read_over_http_with_a_path_of_its_own() -> None:
    empty, counted = b'{"items": [], "total": 0}', b'{"items": [], "total": 4}'
    bodies = [empty, empty, *[counted] * 5, b'{"uptime": 60}']
    date = "Date: Sun, 22 Nov 2026 06:01:10 GMT"
    with Loopback(sends(*(answer(body, date) for body in bodies))) as upstream:
        endpoint = parse_url(f"http://127.0.0.1:{upstream.port}/store", 4747)
        source = LightningStore("f", endpoint, Resolver(), Pace(10, 20, 30))
        reading = source.read(Deadline(20))
    assert reading.store.started == 1795327270 - 60
    assert counts(reading)["failed"] == 4
    assert [urlsplit(head.split(" ")[1]).path for head in upstream.heads] == [
        "/store/v1/agl/workers",
        *["/store/v1/agl/rollouts"] * 6,
        "/store/v1/agl/statistics",
    ]
    assert parse_qs(upstream.heads[1].split(" ")[1].partition("?")[2])["status_in"] == ["preparing", "running"]
