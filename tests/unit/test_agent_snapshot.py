"""Snapshots of a machine: a part that hangs or fails costs only itself, and is asked again when it comes back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from exporter.agent.snapshot import Part, Snapshot
from exporter.sources.collector import CollectorError

PATIENCE = 60.0


class Stuck:
    """A part that hangs until `let_go` is set; `begun` counts its readings."""

    def __init__(self) -> None:
        self.begun = 0
        self.over = threading.Event()
        self.let_go = threading.Event()

    def read(self) -> Mapping[str, Any]:
        self.begun += 1
        assert self.let_go.wait(PATIENCE)
        return {"disk_used_gb": 1.0}


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    part = Stuck()
    yield part
    part.let_go.set()


def snapshot(*parts: Part) -> Snapshot:
    """A snapshot that waits for every part until it is over."""

    def wait(event: threading.Event, seconds: float) -> bool:
        return event.wait(PATIENCE)

    return Snapshot(parts, {"host": "h"}, wall=lambda: 1795341600.25, wait=wait)


MEMORY = Part("memory", lambda: {"mem_pct": 5.0})


def test_the_time_is_in_utc_and_says_so() -> None:
    assert snapshot().read() == {"timestamp": "2026-11-22T10:00:00.250+00:00", "host": "h", "absent": []}


def test_parts_are_put_together() -> None:
    found = snapshot(MEMORY, Part("disk", lambda: {"disk_pct": 7.0})).read()
    assert (found["mem_pct"], found["disk_pct"], found["absent"]) == (5.0, 7.0, [])


def test_a_part_that_hangs_is_named_and_not_asked_again_until_it_is_back(stuck: Stuck) -> None:
    patient = threading.Event()
    waited: list[bool] = []

    def wait(event: threading.Event, seconds: float) -> bool:
        waited.append(True)
        return event.wait(PATIENCE) if patient.is_set() else False

    machine = Snapshot([Part("disk", stuck.read)], {}, wait=wait)
    for _ in range(3):
        assert machine.read()["absent"] == ["disk"]
    assert (stuck.begun, len(waited)) == (1, 1), "one thread, and nobody waits for it twice"
    [thread] = [thread for thread in threading.enumerate() if thread.name == "snapshot disk"]
    assert thread.daemon
    stuck.let_go.set()
    thread.join(PATIENCE)
    patient.set()
    assert machine.read()["disk_used_gb"] == 1.0
    assert stuck.begun == 2


def test_a_part_that_hangs_costs_no_other(stuck: Stuck) -> None:
    waited: list[threading.Event] = []

    def wait(event: threading.Event, seconds: float) -> bool:
        """Wait for all but the first."""
        waited.append(event)
        return len(waited) > 1 and event.wait(PATIENCE)

    found = Snapshot([Part("disk", stuck.read), MEMORY], {}, wait=wait).read()
    assert (found["mem_pct"], found["absent"]) == (5.0, ["disk"])


def test_all_parts_together_have_one_patience() -> None:
    now = [0.0]
    waits: list[float] = []

    def wait(event: threading.Event, seconds: float) -> bool:
        waits.append(seconds)
        now[0] += 0.75
        return event.wait(PATIENCE)

    Snapshot([MEMORY, MEMORY._replace(name="b"), MEMORY._replace(name="c")], {}, clock=lambda: now[0], wait=wait).read()
    assert waits == [1.0, 0.25, 0.0]


def failing(error: Exception) -> Callable[[], Mapping[str, Any]]:
    def read() -> Mapping[str, Any]:
        raise error

    return read


@pytest.mark.parametrize("error", [CollectorError("gpu: expected figures"), ZeroDivisionError("unforeseen")])
def test_a_part_that_fails_is_named(error: Exception) -> None:
    found = snapshot(Part("gpu", failing(error)), MEMORY).read()
    assert (found["absent"], found["mem_pct"]) == (["gpu"], 5.0)


def test_a_part_names_what_of_it_hangs() -> None:
    found = snapshot(Part("disks", lambda: {"disks": [], "absent": ["disks:/nfs"]})).read()
    assert found["absent"] == ["disks:/nfs"]
