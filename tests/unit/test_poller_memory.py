"""The poller and the ledger: what is on disk when a change is shown, what a restart shows, what waits at the start."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from exporter.exposition import Exposition, Format, Snapshot
from exporter.families import POLLED
from exporter.poller import SETTLING, Poller
from exporter.records.table import Tables
from exporter.sources.source import SourceError
from exporter.state.database import FILE, Database
from exporter.state.fleet import Fleet, Limits, WorkerRules
from exporter.state.ledger import Ledger
from tests.unit.ledgers import opened
from tests.unit.test_poller import Clock, Scripted, mesh, samples, soon, store


@contextmanager
def remembering(
    ledger: Ledger,
    *sources: Scripted,
    wall: Callable[[], float],
    clock: Callable[[], float] = time.monotonic,
    exposition: Exposition | None = None,
) -> Iterator[Poller]:
    fleets = {
        source.fleet: Fleet(source.fleet, WorkerRules(), Limits(), ledger.recall(source.fleet)) for source in sources
    }
    poller = Poller(sources, fleets, exposition or Exposition(POLLED, 10**6), clock, wall, ledger)
    poller.start()
    try:
        yield poller
    finally:
        poller.stop(0)
        for source in sources:
            source.answers.put(SourceError("refused", "the test is over"))
        poller.stop(10)


def test_who_leaves_is_not_present_and_has_no_other_series(tmp_path: Path) -> None:
    wall = Clock()
    source = Scripted("t", "store:1", store("t", "w1", "w2"), kind="agent-lightning")
    with remembering(opened(tmp_path), source, wall=wall) as poller:
        soon(lambda: samples(poller).get('rollcall_worker_present{fleet="t",worker="w1"}') == "1")
        found = samples(poller)
        assert found['rollcall_worker_status_since_timestamp_seconds{fleet="t",worker="w1"}'] == "1000.0"
        assert found["rollcall_ledger_available"] == "1"
        source.answers.put(store("t", "w2"))
        soon(lambda: samples(poller).get('rollcall_worker_present{fleet="t",worker="w1"}') == "0")
        assert [sample for sample in samples(poller) if 'worker="w1"' in sample] == [
            'rollcall_worker_present{fleet="t",worker="w1"}'
        ]
        wall.now += 3601.0
        source.answers.put(store("t", "w2"))
        soon(lambda: 'rollcall_worker_present{fleet="t",worker="w1"}' not in samples(poller))
        wall.now -= 4000.0
        since = 'rollcall_worker_status_since_timestamp_seconds{fleet="t",worker="w2"}'
        soon(lambda: samples(poller)[since] == "601.0")


def test_a_store_that_cannot_be_read_makes_nobody_absent_and_nobody_new(tmp_path: Path) -> None:
    clock, wall = Clock(), Clock()
    source = Scripted("t", "store:1", store("t", "w1"), kind="agent-lightning")
    present = 'rollcall_worker_present{fleet="t",worker="w1"}'
    since = 'rollcall_worker_status_since_timestamp_seconds{fleet="t",worker="w1"}'
    with remembering(opened(tmp_path), source, wall=wall, clock=clock) as poller:
        soon(lambda: samples(poller).get(present) == "1")
        clock.now += 101.0
        wall.now += 101.0
        source.answers.put(SourceError("timeout", "x"))
        soon(lambda: present not in samples(poller))
        assert 'rollcall_worker_status_transitions_total{fleet="t",from="idle",to="busy"}' in samples(poller)
        source.answers.put(store("t", "w1"))
        soon(lambda: samples(poller).get(present) == "1")
        assert samples(poller)[since] == "1000.0"


def test_a_restart_goes_on_with_what_was_known(tmp_path: Path) -> None:
    wall = Clock()
    console = Scripted("eu", "n1:1", mesh("eu", "n1"))
    since = 'rollcall_node_state_since_timestamp_seconds{fleet="eu",node="n1"}'
    with remembering(opened(tmp_path), console, wall=wall) as poller:
        soon(lambda: samples(poller).get(since) == "1000.0")
    wall.now += 500.0
    ledger = opened(tmp_path)
    assert ledger.recall("eu").consoles == {"n1": "n1:1"}
    console.answers.put(mesh("eu", "n1", "n2"))
    with remembering(ledger, console, wall=wall) as poller:
        soon(lambda: samples(poller).get('rollcall_node_present{fleet="eu",node="n2"}') == "1")
        found = samples(poller)
    assert found[since] == "1000.0"
    assert found[since.replace("n1", "n2")] == "1500.0"
    assert [found[f'rollcall_node_ordinal{{fleet="eu",node="{node}"}}'] for node in ("n1", "n2")] == ["0", "1"]


class Watching(Exposition):
    """Notes at every publication which rows of a copy of the ledger's file are there: what a crash would leave."""

    def __init__(self, folder: Path) -> None:
        super().__init__(POLLED, 10**6)
        self._folder = folder
        self.crashes: list[tuple[list[str], set[str]]] = []

    def publish(
        self, slices: Mapping[str, Tables | None], left_out: Mapping[str, Mapping[type, int]] | None = None
    ) -> Snapshot:
        copy = self._folder.parent / f"copy-{len(self.crashes)}"
        copy.mkdir()
        for file in self._folder.iterdir():
            (copy / file.name).write_bytes(file.read_bytes())
        database = Database.open(copy)
        kept = {row[2] for row in database.read().held}
        database.close()
        snapshot = super().publish(slices, left_out)
        text = b"".join(snapshot.chunks(Format.TEXT)).decode()
        self.crashes.append(([node for node in ("n1", "n2", "n3") if f'node="{node}"' in text], kept))
        return snapshot


