"""GPUs that are lost or whose driver hangs, under a running exporter: its other samples stay, and no restart is due."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.nvml.library import build
from tests.promises.recording import Measured
from tests.real.process import wait_until
from tests.real.rollcall import Rollcall, Samples

CONFIGURATION = "gpu: {enabled: true}\nregistry: {enabled: false}\n"
Shown = tuple[list[str], float | None, float | None, bool]


class Driver:
    """An exporter whose NVML follows a scenario."""

    def __init__(self, folder: Path) -> None:
        self._scenario = folder / "scenario"
        self.follow("")
        library = build(folder / "lib")
        environ = {"LD_LIBRARY_PATH": str(library.parent), "NVML_STUB_SCENARIO": str(self._scenario)}
        self.rollcall = Rollcall(folder, CONFIGURATION, environ=environ)

    def follow(self, more: str) -> None:
        """Have two GPUs, and what more is the matter; the library reads the file while it is replaced."""
        file = self._scenario.with_suffix(".new")
        file.write_text("gpus 2\n" + more)
        file.replace(self._scenario)

    def until(self, gpus: list[str], unread: float | None) -> float:
        """Scrape until these GPUs, and the host, have all samples; `unread` is None if GPUs fail. Gives the seconds."""
        start = time.monotonic()
        wanted = (gpus, unread, float(unread is not None), True)
        wait_until(lambda: shown(self.rollcall.scrape()) == wanted, f"GPUs and how they are read: {wanted}")
        return time.monotonic() - start


def shown(samples: Samples) -> Shown:
    names = [name for name in {sample.name for sample in samples.all} if name.startswith("rollcall_gpu_")]
    gpus = {name: sorted({labels["gpu"] for labels, _ in samples.find(name)}) for name in names}
    every = sorted({gpu for each in gpus.values() for gpu in each})
    unread = samples.value("rollcall_collector_unread", collector="gpu")
    up = samples.value("rollcall_collector_success", collector="gpu")
    whole = all(each == every for each in gpus.values()) and samples.value("rollcall_host_load1") is not None
    return every, unread, up, whole


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[Driver]:
    driver = Driver(tmp_path)
    with driver.rollcall:
        driver.until(["0", "1"], 0)
        yield driver
        assert "Traceback" not in driver.rollcall.output()


@pytest.mark.promise(
    "Host and GPU", "A GPU that falls off the bus has no samples, is counted, and comes back by itself"
)
def test_a_gpu_that_falls_off_the_bus(driver: Driver, measured: Measured) -> None:
    driver.follow("lost 0\n")
    driver.until(["1"], 1)
    driver.follow("lost 0\nlost 1\n")
    driver.until([], 2)
    driver.follow("")
    measured("recovered in", driver.until(["0", "1"], 0), "s")


@pytest.mark.promise("Host and GPU", "NVML that hangs costs the GPUs' samples alone, and is read again once it answers")
def test_nvml_that_hangs(driver: Driver, measured: Measured) -> None:
    driver.follow("hang nvmlDeviceGetPowerUsage\n")
    driver.until([], None)
    driver.until([], None)
    assert "no answer within 2 s" in driver.rollcall.output()
    driver.follow("")
    measured("recovered in", driver.until(["0", "1"], 0), "s")
