"""This host through psutil: CPU, load, memory, file systems, disks, network, temperatures.

What is counted and what is left out is node_exporter's; the names are Rollcall's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from exporter.records.machine import (
    CollectorUnread,
    Host,
    HostCpu,
    HostDisk,
    HostFilesystem,
    HostNetwork,
    HostTemperature,
)
from exporter.records.table import Tables
from exporter.sources.collector import CollectorError
from exporter.sources.filesystem import FilesystemReader, seen_by_all

# collector/cpu_linux.go of node_exporter 1.8. Guest time is part of user and of nice.
CPU_MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
JUMP_BACK_SECONDS = 3.0
# collector/diskstats_common.go and diskstats_linux.go of node_exporter 1.8.
EXCLUDED_DISKS = re.compile(r"(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+")


class HostCollector:
    """Reads this host; `procfs` and `rootfs` are where its /proc and its root are mounted for this process.

    `ps` is psutil or an object with its functions.
    """

    name = "host"

    def __init__(
        self,
        procfs: str = "/proc",
        rootfs: str = "/",
        ps: Any = psutil,
        filesystems: FilesystemReader | None = None,
    ) -> None:
        if procfs != "/proc":
            # psutil has one procfs per process, kept as state of its module.
            ps.PROCFS_PATH = procfs
        self._procfs = procfs
        self._ps = ps
        self._filesystems = filesystems or FilesystemReader(rootfs, ps, seen=partial(seen_by_all, procfs))
        self._cpu_seconds: dict[str, dict[str, float]] = {}

    def read(self) -> Tables:
        """Fill this host's tables; raises CollectorError when CPU times, memory or network cannot be read.

        File systems, disks and sensors that cannot be read have no row; such file systems are counted as unread.
        """
        try:
            return {
                Host: (self._host(),),
                HostCpu: tuple(self._cpus()),
                HostFilesystem: self._read_filesystems(),
                HostDisk: tuple(self._disks()),
                HostNetwork: tuple(self._networks()),
                HostTemperature: tuple(self._temperatures()),
                CollectorUnread: (CollectorUnread(self.name, self._filesystems.unread),),
            }
        except (OSError, LookupError, ValueError) as error:
            found = f"{type(error).__name__}: {error}"
            raise CollectorError(f"host: expected this host's procfs at {self._procfs}, found {found}") from error

    def _host(self) -> Host:
        """Read load, memory and boot time; bytes and Unix seconds.

        Memory is psutil's: `cached` includes reclaimable slab, and `used` is total less available, as free(1) of
        procps-ng 4 has them. Linux does not give each value on each architecture; psutil then leaves it out.
        """
        load1, load5, load15 = self._load()
        memory = self._ps.virtual_memory()
        swap = self._ps.swap_memory()
        return Host(
            load1=load1,
            load5=load5,
            load15=load15,
            memory_total_bytes=memory.total,
            memory_available_bytes=memory.available,
            memory_used_bytes=memory.used,
            memory_free_bytes=memory.free,
            memory_cached_bytes=getattr(memory, "cached", None),
            memory_buffers_bytes=getattr(memory, "buffers", None),
            swap_total_bytes=swap.total,
            swap_used_bytes=swap.used,
            swap_free_bytes=swap.free,
            boot_timestamp_seconds=self._boot(),
        )

    def _load(self) -> tuple[float | None, float | None, float | None]:
        try:
            load1, load5, load15 = self._ps.getloadavg()
        except OSError:
            return None, None, None
        return load1, load5, load15

    def _boot(self) -> float | None:
        try:
            return float(self._ps.boot_time())
        except RuntimeError:
            # psutil's answer to a /proc/stat without btime.
            return None

    def _cpus(self) -> Iterable[HostCpu]:
        """Seconds per CPU and mode since boot, never running backwards.

        The kernel's idle and iowait times can step back a little; when idle falls by 3 s or more the CPU was
        unplugged and starts anew (node_exporter 1.8, collector/cpu_linux.go: updateCPUStats).
        """
        every = self._ps.cpu_times(percpu=True)
        for cpu, times in zip(self._cpu_labels(len(every)), every, strict=True):
            now = {mode: getattr(times, mode) for mode in CPU_MODES if hasattr(times, mode)}
            before = self._cpu_seconds.get(cpu, {})
            if before.get("idle", 0.0) - now["idle"] >= JUMP_BACK_SECONDS:
                before = {}
            self._cpu_seconds[cpu] = {mode: max(seconds, before.get(mode, seconds)) for mode, seconds in now.items()}
            for mode, seconds in self._cpu_seconds[cpu].items():
                yield HostCpu(cpu, mode, seconds)

    def _cpu_labels(self, count: int) -> list[str]:
        """The kernel's numbers of the CPUs that are online: psutil lists them without, and one that is off has none."""
        try:
            stat = Path(self._procfs, "stat").read_text(encoding="ascii", errors="replace")
        except OSError:
            stat = ""
        labels = re.findall(r"^cpu(\d+) ", stat, re.MULTILINE)
        return labels if len(labels) == count else [str(position) for position in range(count)]

    def _read_filesystems(self) -> tuple[HostFilesystem, ...]:
        try:
            return self._filesystems.read()
        except OSError:
            return ()

    def _disks(self) -> Iterable[HostDisk]:
        try:
            disks = self._ps.disk_io_counters(perdisk=True, nowrap=False)
        except (OSError, NotImplementedError, ValueError):
            # psutil's answers to no /proc/diskstats, to neither that nor /sys/block, and to a line of unknown length.
            return
        for device, io in disks.items():
            if EXCLUDED_DISKS.fullmatch(device) is None:
                yield HostDisk(device, io.read_bytes, io.write_bytes)

    def _networks(self) -> Iterable[HostNetwork]:
        for device, io in self._ps.net_io_counters(pernic=True, nowrap=False).items():
            yield HostNetwork(device, io.bytes_recv, io.bytes_sent)

    def _temperatures(self) -> Iterable[HostTemperature]:
        """Degrees Celsius by chip and sensor; a sensor without a label is `temp` and its place in the chip's list.

        psutil merges chips of one name, such as two NVMe drives, so a label that comes again gets its count.
        """
        try:
            chips = self._ps.sensors_temperatures() if hasattr(self._ps, "sensors_temperatures") else {}
        except OSError:
            return
        for chip, sensors in chips.items():
            seen: dict[str, int] = {}
            for place, sensor in enumerate(sensors, start=1):
                label = sensor.label or f"temp{place}"
                seen[label] = seen.get(label, 0) + 1
                again = f" #{seen[label]}" if seen[label] > 1 else ""
                yield HostTemperature(chip, label + again, sensor.current)
