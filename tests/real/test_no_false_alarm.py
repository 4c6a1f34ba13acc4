"""What must not look like a silent worker: a stopped or restarted store, clocks that differ, a suspended exporter, the
end of a run.

A real Prometheus evaluates the shipped rules beside it: RollcallWorkerUnknown may not even be pending. The heartbeat
timeout is 5 s (1/9 of its default), the store's outage and the exporter's suspension are 7 s, `for` is 3 s; with
ROLLCALL_FULL=1 these are 45 s, two minutes, 90 s and one minute. A run ends with a second without rollouts.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.demo import Demo, DemoOptions
from tests.real.lightning import Lightning, Nursery, Runner
from tests.real.monitoring import Prometheus, adapt
from tests.real.process import wait_until
from tests.real.rollcall import Rollcall
from tests.real.scale import LONG, SCALE
from tests.real.watch import Watch

pytestmark = pytest.mark.timeout(LONG)

BUSY = ("busy", None, None)
IDLE = ("idle", None, None)
HEARTBEAT_ONLY = ("unknown", "heartbeat_only", None)


class Scene:
    """An exporter whose fleets are watched, and a Prometheus that evaluates the shipped rules on it."""

    def __init__(self, rollcall: Rollcall, watches: dict[str, Watch], prometheus: Prometheus) -> None:
        self.rollcall = rollcall
        self.watches = watches
        self.watch = next(iter(watches.values()))
        self.prometheus = prometheus

    def state(self, worker: str) -> tuple[str, str | None, str | None] | None:
        """A worker's state at the last look; None where it is not there."""
        seen = self.watch.seen
        return seen[-1].workers.get(worker) if seen else None

    def reaches(self, worker: str, state: tuple[str, str | None, str | None] | None) -> None:
        """Wait until a worker is in a state."""
        seconds = SCALE.heartbeat_timeout + 60
        wait_until(lambda: self.state(worker) == state, f"{worker} to be {state}", seconds)

    def alerts(self, state: str, alert: str = "RollcallWorkerUnknown") -> list[str]:
        """The workers for which an alert ever was pending or firing."""
        history = f'ALERTS{{alertname="{alert}",alertstate="{state}"}}[30m]'
        return sorted({series["metric"]["worker"] for series in self.prometheus.query(history)})

    def settle(self) -> None:
        """Let an alert fire that is going to."""
        self.watch.lasts(SCALE.hold + 2 * SCALE.interval + 2)


@contextlib.contextmanager
def scene(folder: Path, **stores: str) -> Iterator[Scene]:
    """Set the scene for stores: by fleet, their URLs."""
    with Rollcall(folder, SCALE.configuration(stores)) as rollcall, contextlib.ExitStack() as stack:
        values = {
            "alerts": {"RollcallWorkerUnknownIdle": {"silent_for": f"{SCALE.hold * 1000:.0f}ms", "for": "1s"}},
            "records": {"run_pause": "1s", "run_settled": "1s", "tickets_every": "1s"},
        }
        exporters = [rollcall.url.removeprefix("http://")]
        adapt(folder, exporters, None, hold=SCALE.hold, keep=5 * SCALE.hold, values=values)
        prometheus = stack.enter_context(Prometheus(folder))
        watches = {fleet: stack.enter_context(Watch(rollcall, fleet)) for fleet in stores}
        yield Scene(rollcall, watches, prometheus)


@pytest.fixture
def store(nursery: Nursery) -> Iterator[Lightning]:
    """A real store of the test's own."""
    started = Lightning(nursery, scan=1.0)
    yield started
    started.kill()


def runner(store: Lightning, worker: str) -> Runner:
    return Runner(store, worker, beat=SCALE.beat, patience=SCALE.patience)


def test_store_stopped_and_continued(store: Lightning, tmp_path: Path) -> None:
    """Meanwhile its workers are not there and only its source speaks; afterwards nobody was ever silent."""
    store.enqueue()
    with scene(tmp_path, calm=store.url) as seen, runner(store, "at-work"):
        seen.reaches("at-work", BUSY)
        with runner(store, "waiting"):
            seen.reaches("waiting", IDLE)
            store.send(signal.SIGSTOP)
            try:
                seen.reaches("at-work", None)
                seen.reaches("waiting", None)
                gone = len(seen.watch.seen) - 1
                seen.watch.lasts(SCALE.outage)
                down = seen.watch.seen[gone:]
            finally:
                store.send(signal.SIGCONT)
            seen.reaches("at-work", BUSY)
            seen.reaches("waiting", IDLE)
            seen.settle()
            assert seen.alerts("firing") == []
            assert seen.prometheus.query("changes(rollcall_store_start_timestamp_seconds[30m]) > 0") == []
    assert {(look.up, len(look.workers)) for look in down} == {(0, 0)}
    assert seen.watch.silent() == []
    assert seen.watch.states("at-work") == [BUSY]
    assert seen.watch.states("waiting") == [IDLE]


