"""The poller goes on by another plan: what stays, what is gone, what is new, and what takes another's place."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exporter.config import Config
from exporter.exposition import Exposition
from exporter.families import POLLED
from exporter.plan import Plan, planned
from exporter.poller import SETTLING, Poller
from exporter.records import NodeView
from exporter.records.reading import MeshReading, Sighting
from exporter.slot import GRACE
from exporter.sources.source import SourceError
from exporter.state.fleet import Fleet
from exporter.state.ledger import Ledger
from tests.unit.test_poller import Clock, Scripted, mesh, reads, samples, soon, store, up

PATIENCE = 20.0


class Running:
    """A poller that follows plans of scripted sources, and ends with the test."""

    def __init__(self, ledger: Ledger, *sources: Scripted, clock: Callable[[], float], wall: Clock) -> None:
        plan = planned(Config(), sources)
        fleets = {name: Fleet.under(name, terms, ledger.recall(name)) for name, terms in plan.terms.items()}
        self.poller = Poller(sources, fleets, Exposition(POLLED, 10**6), clock, wall, ledger)
        self.sources = set(sources)

    def turn_to(self, *sources: Scripted, exposition: Exposition | None = None) -> dict[str, str]:
        """Follow a plan of these sources; what is shown the moment that is done."""
        self.sources |= set(sources)
        plan: Plan = planned(Config(), sources)._replace(exposition=exposition)
        assert self.poller.follow(plan).result(PATIENCE)
        return samples(self.poller)

    def shows(self, *wanted: str) -> None:
        """Wait until these samples are there."""
        soon(lambda: set(wanted) <= samples(self.poller).keys())


@contextmanager
def running(
    *sources: Scripted, clock: Callable[[], float] = time.monotonic, folder: Path | None = None
) -> Iterator[Running]:
    wall = Clock()
    scopes = planned(Config(), sources).scopes
    started = Running(Ledger.open(folder, scopes) if folder else Ledger(scopes), *sources, clock=clock, wall=wall)
    started.poller.start()
    try:
        yield started
    finally:
        started.poller.stop(0)
        for source in started.sources:
            source.answers.put(SourceError("refused", "the test is over"))
        started.poller.stop(10)


def present(fleet: str, kind: str, name: str) -> str:
    return f'rollcall_{kind}_present{{fleet="{fleet}",{kind}="{name}"}}'


def of(fleet: str, shown: dict[str, str]) -> dict[str, str]:
    return {sample: value for sample, value in shown.items() if f'fleet="{fleet}"' in sample}


def threads(source: Scripted) -> int:
    return sum(thread.name == f"source {source.name}" for thread in threading.enumerate())


@pytest.mark.parametrize("folder", [True, False], ids=["ledger on disk", "in memory"])
def test_what_stays_is_read_on_and_what_is_gone_leaves_no_trace(folder: bool, tmp_path: Path) -> None:
    stays = Scripted("eu", "stays:1", mesh("eu", "n1"))
    goes, comes = Scripted("us", "goes:1", mesh("us", "n2")), Scripted("ap", "comes:1")
    with running(stays, goes, folder=tmp_path if folder else None) as run:
        run.shows(present("eu", "node", "n1"), present("us", "node", "n2"))
        soon(lambda: stays.asked == 2)
        before = samples(run.poller)
        shown = run.turn_to(stays, comes)
        assert of("eu", shown) == of("eu", before)
        assert of("us", shown) == {}
        assert "us" not in run.poller.evidence
        comes.answers.put(mesh("ap", "n3"))
        run.shows(present("ap", "node", "n3"))
        goes.answers.put(mesh("us", "n2"))
        soon(lambda: threads(goes) == 0)
        assert (stays.asked, goes.asked, threads(stays)) == (2, 2, 1)
        stays.answers.put(mesh("eu", "n1", "n4"))
        run.shows(present("eu", "node", "n4"))
        assert of("us", samples(run.poller)) == {}
        again = Scripted("us", "goes:1", mesh("us", "n5"))
        run.turn_to(stays, comes, again)
        run.shows(present("us", "node", "n5"))
        assert present("us", "node", "n2") not in samples(run.poller)


def test_a_source_in_the_place_of_another_goes_on_counting_and_the_late_answer_of_that_one_is_dropped() -> None:
    old, new = (Scripted("t", "store:1", kind="agent-lightning") for _ in range(2))
    row = 'rollcall_worker_status{fleet="t",worker="w1",status="idle"}'
    old.answers.put(store("t", "w1"))
    with running(old) as run:
        run.shows(row)
        soon(lambda: old.asked == 2)
        before = samples(run.poller)
        assert of("t", run.turn_to(new)) == of("t", before)
        old.answers.put(store("t", "late"))
        soon(lambda: threads(old) == 1 and new.asked == 1)
        new.answers.put(store("t", "w1", "w2"))
        run.shows(row, row.replace("w1", "w2"))
        found = samples(run.poller)
        assert (found[up(new)], found[reads(new, "ok")]) == ("1", "2")
        assert not any("late" in sample for sample in found)


def test_a_fleet_waits_for_the_first_turn_of_a_new_source() -> None:
    clock = Clock()
    quick, slow = Scripted("eu", "n1:1", mesh("eu", "n1", "n2")), Scripted("eu", "n2:1")
    with running(quick, clock=clock) as run:
        run.shows(present("eu", "node", "n2"))
        shown = samples(run.poller)
        run.turn_to(slow)
        assert of("eu", samples(run.poller)).keys() >= {key for key in of("eu", shown) if "source" not in key}
        slow.answers.put(mesh("eu", "n2", "n3"))
        run.shows(present("eu", "node", "n3"))
        found = samples(run.poller)
    assert present("eu", "node", "n1") not in found, "only a console that is gone listed it"
    since = 'rollcall_node_state_since_timestamp_seconds{fleet="eu",node="n2"}'
    assert found[since] == shown[since]


def test_a_new_source_that_hangs_is_not_waited_for_for_long_and_holds_up_readiness_only_later() -> None:
    clock = Clock()
    quick, hung = Scripted("eu", "n1:1", mesh("eu", "n1")), Scripted("eu", "n2:1")
    with running(quick, clock=clock) as run:
        soon(run.poller.turning)
        clock.now += 2 * SETTLING
        soon(lambda: quick.asked == 2)
        quick.answers.put(mesh("eu", "n1"))
        soon(run.poller.turning)
        run.turn_to(quick, hung)
        assert run.poller.turning()
        soon(lambda: quick.asked == 3 and hung.asked == 1)
        quick.answers.put(mesh("eu", "n1", "n3"))
        soon(lambda: samples(run.poller).get(reads(quick, "ok")) == "3")
        assert present("eu", "node", "n3") not in samples(run.poller)
        clock.now += SETTLING + 0.1
        run.shows(present("eu", "node", "n3"))
        clock.now += GRACE
        soon(lambda: not run.poller.turning())


def listing(fleet: str, *nodes: str) -> MeshReading:
    """What the first of the nodes says of itself, and of the others, which it measures."""
    views = [
        NodeView(fleet=fleet, observer=nodes[0], node=node, own=node == nodes[0], word="standby", rtt_seconds=0.01)
        for node in nodes
    ]
    return MeshReading(observer=nodes[0], sightings=tuple(Sighting(view) for view in views))


def test_a_console_that_is_taken_out_makes_nobody_silent_and_leaves_no_tombstone() -> None:
    one, two = Scripted("eu", "a:1", listing("eu", "a", "b")), Scripted("eu", "b:1", listing("eu", "b", "a", "c"))
    with running(one, two) as run:
        run.shows(present("eu", "node", "a"), present("eu", "node", "b"), present("eu", "node", "c"))
        shown = run.turn_to(one)
        confirmed = {node: shown[f'rollcall_node_confirmed{{fleet="eu",node="{node}"}}'] for node in "ab"}
        assert confirmed == {"a": "1", "b": "1"}
        assert not any('node="c"' in sample for sample in shown)
        soon(lambda: one.asked == 2)
        one.answers.put(listing("eu", "a"))
        soon(lambda: samples(run.poller).get(present("eu", "node", "b")) == "0")


def test_another_store_in_a_fleet_leaves_no_tombstones_of_the_first() -> None:
    old = Scripted("t", "old:1", store("t", "w1"), kind="agent-lightning")
    new = Scripted("t", "new:1", kind="agent-lightning")
    with running(old) as run:
        run.shows(present("t", "worker", "w1"))
        run.turn_to(new)
        new.answers.put(store("t", "w2"))
        run.shows(present("t", "worker", "w2"))
        assert present("t", "worker", "w1") not in samples(run.poller)


def test_other_families_are_shown_at_once_even_of_a_fleet_that_waits() -> None:
    stays, waits, new = (
        Scripted("eu", "a:1", mesh("eu", "a")),
        Scripted("us", "b:1", mesh("us", "b")),
        Scripted("us", "c:1"),
    )
    with running(stays, waits) as run:
        run.shows(present("eu", "node", "a"), present("us", "node", "b"))
        before = samples(run.poller)
        fewer = Exposition([family for family in POLLED if family.name != "rollcall_node_info"], 10**6)
        shown = run.turn_to(stays, waits, new, exposition=fewer)
    assert {sample for sample in before if not sample.startswith("rollcall_node_info")} == shown.keys()


def test_a_fleet_may_lose_its_mesh_and_keep_its_store() -> None:
    console = Scripted("eu", "a:1", mesh("eu", "a"))
    workers = Scripted("eu", "store:1", store("eu", "w"), kind="agent-lightning")
    with running(console, workers) as run:
        run.shows(present("eu", "node", "a"), present("eu", "worker", "w"))
        shown = of("eu", run.turn_to(workers))
    assert present("eu", "worker", "w") in shown
    assert not any(sample.startswith(("rollcall_node", "rollcall_wakeable")) for sample in shown)
