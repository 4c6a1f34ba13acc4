"""The host collector against recorded values, and against this machine."""

from collections import namedtuple

import psutil
import pytest

from exporter.records import (
    CollectorUnread,
    Host,
    HostCpu,
    HostDisk,
    HostFilesystem,
    HostNetwork,
    HostTemperature,
)
from exporter.sources.collector import CollectorError
from exporter.sources.filesystem import EXCLUDED_TYPES
from exporter.sources.host import CPU_MODES, HostCollector

Cpu = namedtuple("Cpu", "user nice system idle iowait irq softirq steal guest guest_nice")
Memory = namedtuple("Memory", "total available used free buffers cached")
Swap = namedtuple("Swap", "total used free")
Partition = namedtuple("Partition", "device mountpoint fstype opts")
Usage = namedtuple("Usage", "total used free percent")
Disk = namedtuple("Disk", "read_bytes write_bytes")
Network = namedtuple("Network", "bytes_sent bytes_recv")
Sensor = namedtuple("Sensor", "label current high critical", defaults=[None, None])


class FakePs:
    """psutil with the answers of one machine; an answer that is an error is raised."""

    PROCFS_PATH = "/proc"

    def __init__(self, **answers):
        self.answers = {
            "cpu_times": [Cpu(10.5, 1.0, 2.0, 100.0, 3.0, 0.0, 0.25, 0.0, 4.0, 0.5)],
            "getloadavg": (0.5, 1.25, 2.0),
            "virtual_memory": Memory(16_000, 9_000, 7_000, 4_000, 500, 4_500),
            "swap_memory": Swap(2_000, 500, 1_500),
            "boot_time": 1_790_000_000.0,
            "disk_partitions": [Partition("/dev/sda1", "/", "ext4", "rw")],
            "disk_usage": Usage(1_000, 500, 400, 55.6),
            "disk_io_counters": {"sda": Disk(4096, 8192)},
            "net_io_counters": {"eth0": Network(10, 20)},
            "sensors_temperatures": {"coretemp": [Sensor("Package id 0", 41.0)]},
            **answers,
        }
        self.arguments = {}

    def __getattr__(self, name):
        if name not in self.answers:
            raise AttributeError(name)

        def call(*positional, **named):
            self.arguments[name] = named or positional
            answer = self.answers[name]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


@pytest.fixture
def procfs(tmp_path):
    (tmp_path / "stat").write_text("cpu  1 2 3 4\ncpu0 1 2 3 4\nintr 1\nbtime 5\n", encoding="ascii")
    return str(tmp_path)


def test_every_table(procfs):
    ps = FakePs()
    assert HostCollector(procfs, "/", ps).read() == {
        Host: (
            Host(
                load1=0.5,
                load5=1.25,
                load15=2.0,
                memory_total_bytes=16_000,
                memory_available_bytes=9_000,
                memory_used_bytes=7_000,
                memory_free_bytes=4_000,
                memory_cached_bytes=4_500,
                memory_buffers_bytes=500,
                swap_total_bytes=2_000,
                swap_used_bytes=500,
                swap_free_bytes=1_500,
                boot_timestamp_seconds=1_790_000_000.0,
            ),
        ),
        HostCpu: tuple(
            HostCpu("0", mode, seconds)
            for mode, seconds in zip(CPU_MODES, (10.5, 1.0, 2.0, 100.0, 3.0, 0.0, 0.25, 0.0), strict=True)
        ),
        HostFilesystem: (HostFilesystem("/", "/dev/sda1", "ext4", 1_000, 400),),
        HostDisk: (HostDisk("sda", 4096, 8192),),
        HostNetwork: (HostNetwork("eth0", 20, 10),),
        HostTemperature: (HostTemperature("coretemp", "Package id 0", 41.0),),
        CollectorUnread: (CollectorUnread("host", 0),),
    }
    assert ps.arguments["cpu_times"] == {"percpu": True}
    assert ps.arguments["disk_io_counters"] == {"perdisk": True, "nowrap": False}
    assert ps.arguments["net_io_counters"] == {"pernic": True, "nowrap": False}


