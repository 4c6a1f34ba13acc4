"""The parts of a snapshot: LightningStore's field names and units, and Rollcall's own for GPUs and disks."""

from __future__ import annotations

import json
import os
import threading
from collections import Counter, namedtuple
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from exporter.agent.machine import LETTERS, MOST, Processors, about_this_machine, parts, this_machine
from exporter.agent.snapshot import Part
from exporter.sources.collector import CollectorError
from exporter.sources.filesystem import FilesystemReader
from exporter.sources.gpu import GpuCollector
from exporter.sources.lightning_workers import parse_workers
from tests.unit.test_gpu import FakeNvml, NVMLError

GIB, MIB = 2**30, 2**20
Times = namedtuple("Times", "user nice system idle iowait guest guest_nice")
Partition = namedtuple("Partition", "device mountpoint fstype opts", defaults=["rw"])
NO_GPU = GpuCollector(FakeNvml(nvmlInit=NVMLError(12)), None)


class FakePs:
    """psutil's functions that a snapshot needs; `failing` raise an error instead."""

    def __init__(self, *, failing: Mapping[str, Exception] | None = None, mounts: list[Any] | None = None) -> None:
        self.failing = failing or {}
        self.mounts = mounts if mounts is not None else [Partition("/dev/sda1", "/", "ext4")]
        self.times: Iterator[Times] = iter(())

    def __getattribute__(self, name: str) -> Any:
        if name not in ("failing", "mounts", "times") and name in self.failing:
            raise self.failing[name]
        return object.__getattribute__(self, name)

    def cpu_count(self, logical: bool) -> int | None:
        return 64 if logical else 32

    def cpu_times(self) -> Times:
        return next(self.times, Times(0, 0, 0, 0, 0, 0, 0))

    def virtual_memory(self) -> SimpleNamespace:
        return SimpleNamespace(used=3 * GIB // 2, total=4 * GIB, percent=37.5)

    def disk_usage(self, path: str) -> SimpleNamespace:
        return SimpleNamespace(used=10 * GIB, total=40 * GIB, free=28 * GIB, percent=26.3)

    def disk_partitions(self, all: bool) -> list[Any]:  # noqa: A002
        return self.mounts

    def net_io_counters(self, nowrap: bool) -> SimpleNamespace | None:
        assert nowrap is False
        return SimpleNamespace(bytes_sent=5 * MIB // 2, bytes_recv=7 * MIB)


def read(name: str, ps: FakePs | None = None, gpus: GpuCollector = NO_GPU) -> Mapping[str, Any]:
    [part] = [part for part in parts(gpus, ps or FakePs()) if part.name == name]
    return part.read()


def test_memory_and_the_root_disk_are_in_gib_and_network_in_mib() -> None:
    assert read("memory") == {"mem_used_gb": 1.5, "mem_total_gb": 4.0, "mem_pct": 37.5}
    assert read("disk") == {"disk_used_gb": 10.0, "disk_total_gb": 40.0, "disk_pct": 26.3}
    assert read("network") == {"bytes_sent_mb": 2.5, "bytes_recv_mb": 7.0}


def test_every_disk_has_its_mount_point_and_memory_is_no_disk() -> None:
    mounts = [
        Partition("/dev/sda1", "/", "ext4"),
        Partition("/dev/nvme0n1", "/data", "xfs"),
        Partition("tmpfs", "/run", "tmpfs"),
    ]
    figures = {"used_gb": 10.0, "total_gb": 40.0}
    assert read("disks", FakePs(mounts=mounts)) == {
        "disks": [{"mountpoint": "/", **figures}, {"mountpoint": "/data", **figures}],
        "absent": [],
    }


def test_disks_that_are_too_many_are_counted() -> None:
    mounts = [Partition(f"/dev/sd{number}", f"/{number}" + "x" * 200, "ext4") for number in range(MOST + 3)]
    found = read("disks", FakePs(mounts=mounts))
    assert len(found["disks"]) == MOST
    assert {len(disk["mountpoint"]) for disk in found["disks"]} == {LETTERS}
    assert found["absent"] == ["disks:3 more"]


def test_a_mount_that_does_not_answer_is_named() -> None:
    let_go = threading.Event()

    class Stuck(FakePs):
        def disk_usage(self, path: str) -> SimpleNamespace:
            assert path == "/" or let_go.wait(60)
            return super().disk_usage(path)

    ps = Stuck(mounts=[Partition("/dev/sda1", "/", "ext4"), Partition("server:/home", "/nfs", "nfs4")])
    [part] = [part for part in parts(NO_GPU, ps, FilesystemReader("/", ps, patience=0.0)) if part.name == "disks"]
    found = part.read()
    let_go.set()
    assert [disk["mountpoint"] for disk in found["disks"]] == ["/"]
    assert found["absent"] == ["disks:/nfs"]


def gpu(**answers: Any) -> GpuCollector:
    return GpuCollector(FakeNvml(nvmlDeviceGetCount=1, nvmlDeviceGetHandleByIndex=lambda index: index, **answers), None)


def test_a_gpu_has_its_index_and_uuid() -> None:
    collector = gpu(
        nvmlDeviceGetUUID="GPU-1",
        nvmlDeviceGetName="NVIDIA H100",
        nvmlDeviceGetUtilizationRates=SimpleNamespace(gpu=29),
        nvmlDeviceGetMemoryInfo=lambda *_: SimpleNamespace(used=2 * MIB, total=81559 * MIB),
        nvmlDeviceGetTemperature=63,
    )
    assert read("gpu", gpus=collector)["gpus"] == [
        {
            "gpu": "NVIDIA H100",
            "index": 0,
            "uuid": "GPU-1",
            "util_pct": 29,
            "mem_used_mb": 2.0,
            "mem_total_mb": 81559.0,
            "temp_c": 63,
        }
    ]


def test_what_a_gpu_does_not_say_is_left_out() -> None:
    assert read("gpu", gpus=gpu())["gpus"] == [{"index": 0}]


def test_the_driver_is_not_made_to_measure_pcie_throughput() -> None:
    nvml = FakeNvml(nvmlDeviceGetCount=1, nvmlDeviceGetHandleByIndex=lambda index: index)
    read("gpu", gpus=GpuCollector(nvml, None))
    assert "nvmlDeviceGetPcieThroughput" not in nvml.calls
    assert nvml.calls.count("nvmlDeviceGetUtilizationRates") == 1


def test_no_gpu_is_none_and_not_a_failure() -> None:
    assert read("gpu") == {"gpus": []}


def processors(tmp_path: Path, *times: Times, cpuinfo: str = "model name\t: Xeon\nmodel name\t: Xeon\n") -> Processors:
    file = tmp_path / "cpuinfo"
    file.write_text(cpuinfo)
    ps = FakePs()
    ps.times = iter(times)
    return Processors(ps, file)


def test_processors_are_named_and_counted(tmp_path: Path) -> None:
    assert processors(tmp_path).read() == {"cpu_name": "Xeon", "cpu_cores": 32, "cpu_threads": 64}


def test_processors_without_a_name_have_none(tmp_path: Path) -> None:
    assert "cpu_name" not in processors(tmp_path, cpuinfo="processor\t: 0\n").read()


USAGES = {
    "half busy": (Times(100, 0, 0, 100, 0, 0, 0), Times(150, 0, 0, 150, 0, 0, 0), 50.0),
    "waiting for a disk is idle": (Times(0, 0, 0, 0, 0, 0, 0), Times(25, 0, 0, 50, 25, 0, 0), 25.0),
    "a guest's time is its host's": (Times(0, 0, 0, 0, 0, 0, 0), Times(50, 0, 0, 50, 0, 50, 0), 50.0),
    "idle time that steps back": (Times(10, 0, 0, 100, 0, 0, 0), Times(20, 0, 0, 99, 0, 0, 0), 100.0),
    "no time between": (Times(1, 0, 0, 1, 0, 0, 0), Times(1, 0, 0, 1, 0, 0, 0), None),
}


@pytest.mark.parametrize(("before", "now", "percent"), USAGES.values(), ids=USAGES)
def test_usage_is_that_since_the_last_reading(before: Times, now: Times, percent: float | None, tmp_path: Path) -> None:
    found = processors(tmp_path, before, now)
    assert "cpu_usage_pct" not in found.read()
    assert found.read().get("cpu_usage_pct") == percent


FAILURES = {
    "memory": ("virtual_memory", OSError(5, "Input/output error")),
    "disk": ("disk_usage", PermissionError(13, "Permission denied")),
    "disks": ("disk_partitions", OSError(5, "Input/output error")),
    "network": ("net_io_counters", ValueError("a line of /proc/net/dev")),
    "cpu": ("cpu_times", IndexError("no such field")),
}


@pytest.mark.parametrize("name", FAILURES)
def test_what_the_system_refuses_is_a_failure_of_that_part(name: str) -> None:
    function, error = FAILURES[name]
    with pytest.raises(CollectorError, match=f"^{name}: expected figures, found {type(error).__name__}: "):
        read(name, FakePs(failing={function: error}))


def test_about_this_machine() -> None:
    about = about_this_machine(os.uname_result(("Linux", "n", "6.1.0-28-amd64", "v", "x86_64")))
    assert about["host"] == os.uname().nodename
    assert about["os"].startswith("Linux-6.1.0-28-amd64-x86_64")


def test_this_machine_reads_as_a_store_s_worker_does() -> None:
    """What the exporter makes of a real snapshot, once it is in a page of workers."""
    machine = this_machine()
    machine.read()
    stats = machine.read()
    worker = {"worker_id": "w", "status": "idle", "heartbeat_stats": stats}
    drift: Counter[str] = Counter()
    page = parse_workers(json.dumps({"items": [worker], "total": 1}).encode(), "f", drift)
    assert not drift
    [report] = page.workers
    assert report.host == os.uname().nodename
    assert report.memory_total_bytes == pytest.approx(
        os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), rel=0.01
    )
    assert report.network_sent_bytes is not None
    assert report.disk_total_bytes is not None


def test_a_part_is_a_name_and_a_reading() -> None:
    assert [part.name for part in parts(NO_GPU)] == ["cpu", "memory", "disk", "disks", "network", "gpu"]
    assert all(isinstance(part, Part) for part in parts(NO_GPU))
