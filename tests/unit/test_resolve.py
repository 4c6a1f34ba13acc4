"""Look-ups of names: bounded by the deadline, one thread per host, and what each failure is called."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from exporter.sources.resolve import Resolver
from exporter.sources.source import Deadline, SourceError
from tests.unit.fetching import endpoint, failure

FOUND = [
    (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0)),
    (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
    (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
]


class Wedged:
    """A getaddrinfo that answers only once `released` is set."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, **options: object) -> list[tuple[object, ...]]:
        self.asked.append(host)
        self.released.wait(60)
        return FOUND


def look_ups() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("resolve ")]


def test_a_name_gives_each_address_once_with_the_port() -> None:
    resolver = Resolver(lambda host, port, **options: FOUND)
    found = resolver("node.test", 3131, Deadline(20))
    assert found == [(socket.AF_INET6, ("::1", 3131, 0, 0)), (socket.AF_INET, ("127.0.0.1", 3131))]


@pytest.mark.parametrize(
    ("literal", "expected"),
    [
        ("127.0.0.1", (socket.AF_INET, ("127.0.0.1", 80))),
        ("::1", (socket.AF_INET6, ("::1", 80, 0, 0))),
    ],
)
def test_an_address_needs_no_look_up(literal: str, expected: tuple[int, tuple[object, ...]]) -> None:
    asked: list[str] = []
    resolver = Resolver(lambda host, port, **options: asked.append(host) or FOUND)
    assert resolver(literal, 80, Deadline(20)) == [expected]
    assert asked == []


def test_an_address_keeps_its_zone() -> None:
    (found,) = Resolver()("fe80::1%lo", 80, Deadline(20))
    assert found[1][3] == socket.if_nametoindex("lo")


def test_an_address_in_an_unknown_zone_is_refused() -> None:
    with pytest.raises(SourceError, match="expected an address for host 'fe80::1%nowhere', got: ") as caught:
        Resolver()("fe80::1%nowhere", 80, Deadline(20))
    assert caught.value.result == "refused"


def test_a_resolver_that_hangs_costs_one_thread_per_host() -> None:
    wedged = Wedged()
    resolver = Resolver(wedged)
    began = time.monotonic()
    try:
        for host in ("slow.test", "slow.test", "slow.test", "other.test"):
            with pytest.raises(SourceError) as caught:
                resolver(host, 80, Deadline(0.1))
            assert caught.value.result == "timeout"
            assert str(caught.value) == f"expected an address for host '{host}', got no answer from the resolver"
        assert time.monotonic() - began < 0.4 + 5
        assert sorted(wedged.asked) == ["other.test", "slow.test"]
        assert len(look_ups()) == 2
    finally:
        wedged.released.set()
        for thread in look_ups():
            thread.join(20)


def test_a_resolver_that_recovers_is_asked_again() -> None:
    wedged = Wedged()
    resolver = Resolver(wedged)
    with pytest.raises(SourceError):
        resolver("slow.test", 80, Deadline(0.05))
    wedged.released.set()
    for thread in look_ups():
        thread.join(20)
    assert resolver("slow.test", 81, Deadline(20))[1] == (socket.AF_INET, ("127.0.0.1", 81))
    assert wedged.asked == ["slow.test", "slow.test"]


def test_reads_of_one_host_at_once_share_a_look_up() -> None:
    wedged = Wedged()
    resolver = Resolver(wedged)
    answers: list[object] = []
    clock_read = threading.Semaphore(0)

    def clock() -> float:
        clock_read.release()
        return 0.0

    def read(port: int) -> None:
        answers.append(resolver("slow.test", port, Deadline(20, clock))[1])

    readers = [threading.Thread(target=read, args=(port,)) for port in (1, 2, 3)]
    for reader in readers:
        reader.start()
    # A deadline reads its clock when it is made, and again when the look-up is waited for.
    for _ in range(2 * len(readers)):
        assert clock_read.acquire(timeout=20)
    wedged.released.set()
    for reader in readers:
        reader.join(20)
    assert sorted(answers) == [(socket.AF_INET, ("127.0.0.1", port)) for port in (1, 2, 3)]
    assert wedged.asked == ["slow.test"]


def raising(error: Exception) -> Resolver:
    def getaddrinfo(host: str, port: int, **options: object) -> list[tuple[object, ...]]:
        raise error

    return Resolver(getaddrinfo)


@pytest.mark.parametrize(
    ("resolver", "found"),
    [
        (raising(socket.gaierror(socket.EAI_NONAME, "Name or service not known")), "Name or service not known"),
        (raising(socket.gaierror(socket.EAI_AGAIN, "Try again")), "Try again"),
        (raising(OSError()), "OSError"),
        (raising(UnicodeError("label too long")), "not a host name"),
        (Resolver(lambda host, port, **options: []), "no address"),
    ],
)
def test_a_name_without_an_address_is_refused(resolver: Resolver, found: str) -> None:
    error = failure(endpoint("http://nowhere.test"), resolve=resolver)
    assert error.result == "refused"
    assert str(error) == f"GET /x: expected an address for host 'nowhere.test', got: {found}"


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".test", ".test"])
def test_what_is_no_host_name_is_refused(host: str) -> None:
    error = failure(endpoint(f"http://{host}"))
    assert (error.result, str(error)) == ("refused", f"GET /x: expected a host name, got {host!r}")