def test_what_is_shown_is_on_disk_before(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    ledger = opened(folder)
    watching = Watching(folder)
    console = Scripted("eu", "n1:1", mesh("eu", "n1"))
    with remembering(ledger, console, wall=lambda: 1.0, exposition=watching) as poller:
        for nodes in (("n1", "n2"), ("n1", "n2", "n3")):
            console.answers.put(mesh("eu", *nodes))
        soon(lambda: 'rollcall_node_present{fleet="eu",node="n3"}' in samples(poller))
    assert watching.crashes[-1][0] == ["n1", "n2", "n3"]
    assert [shown for shown, kept in watching.crashes if not set(shown) <= kept] == []
    assert (folder / FILE).exists()


def test_at_the_start_a_fleet_waits_for_the_first_turn_of_all_its_sources(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    quick, slow = Scripted("eu", "n1:1", mesh("eu", "n1", "n2")), Scripted("eu", "n2:1")
    other = Scripted("us", "m1:1", mesh("us", "m1"))
    clock = Clock()
    with remembering(ledger, quick, slow, other, wall=lambda: 1.0, clock=clock) as poller:
        soon(lambda: 'rollcall_node_present{fleet="us",node="m1"}' in samples(poller))
        soon(lambda: 'rollcall_source_up{fleet="eu",source="n1:1",kind="mesh-llm"}' in samples(poller))
        assert not any(sample.startswith("rollcall_node") and 'fleet="eu"' in sample for sample in samples(poller))
        slow.answers.put(SourceError("timeout", "no whole answer"))
        soon(lambda: 'rollcall_node_present{fleet="eu",node="n2"}' in samples(poller))


def test_a_source_that_hangs_at_the_start_is_not_waited_for_for_long(tmp_path: Path) -> None:
    quick, hung = Scripted("eu", "n1:1", mesh("eu", "n1")), Scripted("eu", "n2:1")
    clock = Clock()
    with remembering(opened(tmp_path), quick, hung, wall=lambda: 1.0, clock=clock) as poller:
        soon(lambda: 'rollcall_source_up{fleet="eu",source="n1:1",kind="mesh-llm"}' in samples(poller))
        assert 'rollcall_node_present{fleet="eu",node="n1"}' not in samples(poller)
        clock.now += SETTLING + 0.1
        soon(lambda: 'rollcall_node_present{fleet="eu",node="n1"}' in samples(poller))
