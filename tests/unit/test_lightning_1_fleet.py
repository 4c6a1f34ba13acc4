"""A fleet whose store is a 1.x server: its rows, and those it has not, whatever becomes of the server."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.records import RolloutCount, RolloutsFinished, Worker, WorkerCount, WorkerReport
from exporter.records.reading import StoreReading
from exporter.records.worker import Store
from exporter.sources.lightning_1 import LightningServer
from exporter.sources.source import Deadline
from exporter.state.fleet import Fleet, Limits, WorkerRules
from tests.golden.canned_server import CannedServer

FRESH, STALE = 10.0, 99.0
KINDS = ("agent-lightning",)


def server_reading() -> StoreReading:
    server = CannedServer()
    server.rollouts["q"] = "queuing"
    server.finish("a")
    return LightningServer("training", timeout=5, connect=server).read(Deadline(20))


def store_reading() -> StoreReading:
    report = WorkerReport(fleet="training", worker="w", word="idle", last_heartbeat=99.0)
    return StoreReading(store=Store("training", 1.0), workers=(report,), read_at=100.0)


@pytest.fixture
def fleet() -> Fleet:
    return Fleet("training", WorkerRules(), Limits())


def rows(fleet: Fleet, record: Any, now: float = FRESH) -> dict[str, int]:
    """Counts by status of a table of a fleet."""
    tables, _ = fleet.tables(now, KINDS)
    named = [(row.status, row.finished if record is RolloutsFinished else row.count) for row in tables.get(record, ())]
    return dict(named)


def test_a_fleet_that_was_never_read_has_all_counts(fleet: Fleet) -> None:
    assert rows(fleet, WorkerCount) == {"idle": 0, "busy": 0, "unknown": 0}
    assert set(rows(fleet, RolloutCount).values()) == {0}
    assert rows(fleet, RolloutsFinished) == {}


def test_a_server_has_rollouts_and_no_row_of_workers(fleet: Fleet) -> None:
    fleet.receive("trainer", server_reading(), fresh_until=FRESH)
    assert rows(fleet, WorkerCount) == {}
    assert rows(fleet, RolloutCount)["queuing"] == 1
    assert rows(fleet, RolloutsFinished) == {"succeeded": 1, "failed": 0, "unknown": 0}


def test_a_server_that_cannot_be_read_does_not_become_a_store_without_workers(fleet: Fleet) -> None:
    fleet.receive("trainer", server_reading(), fresh_until=FRESH)
    assert rows(fleet, WorkerCount, STALE) == {}
    assert set(rows(fleet, RolloutCount, STALE).values()) == {0}
    assert len(rows(fleet, RolloutCount, STALE)) == 7
    assert rows(fleet, RolloutsFinished, STALE) == {}


def test_workers_come_and_go_with_the_version_of_their_store(fleet: Fleet) -> None:
    for _ in range(2):
        fleet.receive("trainer", store_reading(), fresh_until=FRESH)
        assert rows(fleet, WorkerCount) == {"idle": 1, "busy": 0, "unknown": 0}
        assert fleet.listing.rosters["worker"].states == {"w": "idle"}
        fleet.receive("trainer", server_reading(), fresh_until=FRESH)
        assert rows(fleet, WorkerCount) == {}
        assert fleet.tables(FRESH, KINDS)[0].get(Worker, ()) == ()


def test_a_server_lists_nobody_so_that_nobody_has_left(fleet: Fleet) -> None:
    fleet.receive("trainer", server_reading(), fresh_until=FRESH)
    fleet.tables(FRESH, KINDS)
    assert "worker" not in fleet.listing.rosters
