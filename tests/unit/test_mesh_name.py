"""A URL whose host name has several addresses: each is a console, and one that is broken hides no other."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from exporter.endpoint import parse_url
from exporter.health import SourceHealth
from exporter.isolate import Attempted
from exporter.records import Node, SourceDrift
from exporter.records.reading import ConsolesReading, MeshReading
from exporter.sources.mesh_name import MeshName, several
from exporter.sources.resolve import Address
from exporter.sources.source import Deadline, Pace, SourceError
from exporter.state.fleet import Fleet, Limits, WorkerRules
from tests.unit.loopback import Loopback, Peer, answer

V4, V6 = socket.AF_INET, socket.AF_INET6


def status(node: str, *peers: str) -> bytes:
    listed = [{"id": peer, "role": "Worker", "state": "standby", "rtt_ms": 1} for peer in peers]
    return json.dumps({"node_id": node, "node_state": "standby", "peers": listed}).encode()


def says(body: bytes) -> Callable[[Peer], None]:
    def run(peer: Peer) -> None:
        if peer.head():
            peer.send(answer(body))

    return run


def hangs(peer: Peer) -> None:
    peer.head()
    peer.stop.wait()


@contextmanager
def consoles(*scripts: Callable[[Peer], None] | None) -> Iterator[list[Address]]:
    """The addresses of consoles; None is one that refuses connections."""
    with ExitStack() as stack:
        addresses: list[Address] = []
        for script in scripts:
            if script is None:
                with socket.create_server(("127.0.0.1", 0)) as closed:
                    addresses.append((V4, closed.getsockname()))
            else:
                addresses.append((V4, ("127.0.0.1", stack.enter_context(Loopback(script)).port)))
        yield addresses


def source(addresses: list[Address], host: str = "mesh.test") -> MeshName:
    """The consoles of a name; what is done to the list of addresses later counts."""
    endpoint = parse_url(f"http://{host}:3131", 3131)
    return MeshName("eu", endpoint, lambda *_: list(addresses), Pace(5, 3, 15))


def read(name: MeshName, seconds: float = 10.0) -> tuple[list[str], dict[str, int]]:
    """Who answered, and what was counted as drift."""
    reading = name.read(Deadline(seconds))
    assert isinstance(reading, ConsolesReading)
    return [each.observer for each in reading.readings.values()], reading.drift


def test_every_address_is_a_console() -> None:
    with consoles(says(status("a")), says(status("b")), says(status("c"))) as addresses:
        assert read(source(addresses)) == (["a", "b", "c"], {})


def test_one_that_refuses_or_answers_nonsense_hides_no_other() -> None:
    with consoles(None, says(b"[]"), says(status("b"))) as addresses:
        assert read(source(addresses)) == (["b"], {"addresses": 2})


def test_one_that_hangs_leaves_the_others_their_time() -> None:
    with consoles(hangs, says(status("b")), says(status("c"))) as addresses:
        assert read(source(addresses), seconds=3) == (["b", "c"], {"addresses": 1})


def test_none_that_answers_is_a_read_that_failed() -> None:
    with (
        consoles(None, says(b"[]")) as addresses,
        pytest.raises(SourceError, match="expected a mesh-llm status") as error,
    ):
        read(source(addresses))
    assert error.value.result == "malformed"


def test_one_address_is_one_console() -> None:
    with consoles(says(status("a"))) as addresses:
        reading = source(addresses).read(Deadline(10))
    assert isinstance(reading, MeshReading)
    assert reading.observer == "a"


ONE_V4, TWO_V4 = (V4, ("192.0.2.1", 3131)), (V4, ("192.0.2.2", 3131))
ONE_V6, TWO_V6 = (V6, ("2001:db8::1", 3131, 0, 0)), (V6, ("2001:db8::2", 3131, 0, 0))


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        ([], []),
        ([ONE_V4], []),
        ([ONE_V6, ONE_V4], []),
        ([ONE_V4, TWO_V4], [[ONE_V4, TWO_V4]]),
        ([ONE_V6, ONE_V4, TWO_V6, TWO_V4], [[ONE_V6, TWO_V6], [ONE_V4, TWO_V4]]),
        ([ONE_V6, ONE_V4, TWO_V4], [[ONE_V4, TWO_V4], [ONE_V6]]),
    ],
    ids=["none", "one", "one host, both families", "two", "two hosts, both families", "two of the second family"],
)
def test_several_addresses_are_asked_family_by_family(addresses: list[Address], expected: list[list[Address]]) -> None:
    assert several(addresses) == expected


def test_the_family_that_answered_last_is_asked_first() -> None:
    assert several([ONE_V6, ONE_V4, TWO_V6, TWO_V4], V4) == [[ONE_V4, TWO_V4], [ONE_V6, TWO_V6]]


def mapped(addresses: list[Address]) -> list[Address]:
    """The same consoles by IPv6 addresses."""
    return [(V6, (f"::ffff:{host}", port, 0, 0)) for _, (host, port) in addresses]


@pytest.mark.parametrize("first", [None, hangs], ids=["refuses", "hangs"])
def test_where_nobody_of_one_family_answers_the_other_is_tried(first: Callable[[Peer], None] | None) -> None:
    with (
        consoles(first, first) as broken,
        consoles(says(status("a")), says(status("b"))) as sound,
    ):
        name = source([*mapped(broken), *sound])
        assert read(name, seconds=3) == (["a", "b"], {"addresses": 2})
        assert read(name, seconds=3) == (["a", "b"], {})


def test_a_family_that_answers_no_more_gives_way_to_the_other() -> None:
    with consoles(says(status("a")), says(status("b"))) as sound, consoles(None, None) as broken:
        addresses = [*mapped(sound), *broken]
        name = source(addresses)
        assert read(name) == (["a", "b"], {})
        addresses[:] = [*mapped(broken), *sound]
        assert read(name) == (["a", "b"], {"addresses": 2})


@pytest.mark.parametrize(
    ("host", "more", "carried"),
    [("mesh.test", [], True), ("127.0.0.1", [], False), ("mesh.test", [("::1", 1, 0, 0)], False)],
    ids=["a name", "an address in the URL", "one address of each family"],
)
def test_a_reading_by_name_carries_its_one_address(host: str, more: list[tuple[object, ...]], carried: bool) -> None:
    with consoles(says(status("a"))) as addresses:
        reading = source([*addresses, *((V6, each) for each in more)], host).read(Deadline(10))
    assert isinstance(reading, MeshReading)
    assert reading.address == (f"127.0.0.1:{addresses[0][1][1]}" if carried else None)


def nodes(fleet: Fleet, now: float) -> dict[str, str]:
    return {row.node: row.standing for row in fleet.tables(now)[0][Node] if isinstance(row, Node)}


def test_a_console_that_falls_silent_is_stale_by_itself_and_so_is_one_without_address() -> None:
    fleet = Fleet("eu", WorkerRules(), Limits())
    with consoles(says(status("a", "b", "c")), says(status("b")), says(status("c"))) as addresses:
        name = source(addresses)
        fleet.receive("mesh:3131", name.read(Deadline(10)), fresh_until=15)
        assert nodes(fleet, 0) == {"a": "confirmed", "b": "confirmed", "c": "confirmed"}
        with consoles(None) as refusing:
            quiet = source([addresses[0], *refusing, addresses[2]])
            reading = quiet.read(Deadline(10))
            assert isinstance(reading, ConsolesReading)
            old = f"127.0.0.1:{addresses[1][1][1]}"
            known = (*(each for each in reading.addresses if each in reading.readings), old)
            fleet.receive("mesh:3131", ConsolesReading(reading.readings, known), fresh_until=20)
        assert nodes(fleet, 15) == {"a": "confirmed", "b": "confirmed", "c": "confirmed"}
        assert nodes(fleet, 15.001) == {"a": "confirmed", "b": "unconfirmed", "c": "confirmed"}
        del addresses[2]
        fleet.receive("mesh:3131", name.read(Deadline(10)), fresh_until=30)
        assert nodes(fleet, 20) == {"a": "confirmed", "b": "confirmed", "c": "confirmed"}
        assert nodes(fleet, 20.001) == {"a": "confirmed", "b": "confirmed", "c": "unconfirmed"}


def test_its_health_is_one_sources_and_counts_what_was_not_understood() -> None:
    with consoles(None, says(status("a"))) as addresses:
        name = source(addresses)
        health = SourceHealth(name)
        health.take(Attempted(name.read(Deadline(10)), "ok", "", 0.1), 0.0)
    drift = {row.field: row.count for row in health.records() if isinstance(row, SourceDrift)}
    assert health.up
    assert drift["addresses"] == 1


def test_slow_ones_are_waited_for_side_by_side() -> None:
    """Each takes a third of a second, so that one after the other they would need twice the deadline."""

    def slowly(peer: Peer) -> None:
        if peer.head():
            peer.stop.wait(1 / 3)
            peer.send(answer(status("n")))

    with consoles(*[slowly] * 18, *[hangs] * 6) as addresses:
        said, drift = read(source(addresses), seconds=3.0)
    assert len(said) == 18
    assert drift == {"addresses": 6}
