"""The trainer that fills a store's queue, and the runners that empty it.

Pace: agentlightning 0.3.0, whose idle runner asks every 5 s and whose heartbeat comes every 10 s.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from functools import partial

from exporter.demo.agenda import Agenda, Timeline
from exporter.demo.machine import Machine
from exporter.demo.store import Attempt, RolloutConfig, Store

RUNNERS_PER_TRAINER = 8
TIME_LIMIT = 60.0


class Runner:
    """One process: `life` changes whenever it is killed or started, which voids what it had planned."""

    def __init__(self, worker_id: str, machine: Machine) -> None:
        self.worker_id = worker_id
        self.machine = machine
        self.alive = True
        self.life = 0
        self.attempt: Attempt | None = None


class Runners:
    """All runners of a store. Failures are drawn from `start_failures` on, unless it is never called."""

    def __init__(self, store: Store, agenda: Agenda, timeline: Timeline, rng: random.Random, count: int) -> None:
        self._store, self._agenda, self._timeline, self._rng = store, agenda, timeline, rng
        self._pace = min(1.0, timeline.speed)
        self._failures = False
        self.runners: dict[str, Runner] = {}
        machines = [Machine(number, rng) for number in range(-(-count // RUNNERS_PER_TRAINER))]
        for number in range(count):
            trainer, place = divmod(number, RUNNERS_PER_TRAINER)
            runner = Runner(f"trainer-{trainer}-runner-{place}", machines[trainer])
            self.runners[runner.worker_id] = runner
            self._later(runner, rng.uniform(0.0, 10.0) * self._pace, self._begin)

    def start_failures(self, silence: float) -> None:
        """From now on let rollouts fail and overrun, and kill a busy runner now and then, for `silence` seconds."""
        self._failures = True
        self._agenda.after(self._rng.uniform(20.0, 60.0), partial(self._kill_one, silence))

    def kill(self, worker_id: str) -> None:
        """End a runner's process with no word to the store, whatever it is doing. Raises KeyError."""
        runner = self.runners[worker_id]
        runner.alive = False
        runner.life += 1

    def occupy(self, worker_id: str) -> None:
        """Hand a living runner a new rollout without a time limit, if it is not on such a one. Raises KeyError."""
        runner = self.runners[worker_id]
        if runner.attempt is not None and self._unlimited(runner.attempt):
            return
        if runner.attempt is not None:
            self._store.update(runner.attempt, "succeeded")
        runner.life += 1
        self._store.enqueue({"task": "given"}, "train", RolloutConfig(), first=True)
        self._beat(runner)
        self._poll(runner)

    def revive(self, worker_id: str) -> None:
        """Start a dead runner's replacement, with the same id; its trainer cancels what the dead one held.

        Raises KeyError.
        """
        runner = self.runners[worker_id]
        if runner.alive:
            return
        if runner.attempt is not None:
            self._store.cancel(runner.attempt.rollout_id)
        runner.alive, runner.attempt = True, None
        runner.life += 1
        self._begin(runner)

    def rejoin(self) -> None:
        """Let idle runners notice, within 1.5 s, that their store was restarted."""
        for runner in self.runners.values():
            if runner.alive and runner.attempt is None:
                runner.life += 1
                self._later(runner, self._rng.uniform(0.1, 1.5) * self._pace, self._begin)

    def dead(self) -> list[str]:
        """The ids of the runners that are not running."""
        return [runner.worker_id for runner in self.runners.values() if not runner.alive]

    def _later(self, runner: Runner, seconds: float, step: Callable[[Runner], None]) -> None:
        self._agenda.after(seconds, partial(self._if_same_life, runner, runner.life, step))

    @staticmethod
    def _if_same_life(runner: Runner, life: int, step: Callable[[Runner], None]) -> None:
        if runner.life == life:
            step(runner)

    def _begin(self, runner: Runner) -> None:
        self._beat(runner)
        self._later(runner, 0.1, self._poll)

    def _beat(self, runner: Runner) -> None:
        now = self._agenda.now
        self._store.heartbeat(runner.worker_id, runner.machine.snapshot(now, self._timeline.wall(now), runner.attempt))
        if runner.attempt is not None and runner.attempt.status == "running":
            self._store.span(runner.attempt)
        self._later(runner, self._rng.uniform(9.5, 10.5) * self._pace, self._beat)

    def _poll(self, runner: Runner) -> None:
        runner.attempt = attempt = self._store.dequeue(runner.worker_id)
        if attempt is None:
            self._later(runner, 5.0 * self._pace, self._poll)
            return
        self._later(runner, self._rng.uniform(0.5, 2.0), lambda _: self._store.span(attempt))
        seconds, status = self._fate(attempt)
        self._later(runner, seconds, partial(self._finish, attempt=attempt, status=status))

    def _finish(self, runner: Runner, attempt: Attempt, status: str) -> None:
        self._store.update(attempt, status)
        runner.attempt = None
        self._later(runner, 0.1, self._poll)

    def _fate(self, attempt: Attempt) -> tuple[float, str]:
        seconds, luck = self._rng.uniform(10.0, TIME_LIMIT - 10.0), self._rng.random()
        if self._failures and luck < 0.15 and not self._unlimited(attempt):
            return TIME_LIMIT + self._rng.uniform(20.0, 50.0), "succeeded"
        if self._failures and luck > 0.95:
            return seconds, "failed"
        return seconds, "succeeded"

    def _unlimited(self, attempt: Attempt) -> bool:
        rollout = self._store.rollouts.get(attempt.rollout_id)
        return rollout is None or rollout.config.timeout_seconds is None

    def _kill_one(self, silence: float) -> None:
        busy = [r for r in self.runners.values() if r.alive and r.attempt is not None and self._unlimited(r.attempt)]
        if busy and len(self.dead()) < max(1, len(self.runners) // 8):
            runner = self._rng.choice(busy)
            self.kill(runner.worker_id)
            self._later(runner, silence, lambda silent: self.revive(silent.worker_id))
        self._agenda.after(self._rng.uniform(90.0, 300.0), partial(self._kill_one, silence))


class Trainer:
    """Enqueues batches: sometimes less than the runners can do, sometimes more."""

    def __init__(self, store: Store, agenda: Agenda, timeline: Timeline, rng: random.Random, workers: int) -> None:
        self._store, self._agenda, self._rng, self._workers = store, agenda, rng, workers
        self._limit = TIME_LIMIT / timeline.speed
        self._number = 0
        agenda.after(0.0, self._batch)
        agenda.after(10.0, self._watch)

    def _batch(self) -> None:
        if self._store.queue_length < 6 * self._workers:
            size = round(self._workers * self._rng.uniform(0.8, 3.2))
            mode = "val" if self._rng.random() < 0.3 else "train"
            for task in self._tasks(size):
                self._store.enqueue(task, mode, self._config(mode))
        self._agenda.after(self._rng.uniform(60.0, 120.0), self._batch)

    def _tasks(self, size: int) -> Iterable[dict[str, int | str]]:
        for _ in range(size):
            self._number += 1
            yield {"task": f"sum-{self._number:06d}", "seed": self._rng.getrandbits(16)}

    def _config(self, mode: str) -> RolloutConfig:
        if mode == "train":
            return RolloutConfig()
        return RolloutConfig(timeout_seconds=self._limit, max_attempts=2, retry_condition=["timeout"])

    def _watch(self) -> None:
        self._store.scan()
        self._agenda.after(10.0, self._watch)
