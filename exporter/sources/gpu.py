"""This host's GPUs through NVML, the library of NVIDIA's driver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from exporter.records.machine import CollectorUnread, Gpu, GpuClock, GpuEcc, GpuPcie, GpuThrottle
from exporter.records.table import Record, Tables
from exporter.sources.collector import CollectorError

R = TypeVar("R", bound=Record)

TABLES: tuple[type[Record], ...] = (Gpu, GpuClock, GpuPcie, GpuEcc, GpuThrottle)

# The numbers below are NVML's ABI: enums and defines of nvml.h, CUDA 12.
TEMPERATURE_GPU = 0
CLOCKS = {"graphics": 0, "sm": 1, "memory": 2, "video": 3}
PCIE_DIRECTIONS = {"transmit": 0, "receive": 1}
ECC_KINDS = {"corrected": 0, "uncorrected": 1}
ECC_AGGREGATE = 1
THROTTLE_REASONS = {
    "gpu_idle": 0x001,
    "applications_clocks_setting": 0x002,
    "sw_power_cap": 0x004,
    "hw_slowdown": 0x008,
    "sync_boost": 0x010,
    "sw_thermal_slowdown": 0x020,
    "hw_thermal_slowdown": 0x040,
    "hw_power_brake_slowdown": 0x080,
    "display_clock_setting": 0x100,
}

# Newest first, but for temperature, whose older query nvml.h keeps until CUDA 14. Throttle reasons got their new name
# with driver 535, processes their third version with 510.
TEMPERATURE_QUERIES = ("nvmlDeviceGetTemperature", "nvmlDeviceGetTemperatureV")
THROTTLE_QUERIES = ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons")
PROCESS_QUERIES = (
    ("nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2"),
    ("nvmlDeviceGetGraphicsRunningProcesses_v3", "nvmlDeviceGetGraphicsRunningProcesses_v2"),
)


def load_nvml() -> Any:
    """Import pynvml, the module of nvidia-ml-py: tens of milliseconds, and no driver is needed for it."""
    import pynvml

    return pynvml


class _GpuLostError(Exception):
    """A GPU fell off the bus, or cannot be opened."""


class GpuCollector:
    """Reads this host's NVIDIA GPUs.

    `nvml` is pynvml or an object with its functions. With `enabled` None a host without driver or GPU is a normal one
    that has no rows, with True it is an error; False reads nothing.
    """

    name = "gpu"

    def __init__(self, nvml: Any, enabled: bool | None) -> None:
        self._nvml = nvml
        self._enabled = enabled
        self._started = False
        self._unread: tuple[CollectorUnread, ...] = ()

    def read(self) -> Tables:
        """Fill the GPUs' tables; raises CollectorError.

        A value that a GPU does not give is absent, a GPU that is lost has no rows and is counted as unread. NVML is
        started anew after any failure. It measures PCIe throughput over 20 ms per GPU and direction, so a read takes
        40 ms a GPU at least.
        """
        rows = self._rows(self._everything)
        tables: Tables = {table: tuple(row for row in rows if type(row) is table) for table in TABLES}
        return {**tables, CollectorUnread: self._unread}

    def devices(self) -> tuple[Gpu, ...]:
        """The GPUs without their clocks, ECC errors and throttling, and without the wait for PCIe throughput.

        Raises CollectorError, as `read`.
        """
        return tuple(self._rows(lambda handle, gpu, uuid: (self._device(handle, gpu, uuid),)))

    def close(self) -> None:
        """Shut NVML down, if it was started; the next read starts it again."""
        if not self._started:
            return
        self._started = False
        try:
            self._nvml.nvmlShutdown()
        except self._nvml.NVMLError:
            return

    def _start(self) -> bool:
        """Start NVML, if it is not; False where there is nothing to read and that is normal."""
        if self._started:
            return True
        nvml = self._nvml
        try:
            nvml.nvmlInit()
        except nvml.NVMLError as error:
            absent = {
                nvml.NVML_ERROR_LIBRARY_NOT_FOUND: "an NVIDIA driver, found none (libnvidia-ml.so.1 not loadable)",
                nvml.NVML_ERROR_DRIVER_NOT_LOADED: "an NVIDIA driver, found none (its kernel module is not loaded)",
                nvml.NVML_ERROR_GPU_NOT_FOUND: "a GPU, found none",
            }.get(error.value)
            if absent is None:
                raise CollectorError(f"gpu: expected NVML to start, found NVML error {error.value}: {error}") from error
            if self._enabled:
                raise CollectorError(f"gpu: expected {absent}") from error
            return False
        self._started = True
        return True

    def _count(self) -> int:
        try:
            count = int(self._nvml.nvmlDeviceGetCount())
        except self._nvml.NVMLError as error:
            self.close()
            raise CollectorError(f"gpu: expected a count of GPUs, found NVML error {error.value}: {error}") from error
        if count == 0:
            self.close()
            if self._enabled:
                raise CollectorError("gpu: expected a GPU, found none")
        return count

    def _rows(self, tell: Callable[[object, str, str], Sequence[R]]) -> list[R]:
        """The rows that `tell` gives of each GPU; none where GPUs are not to be read, or there are none."""
        rows: list[R] = []
        self._unread = ()
        if self._enabled is False or not self._start():
            return rows
        lost = 0
        for index in range(self._count()):
            try:
                rows += self._gpu(index, tell)
            except _GpuLostError:
                lost += 1
        self._unread = (CollectorUnread(self.name, lost),)
        if lost:
            # NVML finds a GPU that has come back only when it is started anew.
            self.close()
        return rows

    def _gpu(self, index: int, tell: Callable[[object, str, str], Sequence[R]]) -> Sequence[R]:
        """The rows of one GPU, none if this process may not open it; raises _GpuLostError."""
        try:
            handle = self._nvml.nvmlDeviceGetHandleByIndex(index)
        except self._nvml.NVMLError as error:
            # NVML counts the GPUs too that a process has no permission for, as in a container.
            if error.value == self._nvml.NVML_ERROR_NO_PERMISSION:
                return ()
            raise _GpuLostError from error
        return tell(handle, str(index), _text(self._ask("nvmlDeviceGetUUID", handle)) or "")

    def _everything(self, handle: object, gpu: str, uuid: str) -> list[Record]:
        return [
            self._device(handle, gpu, uuid),
            *self._clocks(handle, gpu, uuid),
            *self._pcie(handle, gpu, uuid),
            *self._ecc(handle, gpu, uuid),
            *self._throttle(handle, gpu, uuid),
        ]

    def _ask(self, queries: str | tuple[str, ...], *arguments: object) -> Any:
        """The answer of the first of these queries that has one, else None; raises _GpuLostError.

        Not every version of pynvml has every query.
        """
        for query in (queries,) if isinstance(queries, str) else queries:
            try:
                if (ask := getattr(self._nvml, query, None)) is not None:
                    return ask(*arguments)
            except self._nvml.NVMLError as error:
                if error.value == self._nvml.NVML_ERROR_GPU_IS_LOST:
                    raise _GpuLostError from error
            except UnicodeDecodeError:
                # pynvml decodes names and versions as UTF-8.
                continue
        return None

    def _device(self, handle: object, gpu: str, uuid: str) -> Gpu:
        """Values of the whole GPU.

        NVML gives percent, milliwatts and millijoules. Utilization is not supported in MIG mode. Fan speed is the
        intended one, and may be over 100 %.
        """
        utilization = self._ask("nvmlDeviceGetUtilizationRates", handle)
        memory = self._memory(handle)
        return Gpu(
            gpu=gpu,
            uuid=uuid,
            name=_text(self._ask("nvmlDeviceGetName", handle)),
            driver=_text(self._ask("nvmlSystemGetDriverVersion")),
            utilization_ratio=None if utilization is None else utilization.gpu / 100,
            memory_used_bytes=None if memory is None else memory.used,
            memory_total_bytes=None if memory is None else memory.total,
            temperature_celsius=self._ask(TEMPERATURE_QUERIES, handle, TEMPERATURE_GPU),
            power_watts=_divided(self._ask("nvmlDeviceGetPowerUsage", handle), 1000),
            power_limit_watts=_divided(self._ask("nvmlDeviceGetEnforcedPowerLimit", handle), 1000),
            energy_joules=_divided(self._ask("nvmlDeviceGetTotalEnergyConsumption", handle), 1000),
            fan_ratio=_divided(self._ask("nvmlDeviceGetFanSpeed", handle), 100),
            processes=self._processes(handle),
        )

    def _memory(self, handle: object) -> Any:
        """Memory in bytes: `used` is without what the driver reserves, where the driver (510 or later) can say so."""
        separate = self._ask("nvmlDeviceGetMemoryInfo", handle, self._nvml.nvmlMemory_v2)
        return separate if separate is not None else self._ask("nvmlDeviceGetMemoryInfo", handle)

    def _processes(self, handle: object) -> int | None:
        """Distinct processes with a compute or a graphics context.

        Of a driver before 510 pynvml's query without a version raises an error that is no NVMLError.
        """
        answers = [self._ask(queries, handle) for queries in PROCESS_QUERIES]
        given = [answer for answer in answers if answer is not None]
        return len({process.pid for answer in given for process in answer}) if given else None

    def _clocks(self, handle: object, gpu: str, uuid: str) -> list[Record]:
        """Current clocks; NVML gives MHz."""
        answers = {clock: self._ask("nvmlDeviceGetClockInfo", handle, kind) for clock, kind in CLOCKS.items()}
        return [GpuClock(gpu, uuid, clock, mhz * 1e6) for clock, mhz in answers.items() if mhz is not None]

    def _pcie(self, handle: object, gpu: str, uuid: str) -> list[Record]:
        """PCIe throughput; nvml.h gives KB/s, taken for 1000 bytes each."""
        query = "nvmlDeviceGetPcieThroughput"
        answers = {direction: self._ask(query, handle, counter) for direction, counter in PCIE_DIRECTIONS.items()}
        return [GpuPcie(gpu, uuid, direction, kb * 1000) for direction, kb in answers.items() if kb is not None]

    def _ecc(self, handle: object, gpu: str, uuid: str) -> list[Record]:
        """ECC errors over the GPU's life; the volatile counters start again with every driver load."""
        query = "nvmlDeviceGetTotalEccErrors"
        answers = {kind: self._ask(query, handle, number, ECC_AGGREGATE) for kind, number in ECC_KINDS.items()}
        return [GpuEcc(gpu, uuid, kind, errors) for kind, errors in answers.items() if errors is not None]

    def _throttle(self, handle: object, gpu: str, uuid: str) -> list[Record]:
        """A row for every reason that nvml.h names."""
        bits = self._ask(THROTTLE_QUERIES, handle)
        if bits is None:
            return []
        return [GpuThrottle(gpu, uuid, reason, int(bits & bit != 0)) for reason, bit in THROTTLE_REASONS.items()]


def _text(value: str | bytes | None) -> str | None:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _divided(value: float | None, by: int) -> float | None:
    return None if value is None else value / by
