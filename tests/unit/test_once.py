"""What is read once: `rollcall metrics`, and `rollcall check-config --live`."""

from __future__ import annotations

import io
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from exporter.config import Config
from exporter.config import parse as parse_config
from exporter.families import POLLED
from exporter.once import AT_ONCE, MEMORY, check, metrics, progress, read_once
from exporter.records import Becomes, Host, NodeView, Store, WakeableNode, WorkerReport
from exporter.records.reading import ConsolesReading, InventoryReading, MeshReading, Sighting, StoreReading
from exporter.records.table import Tables
from exporter.sources.collector import CollectorError
from exporter.sources.source import Deadline, Pace, Reading, SourceError
from tests.unit.test_poller import mesh


def parse(text: str) -> Config:
    return parse_config(text, "rollcall.yaml", {}, Path.read_text)


NOW = 1_700_000_000.0


class Answering:
    """A source that answers always the same."""

    def __init__(
        self, name: str, said: Reading | Exception, kind: str = "mesh-llm", fleet: str = "eu", *, optional: bool = False
    ) -> None:
        self.fleet, self.name, self.kind, self.said = fleet, name, kind, said
        self.pace = Pace(600.0, 300.0, 900.0, optional)
        self.asked = 0

    def read(self, deadline: Deadline) -> Reading:
        self.asked += 1
        assert 0 < deadline.remaining() <= self.pace.timeout
        if isinstance(self.said, Exception):
            raise self.said
        return self.said


class Fixed:
    """A collector that gives what the test says, or raises it."""

    def __init__(self, name: str, said: Tables | Exception) -> None:
        self.name, self._said = name, said

    def read(self) -> Tables:
        if isinstance(self._said, Exception):
            raise self._said
        return self._said


STORE = StoreReading(
    store=Store("training", None), workers=(WorkerReport("training", "w", "idle", NOW - 2),), read_at=NOW
)
REFUSED = SourceError("refused", "expected a connection, got: none\x1b")
LISTED = InventoryReading(
    wakeables=(WakeableNode("eu", "rack", None, "file", "asleep", None, None),),
    becomes={"rack": Becomes(hostname="nobody")},
)


def printed(*sources: Answering, collectors: tuple[Fixed, ...] = (), config: Config | None = None) -> tuple[Any, ...]:
    out, err = io.BytesIO(), io.StringIO()
    status = metrics(config or parse(""), sources, collectors, out, err)
    return status, out.getvalue().decode(), err.getvalue()


def test_everything_is_printed_as_the_exporter_would_show_it() -> None:
    sources = [
        Answering("a:3131", mesh("eu", "n1", "n2")),
        Answering("t:4747", STORE, "agent-lightning", "training"),
        Answering("wakeable.yaml", LISTED, "inventory"),
    ]
    status, out, err = printed(*sources, collectors=(Fixed("host", {Host: (Host(load1=0.5),)}),))
    assert (status, err, [source.asked for source in sources]) == (0, "", [1, 1, 1])
    for line in (
        'rollcall_node_state{fleet="eu",node="n2",state="standby"} 1',
        'rollcall_nodes{fleet="eu",state="standby",standing="confirmed"} 2',
        'rollcall_worker_status{fleet="training",worker="w",status="idle"} 1',
        'rollcall_source_up{fleet="eu",source="a:3131",kind="mesh-llm"} 1',
        'rollcall_source_drift_total{fleet="eu",source="wakeable.yaml",kind="inventory",field="wakeable_state"} 1',
        "rollcall_host_load1 0.5",
        'rollcall_collector_success{collector="host"} 1',
    ):
        assert f"\n{line}\n" in out
    samples = [sample for family in text_string_to_metric_families(out) for sample in family.samples]
    assert len({(each.name, *sorted(each.labels.items())) for each in samples}) == len(samples)


def test_nothing_is_printed_that_one_look_cannot_tell_or_that_is_of_the_command_itself() -> None:
    sources = [
        Answering("a:3131", mesh("eu", "n1")),
        Answering("t:4747", STORE, "agent-lightning", "training"),
        Answering("wakeable.yaml", LISTED, "inventory"),
    ]
    out = printed(*sources)[1]
    shown = {line.split(" ")[2] for line in out.splitlines() if line.startswith("# TYPE ")}
    remembered = {family.name for family in POLLED if family.record in MEMORY}
    assert {"rollcall_node_state_since_timestamp_seconds", "rollcall_wakes_total"} <= remembered
    assert not shown & remembered
    assert not any(f'rollcall_series{{family="{name}"}}' in out for name in remembered)
    assert all(name.startswith("rollcall_") for name in shown)


def test_what_was_read_is_printed_where_something_fails_and_the_status_is_1() -> None:
    good, bad = Answering("a:3131", mesh("eu", "n1")), Answering("b:3131", REFUSED)
    gpu = Fixed("gpu", CollectorError("the driver is gone"))
    status, out, err = printed(good, bad, collectors=(gpu,))
    assert status == 1
    assert 'rollcall_node_state{fleet="eu",node="n1",state="standby"} 1\n' in out
    assert 'rollcall_source_up{fleet="eu",source="b:3131",kind="mesh-llm"} 0\n' in out
    assert 'rollcall_collector_success{collector="gpu"} 0\n' in out
    assert err.splitlines() == [
        "rollcall: source b:3131 of fleet eu (mesh-llm): refused: expected a connection, got: none\ufffd",
        "rollcall: collector gpu: the driver is gone",
    ]


