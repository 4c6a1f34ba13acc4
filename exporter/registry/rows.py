"""A worker as a row of the registry's file, and back."""

from __future__ import annotations

from typing import Any

import msgspec

from exporter.records.registry import Pair, Registered

COLUMNS = (
    "worker_id, status, stats, last_heartbeat, last_dequeue, last_busy, last_idle, rollout, attempt, "
    "last_rollout, last_attempt, attempt_status, finished"
)
"""Those of `Registered`, in its order."""

INSERT = f"INSERT INTO worker ({COLUMNS}, client) VALUES ({', '.join('?' * 14)})"

UPDATE = (
    "UPDATE worker SET " + ", ".join(f"{column} = ?" for column in COLUMNS.split(", ")[1:]) + " WHERE worker_id = ?"
)


def beats(count: int) -> str:
    """Write what so many heartbeats change; for each of them `worker_id`, snapshot and time, NULLs for none.

    One statement for all: between two of them SQLite gives the interpreter to whoever else wants it.
    """
    rows = ", ".join(["(?, ?, ?)"] * count)
    return (
        f"WITH beat (id, stats, at) AS (VALUES {rows}) "
        "UPDATE worker SET stats = beat.stats, last_heartbeat = beat.at FROM beat WHERE worker_id = beat.id"
    )


SILENT = "max(" + ", ".join(f"ifnull(last_{what}, 0)" for what in ("heartbeat", "dequeue", "busy", "idle")) + ") < ?"
"""Nothing was heard of a worker since an instant."""

Cells = tuple[Any, ...]

_FINISHED = msgspec.json.Decoder(tuple[Pair, ...])


def registered(row: Cells) -> Registered:
    """The worker of a row's `COLUMNS`; raises msgspec.DecodeError for what Rollcall never wrote."""
    finished = row[12]
    return Registered(*(*row[:12], _FINISHED.decode(finished) if finished else ()))


def cells(worker: Registered) -> Cells:
    """A row's `COLUMNS`."""
    finished = msgspec.json.encode(worker.finished).decode() if worker.finished else None
    return (*msgspec.structs.astuple(worker)[:12], finished)
