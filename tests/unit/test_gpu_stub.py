"""GPUs through real nvidia-ml-py and a C stub of the driver's library, in a process of its own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.nvml.library import build

NVML = Path(__file__).parent.parent / "nvml"
ROOT = NVML.parent.parent
UUIDS = [f"GPU-0000000{index}-1111-2222-3333-444444444444" for index in (0, 1)]


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return build(tmp_path_factory.mktemp("stub") / "new")


@pytest.fixture
def reads(tmp_path, library):
    """Read the GPUs once per scenario, all in one process: `reads(scenario, ..., enabled="auto", library=...)`."""

    def run(*steps, enabled="auto", library=library):
        place = tmp_path / "lib"
        place.mkdir()
        if library is not None:
            shutil.copy(library, place / "libnvidia-ml.so.1")
        lines = [step if isinstance(step, dict) else {"scenario": step} for step in steps]
        environment = {"LD_LIBRARY_PATH": str(place), "NVML_STUB_SCENARIO": str(tmp_path / "scenario")}
        done = subprocess.run(
            [sys.executable, "-W", "error", NVML / "reads.py", enabled],
            cwd=ROOT,
            env={**os.environ, **environment, "PYTHONPATH": str(ROOT)},
            input="".join(json.dumps(line) + "\n" for line in lines),
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


def gpu(index, **changes):
    row = {
        "gpu": str(index),
        "uuid": UUIDS[index],
        "name": "NVIDIA H100 80GB HBM3",
        "driver": "570.86.15",
        "utilization_ratio": [0.97, 0.96][index],
        "memory_used_bytes": 1_000_000_000,
        "memory_total_bytes": 85_520_809_984,
        "temperature_celsius": [51, 52][index],
        "power_watts": 312.345,
        "power_limit_watts": 700.0,
        "energy_joules": [9007199254.740, 9007199254.741][index],
        "fan_ratio": 0.3,
        "processes": [4, 0][index],
    }
    return row | changes


def values(rows, index, label, field):
    return {row[label]: row[field] for row in rows if row["uuid"] == UUIDS[index]}


def test_every_table_of_two_gpus(reads):
    [reading] = reads("gpus 2\n")
    assert reading["Gpu"] == [gpu(0), gpu(1)]
    for index in (0, 1):
        assert values(reading["GpuClock"], index, "clock", "hertz") == {
            "graphics": 1.98e9,
            "sm": 1.975e9,
            "memory": 2.619e9,
            "video": 1.545e9,
        }
        assert values(reading["GpuPcie"], index, "direction", "throughput_bytes_per_second") == {
            "transmit": 1_500_000,
            "receive": 250_000,
        }
        assert values(reading["GpuEcc"], index, "kind", "errors") == {"corrected": 7, "uncorrected": 5_000_000_000}
        assert values(reading["GpuThrottle"], index, "reason", "active") == {
            "gpu_idle": 0,
            "applications_clocks_setting": 0,
            "sw_power_cap": 1,
            "hw_slowdown": 0,
            "sync_boost": 0,
            "sw_thermal_slowdown": 1,
            "hw_thermal_slowdown": 0,
            "hw_power_brake_slowdown": 0,
            "display_clock_setting": 0,
        }


@pytest.mark.parametrize(
    ("failing", "changes"),
    [
        pytest.param(["nvmlDeviceGetUtilizationRates"], {"utilization_ratio": None}, id="utilization, as in MIG mode"),
        pytest.param(["nvmlDeviceGetFanSpeed"], {"fan_ratio": None}, id="no fan"),
        pytest.param(["nvmlDeviceGetTemperature"], {"temperature_celsius": None}, id="temperature"),
        pytest.param(["nvmlDeviceGetPowerUsage"], {"power_watts": None}, id="power"),
        pytest.param(["nvmlDeviceGetEnforcedPowerLimit"], {"power_limit_watts": None}, id="power limit"),
        pytest.param(["nvmlDeviceGetTotalEnergyConsumption"], {"energy_joules": None}, id="energy"),
        pytest.param(["nvmlDeviceGetName"], {"name": None}, id="name"),
        pytest.param(["nvmlDeviceGetUUID"], {"uuid": ""}, id="uuid"),
        pytest.param(["nvmlDeviceGetMemoryInfo_v2"], {"memory_used_bytes": 1_520_809_984}, id="memory with reserved"),
        pytest.param(
            ["nvmlDeviceGetMemoryInfo_v2", "nvmlDeviceGetMemoryInfo"],
            {"memory_used_bytes": None, "memory_total_bytes": None},
            id="memory",
        ),
        pytest.param(["nvmlDeviceGetGraphicsRunningProcesses_v3"], {"processes": 3}, id="graphics processes"),
        pytest.param(
            ["nvmlDeviceGetGraphicsRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v3"],
            {"processes": None},
            id="processes",
        ),
    ],
)
def test_a_value_not_supported_is_absent_and_costs_nothing_else(reads, failing, changes):
    scenario = "gpus 2\n" + "".join(f"fail {function} 0 3\n" for function in failing)
    complete, reading = reads("gpus 2\n", scenario)
    assert reading["Gpu"] == [gpu(0, **changes), gpu(1)]
    for table in ("GpuClock", "GpuPcie", "GpuEcc", "GpuThrottle"):
        assert [{**row, "uuid": ""} for row in reading[table]] == [{**row, "uuid": ""} for row in complete[table]]


@pytest.mark.parametrize(
    ("function", "table"),
    [
        ("nvmlDeviceGetClockInfo", "GpuClock"),
        ("nvmlDeviceGetPcieThroughput", "GpuPcie"),
        ("nvmlDeviceGetTotalEccErrors", "GpuEcc"),
        ("nvmlDeviceGetCurrentClocksEventReasons", "GpuThrottle"),
    ],
    ids=["clocks", "pcie", "ecc", "throttle reasons"],
)
def test_a_table_not_supported_has_no_rows_of_that_gpu(reads, function, table):
    [reading] = reads(f"gpus 2\nfail {function} 1 3\n")
    assert reading["Gpu"] == [gpu(0), gpu(1)]
    assert {row["uuid"] for row in reading[table]} == {UUIDS[0]}


def test_a_driver_of_before_510(reads, tmp_path):
    old = build(tmp_path / "old", "-DOLD_DRIVER")
    [reading] = reads("gpus 1\n", library=old)
    assert reading["Gpu"] == [gpu(0, memory_used_bytes=1_520_809_984, processes=None)]
    active = values(reading["GpuThrottle"], 0, "reason", "active")
    assert {reason for reason, is_active in active.items() if is_active} == {"sw_power_cap", "sw_thermal_slowdown"}


def test_a_lost_gpu_loses_its_rows_until_nvml_is_started_anew(reads):
    before, lost, back = reads("gpus 2\n", "gpus 2\nlost 0\n", "gpus 2\n")
    assert before["Gpu"] == [gpu(0), gpu(1)]
    assert lost["Gpu"] == [gpu(1)]
    assert {row["uuid"] for table in ("GpuClock", "GpuPcie", "GpuEcc", "GpuThrottle") for row in lost[table]} == {
        UUIDS[1]
    }
    assert back["Gpu"] == [gpu(0), gpu(1)]
    assert [before["starts"], lost["starts"], back["starts"]] == [1, 1, 2]


def test_a_gpu_lost_in_the_middle_of_its_reading_has_no_rows_at_all(reads):
    [reading] = reads("gpus 2\nfail nvmlDeviceGetPcieThroughput 1 15\n")
    assert reading["Gpu"] == [gpu(0)]
    assert {row["uuid"] for table in ("GpuClock", "GpuPcie") for row in reading[table]} == {UUIDS[0]}


def test_reads_share_one_start(reads):
    assert [reading["starts"] for reading in reads("gpus 1\n", "gpus 1\n", "gpus 1\n")] == [1, 1, 1]


def test_no_driver_is_normal_and_one_that_comes_is_found(reads, library, tmp_path):
    # A file that is no library hides the real driver's of the machine that this test runs on.
    other = tmp_path / "not a library"
    other.write_bytes(b"text")
    none, found = reads(
        {"scenario": "gpus 1\n", "library": str(other)}, {"scenario": "gpus 1\n", "library": str(library)}, library=None
    )
    assert none == {
        "Gpu": [],
        "GpuClock": [],
        "GpuPcie": [],
        "GpuEcc": [],
        "GpuThrottle": [],
        "CollectorUnread": [],
        "starts": 0,
    }
    assert found["Gpu"] == [gpu(0)]


def test_no_driver_is_an_error_where_gpus_are_asked_for(reads, tmp_path):
    other = tmp_path / "not a library"
    other.write_bytes(b"text")
    [reading] = reads({"scenario": "", "library": str(other)}, enabled="true", library=None)
    assert reading["error"] == "gpu: expected an NVIDIA driver, found none (libnvidia-ml.so.1 not loadable)"


def test_a_failed_count_is_an_error_and_the_next_read_starts_anew(reads):
    failed, back = reads("gpus 1\nfail nvmlDeviceGetCount_v2 * 999\n", "gpus 1\n")
    assert failed["error"] == "gpu: expected a count of GPUs, found NVML error 999: Unknown Error"
    assert back["Gpu"] == [gpu(0)]
    assert back["starts"] == 2
