"""An upstream at fault, for every kind that is read over HTTP: its reason is counted, nobody else loses a sample."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack
from threading import Event

import pytest

from exporter.sources.fetch import MAX_BYTES
from tests.promises.recording import Measured
from tests.unit.faults import FAULTS, KINDS, LONG, SHORT, Fault, Rig, sends, swallowing, wedged
from tests.unit.loopback import Loopback
from tests.unit.loopback import sends as answers
from tests.unit.test_fetch_deadline import GRACE, black_hole

MIB = 2**20
MOST = 6 * MAX_BYTES
"""Bytes of Python objects that reading one answer may take at its peak, the server of the test included."""


@pytest.fixture(scope="module", params=KINDS)
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    with ExitStack() as stack:
        yield Rig(request.param, stack)


def suffer(rig: Rig, fault: Fault, measured: Measured, *, large: bool = False) -> None:
    """Have a fault, see that it is counted, that it takes little time and memory, and that the source recovers."""
    rig.has(fault)
    _, seconds = rig.read(fault.result)
    timely = fault.result == "timeout"
    measured("over the deadline by" if timely else "failed after", seconds - fault.seconds * timely, "s")
    assert seconds < fault.seconds + GRACE
    if large or not timely:
        measured("memory", peak(rig, fault.result) / MIB, "MiB")
    measured("recovered in", rig.recover(), "s")


def peak(rig: Rig, result: str) -> int:
    """The most bytes that Python's objects take during a read, those of the healthy console and the server too."""
    tracemalloc.start()
    try:
        rig.read(result)
        found = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found < MOST
    return found


@pytest.mark.promise("Upstreams", "An upstream that {fault} costs only itself")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_counted_and_costs_nobody_else_a_sample(rig: Rig, fault: str, measured: Measured) -> None:
    suffer(rig, FAULTS[fault], measured)


@pytest.mark.promise("Upstreams", "An upstream whose gzip bomb takes longer than there is time costs only itself")
def test_a_gzip_bomb_and_little_time(rig: Rig, measured: Measured) -> None:
    suffer(rig, Fault("timeout", FAULTS["sends a gzip bomb"].script, seconds=0.02), measured)


@pytest.mark.promise("Upstreams", "An upstream whose address swallows packets costs only itself")
def test_an_address_that_swallows_packets(rig: Rig, measured: Measured) -> None:
    with black_hole() as hole:
        suffer(rig, Fault("timeout", resolve=swallowing(hole), seconds=SHORT), measured)


@pytest.mark.promise("Upstreams", "An upstream whose name no resolver answers for costs only itself")
def test_a_resolver_that_does_not_come_back(rig: Rig, measured: Measured) -> None:
    over = Event()
    suffer(rig, Fault("timeout", resolve=wedged(over), seconds=SHORT), measured)
    over.set()


@pytest.mark.promise("Upstreams", "An upstream that redirects elsewhere is not followed, and costs only itself")
def test_a_redirect(rig: Rig, measured: Measured) -> None:
    with Loopback(answers(b"HTTP/1.1 200 OK\r\n\r\n{}")) as other:
        place = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{other.port}/\r\nContent-Length: 0\r\n\r\n"
        suffer(rig, Fault("redirect", sends(place.encode())), measured)
        assert other.connections == 0


def a_million(start: str, item: str, end: str) -> bytes:
    return (start + ",".join(item % number for number in range(1_000_000)) + end).encode()


MILLIONS = {
    "console": ('{"node_id": "a", "peers": [', '{"id":"%d"}', "]}", "timeout"),
    "store": ('{"total": 1000000, "items": [', '{"worker_id":"%d","status":"idle"}', "]}", "too_large"),
    "server": ("[", '{"rollout_id":"%d"}', "]", "too_large"),
    "inventory": ("[", '{"logical_id":"%d"}', "]", "timeout"),
}


@pytest.mark.promise("Upstreams", "An upstream that lists a million things at once costs only itself")
def test_a_million_things(rig: Rig, request: pytest.FixtureRequest, measured: Measured) -> None:
    *pieces, result = MILLIONS[request.node.callspec.params["rig"]]
    suffer(
        rig,
        Fault(result, rig.kind.lists(a_million(*pieces)), seconds=SHORT if result == "timeout" else LONG),
        measured,
        large=True,
    )


@pytest.mark.promise("Upstreams", "A store that lists a million workers in pages is read until its deadline")
@pytest.mark.parametrize("rig", ["store"], indirect=True)
def test_a_store_of_a_million_workers(rig: Rig, measured: Measured) -> None:
    workers = [{"worker_id": f"w{number}", "status": "idle"} for number in range(500)]
    page = json.dumps({"total": 1_000_000, "items": workers}).encode()
    suffer(rig, Fault("timeout", rig.kind.lists(page), seconds=SHORT), measured)


DEEP = "[" * 100_000 + "]" * 100_000
ODD = {
    "console": {
        "lists one id twice": '{"node_id": "a", "peers": [{"id": "b"}, {"id": "b"}]}',
        "says states that nobody knows": '{"node_id": "a", "node_state": "dancing"}',
        "nests one value 100,000 levels deep": '{"node_id": "a", "x": ' + DEEP + "}",
    },
    "store": {
        "lists one id twice": '{"total": 2, "items": [{"worker_id": "w", "status": "idle"}, '
        '{"worker_id": "w", "status": "busy"}]}',
        "says states that nobody knows": '{"total": 1, "items": [{"worker_id": "w", "status": "dancing"}]}',
        "nests one value 100,000 levels deep": '{"total": 1, "items": [{"worker_id": "w", "status": "idle", '
        '"heartbeat_stats": ' + DEEP + "}]}",
    },
    "server": {
        "lists one id twice": '[{"rollout_id": "r", "status": {"state": "running"}}, '
        '{"rollout_id": "r", "status": {"state": "queuing"}}]',
        "says states that nobody knows": '[{"rollout_id": "r", "status": {"state": "dancing"}}]',
        "nests one value 100,000 levels deep": '[{"rollout_id": "r", "status": {"state": "running"}, "input": '
        + DEEP
        + "}]",
    },
    "inventory": {
        "lists one id twice": '[{"logical_id": "w"}, {"logical_id": "w"}]',
        "says states that nobody knows": '[{"logical_id": "w", "state": "dancing"}]',
        "nests one value 100,000 levels deep": '[{"logical_id": "w", "x": ' + DEEP + "}]",
    },
}


NO_DRIFT = ("server", "lists one id twice")
"""A rollout that moves from one of the states that are asked for to the other is listed twice, and counted once."""


@pytest.mark.promise("Upstreams", "An upstream that {oddity} stays up, and what is left out is counted as drift")
@pytest.mark.parametrize("oddity", ODD["console"])
def test_what_is_odd_is_drift(rig: Rig, oddity: str, request: pytest.FixtureRequest, measured: Measured) -> None:
    kind = request.node.callspec.params["rig"]
    body = ODD[kind][oddity].encode()
    before = drift(rig)
    rig.has(Fault("ok", rig.kind.lists(body)))
    rig.read("ok")
    _, seconds = rig.read("ok")
    measured("read in", seconds, "s")
    assert (drift(rig) > before) == ((kind, oddity) != NO_DRIFT)
    rig.recover()


def drift(rig: Rig) -> float:
    return sum(
        value
        for (name, labels), value in rig.now().items()
        if name == "rollcall_source_drift_total" and ("fleet", "sick") in labels
    )
