"""The poller: isolation, freshness, default sources, and whether it turns."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Event

import pytest

from exporter.exposition import Exposition, Format
from exporter.families import POLLED
from exporter.poller import Poller
from exporter.records import Becomes, NodeView, RolloutCount, Store, WakeableNode, WorkerReport
from exporter.records.reading import InventoryReading, MeshReading, Sighting, StoreReading
from exporter.sources.source import Deadline, Pace, Reading, SourceError
from exporter.state.fleet import Fleet, Limits, WorkerRules


class Scripted:
    """A source whose reads give, one after the other, what the test puts into `answers`; then they block."""

    def __init__(
        self, fleet: str, name: str, *answers: Reading | Exception, kind: str = "mesh-llm", optional: bool = False
    ) -> None:
        self.fleet = fleet
        self.name = name
        self.kind = kind
        self.pace = Pace(0.001, 1.0, 100.0, optional)
        self.asked = 0
        self.answers: SimpleQueue[Reading | Exception] = SimpleQueue()
        for answer in answers:
            self.answers.put(answer)

    def read(self, deadline: Deadline) -> Reading:
        self.asked += 1
        answer = self.answers.get()
        if isinstance(answer, Exception):
            raise answer
        return answer


class Clock:
    """A clock that goes when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def mesh(fleet: str, *nodes: str) -> MeshReading:
    views = [NodeView(fleet=fleet, observer=node, node=node, own=True, word="standby") for node in nodes]
    return MeshReading(observer=nodes[0], sightings=tuple(Sighting(view) for view in views))


def inventory(fleet: str, *hostnames: str) -> InventoryReading:
    entries = {f"w{at}": Becomes(hostname=hostname) for at, hostname in enumerate(hostnames)}
    nodes = tuple(WakeableNode(fleet, name, None, "inv", "sleeping", None, None) for name in entries)
    return InventoryReading(wakeables=nodes, becomes=entries)


def store(fleet: str, *workers: str, read_at: float = 100.0) -> StoreReading:
    reports = [
        WorkerReport(fleet=fleet, worker=worker, word="idle", last_heartbeat=99.0, last_idle=1.0) for worker in workers
    ]
    counts = (RolloutCount(fleet, "running", 2),)
    return StoreReading(store=Store(fleet, None), workers=tuple(reports), read_at=read_at, rollouts=counts)


@contextmanager
def polling(*sources: Scripted, clock: Callable[[], float] = time.monotonic) -> Iterator[Poller]:
    fleets = {source.fleet: Fleet(source.fleet, WorkerRules(), Limits()) for source in sources}
    poller = Poller(sources, fleets, Exposition(POLLED, 10**6), clock, wall=lambda: 1.7e9)
    poller.start()
    try:
        yield poller
    finally:
        poller.stop(0)
        for source in sources:
            source.answers.put(SourceError("refused", "the test is over"))
        poller.stop(10)


def samples(poller: Poller) -> dict[str, str]:
    text = b"".join(poller.snapshot.chunks(Format.TEXT)).decode()
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))


