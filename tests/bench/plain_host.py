"""The plain way: psutil's figures in a collector of prometheus-client, served by its own server.

`python -m tests.bench.plain_host PORT`
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable

import psutil
from prometheus_client import REGISTRY, Metric, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

CPU_MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")


class PlainHost(Collector):
    """What `rollcall_host_*` shows, without care for anything that may go wrong."""

    def collect(self) -> Iterable[Metric]:
        """Everything, read now."""
        cpus = CounterMetricFamily("host_cpu_seconds", "CPU seconds.", labels=["cpu", "mode"])
        for number, times in enumerate(psutil.cpu_times(percpu=True)):
            for mode in CPU_MODES:
                cpus.add_metric([str(number), mode], getattr(times, mode))
        yield cpus
        for minutes, load in zip((1, 5, 15), psutil.getloadavg(), strict=True):
            yield GaugeMetricFamily(f"host_load{minutes}", "Load.", load)
        memory, swap = psutil.virtual_memory(), psutil.swap_memory()
        for kind in ("total", "available", "used", "free", "cached", "buffers"):
            yield GaugeMetricFamily(f"host_memory_{kind}_bytes", "Memory.", getattr(memory, kind))
        for kind in ("total", "used", "free"):
            yield GaugeMetricFamily(f"host_swap_{kind}_bytes", "Swap.", getattr(swap, kind))
        yield from self._filesystems()
        disks = [(name, io.read_bytes, io.write_bytes) for name, io in psutil.disk_io_counters(perdisk=True).items()]
        yield from self._pair("disk", "read", "written", disks)
        networks = [(name, io.bytes_recv, io.bytes_sent) for name, io in psutil.net_io_counters(pernic=True).items()]
        yield from self._pair("network", "receive", "transmit", networks)
        temperatures = GaugeMetricFamily("host_temperature_celsius", "Temperature.", labels=["chip", "sensor"])
        for chip, sensors in psutil.sensors_temperatures().items():
            for place, sensor in enumerate(sensors):
                temperatures.add_metric([chip, sensor.label or str(place)], sensor.current)
        yield temperatures
        yield GaugeMetricFamily("host_boot_timestamp_seconds", "When it booted.", psutil.boot_time())

    def _filesystems(self) -> Iterable[Metric]:
        labels = ["mountpoint", "device", "fstype"]
        sizes = GaugeMetricFamily("host_filesystem_size_bytes", "Size.", labels=labels)
        available = GaugeMetricFamily("host_filesystem_available_bytes", "Available.", labels=labels)
        for mount in psutil.disk_partitions():
            usage = psutil.disk_usage(mount.mountpoint)
            sizes.add_metric([mount.mountpoint, mount.device, mount.fstype], usage.total)
            available.add_metric([mount.mountpoint, mount.device, mount.fstype], usage.free)
        return sizes, available

    def _pair(self, what: str, one: str, other: str, rows: list[tuple[str, int, int]]) -> Iterable[Metric]:
        first = CounterMetricFamily(f"host_{what}_{one}_bytes", "Bytes.", labels=["device"])
        second = CounterMetricFamily(f"host_{what}_{other}_bytes", "Bytes.", labels=["device"])
        for device, figure, another in rows:
            first.add_metric([device], figure)
            second.add_metric([device], another)
        return first, second


if __name__ == "__main__":
    REGISTRY.register(PlainHost())
    start_http_server(int(sys.argv[1]), addr="127.0.0.1")
    while True:
        time.sleep(3600)
