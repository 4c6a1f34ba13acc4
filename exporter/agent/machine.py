"""This machine in the words of LightningStore's snapshots: Agent Lightning 0.3.0, `utils/system_snapshot.py`.

`*_gb` are GiB, `*_mb` MiB, `*_pct` 0 to 100, `bytes_*_mb` count since boot. `disks`, and a GPU's
`index` and `uuid`, are Rollcall's own. What is not known is left out.
"""

from __future__ import annotations

import os
import platform
import re
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from exporter.agent.snapshot import Figures, Part, Snapshot
from exporter.records.machine import Gpu
from exporter.sources.collector import CollectorError
from exporter.sources.filesystem import FilesystemReader, seen_by_all
from exporter.sources.gpu import GpuCollector, load_nvml

MIB = 2**20
GIB = 2**30

IN_MEMORY = ("tmpfs", "ramfs")
"""File systems that are no disks."""

MOST = 64
"""Disks and GPUs at most: a registry takes 64 KiB."""

LETTERS = 128
"""Of a name or a mount point at most."""


def about_this_machine(uname: os.uname_result | None = None) -> dict[str, Any]:
    """Its name and its operating system, without the process that platform.platform() starts to learn them."""
    uname = uname or os.uname()
    libc = "".join(platform.libc_ver())
    system = "-".join((uname.sysname, uname.release, uname.machine, *(("with", libc) if libc else ())))
    return {"host": socket.gethostname()[:LETTERS], "os": system[:LETTERS]}


def this_machine() -> Snapshot:
    """Snapshots of the machine that this process runs on."""
    mounts = FilesystemReader("/", psutil, seen=partial(seen_by_all, "/proc"))
    return Snapshot(parts(GpuCollector(load_nvml(), None), filesystems=mounts), about_this_machine())


def parts(gpus: GpuCollector, ps: Any = psutil, filesystems: FilesystemReader | None = None) -> list[Part]:
    """The parts of a snapshot; `ps` is psutil or an object with its functions."""
    processors = Processors(ps)
    mounts = filesystems or FilesystemReader("/", ps)
    reads: dict[str, Callable[[], Figures]] = {
        "cpu": processors.read,
        "memory": lambda: _memory(ps),
        "disk": lambda: _root(ps),
        "disks": lambda: _disks(mounts),
        "network": lambda: _network(ps),
        "gpu": lambda: {"gpus": [_gpu(gpu) for gpu in gpus.devices()[:MOST]]},
    }
    return [Part(name, _guarded(name, read)) for name, read in reads.items()]


class Processors:
    """The processors and how busy they were since the last reading; the first one cannot tell."""

    def __init__(self, ps: Any = psutil, cpuinfo: Path = Path("/proc/cpuinfo")) -> None:
        self._ps = ps
        self._cpuinfo = cpuinfo
        self._fixed: dict[str, Any] = {}
        self._before: tuple[float, float] | None = None

    def read(self) -> Figures:
        """The name of the first processor, cores, threads, and usage as psutil counts it: guest time is user time."""
        if not self._fixed:
            counts = {"cpu_cores": self._ps.cpu_count(logical=False), "cpu_threads": self._ps.cpu_count(logical=True)}
            self._fixed = _said({"cpu_name": self._name(), **counts})
        times = self._ps.cpu_times()
        total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        idle = times.idle + getattr(times, "iowait", 0.0)
        before, self._before = self._before, (total, idle)
        if before is None or total <= before[0]:
            return self._fixed
        busy = 1 - (idle - before[1]) / (total - before[0])
        return {**self._fixed, "cpu_usage_pct": round(100 * min(1.0, max(0.0, busy)), 1)}

    def _name(self) -> str | None:
        """As the kernel has it; not every architecture has a name."""
        found = re.search(r"^model name\s*:\s*(.+)$", self._cpuinfo.read_text(errors="replace"), re.MULTILINE)
        return found[1][:LETTERS] if found else None


def _memory(ps: Any) -> Figures:
    memory = ps.virtual_memory()
    return {"mem_used_gb": _of(memory.used, GIB), "mem_total_gb": _of(memory.total, GIB), "mem_pct": memory.percent}


def _root(ps: Any) -> Figures:
    disk = ps.disk_usage("/")
    return {"disk_used_gb": _of(disk.used, GIB), "disk_total_gb": _of(disk.total, GIB), "disk_pct": disk.percent}


def _disks(filesystems: FilesystemReader) -> Figures:
    """Every mounted disk that answers; those that do not are named under `absent`, and those that are too many."""
    disks = [
        {"mountpoint": mount.mountpoint[:LETTERS], "used_gb": _of(usage.used, GIB), "total_gb": _of(usage.total, GIB)}
        for mount, usage in filesystems.measure()
        if mount.fstype not in IN_MEMORY and usage.total
    ]
    absent = [f"disks:{path[:LETTERS]}" for path in filesystems.stuck[:MOST]]
    if len(disks) > MOST:
        absent.append(f"disks:{len(disks) - MOST} more")
    return {"disks": disks[:MOST], "absent": absent}


def _network(ps: Any) -> Figures:
    counters = ps.net_io_counters(nowrap=False)
    if counters is None:
        return {}
    return {"bytes_sent_mb": _of(counters.bytes_sent, MIB), "bytes_recv_mb": _of(counters.bytes_recv, MIB)}


def _gpu(gpu: Gpu) -> dict[str, Any]:
    return _said(
        {
            "gpu": None if gpu.name is None else gpu.name[:LETTERS],
            "index": int(gpu.gpu),
            "uuid": gpu.uuid[:LETTERS] or None,
            "util_pct": None if gpu.utilization_ratio is None else round(100 * gpu.utilization_ratio),
            "mem_used_mb": _of(gpu.memory_used_bytes, MIB),
            "mem_total_mb": _of(gpu.memory_total_bytes, MIB),
            "temp_c": gpu.temperature_celsius,
        }
    )


def _guarded(name: str, read: Callable[[], Figures]) -> Callable[[], Figures]:
    """The same reading; what psutil and the system raise becomes a CollectorError."""

    def guarded() -> Figures:
        try:
            return read()
        except (OSError, LookupError, ValueError, AttributeError, NotImplementedError, RuntimeError) as error:
            raise CollectorError(f"{name}: expected figures, found {type(error).__name__}: {error}") from error

    return guarded


def _of(value: float | None, unit: int) -> float | None:
    return None if value is None else round(value / unit, 2)


def _said(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in figures.items() if value is not None}
