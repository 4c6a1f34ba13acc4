"""The GPU collector against a fake of pynvml: what each error means, and bytes or text."""

from types import SimpleNamespace

import pytest

from exporter.records import CollectorUnread, Gpu, GpuClock, GpuEcc, GpuPcie, GpuThrottle
from exporter.sources.collector import CollectorError
from exporter.sources.gpu import GpuCollector, load_nvml

NOTHING = {Gpu: (), GpuClock: (), GpuPcie: (), GpuEcc: (), GpuThrottle: (), CollectorUnread: ()}
ALL_READ = CollectorUnread("gpu", 0)


class NVMLError(Exception):
    def __init__(self, value):
        super().__init__(f"text of {value}")
        self.value = value


class FakeNvml:
    """pynvml's names; `answers` maps a function to its answer, an error to raise, or a function of its arguments."""

    NVMLError = NVMLError
    NVML_ERROR_NO_PERMISSION = 4
    NVML_ERROR_DRIVER_NOT_LOADED = 9
    NVML_ERROR_LIBRARY_NOT_FOUND = 12
    NVML_ERROR_GPU_IS_LOST = 15
    NVML_ERROR_GPU_NOT_FOUND = 28
    nvmlMemory_v2 = 0x02000028

    def __init__(self, **answers):
        self.answers = {
            "nvmlInit": None,
            "nvmlShutdown": None,
            "nvmlDeviceGetHandleByIndex": SimpleNamespace,
            **answers,
        }
        self.calls = []

    def __getattr__(self, name):
        if not name.startswith("nvml"):
            raise AttributeError(name)

        def call(*arguments):
            self.calls.append(name)
            answer = self.answers.get(name, NVMLError(3))
            if isinstance(answer, Exception):
                raise answer
            return answer(*arguments) if callable(answer) else answer

        return call


def handle(index):
    return index


def fake(**answers):
    return FakeNvml(**{"nvmlDeviceGetCount": 1, "nvmlDeviceGetHandleByIndex": handle, **answers})


@pytest.mark.parametrize("code", [12, 9, 28], ids=["library not found", "driver not loaded", "GPU not found"])
def test_no_driver_is_normal_where_nobody_asked_for_gpus(code):
    assert GpuCollector(fake(nvmlInit=NVMLError(code)), None).read() == NOTHING


@pytest.mark.parametrize(
    ("enabled", "code", "message"),
    [
        (True, 12, "gpu: expected an NVIDIA driver, found none (libnvidia-ml.so.1 not loadable)"),
        (True, 9, "gpu: expected an NVIDIA driver, found none (its kernel module is not loaded)"),
        (True, 28, "gpu: expected a GPU, found none"),
        (True, 18, "gpu: expected NVML to start, found NVML error 18: text of 18"),
        (None, 18, "gpu: expected NVML to start, found NVML error 18: text of 18"),
        (None, 999, "gpu: expected NVML to start, found NVML error 999: text of 999"),
    ],
)
def test_errors_of_the_start(enabled, code, message):
    with pytest.raises(CollectorError) as raised:
        GpuCollector(fake(nvmlInit=NVMLError(code)), enabled).read()
    assert str(raised.value) == message


def test_no_gpu_is_normal_or_an_error_and_looked_for_anew():
    nvml = fake(nvmlDeviceGetCount=0)
    collector = GpuCollector(nvml, None)
    assert collector.read() == {**NOTHING, CollectorUnread: (ALL_READ,)}
    nvml.answers["nvmlDeviceGetCount"] = 1
    assert [row.gpu for row in collector.read()[Gpu]] == ["0"]
    assert nvml.calls.count("nvmlInit") == 2
    with pytest.raises(CollectorError) as raised:
        GpuCollector(fake(nvmlDeviceGetCount=0), True).read()
    assert str(raised.value) == "gpu: expected a GPU, found none"


def test_a_failed_start_is_tried_again():
    nvml = fake(nvmlInit=NVMLError(999))
    collector = GpuCollector(nvml, None)
    for _ in range(2):
        with pytest.raises(CollectorError):
            collector.read()
    nvml.answers["nvmlInit"] = None
    assert len(collector.read()[Gpu]) == 1
    assert nvml.calls.count("nvmlInit") == 3


def test_what_is_switched_off_is_not_touched():
    nvml = fake()
    assert GpuCollector(nvml, False).read() == NOTHING
    assert nvml.calls == []


@pytest.mark.parametrize("code", [3, 4, 10, 13, 999, 12345], ids=lambda code: f"error {code}")
def test_a_gpu_that_says_nothing_has_a_row_without_values(code):
    class Silent(FakeNvml):
        def __getattr__(self, name):
            self.answers.setdefault(name, NVMLError(code))
            return super().__getattr__(name)

    nvml = Silent(nvmlDeviceGetCount=1, nvmlDeviceGetHandleByIndex=handle)
    assert GpuCollector(nvml, None).read() == {
        **NOTHING,
        Gpu: (Gpu(gpu="0", uuid=""),),
        CollectorUnread: (ALL_READ,),
    }