def soon(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until, "it did not come about within 20 s"
        Event().wait(0.002)


def up(source: Scripted) -> str:
    return f'rollcall_source_up{{fleet="{source.fleet}",source="{source.name}",kind="{source.kind}"}}'


def reads(source: Scripted, result: str) -> str:
    labels = f'fleet="{source.fleet}",source="{source.name}",kind="{source.kind}",result="{result}"'
    return f"rollcall_source_reads_total{{{labels}}}"


def test_a_source_that_breaks_costs_nobody_else_a_sample(caplog: pytest.LogCaptureFixture) -> None:
    broken = Scripted("a", "broken:1", ZeroDivisionError("secret in a message"))
    refused = Scripted("b", "refused:1", SourceError("refused", "connection refused"))
    fine = Scripted("c", "fine:1", mesh("c", "n1"))
    with caplog.at_level(logging.INFO), polling(broken, refused, fine) as poller:
        soon(lambda: {up(broken), up(refused), up(fine)} <= samples(poller).keys())
        found = samples(poller)
    assert (found[up(broken)], found[up(refused)], found[up(fine)]) == ("0", "0", "1")
    assert (found[reads(broken, "malformed")], found[reads(refused, "refused")], found[reads(fine, "ok")]) == (
        "1",
        "1",
        "1",
    )
    assert found['rollcall_node_state{fleet="c",node="n1",state="standby"}'] == "1"
    assert "a reading failed in a way nobody foresaw" in caplog.text
    said = [record.said for record in caplog.records if record.message == "a source is down"]  # type: ignore[attr-defined]
    assert {"fleet": "b", "source": "refused:1", "result": "refused", "error": "connection refused"} in said


def test_a_source_that_hangs_holds_up_only_itself() -> None:
    hung, fine = Scripted("a", "hung:1"), Scripted("b", "fine:1", mesh("b", "n1"), mesh("b", "n2"))
    with polling(hung, fine) as poller:
        soon(lambda: 'rollcall_node_info{fleet="b",node="n2"' in " ".join(samples(poller)))
        assert up(hung) not in samples(poller)
        assert not any('fleet="a"' in sample for sample in samples(poller))


@pytest.mark.parametrize(
    ("kinds", "rows"), [(["mesh-llm"], 14), (["agent-lightning"], 10), (["mesh-llm", "agent-lightning"], 24)]
)
def test_every_row_of_the_counts_is_there_for_what_a_fleet_has(kinds: list[str], rows: int) -> None:
    down = [Scripted("a", f"{kind}:1", SourceError("timeout", "no whole answer"), kind=kind) for kind in kinds]
    with polling(*down) as poller:
        soon(lambda: {up(source) for source in down} <= samples(poller).keys())
        counts = {
            sample for sample in samples(poller) if re.match("rollcall_(nodes|wakeables|workers|rollouts){", sample)
        }
    assert len(counts) == rows


def test_a_default_source_that_never_answered_exports_nothing(caplog: pytest.LogCaptureFixture) -> None:
    default = Scripted("local", "127.0.0.1:3131", SourceError("refused", "x"), optional=True)
    with caplog.at_level(logging.INFO), polling(default) as poller:
        soon(poller.turning)
        assert samples(poller) == {"rollcall_ledger_available": "0"}
        assert caplog.records == []
        default.answers.put(mesh("local", "n1"))
        soon(lambda: samples(poller).get(up(default)) == "1")
        assert not any(sample.startswith(("rollcall_workers", "rollcall_rollouts")) for sample in samples(poller))
        default.answers.put(SourceError("refused", "x"))
        soon(lambda: samples(poller).get(up(default)) == "0")


def test_a_store_that_cannot_be_read_loses_its_workers_when_they_are_stale_and_nobody_is_silent() -> None:
    clock = Clock()
    source = Scripted("t", "store:1", store("t", "w1"), kind="agent-lightning")
    row = 'rollcall_worker_status{fleet="t",worker="w1",status="idle"}'
    with polling(source, clock=clock) as poller:
        soon(lambda: samples(poller).get(row) == "1")
        clock.now += 99.0
        source.answers.put(SourceError("timeout", "x"))
        soon(lambda: samples(poller).get(up(source)) == "0")
        assert samples(poller)[row] == "1"
        clock.now += 2.0
        source.answers.put(SourceError("timeout", "x"))
        soon(lambda: row not in samples(poller))
        assert not any("unknown_reason" in sample for sample in samples(poller))
        assert samples(poller)['rollcall_workers{fleet="t",status="idle"}'] == "0"
        source.answers.put(store("t", "w1"))
        soon(lambda: samples(poller).get(row) == "1")


def test_what_is_stale_goes_though_its_source_never_comes_back() -> None:
    clock = Clock()
    source = Scripted("a", "s:1", mesh("a", "n1"))
    with polling(source, clock=clock) as poller:
        soon(lambda: samples(poller).get(up(source)) == "1" and source.asked == 2)
        clock.now += 101.0
        soon(lambda: not any(sample.startswith("rollcall_node_state{") for sample in samples(poller)))
        soon(lambda: samples(poller).get(up(source)) == "0")
        assert samples(poller)[reads(source, "timeout")] == "1"
        assert not poller.turning()


def test_a_fleet_that_cannot_be_judged_or_rendered_costs_no_other_fleet_and_counts_as_malformed() -> None:
    view = NodeView(fleet="bad", observer="n", node="n", own=True)
    unjudged = Scripted("bad", "bad:1", MeshReading(observer="n", sightings=(Sighting(view, 7),)))  # type: ignore[arg-type]
    numbered = NodeView(fleet="odd", observer="n", node="n", own=True, hostname=5)  # type: ignore[arg-type]
    unrendered = Scripted("odd", "odd:1", MeshReading(observer="n", sightings=(Sighting(numbered),)))
    fine = Scripted("good", "good:1", mesh("good", "n1"), mesh("good", "n2"))
    with polling(unjudged, unrendered, fine) as poller:
        soon(lambda: 'rollcall_node_info{fleet="good",node="n2"' in " ".join(samples(poller)))
        soon(lambda: samples(poller).get(up(unjudged)) == "0")
        found = samples(poller)
    assert (found[up(fine)], found[reads(unjudged, "malformed")]) == ("1", "1")
    assert not any(sample.startswith("rollcall_node") and 'fleet="good"' not in sample for sample in found)


def test_it_turns_from_the_first_attempt_until_a_source_is_stuck() -> None:
    clock = Clock()
    source = Scripted("a", "s:1")
    with polling(source, clock=clock) as poller:
        assert not poller.turning()
        source.answers.put(mesh("a", "n1"))
        soon(lambda: poller.turning() and source.asked == 2)
        clock.now += 100.0
        soon(lambda: not poller.turning())
    assert not poller.turning()


def test_drift_is_counted_at_every_read() -> None:
    word = NodeView(fleet="a", observer="n", node="n", own=True, word="hibernating")
    reading = MeshReading(observer="n", sightings=(Sighting(word),), drift={"peers": 2})
    source = Scripted("a", "s:1", reading, reading)
    key = 'rollcall_source_drift_total{fleet="a",source="s:1",kind="mesh-llm",field='
    with polling(source) as poller:
        soon(lambda: samples(poller).get(reads(source, "ok")) == "2")
        found = samples(poller)
    assert (found[key + '"node_state"}'], found[key + '"peers"}']) == ("2", "4")


def test_a_hint_that_fits_no_one_node_is_drift_of_its_inventory_at_every_read() -> None:
    clear, unclear = inventory("eu", "gpu-01", "gpu-02"), inventory("eu", "gpu-01", "gpu-01")
    source = Scripted("eu", "inv", kind="inventory")
    drift = 'rollcall_source_drift_total{fleet="eu",source="inv",kind="inventory",field="becomes"}'
    with polling(source) as poller:
        for read, (said, count) in enumerate([(clear, None), (unclear, "2"), (clear, "2"), (unclear, "4")], 1):
            source.answers.put(said)
            soon(lambda read=read: samples(poller).get(reads(source, "ok")) == str(read))  # type: ignore[misc]
            assert samples(poller).get(drift) == count
