"""Mounts that hang, vanish or break, over a server: absent, not zero; counted; and back without a restart."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

import pytest

from exporter.asgi import ASGIApp
from exporter.sources.filesystem import FilesystemReader
from exporter.sources.host import HostCollector
from tests.promises.recording import Measured
from tests.unit.asgi import ask
from tests.unit.test_host import FakePs, Partition, Usage
from tests.unit.test_server import Fixed, make

WELL = Usage(1_000, 500, 400, 55.6)
PATIENCE = 60.0
SIZES = re.compile(r'^rollcall_host_filesystem_size_bytes\{mountpoint="([^"]+)".*\} (\S+)$', re.MULTILINE)
UNREAD = re.compile(r'^rollcall_collector_unread\{collector="host"\} (\S+)$', re.MULTILINE)


class Shown(NamedTuple):
    """Sizes of file systems by mount point, how many are unread, and whether the host could be read."""

    sizes: dict[str, float]
    unread: list[float]
    up: bool


class Machine(FakePs):
    """A machine with a local and a remote mount; `answer` gives the usage of the remote one, or raises."""

    def __init__(self) -> None:
        local, remote = Partition("/dev/sda1", "/", "ext4", "rw"), Partition("srv:/x", "/nfs", "nfs4", "rw")
        super().__init__(disk_partitions=[local, remote])
        self.answer: Callable[[], Usage] = lambda: WELL

    def disk_usage(self, path: str) -> Any:
        return self.answer() if path == "/nfs" else WELL


def shown(app: ASGIApp) -> Shown:
    answered = ask(app, "/metrics")
    assert answered.status == 200
    body = answered.body.decode()
    sizes = {mountpoint: float(size) for mountpoint, size in SIZES.findall(body)}
    up = 'rollcall_collector_success{collector="host"} 1\n' in body
    assert ("rollcall_host_load1 0.5\n" in body) is up
    return Shown(sizes, [float(each) for each in UNREAD.findall(body)], up)


def until(app: ASGIApp, wanted: Shown) -> float:
    """Scrape until this is shown; gives the seconds that took."""
    start = time.monotonic()
    while (found := shown(app)) != wanted:
        assert time.monotonic() < start + PATIENCE, found
        Event().wait(0.01)
    return time.monotonic() - start


BOTH, ALONE = Shown({"/": 1000.0, "/nfs": 1000.0}, [0.0], True), Shown({"/": 1000.0}, [1.0], True)


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def app(machine: Machine, tmp_path: Path) -> ASGIApp:
    (tmp_path / "stat").write_text("cpu0 1 2 3 4\n")
    host = HostCollector(str(tmp_path), "/", machine, FilesystemReader("/", machine, patience=0.2))
    app, _ = make(Fixed("host", host.read), timeout=PATIENCE)
    until(app, BOTH)
    return app


@pytest.mark.promise("Host and GPU", "A statvfs that hangs costs its own mount alone, which is counted and comes back")
def test_a_statvfs_that_hangs(machine: Machine, app: ASGIApp, measured: Measured) -> None:
    answered, asked = Event(), []

    def hang() -> Usage:
        asked.append(1)
        assert answered.wait(PATIENCE)
        return WELL

    machine.answer = hang
    try:
        assert [shown(app) for _ in range(5)] == [ALONE] * 5
        assert len(asked) <= 1
    finally:
        answered.set()
    measured("recovered in", until(app, BOTH), "s")


@pytest.mark.promise("Host and GPU", "A mount that {way} has no samples, is counted where it is listed, and comes back")
@pytest.mark.parametrize("way", ["vanishes", "vanishes while it is read", "is stale", "is not connected"])
def test_a_mount_that_breaks(way: str, machine: Machine, app: ASGIApp) -> None:
    errors = {"vanishes while it is read": 2, "is stale": 116, "is not connected": 107}
    partitions = machine.answers["disk_partitions"]

    def fail() -> Usage:
        raise OSError(errors[way], way)

    if way in errors:
        machine.answer = fail
    else:
        machine.answers["disk_partitions"] = partitions[:1]
    until(app, ALONE if way in errors else ALONE._replace(unread=[0.0]))
    machine.answer = lambda: WELL
    machine.answers["disk_partitions"] = partitions
    until(app, BOTH)


def test_a_mount_that_may_not_be_read_is_not_counted(machine: Machine, app: ASGIApp) -> None:
    def refuse() -> Usage:
        raise PermissionError(13, "Permission denied")

    machine.answer = refuse
    until(app, ALONE._replace(unread=[0.0]))


@pytest.mark.promise("Host and GPU", "A procfs that cannot be read fails the host alone, and is read again once it can")
def test_a_procfs_that_is_gone(machine: Machine, app: ASGIApp) -> None:
    memory = machine.answers["virtual_memory"]
    machine.answers["virtual_memory"] = FileNotFoundError(2, "No such file or directory")
    assert shown(app) == Shown({}, [], False)
    machine.answers["virtual_memory"] = memory
    until(app, BOTH)
