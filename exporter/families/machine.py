"""Families of the machine that Rollcall runs on: processors, memory, disks, network and GPUs."""

from __future__ import annotations

from exporter.families.family import Family, info, value
from exporter.records import (
    Gpu,
    GpuClock,
    GpuEcc,
    GpuPcie,
    GpuThrottle,
    Host,
    HostCpu,
    HostDisk,
    HostFilesystem,
    HostNetwork,
    HostTemperature,
)


def _host(field: str, meaning: str) -> Family:
    return value(f"rollcall_host_{field}", Host, field, meaning)


def _gpu(field: str, meaning: str) -> Family:
    return value(f"rollcall_gpu_{field}", Gpu, field, meaning)


HOST = (
    value("rollcall_host_cpu_seconds_total", HostCpu, "seconds", "Seconds that a CPU of this host spent in a mode."),
    _host("load1", "Load of this host, averaged over 1 minute."),
    _host("load5", "Load of this host, averaged over 5 minutes."),
    _host("load15", "Load of this host, averaged over 15 minutes."),
    _host("memory_total_bytes", "Memory of this host."),
    _host("memory_available_bytes", "Memory that this host can give to programs without swapping."),
    _host("memory_used_bytes", "Memory that programs on this host use."),
    _host("memory_free_bytes", "Memory of this host that nothing uses."),
    _host("memory_cached_bytes", "Memory of this host in the page cache."),
    _host("memory_buffers_bytes", "Memory of this host in block device buffers."),
    _host("swap_total_bytes", "Swap space of this host."),
    _host("swap_used_bytes", "Swap space of this host in use."),
    _host("swap_free_bytes", "Swap space of this host that is free."),
    value("rollcall_host_filesystem_size_bytes", HostFilesystem, "size_bytes", "Size of a file system of this host."),
    value(
        "rollcall_host_filesystem_available_bytes",
        HostFilesystem,
        "available_bytes",
        "Space of a file system of this host that users without privileges can write.",
    ),
    value("rollcall_host_disk_read_bytes_total", HostDisk, "read_bytes", "Bytes read from a disk of this host."),
    value("rollcall_host_disk_written_bytes_total", HostDisk, "written_bytes", "Bytes written to a disk of this host."),
    value(
        "rollcall_host_network_receive_bytes_total",
        HostNetwork,
        "receive_bytes",
        "Bytes that a network interface of this host received.",
    ),
    value(
        "rollcall_host_network_transmit_bytes_total",
        HostNetwork,
        "transmit_bytes",
        "Bytes that a network interface of this host sent.",
    ),
    _host("boot_timestamp_seconds", "When this host booted."),
    value("rollcall_host_temperature_celsius", HostTemperature, "celsius", "Temperature at a sensor of this host."),
)

GPUS = (
    info("rollcall_gpu_info", Gpu, ("name", "driver"), "A GPU of this host."),
    _gpu("utilization_ratio", "Share of the last sample period in which a kernel ran on a GPU, from 0 to 1."),
    _gpu("memory_used_bytes", "Memory of a GPU in use."),
    _gpu("memory_total_bytes", "Memory of a GPU."),
    _gpu("temperature_celsius", "Temperature of a GPU."),
    _gpu("power_watts", "Power that a GPU draws."),
    _gpu("power_limit_watts", "Power limit that is enforced on a GPU."),
    value("rollcall_gpu_energy_joules_total", Gpu, "energy_joules", "Energy a GPU used since its driver was loaded."),
    value("rollcall_gpu_clock_hertz", GpuClock, "hertz", "Frequency of a clock of a GPU."),
    _gpu("fan_ratio", "Intended fan speed of a GPU, as a share of its maximum."),
    value(
        "rollcall_gpu_pcie_throughput_bytes_per_second",
        GpuPcie,
        "throughput_bytes_per_second",
        "PCIe throughput of a GPU over the last 20 ms.",
    ),
    value("rollcall_gpu_ecc_errors_total", GpuEcc, "errors", "ECC errors of a GPU's memory over its life."),
    value("rollcall_gpu_throttle_reason", GpuThrottle, "active", "1 while a reason throttles a GPU's clocks, else 0."),
    _gpu("processes", "Processes that use a GPU."),
)
