"""Tables of the machine that Rollcall runs on: processors, memory, disks, network and GPUs."""

from __future__ import annotations

from exporter.records.table import Record


class Host(Record, frozen=True, gc=False, kw_only=True):
    """This host's load, memory and boot time."""

    load1: float | None = None
    load5: float | None = None
    load15: float | None = None
    memory_total_bytes: float | None = None
    memory_available_bytes: float | None = None
    memory_used_bytes: float | None = None
    memory_free_bytes: float | None = None
    memory_cached_bytes: float | None = None
    memory_buffers_bytes: float | None = None
    swap_total_bytes: float | None = None
    swap_used_bytes: float | None = None
    swap_free_bytes: float | None = None
    boot_timestamp_seconds: float | None = None


class HostCpu(Record, frozen=True, gc=False):
    """Seconds that a processor of this host spent in a mode since boot."""

    KEY = ("cpu", "mode")
    cpu: str
    mode: str
    seconds: float


class HostFilesystem(Record, frozen=True, gc=False):
    """A mounted file system; `available_bytes` is what a user without privileges can write."""

    KEY = ("mountpoint", "device", "fstype")
    mountpoint: str
    device: str
    fstype: str
    size_bytes: float
    available_bytes: float


class HostDisk(Record, frozen=True, gc=False):
    """Bytes that a block device of this host read and wrote since boot."""

    KEY = ("device",)
    device: str
    read_bytes: float
    written_bytes: float


class HostNetwork(Record, frozen=True, gc=False):
    """Bytes that a network interface of this host received and sent since boot."""

    KEY = ("device",)
    device: str
    receive_bytes: float
    transmit_bytes: float


class HostTemperature(Record, frozen=True, gc=False):
    """A temperature sensor of this host."""

    KEY = ("chip", "sensor")
    chip: str
    sensor: str
    celsius: float


class Gpu(Record, frozen=True, gc=False, kw_only=True):
    """A GPU of this host, by NVML's index and uuid."""

    KEY = ("gpu", "uuid")
    gpu: str
    uuid: str
    name: str | None = None
    driver: str | None = None
    utilization_ratio: float | None = None
    memory_used_bytes: float | None = None
    memory_total_bytes: float | None = None
    temperature_celsius: float | None = None
    power_watts: float | None = None
    power_limit_watts: float | None = None
    energy_joules: float | None = None
    fan_ratio: float | None = None
    processes: int | None = None


class GpuClock(Record, frozen=True, gc=False):
    """The current frequency of one of a GPU's clocks: graphics, sm, memory or video."""

    KEY = ("gpu", "uuid", "clock")
    gpu: str
    uuid: str
    clock: str
    hertz: float


class GpuPcie(Record, frozen=True, gc=False):
    """PCIe throughput of a GPU; `direction` is receive or transmit."""

    KEY = ("gpu", "uuid", "direction")
    gpu: str
    uuid: str
    direction: str
    throughput_bytes_per_second: float


class GpuEcc(Record, frozen=True, gc=False):
    """ECC errors of a GPU over its life; `kind` is corrected or uncorrected."""

    KEY = ("gpu", "uuid", "kind")
    gpu: str
    uuid: str
    kind: str
    errors: int


class GpuThrottle(Record, frozen=True, gc=False):
    """Whether a reason throttles a GPU's clocks now; every reason known to NVML has a row."""

    KEY = ("gpu", "uuid", "reason")
    gpu: str
    uuid: str
    reason: str
    active: int


class CollectorReading(Record, frozen=True, gc=False):
    """How the last reading of the host or of its GPUs went."""

    KEY = ("collector",)
    collector: str
    success: int
    duration_seconds: float


class CollectorUnread(Record, frozen=True, gc=False):
    """How many file systems or GPUs of this host were there at the last reading and did not answer.

    What this process has no permission for is not counted.
    """

    KEY = ("collector",)
    collector: str
    unread: int
