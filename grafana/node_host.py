"""The part of the dashboard `Node` about the machine of the node, as a Rollcall on it tells."""

from __future__ import annotations

from grafana import links
from grafana.panels import Column, Gather, Line, Panel, Series, Size, table, time_series
from grafana.queries import node as queries
from grafana.states import AMBER, BLUE, GREY, RED

NO_HOST = "no Rollcall is scraped by the host name that this node gives"
NO_HOST_GPU = "no GPU is read on its host by a Rollcall"
HELP = " Known where a Rollcall runs on the node's machine and is scraped by the host name that the node gives."
THROTTLED = Gather("G", "reason", ("gpu",))


def host() -> Line:
    """CPU, memory, disks and network of the machine."""
    memory = (Series("total", queries.HOST_MEMORY_TOTAL, GREY), Series("used", queries.HOST_MEMORY_USED, BLUE))
    disks = (Series("read", queries.disk("read"), BLUE), Series("written", queries.disk("written"), AMBER))
    network = (Series("received", queries.network("receive"), BLUE), Series("sent", queries.network("transmit"), AMBER))
    return (
        _over_time("CPU", "Share of CPU time that is not idle.", "percentunit", Series("busy", queries.HOST_CPU, BLUE)),
        _over_time("Memory", "Memory of the host, and what programs use of it.", "bytes", *memory),
        _over_time("Disks", "Bytes read from and written to all disks.", "Bps", *disks),
        _over_time("Network", "Bytes over all interfaces but the loopback.", "Bps", *network),
    )


def _over_time(title: str, description: str, unit: str, *series: Series) -> Panel:
    to_host = [links.link("all of this host", links.HOSTS, instance="${host:percentencode}")]
    top = 1.0 if unit == "percentunit" else None
    return time_series(
        title, description + HELP, series, Size(6, 7), unit=unit, smooth=True, top=top, empty=NO_HOST, links=to_host
    )


def host_gpus() -> Line:
    """Its GPUs as the driver reads them, and how busy they were."""
    use = "Share of each sample period in which a kernel ran, per GPU of the host." + HELP
    busy = [Series("GPU {{gpu}}", queries.HOST_GPU_USED)]
    over_time = time_series(
        "GPU utilization", use, busy, Size(7, 7), unit="percentunit", smooth=True, top=1, empty=NO_HOST_GPU
    )
    return _gpu_table(), over_time


def _gpu_table() -> Panel:
    columns = [
        Column("gpu", "GPU", width=60),
        Column("name", "Name", width=200),
        Column("Value #B", "Utilization", unit="percentunit", gauge=True, top=1, decimals=0, width=110),
        Column("Value #C", "Memory", unit="percentunit", gauge=True, top=1, decimals=0, width=110),
        Column("Value #D", "Temperature", unit="celsius", limits=((None, GREY), (75, AMBER), (85, RED)), width=105),
        Column("Value #E", "Power", unit="watt", decimals=0, width=70),
        Column("Value #F", "Processes", width=85),
        Column(THROTTLED.field, "Throttle reason", pills=True, filterable=False, empty="nothing"),
    ]
    return table(
        "GPUs of its host, as the driver reads them",
        "Utilization, memory in use, temperature, power and why it is throttled, by NVML." + HELP,
        [
            queries.HOST_GPU,
            queries.HOST_GPU_USED,
            queries.HOST_GPU_MEMORY,
            queries.HOST_GPU_TEMPERATURE,
            queries.HOST_GPU_POWER,
            queries.HOST_GPU_PROCESSES,
            queries.HOST_GPU_THROTTLED,
        ],
        columns,
        Size(17, 7),
        sort=[("gpu", False)],
        empty=NO_HOST_GPU,
        gather=[THROTTLED],
    )
