"""The registry through writer, poller and ledger: what a restart of the process shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

from exporter.exposition import Exposition
from exporter.families import POLLED
from exporter.poller import Poller
from exporter.registry.request import Request
from exporter.registry.writer import Writer
from exporter.sources.registry import PACE, RegistrySource
from exporter.state.fleet import Fleet, Limits, WorkerRules
from tests.unit import ledgers
from tests.unit.registry_files import ask, beat, leave, opened, report
from tests.unit.registry_life import Clock
from tests.unit.test_poller import samples, soon

PATIENCE = 20.0


class Process:
    """A registry's threads, and what they show."""

    def __init__(self, poller: Poller, writer: Writer[None], written: SimpleQueue[None]) -> None:
        self.poller = poller
        self._writer = writer
        self._written = written

    def take(self, *requests: Request) -> None:
        """Have requests written, and wait for it."""
        for request in requests:
            assert self._writer.submit(request, None) is None
        for _ in requests:
            self._written.get(timeout=PATIENCE)

    def shows(self, sample: str, value: str) -> None:
        """Wait until a sample has a value."""
        soon(lambda: samples(self.poller).get(sample) == value)


@contextmanager
def running(folder: Path, clock: Clock) -> Iterator[Process]:
    store, ledger = opened(folder), ledgers.opened(folder)
    writer: Writer[None] = Writer(store, clock.wall, monotonic=clock.monotonic)
    written: SimpleQueue[None] = SimpleQueue()
    writer.start(lambda answers: [written.put(None) for _ in answers] and None)
    source = RegistrySource(
        "local",
        store.reader(),
        store.heard,
        lambda: writer.trouble,
        pace=PACE._replace(interval=0.01),
        clock=clock.wall,
        monotonic=clock.monotonic,
    )
    fleets = {"local": Fleet("local", WorkerRules(45.0, float("inf")), Limits(), ledger.recall("local"))}
    poller = Poller([source], fleets, Exposition(POLLED, 10**6), clock.monotonic, clock.wall, ledger)
    poller.start()
    yield Process(poller, writer, written)
    poller.stop(PATIENCE)
    writer.stop()
    store.close()


def named(family: str, worker: str = "w", **more: str) -> str:
    labels = {"fleet": "local", "worker": worker, **more}
    text = ",".join(f'{name}="{each}"' for name, each in labels.items())
    return f"rollcall_{family}{{{text}}}"


STEP = 'rollcall_worker_status_transitions_total{fleet="local",from="busy",to="idle"}'
SINCE = named("worker_status_since_timestamp_seconds")


def test_a_restart_goes_on_with_since_status_and_counters_and_one_who_left_is_not_missed(tmp_path: Path) -> None:
    clock = Clock()
    with running(tmp_path, clock) as process:
        process.take(beat("w"), ask("w", "r", "a"), beat("gone"), ask("gone"))
        process.shows(named("worker_status", status="busy"), "1")
        process.shows(named("worker_present", "gone"), "1")
        clock.now += 2
        process.take(report("w", "a", "succeeded"))
        process.shows(named("worker_status", status="idle"), "1")
        changed = str(clock.now)
        process.shows(STEP, "1")
        process.take(leave("gone"))
    clock.now += 600
    with running(tmp_path, clock) as process:
        process.shows(named("worker_status", status="idle"), "1")
        found = samples(process.poller)
        assert (found[SINCE], found[STEP]) == (changed, "1")
        assert not [sample for sample in found if 'worker="gone"' in sample]
        assert found['rollcall_source_up{fleet="local",source="registry",kind="registry"}'] == "1"
        assert found['rollcall_workers{fleet="local",status="idle"}'] == "1"
        assert not [sample for sample in found if sample.startswith("rollcall_rollouts")]
        clock.now += 5
        process.take(beat("w"), ask("w", "r", "b"))
        process.shows(named("worker_status", status="busy"), "1")
        assert float(samples(process.poller)[SINCE]) == clock.now
