"""Decoding what an Agent Lightning 1.x server sends: what is taken, what is left out alone, what fails a read."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from exporter.sources.lightning_1_payload import LogEntry, LogPage, parse_health, parse_log, parse_unfinished
from exporter.sources.source import SourceError

STATUS = {"k8s_job_name": None, "error_message": None, "version": 3, "created_at": 1.5, "updated_at": 2.5}


def rollout(name: Any, state: Any, **more: Any) -> dict[str, Any]:
    return {"rollout_id": name, "input": {"prompt": "x" * 50}, "status": {"state": state, **STATUS}, **more}


def finished(name: Any, state: Any = "succeeded") -> dict[str, Any]:
    return {"rollout_id": name, "state": state, "data_id": "d", "is_train": True}


def page(entries: Any, next_after: Any, total: Any) -> bytes:
    return json.dumps({"items": entries, "next_after": next_after, "total_terminal": total}).encode()


def test_health_of_both_versions() -> None:
    parse_health(b'{"status": "ok"}')
    parse_health(b'{"status": "ok", "version": "1.1"}')


NO_HEALTH: dict[str, tuple[bytes, str]] = {
    "text": (b"ok", "got no JSON"),
    "a dashboard": (b"<!doctype html>", "got no JSON"),
    "another service's": (b'{"healthy": true}', "got another shape: Object missing required field `status`"),
    "a list": (b"[]", "got another shape: Expected `object`, got `array`"),
    "another status": (b'{"status": "CANARY"}', "got another status than ok"),
}


@pytest.mark.parametrize(("body", "message"), NO_HEALTH.values(), ids=NO_HEALTH)
def test_what_is_no_health(body: bytes, message: str) -> None:
    with pytest.raises(SourceError) as raised:
        parse_health(body)
    assert raised.value.result == "malformed"
    assert str(raised.value) == f"expected the health of an Agent Lightning server, {message}"


def test_unfinished_rollouts_by_id() -> None:
    drift: Counter[str] = Counter()
    body = json.dumps([rollout("a", "queuing"), rollout("b", "running", new=1), rollout("c", "paused")]).encode()
    found = parse_unfinished(body, 500, drift)
    assert found == ({"a": "queuing", "b": "running", "c": "paused"}, 3)
    assert not +drift


def test_input_is_skipped_whatever_it_is() -> None:
    deep = "[" * 500 + "]" * 500
    body = f'[{{"input": {deep}, "rollout_id": "a", "status": {{"state": "running"}}, "input": 1e999}}]'.encode()
    assert parse_unfinished(body, 500, Counter()).states == {"a": "running"}


MALFORMED: dict[str, Any] = {
    "no id": {"status": {"state": "running"}},
    "an id that is a number": rollout(5, "running"),
    "no status": {"rollout_id": "a"},
    "a status that is a word": {"rollout_id": "a", "status": "running"},
    "a state that is null": rollout("a", None),
    "null": None,
    "a list": [],
}


@pytest.mark.parametrize("item", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_rollout_is_left_out_alone(item: Any) -> None:
    drift: Counter[str] = Counter()
    found = parse_unfinished(json.dumps([rollout("x", "running"), item, rollout("y", "queuing")]).encode(), 500, drift)
    assert found == ({"x": "running", "y": "queuing"}, 3)
    assert drift == {"rollouts": 1}


NO_LIST: dict[str, tuple[bytes, str]] = {
    "a page": (b'{"items": []}', "expected a list of rollouts, got another shape: Expected `array`, got `object`"),
    "text": (b"<html>CANARY", "expected a list of rollouts, got no JSON"),
    "half a list": (b'[{"rollout_id": "CANARY"', "expected a list of rollouts, got no JSON"),
    "more than asked for": (b"[1, 2, 3, 4]", "expected at most 3 rollouts, got 4"),
}


@pytest.mark.parametrize(("body", "message"), NO_LIST.values(), ids=NO_LIST)
def test_what_is_no_list_of_rollouts(body: bytes, message: str) -> None:
    with pytest.raises(SourceError) as raised:
        parse_unfinished(body, 3, Counter())
    assert (raised.value.result, str(raised.value)) == ("malformed", message)


def test_a_page_of_the_log() -> None:
    drift: Counter[str] = Counter()
    found = parse_log(
        page(
            [finished("a"), finished("b", "failed")],
            7,
            9,
        ),
        5,
        2,
        drift,
    )
    assert found == LogPage(5, 7, 9, [LogEntry("a", "succeeded"), LogEntry("b", "failed")], "a", "b")
    assert not +drift


PAGES: dict[str, tuple[list[Any], int, int, list[str], str | None, str | None, int]] = {
    "an empty log": ([], 5, 0, [], None, None, 0),
    "nothing new": ([], 5, 5, [], None, None, 0),
    "one deleted": ([finished("a"), finished("b")], 8, 8, ["a", "b"], None, None, 0),
    "all deleted": ([], 8, 8, [], None, None, 0),
    "the first malformed": ([finished(1), finished("b")], 7, 7, ["b"], None, "b", 1),
    "the last malformed": ([finished("a"), {}], 7, 7, ["a"], "a", None, 1),
}


@pytest.mark.parametrize(("entries", "after", "total", "names", "first", "last", "drift"), PAGES.values(), ids=PAGES)
def test_ends_of_a_page_are_certain_only_where_nothing_is_missing(
    entries: list[Any], after: int, total: int, names: list[str], first: str | None, last: str | None, drift: int
) -> None:
    counted: Counter[str] = Counter()
    found = parse_log(page(entries, after, total), 5, 1000, counted)
    assert [entry.rollout for entry in found.entries] == names
    assert (found.first, found.last, counted["finished_rollouts"]) == (first, last, drift)


NO_PAGE: dict[str, tuple[bytes, str]] = {
    "a list": (b"[]", "expected a page of finished rollouts, got another shape: Expected `object`, got `array`"),
    "no total": (
        b'{"items": [], "next_after": 5}',
        "expected a page of finished rollouts, got another shape: Object missing required field `total_terminal`",
    ),
    "a negative cursor": (
        page([], -1, 9),
        "expected a page of finished rollouts, got another shape: Expected `int` >= 0 - at `$.next_after`",
    ),
    "a cursor that goes back": (page([], 4, 9), "expected a next_after from 5 to 8, got 4"),
    "a cursor beyond what was asked for": (page([], 9, 99), "expected a next_after from 5 to 8, got 9"),
    "a cursor beyond the end": (page([], 8, 7), "expected a next_after from 5 to 7, got 8"),
    "a cursor that stands still": (page([], 5, 9), "expected a next_after beyond 5, got 5"),
    "more than there is room for": (page([finished("a")] * 3, 7, 9), "expected at most 2 finished rollouts, got 3"),
}


@pytest.mark.parametrize(("body", "message"), NO_PAGE.values(), ids=NO_PAGE)
def test_what_is_no_page_of_the_log(body: bytes, message: str) -> None:
    with pytest.raises(SourceError) as raised:
        parse_log(body, 5, 3, Counter())
    assert (raised.value.result, str(raised.value)) == ("malformed", message)