def test_psutil_is_told_of_another_procfs_only(procfs):
    ps = FakePs()
    HostCollector("/proc", "/", ps)
    assert "PROCFS_PATH" not in vars(ps)
    HostCollector(procfs, "/", ps)
    assert procfs == ps.PROCFS_PATH


@pytest.mark.parametrize(
    ("changes", "table"),
    [
        ({"disk_io_counters": FileNotFoundError(2, "x", "/proc/diskstats")}, HostDisk),
        ({"disk_io_counters": NotImplementedError("x")}, HostDisk),
        ({"disk_io_counters": ValueError("not sure how to interpret line")}, HostDisk),
        ({"disk_io_counters": {}}, HostDisk),
        ({"disk_partitions": PermissionError(13, "x")}, HostFilesystem),
        ({"disk_usage": PermissionError(13, "x")}, HostFilesystem),
        ({"sensors_temperatures": {}}, HostTemperature),
        ({"sensors_temperatures": OSError(5, "x")}, HostTemperature),
        ({"net_io_counters": {}}, HostNetwork),
    ],
    ids=lambda value: repr(value) if isinstance(value, dict) else value.__name__,
)
def test_what_is_not_there_has_no_rows_and_costs_nothing_else(procfs, changes, table):
    complete = HostCollector(procfs, "/", FakePs()).read()
    assert HostCollector(procfs, "/", FakePs(**changes)).read() == {**complete, table: ()}


def test_no_support_of_temperatures(procfs):
    ps = FakePs()
    del ps.answers["sensors_temperatures"]
    assert HostCollector(procfs, "/", ps).read()[HostTemperature] == ()


@pytest.mark.parametrize(
    ("changes", "absent"),
    [
        ({"getloadavg": OSError("x")}, ["load1", "load5", "load15"]),
        ({"boot_time": RuntimeError("line 'btime' not found")}, ["boot_timestamp_seconds"]),
        (
            {"virtual_memory": namedtuple("Short", "total available used free")(1, 1, 0, 1)},
            ["memory_cached_bytes", "memory_buffers_bytes"],
        ),
    ],
    ids=["load", "boot time", "cached and buffers"],
)
def test_values_that_are_not_said_are_absent(procfs, changes, absent):
    [host] = HostCollector(procfs, "/", FakePs(**changes)).read()[Host]
    assert [field for field in Host.__struct_fields__ if getattr(host, field) is None] == absent


@pytest.mark.parametrize("function", ["cpu_times", "virtual_memory", "swap_memory", "net_io_counters"])
@pytest.mark.parametrize(
    ("error", "found"),
    [
        (FileNotFoundError(2, "No such file", "/p/x"), "FileNotFoundError: [Errno 2] No such file: '/p/x'"),
        (KeyError(b"MemTotal:"), "KeyError: b'MemTotal:'"),
        (ValueError("invalid literal"), "ValueError: invalid literal"),
    ],
    ids=["no file", "no key", "no number"],
)
def test_a_procfs_that_is_none_is_an_error(procfs, function, error, found):
    with pytest.raises(CollectorError) as raised:
        HostCollector(procfs, "/", FakePs(**{function: error})).read()
    assert str(raised.value) == f"host: expected this host's procfs at {procfs}, found {found}"


def cpu_labels(stat, count, tmp_path):
    if stat is not None:
        (tmp_path / "stat").write_text(stat, encoding="ascii")
    ps = FakePs(cpu_times=[Cpu(*range(10))] * count)
    rows = HostCollector(str(tmp_path), "/", ps).read()[HostCpu]
    return [row.cpu for row in rows if row.mode == "user"]