def test_what_an_inventory_says_that_fits_no_one_node_is_counted() -> None:
    views = [NodeView(fleet="eu", observer=node, node=node, own=True, hostname="nobody") for node in ("n1", "n2")]
    reading = MeshReading(observer="n1", sightings=tuple(Sighting(view) for view in views))
    out = printed(Answering("a:3131", reading), Answering("wakeable.yaml", LISTED, "inventory"))[1]
    row = 'rollcall_source_drift_total{fleet="eu",source="wakeable.yaml",kind="inventory",field="becomes"} 1\n'
    assert row in out


def test_a_default_source_that_does_not_answer_is_nobodys_failure() -> None:
    absent = Answering("127.0.0.1:3131", REFUSED, fleet="local", optional=True)
    status, out, err = printed(absent)
    assert (status, err, 'fleet="local"' in out) == (0, "", False)


def test_a_fleet_that_cannot_be_judged_costs_no_other_its_metrics() -> None:
    view = NodeView(fleet="bad", observer="n", node="n", own=True)
    unjudged = Answering("bad:1", MeshReading(observer="n", sightings=(Sighting(view, 7),)), fleet="bad")  # type: ignore[arg-type]
    status, out, err = printed(unjudged, Answering("a:3131", mesh("eu", "n1")))
    assert (status, 'node="n1"' in out) == (1, True)
    assert 'rollcall_source_up{fleet="bad",source="bad:1",kind="mesh-llm"} 0\n' in out
    assert err == "rollcall: source bad:1 of fleet bad (mesh-llm): malformed: nothing can be made of what it said\n"


def test_families_that_are_denied_are_left_out() -> None:
    config = parse("families: {deny: ['rollcall_node_.*', 'rollcall_build_info']}")
    out = printed(Answering("a:3131", mesh("eu", "n1")), config=config)[1]
    assert "rollcall_source_up" in out
    assert "rollcall_node_" not in out
    assert "rollcall_build_info" not in out


def test_sources_are_read_beside_each_other_and_more_than_so_many_in_turns() -> None:
    together = threading.Barrier(AT_ONCE)
    threads: set[str] = set()

    class Waiting(Answering):
        def read(self, deadline: Deadline) -> Reading:
            threads.add(threading.current_thread().name)
            together.wait(60)
            return super().read(deadline)

    sources = [Waiting(f"{number}:1", STORE) for number in range(2 * AT_ONCE)]
    seen: list[tuple[int, int]] = []
    looks = read_once(sources, lambda done, of: seen.append((done, of)))
    assert [(look.source, look.attempted.result) for look in looks] == [(source, "ok") for source in sources]
    assert len(threads) == AT_ONCE
    assert seen == [(done, 2 * AT_ONCE) for done in [*range(2 * AT_ONCE + 1), 2 * AT_ONCE]]


def test_a_read_has_its_timeout_beside_the_grace() -> None:
    class Slow(Answering):
        def read(self, deadline: Deadline) -> Reading:
            time.sleep(0.05)
            return super().read(deadline)

    (look,) = read_once([Slow("a:1", STORE)], grace=0.0)
    assert (look.failed, look.attempted.result) == (False, "ok")


def test_a_read_that_does_not_come_back_is_left_behind() -> None:
    over = threading.Event()

    class Hanging(Answering):
        def read(self, deadline: Deadline) -> Reading:
            over.wait(60)
            return super().read(deadline)

    hanging = Hanging("a:1", STORE)
    hanging.pace = Pace(1.0, 0.01, 3.0)
    try:
        (look,) = read_once([hanging], grace=0.01)
    finally:
        over.set()
    assert (look.failed, look.attempted.result, look.attempted.message) == (
        *(True, "timeout"),
        "the read does not come back",
    )


def test_a_check_says_how_each_source_was_read_and_what_it_has() -> None:
    views = mesh("eu", "n1", "n2")
    consoles = ConsolesReading({"10.0.0.1": views, "10.0.0.2": mesh("eu", "n2", "n3")}, ("10.0.0.1", "10.0.0.2"))
    sources = [
        Answering("a:3131", msgspec.structs.replace(views, drift={"peers": 2})),
        Answering("mesh:3131", consoles),
        Answering("b:3131", REFUSED),
        Answering("t:4747", STORE, "agent-lightning", "training"),
        Answering("u:4747", msgspec.structs.replace(STORE, workers=(), lists_workers=False), "agent-lightning", "u"),
        Answering("wakeable.yaml", LISTED, "inventory"),
        Answering("127.0.0.1:4747", REFUSED, "agent-lightning", "local", optional=True),
    ]
    out = io.StringIO()
    assert check(sources, out) == 1
    heading, *lines = out.getvalue().splitlines()
    assert heading.split() == ["source", "fleet", "kind", "read", "took", "what"]
    assert [line[heading.index("what") :] for line in lines] == [
        "2 nodes, 0 wakeable; not understood: peers (2)",
        "2 of 2 consoles, 3 nodes",
        "expected a connection, got: none\ufffd",
        "1 workers, 0 rollouts",
        "a store without workers, 0 rollouts",
        "1 wakeable; not understood: wakeable_state (1)",
        "expected a connection, got: none\ufffd; nobody configured it",
    ]
    assert lines[2].split()[:4] == ["b:3131", "eu", "mesh-llm", "refused"]
    assert check([source for source in sources if source.name != "b:3131"], io.StringIO()) == 0


def test_progress_is_for_terminals() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal, file = Terminal(), io.StringIO()
    for err in (terminal, file):
        show = progress(err)
        for done in (0, 1, 2):
            show(done, 2)
    assert file.getvalue() == ""
    assert terminal.getvalue() == "\rread 0 of 2 sources\rread 1 of 2 sources\r\x1b[K"