@pytest.mark.parametrize(
    ("uuid", "name", "driver", "expected"),
    [
        ("GPU-1", "Tesla", "470.1", ("GPU-1", "Tesla", "470.1")),
        (b"GPU-1", b"Tesla", b"470.1", ("GPU-1", "Tesla", "470.1")),
        (b"GPU-1", b"T\xff", b"470.1", ("GPU-1", "T\ufffd", "470.1")),
        ("GPU-1", UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), "470.1", ("GPU-1", None, "470.1")),
    ],
    ids=["text", "bytes", "bytes that are no UTF-8", "bytes that pynvml cannot decode"],
)
def test_text_is_bytes_or_str(uuid, name, driver, expected):
    nvml = fake(nvmlDeviceGetUUID=uuid, nvmlDeviceGetName=name, nvmlSystemGetDriverVersion=driver)
    [row] = GpuCollector(nvml, None).read()[Gpu]
    assert (row.uuid, row.name, row.driver) == expected


def test_zero_is_zero():
    nvml = fake(
        nvmlDeviceGetUtilizationRates=SimpleNamespace(gpu=0),
        nvmlDeviceGetMemoryInfo=SimpleNamespace(used=0, total=0),
        nvmlDeviceGetTemperature=0,
        nvmlDeviceGetPowerUsage=0,
        nvmlDeviceGetEnforcedPowerLimit=0,
        nvmlDeviceGetTotalEnergyConsumption=0,
        nvmlDeviceGetFanSpeed=0,
        nvmlDeviceGetComputeRunningProcesses_v3=[],
        nvmlDeviceGetClockInfo=0,
        nvmlDeviceGetPcieThroughput=0,
        nvmlDeviceGetTotalEccErrors=0,
        nvmlDeviceGetCurrentClocksEventReasons=0,
    )
    tables = GpuCollector(nvml, None).read()
    [row] = tables[Gpu]
    assert [getattr(row, field) for field in Gpu.__struct_fields__[4:]] == [0] * 9
    assert [row.hertz for row in tables[GpuClock]] == [0] * 4
    assert [row.throughput_bytes_per_second for row in tables[GpuPcie]] == [0] * 2
    assert [row.errors for row in tables[GpuEcc]] == [0] * 2
    assert [row.active for row in tables[GpuThrottle]] == [0] * 9


@pytest.mark.parametrize(
    ("bit", "reason"),
    [
        (0x1, "gpu_idle"),
        (0x2, "applications_clocks_setting"),
        (0x4, "sw_power_cap"),
        (0x8, "hw_slowdown"),
        (0x10, "sync_boost"),
        (0x20, "sw_thermal_slowdown"),
        (0x40, "hw_thermal_slowdown"),
        (0x80, "hw_power_brake_slowdown"),
        (0x100, "display_clock_setting"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_throttle_reasons(bit, reason):
    unknown_bit = 1 << 40
    nvml = fake(nvmlDeviceGetCurrentClocksEventReasons=bit | unknown_bit)
    rows = GpuCollector(nvml, None).read()[GpuThrottle]
    assert [row.reason for row in rows if row.active] == [reason]
    assert len(rows) == 9


def test_the_names_of_pynvml_are_those_asked_for():
    nvml = load_nvml()
    reasons = {name for name in vars(nvml) if name.startswith("nvmlClocksEventReason")}
    bits = {getattr(nvml, name) for name in reasons} - {0, nvml.nvmlClocksEventReasonAll}
    assert bits == {1 << place for place in range(9)}
    assert (nvml.NVML_CLOCK_GRAPHICS, nvml.NVML_CLOCK_SM, nvml.NVML_CLOCK_MEM, nvml.NVML_CLOCK_VIDEO) == (0, 1, 2, 3)
    assert (nvml.NVML_PCIE_UTIL_TX_BYTES, nvml.NVML_PCIE_UTIL_RX_BYTES) == (0, 1)
    assert (nvml.NVML_MEMORY_ERROR_TYPE_CORRECTED, nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED) == (0, 1)
    assert (nvml.NVML_AGGREGATE_ECC, nvml.NVML_TEMPERATURE_GPU) == (1, 0)


def test_a_gpu_without_permission_costs_no_restart():
    def only_the_second(index):
        if index == 0:
            raise NVMLError(4)
        return index

    nvml = fake(nvmlDeviceGetCount=2, nvmlDeviceGetHandleByIndex=only_the_second)
    collector = GpuCollector(nvml, True)
    for _ in range(2):
        assert [row.gpu for row in collector.read()[Gpu]] == ["1"]
    assert nvml.calls.count("nvmlInit") == 1


@pytest.mark.parametrize("code", [15, 11, 999], ids=["lost", "interrupt issue", "unknown error"])
def test_a_gpu_that_cannot_be_opened_is_looked_for_anew(code):
    nvml = fake(nvmlDeviceGetHandleByIndex=NVMLError(code))
    collector = GpuCollector(nvml, None)
    assert collector.read() == {**NOTHING, CollectorUnread: (CollectorUnread("gpu", 1),)}
    nvml.answers["nvmlDeviceGetHandleByIndex"] = handle
    assert len(collector.read()[Gpu]) == 1
    assert nvml.calls.count("nvmlInit") == nvml.calls.count("nvmlShutdown") + 1 == 2


@pytest.mark.parametrize("answer", [None, NVMLError(1)], ids=["shuts down", "shutdown fails"])
def test_close(answer):
    nvml = fake(nvmlShutdown=answer)
    collector = GpuCollector(nvml, None)
    collector.close()
    assert "nvmlShutdown" not in nvml.calls
    collector.read()
    collector.close()
    collector.close()
    assert nvml.calls.count("nvmlShutdown") == 1