def test_store_killed_and_restarted_without_memory(store: Lightning, tmp_path: Path) -> None:
    """A restarted store knows a busy runner by its heartbeats only until it finishes: no alarm either."""
    store.enqueue()
    with scene(tmp_path, calm=store.url) as seen, runner(store, "at-work"):
        seen.reaches("at-work", BUSY)
        with runner(store, "waiting"):
            seen.reaches("waiting", IDLE)
            store.kill()
            seen.reaches("at-work", None)
            seen.watch.lasts(SCALE.outage)
            store.start()
            seen.reaches("at-work", HEARTBEAT_ONLY)
            seen.reaches("waiting", IDLE)
            seen.settle()
            assert seen.alerts("firing") == seen.alerts("pending") == []
    assert seen.watch.silent() == []
    assert seen.watch.states("at-work") == [BUSY, HEARTBEAT_ONLY]
    assert [state for state in seen.watch.states("waiting") if state != HEARTBEAT_ONLY] == [IDLE]


def clocked(offset: float) -> Demo:
    """A healthy simulated fleet whose store's clock, and with it its Date header, differs by so many seconds."""
    options = DemoOptions(
        nodes=1, consoles=1, workers=4, mesh_port=0, store_port=0, speed=10, calm=True, clock_offset=offset
    )
    return Demo(options)


def test_stores_with_clocks_of_their_own(tmp_path: Path) -> None:
    """Five minutes ahead and behind: nobody is silent, until somebody is killed; a clock that differs hides nobody."""
    with (
        clocked(300.0) as ahead,
        clocked(-300.0) as behind,
        scene(tmp_path, ahead=ahead.store_url, behind=behind.store_url) as seen,
    ):
        wait_until(lambda: [watch.counts() for watch in seen.watches.values()] == [4, 4], "all workers")
        seen.watch.lasts(SCALE.heartbeat_timeout)
        seen.settle()
        assert seen.alerts("firing") == seen.alerts("pending") == []
        for watch in seen.watches.values():
            assert {state for look in watch.seen for state in look.workers.values()} <= {BUSY, IDLE}
        dead, *_ = ahead.workers()
        for demo in (ahead, behind):
            demo.kill_worker(dead, busy=True)
        wait_until(lambda: all(watch.silent() for watch in seen.watches.values()), "the killed to be silent", LONG / 2)
        assert [watch.silent() for watch in seen.watches.values()] == [[dead], [dead]]


def test_exporter_suspended_and_resumed(store: Lightning, tmp_path: Path) -> None:
    store.enqueue()
    with scene(tmp_path, calm=store.url) as seen, runner(store, "at-work"):
        seen.reaches("at-work", BUSY)
        with runner(store, "waiting"):
            seen.reaches("waiting", IDLE)
            looks = len(seen.watch.seen)
            seen.rollcall.send(signal.SIGSTOP)
            try:
                seen.watch.lasts(SCALE.suspended)
            finally:
                seen.rollcall.send(signal.SIGCONT)
            wait_until(lambda: len(seen.watch.seen) > looks + 5, "the exporter to answer again")
            seen.reaches("at-work", BUSY)
            seen.reaches("waiting", IDLE)
            seen.settle()
            assert seen.alerts("firing") == seen.alerts("pending") == []
    assert seen.watch.silent() == []
    assert seen.watch.states("at-work") == [BUSY]
    assert seen.watch.states("waiting") == [IDLE]


def test_finished_run_whose_runners_left(store: Lightning, tmp_path: Path) -> None:
    """They are silent, as the rules say, and nobody is alarmed, until there is work and nobody to do it."""
    with scene(tmp_path, calm=store.url) as seen:
        for worker in ("first", "second"):
            store.enqueue()
            with runner(store, worker) as one:
                seen.reaches(worker, BUSY)
                one.finish()
                seen.reaches(worker, IDLE)
        silent = ("unknown", "silent", "idle")
        seen.reaches("first", silent)
        seen.reaches("second", silent)
        seen.settle()
        assert seen.alerts("firing") == seen.alerts("pending") == []
        store.enqueue()
        both = ["first", "second"]
        told = "a ticket for each while there is work without workers"
        wait_until(lambda: seen.alerts("firing", "RollcallWorkerUnknownIdle") == both, told, LONG / 2)
        assert seen.alerts("firing") == []


def test_new_run_beside_a_runner_that_left(store: Lightning, tmp_path: Path) -> None:
    """An idle runner of an earlier run is silent, and nobody is alarmed while others do the work."""
    with scene(tmp_path, calm=store.url) as seen, runner(store, "of-the-new-run"):
        with runner(store, "of-the-old-run"):
            seen.reaches("of-the-old-run", IDLE)
            seen.reaches("of-the-new-run", IDLE)
        seen.reaches("of-the-old-run", ("unknown", "silent", "idle"))
        store.enqueue()
        seen.reaches("of-the-new-run", BUSY)
        store.enqueue()
        seen.settle()
        assert seen.prometheus.query("fleet:rollcall_rollouts_open:sum == 2")
        assert seen.alerts("firing") == seen.alerts("pending") == []
        assert seen.alerts("firing", "RollcallWorkerUnknownIdle") == []
