"""Captured runs of real runners against a real store, replayed through the source and the rules.

`runs/*.jsonl.gz` has a line per poll of the store (Agent Lightning 0.3.0), compressed; times are seconds since the
scenario's start:
- `workers`: rows of worker id, status, rollout, attempt, last heartbeat, dequeue, busy, idle, and the snapshot's time;
- `rollouts`: rows of rollout id, status, end, number of its newest attempt, and that attempt's status, worker, start,
  end and last heartbeat; `stats` is what `/statistics` said. Rollouts were polled at every other line;
- `down` instead of them while the store did not answer, `event` for what was done to it at that moment.

The lines name no attempt ids of rollouts: a row of `workers` at the same instant does.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from exporter.records import Inconsistency, Store, Worker
from exporter.state.fleet import Fleet, Limits, WorkerRules
from tests.golden.answers import Answer, CannedStore, store_answer

RUNS = Path(__file__).parent / "runs"
EPOCH = 1_800_000_000


class Moment(NamedTuple):
    """What Rollcall knows after a read at `t`: its workers by id, and when the store started (no rows: None).

    `odds` are the inconsistencies: worker and kind.
    """

    t: float
    workers: dict[str, Worker]
    started: float | None
    odds: frozenset[tuple[str, str]] = frozenset()


class Run:
    """One captured run."""

    def __init__(self, name: str) -> None:
        with gzip.open(RUNS / f"{name}.jsonl.gz", "rt") as lines:
            said = [json.loads(line) for line in lines]
        self.polls = [line for line in said if "rollouts" in line or "down" in line]
        self.worker_rows = [(line["t"], row) for line in said for row in line.get("workers", ())]
        self._attempt_ids = dict(_attempt_ids(self.polls))

    def answers(self) -> Iterator[tuple[float, Answer | None]]:
        """Every poll that listed rollouts too, with what the store answered; None where it did not."""
        attempts: dict[str, dict[int, Any]] = {}
        for line in self.polls:
            if "down" in line:
                yield line["t"], None
                continue
            rollouts = [self._rollout(row) for row in line["rollouts"]]
            for rollout in rollouts:
                if "attempt" in rollout:
                    attempt = rollout["attempt"]
                    attempts.setdefault(rollout["rollout_id"], {})[attempt["sequence_id"]] = attempt
            workers = [_worker(row) for row in line["workers"]]
            known = {rollout: list(numbered.values()) for rollout, numbered in attempts.items()}
            yield line["t"], store_answer(workers, rollouts, line["stats"]["uptime"], known)

    def replay(self, interval: float, heartbeat_timeout: float, start: float = 0) -> list[Moment]:
        """Read every `interval` seconds from `start`; a reading is fresh for three intervals.

        The store's Date header has whole seconds, as real ones have.
        """
        now = 0.0
        store = CannedStore(clock=lambda: EPOCH + now)
        fleet = Fleet("training", WorkerRules(heartbeat_timeout), Limits())
        moments = []
        due = start
        for now, answer in self.answers():
            if now < due:
                continue
            due = now + interval - 0.5
            if answer is not None:
                reading = store.read(answer, float(int(EPOCH + now)))
                fleet.receive("trainer", reading, fresh_until=now + 3 * interval)
            tables, _ = fleet.tables(now)
            workers = {row.worker: row for row in tables.get(Worker, ()) if isinstance(row, Worker)}
            started = [row.started for row in tables.get(Store, ()) if isinstance(row, Store)]
            rows = [row for row in tables.get(Inconsistency, ()) if isinstance(row, Inconsistency)]
            odds = frozenset((row.worker, row.kind) for row in rows)
            moments.append(Moment(now, workers, started[0] if started else None, odds))
        return moments

    def _rollout(self, row: list[Any]) -> dict[str, Any]:
        rollout, status, end, number, attempt_status, worker, start, attempt_end, heartbeat = row
        said = {"rollout_id": rollout, "input": {}, "status": status, "end_time": instant(end)}
        if number is not None:
            said["attempt"] = {
                "rollout_id": rollout,
                "attempt_id": self._attempt_ids.get((rollout, number), f"{rollout}-{number}"),
                "sequence_id": number,
                "start_time": instant(start),
                "end_time": instant(attempt_end),
                "status": attempt_status,
                "worker_id": worker,
                "last_heartbeat_time": instant(heartbeat),
            }
        return said


def spells(moments: list[Moment], worker: str, said: Callable[[Worker], Any]) -> list[tuple[Any, float, float]]:
    """What a worker was, run-length encoded: (what, from, until); reads at which it had no row are left out."""
    found: list[tuple[Any, float, float]] = []
    for moment in moments:
        if worker in moment.workers:
            what = said(moment.workers[worker])
            if found and found[-1][0] == what:
                found[-1] = (what, found[-1][1], moment.t)
            else:
                found.append((what, moment.t, moment.t))
    return found


def verdict(worker: Worker) -> str:
    """A worker's status, or why it is unknown."""
    return worker.reason or worker.status


def instant(t: float | None) -> float | None:
    """A time of a run as Unix time."""
    return None if t is None else EPOCH + t


def _worker(row: list[Any]) -> dict[str, Any]:
    worker, status, rollout, attempt, heartbeat, dequeue, busy, idle, snapshot = row
    stats = None if snapshot is None else {"timestamp": snapshot, "host": "lab-host", "mem_used_gb": 1.5}
    return {
        "worker_id": worker,
        "status": status,
        "heartbeat_stats": stats,
        "last_heartbeat_time": instant(heartbeat),
        "last_dequeue_time": instant(dequeue),
        "last_busy_time": instant(busy),
        "last_idle_time": instant(idle),
        "current_rollout_id": rollout,
        "current_attempt_id": attempt,
    }


def _attempt_ids(polls: list[dict[str, Any]]) -> Iterator[tuple[tuple[str, int], str]]:
    for line in polls:
        held = {(row[0], row[2]): row[3] for row in line.get("workers", ()) if row[3] is not None}
        for row in line.get("rollouts", ()):
            if (row[5], row[0]) in held:
                yield (row[0], row[3]), held[row[5], row[0]]
