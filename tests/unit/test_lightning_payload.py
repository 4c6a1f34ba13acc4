"""What a LightningStore sends, decoded: units, what is left out, and what is malformed."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from exporter.sources.lightning_payload import parse_attempts, parse_rollouts, parse_uptime
from exporter.sources.lightning_workers import WorkersPage, parse_workers
from exporter.sources.source import SourceError

MIB, GIB = 2**20, 2**30


def page(*items: Any, total: Any = None) -> bytes:
    return json.dumps({"items": items, "total": len(items) if total is None else total}).encode()


def workers(*items: Any) -> tuple[WorkersPage, Counter[str]]:
    drift: Counter[str] = Counter()
    return parse_workers(page(*items), "f", drift), drift


def worker(**said: Any) -> dict[str, Any]:
    return {"worker_id": "w", "status": "idle", **said}


STATS: dict[str, tuple[str, Any, str, Any]] = {
    "percent of CPU": ("cpu_usage_pct", 57, "cpu_usage_ratio", 0.57),
    "no CPU at all": ("cpu_usage_pct", 0, "cpu_usage_ratio", 0.0),
    "GiB of memory in use": ("mem_used_gb", 21.5, "memory_used_bytes", 21.5 * GIB),
    "GiB of memory": ("mem_total_gb", 125, "memory_total_bytes", 125 * GIB),
    "GiB of disk in use": ("disk_used_gb", 0.5, "disk_used_bytes", GIB / 2),
    "GiB of disk": ("disk_total_gb", 960.0, "disk_total_bytes", 960 * GIB),
    "MiB sent": ("bytes_sent_mb", 120.5, "network_sent_bytes", 120.5 * MIB),
    "MiB received": ("bytes_recv_mb", 4410, "network_received_bytes", 4410 * MIB),
    "host": ("host", "node-a", "host", "node-a"),
    "system": ("os", "Linux", "os", "Linux"),
}


@pytest.mark.parametrize(("field", "said", "record", "expected"), STATS.values(), ids=STATS)
def test_heartbeat_snapshots_have_their_units(field: str, said: Any, record: str, expected: Any) -> None:
    (report,) = workers(worker(heartbeat_stats={field: said}))[0].workers
    assert getattr(report, record) == expected
    others = {name for _, _, name, _ in STATS.values()} - {record}
    assert [getattr(report, other) for other in others] == [None] * len(others)


GPUS: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "all": (
        {"util_pct": 91, "mem_used_mb": 512, "mem_total_mb": 81559, "temp_c": 63},
        [0.91, 512 * MIB, 81559 * MIB, 63],
    ),
    "idle": ({"util_pct": 0, "temp_c": 0.0}, [0.0, None, None, 0.0]),
    "nothing": ({}, [None] * 4),
}


@pytest.mark.parametrize(("said", "expected"), GPUS.values(), ids=GPUS)
def test_gpus_of_a_worker(said: dict[str, Any], expected: list[Any]) -> None:
    (gpu,) = workers(worker(heartbeat_stats={"gpus": [said]}))[0].gpus
    assert (gpu.worker, gpu.gpu) == ("w", "0")
    found = [gpu.utilization_ratio, gpu.memory_used_bytes, gpu.memory_total_bytes, gpu.temperature_celsius]
    assert found == expected


def test_a_machine_has_64_gpus_at_most() -> None:
    said, drift = workers(worker(heartbeat_stats={"gpus": [{}] * 100}))
    assert [gpu.gpu for gpu in said.gpus] == [str(position) for position in range(64)]
    assert drift == {"gpus": 36}


def test_gpus_keep_their_position_when_one_is_malformed() -> None:
    said, drift = workers(worker(heartbeat_stats={"gpus": [{"temp_c": 1}, "H100", {"temp_c": 2}]}))
    assert [(gpu.gpu, gpu.temperature_celsius) for gpu in said.gpus] == [("0", 1.0), ("2", 2.0)]
    assert drift == {"gpus": 1}


def test_times_and_assignment() -> None:
    times = {f"last_{what}_time": 1795330870.5 + n for n, what in enumerate(["heartbeat", "dequeue", "busy", "idle"])}
    said, _ = workers(worker(**times, current_rollout_id="r", current_attempt_id="a"))
    (report,) = said.workers
    assert (report.last_heartbeat, report.last_dequeue, report.last_busy, report.last_idle) == (*times.values(),)
    assert (report.rollout, report.attempt, report.word) == ("r", "a", "idle")


LEFT_OUT: dict[str, tuple[Any, dict[str, int], int]] = {
    "id not said": ({"status": "idle"}, {"workers": 1}, 0),
    "status not said": ({"worker_id": "w"}, {"workers": 1}, 0),
    "status null": (worker(status=None), {"workers": 1}, 0),
    "id a number": (worker(worker_id=7), {"workers": 1}, 0),
    "a time that is text": (worker(last_busy_time="now"), {"workers": 1}, 0),
    "not an object": ("w", {"workers": 1}, 0),
    "null": (None, {"workers": 1}, 0),
    "a heartbeat that is text": (worker(heartbeat_stats="x"), {"heartbeat_stats": 1}, 1),
    "a heartbeat with text for a figure": (worker(heartbeat_stats={"mem_used_gb": "x"}), {"heartbeat_stats": 1}, 1),
    "GPUs that are no list": (worker(heartbeat_stats={"gpus": 8}), {"heartbeat_stats": 1}, 1),
    "a heartbeat of null": (worker(heartbeat_stats=None), {}, 1),
    "no heartbeat": (worker(), {}, 1),
    "GPUs of null": (worker(heartbeat_stats={"gpus": None}), {}, 1),
    "fields of the future": (worker(mood="fine", heartbeat_stats={"phase": [1]}), {}, 1),
}


@pytest.mark.parametrize(("said", "drift", "left"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_a_malformed_worker_or_heartbeat_costs_no_other_worker(said: Any, drift: dict[str, int], left: int) -> None:
    found, counted = workers({"worker_id": "v", "status": "busy"}, said, {"worker_id": "z", "status": "busy"})
    assert [report.worker for report in found.workers] == ["v", *["w"] * left, "z"]
    assert (counted, found.size, found.total) == (drift, 3, 3)


def test_rollouts_are_counted_and_their_newest_attempts_listed() -> None:
    attempt = {"attempt_id": "a", "status": "running", "worker_id": "w", "last_heartbeat_time": 5}
    drift: Counter[str] = Counter()
    said = parse_rollouts(
        page(
            {"rollout_id": "r", "status": "running", "attempt": attempt, "input": {"deep": [[1]]}},
            {"rollout_id": "s", "status": "preparing"},
            {"rollout_id": "t", "status": "running", "attempt": None},
            {"rollout_id": "u", "status": "running", "attempt": {"status": "running"}},
            total=9,
        ),
        "f",
        drift,
    )
    assert said.statuses == {"r": "running", "s": "preparing", "t": "running"}
    assert (said.size, said.total) == (4, 9)
    assert [(each.rollout, each.attempt, each.status, each.worker, each.last_heartbeat) for each in said.attempts] == [
        ("r", "a", "running", "w", 5.0)
    ]
    assert drift == {"rollouts": 1}


def test_attempts_of_a_rollout() -> None:
    drift: Counter[str] = Counter()
    found = parse_attempts(page({"attempt_id": "a", "status": "timeout"}, {"attempt_id": "b"}), "f", "r", drift)
    assert [(each.rollout, each.attempt, each.status, each.worker) for each in found] == [("r", "a", "timeout", None)]
    assert drift == {"attempts": 1}


UPTIMES = {"seconds": (b'{"uptime": 1.5}', 1.5), "whole": (b'{"uptime": 2}', 2.0), "not said": (b"{}", None)}
UPTIMES["null"] = (b'{"uptime": null, "name": "InMemoryLightningStore"}', None)


@pytest.mark.parametrize(("body", "uptime"), UPTIMES.values(), ids=UPTIMES)
def test_uptime(body: bytes, uptime: float | None) -> None:
    assert parse_uptime(body) == uptime


MALFORMED = {
    "empty": (b"", "got no JSON"),
    "HTML": (b"<html></html>", "got no JSON"),
    "truncated": (b'{"items": [{"worker_id": "w"', "got no JSON"),
    "null": (b"null", "got another shape: Expected `object`, got `null`"),
    "a list": (b"[]", "got another shape: Expected `object`, got `array`"),
    "no items": (b'{"total": 0}', "Object missing required field `items`"),
    "no total": (b'{"items": []}', "Object missing required field `total`"),
    "items null": (b'{"items": null, "total": 0}', "Expected `array`, got `null` - at `$.items`"),
    "total negative": (b'{"items": [], "total": -1}', "Expected `int` >= 0 - at `$.total`"),
    "total text": (b'{"items": [], "total": "0"}', "Expected `int`, got `str` - at `$.total`"),
    "total 10**400": (b'{"items": [], "total": 1%s}' % (b"0" * 400), "expected a page of"),
    "total 1e400": (b'{"items": [], "total": 1e400}', "expected a page of"),
    "NaN in an item": (b'{"items": [NaN], "total": 1}', "got no JSON"),
    "an item too deep": (b'{"items": [' + b"[" * 100_000, "got JSON nested too deep"),
}
PARSERS = {
    "a page of workers": lambda body: parse_workers(body, "f", Counter()),
    "a page of rollouts": lambda body: parse_rollouts(body, "f", Counter()),
    "a page of attempts": lambda body: parse_attempts(body, "f", "r", Counter()),
}


@pytest.mark.parametrize("what", PARSERS)
@pytest.mark.parametrize(("body", "message"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_page_is_an_error_that_names_what_was_expected(body: bytes, message: str, what: str) -> None:
    with pytest.raises(SourceError) as caught:
        PARSERS[what](body)
    assert caught.value.result == "malformed"
    assert str(caught.value).startswith(f"expected {what}, got ")
    assert message in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"uptime": "long"}', b'{"uptime": NaN}', b'{"uptime": 1e400}'])
def test_malformed_statistics(body: bytes) -> None:
    with pytest.raises(SourceError, match=r"^expected statistics, got "):
        parse_uptime(body)


def test_a_malformed_neighbour_changes_nothing_of_the_others() -> None:
    gpus = [{"util_pct": 50, "mem_used_mb": 1}, {"temp_c": 40.5}]
    sound = [
        {"worker_id": "a", "status": "busy", "heartbeat_stats": {"host": "h", "gpus": gpus}, "last_busy_time": 5},
        {"worker_id": "b", "status": "idle", "heartbeat_stats": None},
        {"worker_id": "c", "status": "idle"},
    ]
    alone, _ = workers(*sound)
    beside, drift = workers(*sound, {"worker_id": 7})
    assert (beside.workers, beside.gpus, drift) == (alone.workers, alone.gpus, {"workers": 1})
    assert len(alone.gpus) == 2
