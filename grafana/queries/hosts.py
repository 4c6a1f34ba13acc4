"""What the dashboard Hosts and GPUs asks. A host is an `instance`: one Rollcall that reads its machine."""

from __future__ import annotations

from collections.abc import Callable

from grafana.queries.shared import or_zero

HOSTS = 'instance=~"$instance"'
"""The matcher that every query has; the fleets that an exporter watches say nothing of its own machine."""

ROWS = 100
"""Rows of a table: with its queries this stays below 2,000 series."""

TOP = 10
"""Lines of a chart."""

DEVICES = 'device!~"lo|(veth|docker|br-|virbr|ifb|cni|cali|flannel|bond|tun|tap|wg).*"'
"""Network interfaces that are machines' own: the others carry the same bytes once more, or none that leave."""

DISKS = 'device!~"(dm-|md).*"'
"""Disks, without what lies on several of them or on parts of them."""

HEAT = "sw_thermal_slowdown|hw_thermal_slowdown"
POWER = "sw_power_cap|hw_power_brake_slowdown"
NO_FAULT = "gpu_idle"

At = Callable[[str], str]
"""A query; its argument stands behind every selector: nothing, or ` @ end()` for the end of the time range."""


def top(query: At, by: str = "instance", most: int = TOP) -> str:
    """A line for each of those that have most at the end of the time range, so that lines do not come and go."""
    return f"{query('')} and on ({by}) topk({most}, {query(' @ end()')})"


# Hosts
def temperature(at: str = "") -> str:
    """The hottest sensor or GPU of each host."""
    return f"max by (instance) (instance:rollcall_host_temperature_celsius:max{{{HOSTS}}}{at})"


def cpu(at: str = "") -> str:
    """The part of its time that each host's CPUs work."""
    idle = f'instance_mode:rollcall_host_cpu_usage_ratio:avg{{{HOSTS},mode=~"idle|iowait"}}'
    return f"1 - sum by (instance) ({idle}{at})"


def load(at: str = "") -> str:
    """Load of each host by CPU: above 1 there is more to do than CPUs for it."""
    idle = f'rate(rollcall_host_cpu_seconds_total{{{HOSTS},mode="idle"}}[$__rate_interval]{at})'
    cpus = f"count by (instance) (max by (instance, cpu) ({idle}))"
    return f"max by (instance) (rollcall_host_load1{{{HOSTS}}}{at}) / on (instance) {cpus}"


def memory(at: str = "") -> str:
    """The part of each host's memory that programs could not have without swapping."""
    available = f"max by (instance) (rollcall_host_memory_available_bytes{{{HOSTS}}}{at})"
    return f"1 - {available} / on (instance) max by (instance) (rollcall_host_memory_total_bytes{{{HOSTS}}}{at})"


def swap(at: str = "") -> str:
    """Swap space of each host that is in use."""
    return f"max by (instance) (rollcall_host_swap_used_bytes{{{HOSTS}}}{at})"


def fullest(at: str = "") -> str:
    """The fullest file system of each host."""
    return f"max by (instance) (instance:rollcall_host_filesystem_used_ratio:max{{{HOSTS}}}{at})"


def network(direction: str) -> At:
    """Bytes a second that each host's interfaces receive or transmit."""
    counter = f"rollcall_host_network_{direction}_bytes_total{{{HOSTS},{DEVICES}}}[$__rate_interval]"
    return lambda at: f"sum by (instance) (max by (instance, device) (rate({counter}{at})))"


def disk(direction: str) -> At:
    """Bytes a second that are read from or written to each host's disks."""
    counter = f"rollcall_host_disk_{direction}_bytes_total{{{HOSTS},{DISKS}}}[$__rate_interval]"
    return lambda at: f"sum by (instance) (max by (instance, device) (rate({counter}{at})))"


_BOOT = f"max by (instance) (rollcall_host_boot_timestamp_seconds{{{HOSTS}}})"
COUNT = or_zero(f"count({_BOOT})")
HOTTEST_SENSOR = f"max(rollcall_host_temperature_celsius{{{HOSTS}}})"
FULLEST = f"max({fullest()})"
CPU_BY_MODE = f'avg by (mode) (instance_mode:rollcall_host_cpu_usage_ratio:avg{{{HOSTS},mode!="idle"}})'

LISTED = f"topk({ROWS}, {temperature()} or {cpu()} or 0 * {_BOOT})"
"""A row per host; the value is its temperature or, in a machine without a sensor, its CPU usage from 0 to 1."""


def of_listed(expr: str) -> str:
    """A column of the table of hosts."""
    return f"{expr} and on (instance) {LISTED}"


UP = f"time() - {_BOOT}"

# File systems and sensors
_MOUNT = "instance, mountpoint, device, fstype"


