"""Every error that NVML can return, through real nvidia-ml-py: absent, not zero; counted; and over with its cause."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from exporter.sources.gpu import load_nvml
from tests.nvml.library import SOURCE
from tests.promises.recording import Measured
from tests.unit.test_gpu_stub import UUIDS, gpu, library, reads

__all__ = ["library", "reads"]

Reads = Callable[..., list[dict[str, Any]]]

ERRORS = {
    name.removeprefix("NVML_ERROR_"): code for name, code in vars(load_nvml()).items() if name.startswith("NVML_ERROR_")
}
QUERIES = sorted(set(re.findall(r"int (nvmlDevice\w+)\(device_t", SOURCE.read_text())))
WELL = "gpus 2\n"
TABLES = ("GpuClock", "GpuPcie", "GpuEcc", "GpuThrottle")
NORMAL_WITHOUT = ("LIBRARY_NOT_FOUND", "DRIVER_NOT_LOADED", "GPU_NOT_FOUND")
SAID_NOTHING = {field: None for field in gpu(0) if field not in ("gpu", "uuid", "driver")} | {"uuid": ""}


def unread(reading: dict[str, Any]) -> list[int]:
    return [row["unread"] for row in reading["CollectorUnread"]]


def is_well(reading: dict[str, Any]) -> bool:
    assert reading["Gpu"] == [gpu(0), gpu(1)]
    assert unread(reading) == [0]
    return all({row["uuid"] for row in reading[table]} == set(UUIDS) for table in TABLES)


def around(lines: dict[str, str]) -> list[str]:
    """Each scenario in turn, and a healthy one after each."""
    return [step for wrong in lines.values() for step in (WELL + wrong, WELL)]


def test_there_are_all_of_them() -> None:
    assert len(ERRORS) >= 29
    assert {1, 2, 3, 4, 9, 12, 15, 16, 28, 999} <= set(ERRORS.values())
    assert len(QUERIES) >= 14


@pytest.mark.promise(
    "Host and GPU", "A GPU whose queries end in any of NVML's errors has no values, and none that is 0"
)
def test_every_error_of_the_queries(reads: Reads, measured: Measured) -> None:
    lines = {name: "".join(f"fail {query} 0 {code}\n" for query in QUERIES) for name, code in ERRORS.items()}
    readings = reads(*around(lines))
    for name, wrong, after in zip(lines, readings[::2], readings[1::2], strict=True):
        lost = name == "GPU_IS_LOST"
        assert wrong["Gpu"] == ([gpu(1)] if lost else [gpu(0, **SAID_NOTHING), gpu(1)]), name
        assert unread(wrong) == [lost], name
        assert all({row["uuid"] for row in wrong[table]} == {UUIDS[1]} for table in TABLES), name
        assert is_well(after), name
    assert readings[-1]["starts"] == 2
    measured("errors", len(lines), "")


@pytest.mark.promise("Host and GPU", "A GPU that any of NVML's errors keeps closed is counted, and back when it opens")
def test_every_error_of_opening(reads: Reads, measured: Measured) -> None:
    lines = {name: f"fail nvmlDeviceGetHandleByIndex_v2 0 {code}\n" for name, code in ERRORS.items()}
    readings = reads(*around(lines))
    for name, wrong, after in zip(lines, readings[::2], readings[1::2], strict=True):
        assert wrong["Gpu"] == [gpu(1)], name
        assert unread(wrong) == [name != "NO_PERMISSION"], name
        assert is_well(after), name
    measured("errors", len(lines), "")


@pytest.mark.promise("Host and GPU", "NVML that does not count or start, by any of its errors, fails until it does")
def test_every_error_of_the_library(reads: Reads, measured: Measured) -> None:
    counts = {name: f"fail nvmlDeviceGetCount_v2 * {code}\n" for name, code in ERRORS.items()}
    steps = [
        step for name, wrong in counts.items() for step in (wrong, f"fail nvmlInitWithFlags * {ERRORS[name]}\n", "")
    ]
    readings = reads(*(WELL + step for step in steps))
    for place, (name, code) in enumerate(ERRORS.items()):
        uncounted, unstarted, after = readings[3 * place : 3 * place + 3]
        assert uncounted["error"].startswith(f"gpu: expected a count of GPUs, found NVML error {code}: "), name
        if name in NORMAL_WITHOUT:
            assert (unstarted["Gpu"], unread(unstarted)) == ([], []), name
        else:
            assert unstarted["error"].startswith(f"gpu: expected NVML to start, found NVML error {code}: "), name
        assert is_well(after), name
    measured("errors", len(ERRORS), "")