@pytest.mark.parametrize(
    ("stat", "labels"),
    [
        ("cpu  1 1\ncpu0 1 1\ncpu1 1 1\ncpu2 1 1\nintr 0\n", ["0", "1", "2"]),
        ("cpu  1 1\ncpu0 1 1\ncpu2 1 1\ncpu10 1 1\nintr 0\n", ["0", "2", "10"]),
        ("cpu  1 1\ncpu0 1 1\nintr 0\n", ["0", "1", "2"]),
        (None, ["0", "1", "2"]),
    ],
    ids=["all online", "some offline", "another count: by position", "no file: by position"],
)
def test_cpu_labels_are_the_kernels_numbers(tmp_path, stat, labels):
    assert cpu_labels(stat, 3, tmp_path) == labels


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ({"idle": 101.0, "iowait": 4.0}, {"user": 10.5, "idle": 101.0, "iowait": 4.0}),
        ({"idle": 97.5, "iowait": 2.5}, {"user": 10.5, "idle": 100.0, "iowait": 3.0}),
        ({"idle": 1.0, "iowait": 0.5, "user": 0.25}, {"user": 0.25, "idle": 1.0, "iowait": 0.5}),
    ],
    ids=["forward", "a little back: held", "far back: a CPU plugged in anew"],
)
def test_cpu_seconds_do_not_run_backwards(procfs, second, expected):
    ps = FakePs()
    collector = HostCollector(procfs, "/", ps)
    collector.read()
    ps.answers["cpu_times"] = [ps.answers["cpu_times"][0]._replace(**second)]
    seconds = {row.mode: row.seconds for row in collector.read()[HostCpu]}
    assert {mode: seconds[mode] for mode in expected} == expected


@pytest.mark.parametrize(
    ("device", "reported"),
    [
        *((device, True) for device in ("sda", "vda", "nvme0n1", "dm-0", "md127", "mmcblk0", "sr0", "sdaa1")),
        *((device, False) for device in ("sda1", "vda12", "nvme0n1p2", "loop0", "ram15", "zram0", "fd0", "xvdb1")),
    ],
)
def test_disks(procfs, device, reported):
    rows = HostCollector(procfs, "/", FakePs(disk_io_counters={device: Disk(1, 2)})).read()[HostDisk]
    assert [row.device for row in rows] == ([device] if reported else [])


def test_sensors_of_chips_of_one_name_stay_apart(procfs):
    sensors = {"nvme": [Sensor("Composite", 30.0), Sensor("", 31.0), Sensor("Composite", 32.0), Sensor("", 33.0)]}
    rows = HostCollector(procfs, "/", FakePs(sensors_temperatures=sensors)).read()[HostTemperature]
    assert [(row.sensor, row.celsius) for row in rows] == [
        ("Composite", 30.0),
        ("temp2", 31.0),
        ("Composite #2", 32.0),
        ("temp4", 33.0),
    ]


def test_this_machine():
    collector = HostCollector()
    first, second = collector.read(), collector.read()
    for table, rows in first.items():
        keys = [tuple(getattr(row, field) for field in table.KEY) for row in rows]
        assert len(set(keys)) == len(keys), table
    [host] = first[Host]
    assert host.memory_total_bytes == psutil.virtual_memory().total
    assert 0 < host.memory_available_bytes <= host.memory_total_bytes
    assert host.swap_used_bytes + host.swap_free_bytes == host.swap_total_bytes
    assert host.boot_timestamp_seconds > 1e9
    assert {row.mode for row in first[HostCpu]} == set(CPU_MODES)
    assert len({row.cpu for row in first[HostCpu]}) == psutil.cpu_count()
    then = {(row.cpu, row.mode): row.seconds for row in first[HostCpu]}
    assert all(row.seconds >= then[row.cpu, row.mode] for row in second[HostCpu])
    assert first[HostFilesystem]
    assert all(0 <= row.available_bytes <= row.size_bytes for row in first[HostFilesystem])
    reported = [row for row in first[HostFilesystem] if row.mountpoint != "/"]
    assert not [row.fstype for row in reported if EXCLUDED_TYPES.fullmatch(row.fstype)]
    assert "lo" in {row.device for row in first[HostNetwork]}