def _space(kind: str) -> str:
    return f"max by ({_MOUNT}) (rollcall_host_filesystem_{kind}_bytes{{{HOSTS}}})"


_USED = f"1 - {_space('available')} / on ({_MOUNT}) ({_space('size')} > 0)"
MOUNT_USED = f"topk({ROWS}, {_USED})"
MOUNT_FREE = f"{_space('available')} and on ({_MOUNT}) {MOUNT_USED}"
MOUNT_SIZE = f"{_space('size')} and on ({_MOUNT}) {MOUNT_USED}"
SENSORS = f"topk({ROWS}, max by (instance, chip, sensor) (rollcall_host_temperature_celsius{{{HOSTS}}}))"

# GPUs
OF_GPU = "on (instance, gpu)"


def of_gpus(metric: str, matchers: str = "") -> At:
    """A number about each GPU."""
    chosen = f"{HOSTS},{matchers}" if matchers else HOSTS
    return lambda at: f"max by (instance, gpu) (rollcall_gpu_{metric}{{{chosen}}}{at})"


def gpu_memory(at: str = "") -> str:
    """The part of each GPU's memory that is in use."""
    used, total = of_gpus("memory_used_bytes"), of_gpus("memory_total_bytes")
    return f"{used(at)} / {OF_GPU} ({total(at)} > 0)"


def _heat(at: str) -> str:
    return f"{of_gpus('temperature_celsius')(at)} or 0 * {of_gpus('memory_total_bytes')(at)}"


_HOTTEST = f"topk({ROWS}, {_heat('')})"
_HOTTEST_AT_END = f"topk({TOP}, {_heat(' @ end()')})"


def of_hottest(query: At) -> str:
    """A column of the table of GPUs."""
    return f"{query('')} and {OF_GPU} {_HOTTEST}"


def of_hottest_over_time(query: At) -> str:
    """A line for each of the GPUs that are hottest at the end of the time range."""
    return f"{query('')} and {OF_GPU} {_HOTTEST_AT_END}"


def _named(at: str) -> str:
    whole = f"max by (instance, gpu, name, driver) (rollcall_gpu_info{{{HOSTS}}}{at})"
    return f"topk by (instance, gpu) (1, {whole})"


def _ecc_errors(at: str) -> str:
    counter = f'rollcall_gpu_ecc_errors_total{{{HOSTS},kind="uncorrected"}}'
    return f"max by (instance, gpu) (increase({counter}[$__range]{at}))"


def _power_share(at: str) -> str:
    draws, limit = of_gpus("power_watts"), of_gpus("power_limit_watts")
    return f"{draws(at)} / {OF_GPU} ({limit(at)} > 0)"


def held_back_for(reasons: str) -> str:
    """1 for each GPU that is held back for one of these reasons, else 0."""
    return of_gpus("throttle_reason", f'reason=~"{reasons}"')("")


HELD_BACK_OF_HOST = f"sum by (instance) ({held_back_for(f'{HEAT}|{POWER}')})"


def _held_back_by(at: str) -> str:
    reasons = f'rollcall_gpu_throttle_reason{{{HOSTS},reason!="{NO_FAULT}"}}{at}'
    return f"max by (instance, gpu, reason) ({reasons} == 1)"


GPU = of_hottest(_named)
GPU_ECC_ERRORS = of_hottest(_ecc_errors)
GPU_POWER_SHARE = of_hottest(_power_share)
GPU_HELD_BACK_BY = of_hottest(_held_back_by)
GPU_COUNT = or_zero(f"count({of_gpus('memory_total_bytes')('')})")
HOTTEST_GPU = f"max(rollcall_gpu_temperature_celsius{{{HOSTS}}})"
GPU_USE = f"avg({of_gpus('utilization_ratio')('')})"
GPU_MEMORY_USE = f"avg({gpu_memory()})"
GPU_POWER = f"sum({of_gpus('power_watts')('')})"
GPUS_OF_HOST = f"count by (instance) ({of_gpus('memory_total_bytes')('')})"
GPU_USE_OF_HOST = f"avg by (instance) ({of_gpus('utilization_ratio')('')})"
GPU_MEMORY_OF_HOST = f"avg by (instance) ({gpu_memory()})"


def held_back_over_time(reason: str) -> str:
    """How many GPUs are held back for this reason."""
    return f'sum(instance_reason:rollcall_gpu_throttle_reason:sum{{{HOSTS},reason="{reason}"}})'


def held_back(reasons: str) -> str:
    """How many GPUs are held back for one of these reasons."""
    return or_zero(f"count({held_back_for(reasons)} == 1)")


def pcie(direction: str) -> str:
    """PCIe throughput of the hottest GPUs, received or transmitted."""
    return of_hottest_over_time(of_gpus("pcie_throughput_bytes_per_second", f'direction="{direction}"'))
