"""The dashboard `Hosts and GPUs`: the machines that run Rollcall, hottest first."""

from __future__ import annotations

from dataclasses import replace

from grafana import links, variables
from grafana.gpus import BAD, NO_GPU, THIRD, WARM, gpus, gpus_over_time, share
from grafana.panels import DURATION, Board, Column, Line, Panel, Row, Series, Size, stat, table, time_series
from grafana.queries import hosts as queries
from grafana.states import AMBER, BLUE, GREEN, RED, VIOLET

NO_HOST = "no Rollcall here reads its host"
NO_SENSOR = "no temperature sensor here"
TOP = f"The {queries.TOP} with most at the end of the time range."
OPEN_HOST = links.host_of_row(instance="Host")

HOST_COLUMNS = (
    Column("instance", "Host", links=(OPEN_HOST,)),
    Column("Value #B", "Hottest", unit="celsius", decimals=0, limits=WARM, width=80),
    share("Value #C", "CPU", 105),
    Column("Value #D", "Load", decimals=2, width=65),
    share("Value #E", "Memory", 105),
    share("Value #F", "Disk", 105),
    Column("Value #G", "Swap", unit="bytes", decimals=0, width=80),
    Column("Value #H", "Receives", unit="Bps", decimals=0, width=95),
    Column("Value #I", "Sends", unit="Bps", decimals=0, width=90),
    Column("Value #J", "Reads", unit="Bps", decimals=0, width=90),
    Column("Value #K", "Writes", unit="Bps", decimals=0, width=90),
    Column("Value #L", "GPUs", width=60, empty="0"),
    share("Value #M", "GPU utilization", 125),
    share("Value #N", "GPU memory", 105),
    Column("Value #O", "Throttled", limits=BAD, width=90),
    Column("Value #P", "Up for", unit=DURATION, width=125),
)
MOUNT_COLUMNS = (
    Column("instance", "Host", links=(OPEN_HOST,), width=170),
    Column("mountpoint", "Mountpoint"),
    share("Value #A", "Used", 150),
    Column("Value #B", "Free", unit="bytes", width=100),
    Column("Value #C", "Size", unit="bytes", width=100),
    Column("device", "Device"),
    Column("fstype", "Type", width=80),
)
SENSOR_COLUMNS = (
    Column("instance", "Host", links=(OPEN_HOST,), width=170),
    Column("chip", "Chip"),
    Column("sensor", "Sensor"),
    Column("Value #A", "Temperature", unit="celsius", decimals=0, limits=WARM, width=120),
)


def hosts() -> Board:
    """The dashboard of machines."""
    return Board(
        links.HOSTS,
        "Rollcall: Hosts and GPUs",
        "The machines that run Rollcall: CPU, memory, disks, network and GPUs, hottest first.",
        (
            (*_machines(), *_gpus_now()),
            (_hosts(),),
            (gpus(),),
            Row("GPUs over time"),
            *gpus_over_time(),
            Row("Hosts over time"),
            _processors(),
            _memory(),
            _throughput(),
            Row("File systems and sensors"),
            (_file_systems(), _sensors()),
        ),
        (replace(variables.FLEET, shown=False), variables.HOST),
    )


def _machines() -> tuple[Panel, ...]:
    counts = [Series("hosts", queries.COUNT, BLUE), Series("GPUs", queries.GPU_COUNT, BLUE)]
    heat = [Series("GPU", queries.HOTTEST_GPU, BLUE), Series("sensor", queries.HOTTEST_SENSOR, BLUE)]
    full = [Series("used", queries.FULLEST, BLUE)]
    hottest = "The hottest GPU and the hottest other sensor."
    fullest = "The fullest file system of all."
    return (
        stat("Machines", "Machines whose Rollcall reads them, and GPUs that NVML shows there.", counts, Size(4, 4)),
        stat("Hottest", hottest, heat, Size(4, 4), unit="celsius", empty="no sensor"),
        stat("Fullest disk", fullest, full, Size(3, 4), unit="percentunit", empty=NO_HOST),
    )


def _gpus_now() -> tuple[Panel, ...]:
    held = [
        Series("by heat", queries.held_back(queries.HEAT), RED, alarming=True),
        Series("by power", queries.held_back(queries.POWER), AMBER, alarming=True),
    ]
    use = [Series("utilization", queries.GPU_USE, GREEN), Series("memory", queries.GPU_MEMORY_USE, BLUE)]
    power = [Series("power", queries.GPU_POWER, VIOLET)]
    held_help = "GPUs whose clocks are lowered because they are too hot, or to keep to a power limit."
    use_help = "Utilization, and memory in use, over all GPUs."
    power_help = "The power that all GPUs draw together."
    return (
        stat("GPUs throttled", held_help, held, Size(5, 4)),
        stat("GPUs on average", use_help, use, Size(5, 4), unit="percentunit", empty=NO_GPU),
        stat("All power", power_help, power, Size(3, 4), unit="watt", decimals=None, empty=NO_GPU),
    )


def _hosts() -> Panel:
    shown = (
        queries.temperature(),
        queries.cpu(),
        queries.load(),
        queries.memory(),
        queries.fullest(),
        queries.swap(),
        queries.network("receive")(""),
        queries.network("transmit")(""),
        queries.disk("read")(""),
        queries.disk("written")(""),
        queries.GPUS_OF_HOST,
        queries.GPU_USE_OF_HOST,
        queries.GPU_MEMORY_OF_HOST,
        queries.HELD_BACK_OF_HOST,
        queries.UP,
    )
    return table(
        "Hosts",
        "Every machine whose Rollcall reads it, the hottest first, those without a sensor by CPU. Load is by CPU; disk "
        f"is the fullest file system; throttled counts GPUs. The first {queries.ROWS} are listed.",
        [queries.LISTED, *(queries.of_listed(expr) for expr in shown)],
        HOST_COLUMNS,
        Size(24, 8),
        sort=[("Value #B", True), ("Value #C", True), ("instance", False)],
        empty=NO_HOST,
    )


def _chart(title: str, metric: queries.At, description: str, unit: str, top: float | None = None) -> Panel:
    series = [Series("{{instance}}", queries.top(metric))]
    return time_series(title, f"{description} {TOP}", series, THIRD, unit=unit, top=top, smooth=True, empty=NO_HOST)


def _processors() -> Line:
    modes = [Series("{{mode}}", queries.CPU_BY_MODE)]
    modes_help = "What the CPUs of all chosen hosts do on average while they are not idle."
    load_help = "Load of the last minute by CPU: above 1, work waits for CPUs."
    share_of_time = "The part of their time that CPUs work."
    return (
        _chart("CPU", queries.cpu, share_of_time, "percentunit", 1),
        time_series("CPU by mode", modes_help, modes, THIRD, unit="percentunit", top=1, stacked=True, empty=NO_HOST),
        _chart("Load by CPU", queries.load, load_help, "none"),
    )


def _memory() -> Line:
    return (
        _chart("Memory", queries.memory, "The part that programs cannot have without swapping.", "percentunit", 1),
        _chart("Swap", queries.swap, "Swap space in use.", "bytes"),
        _chart("Fullest file system", queries.fullest, "How full each host's fullest one is.", "percentunit", 1),
    )


def _throughput() -> Line:
    half = queries.TOP // 2
    traffic = [
        Series("{{instance}} received", queries.top(queries.network("receive"), most=half)),
        Series("{{instance}} sent", queries.top(queries.network("transmit"), most=half)),
    ]
    disks = [
        Series("{{instance}} read", queries.top(queries.disk("read"), most=half)),
        Series("{{instance}} written", queries.top(queries.disk("written"), most=half)),
    ]
    heat = [Series("{{instance}}", queries.top(queries.temperature))]
    network_help = f"Bytes a second over machines' own interfaces. The {half} with most of each."
    disks_help = f"Bytes a second read from and written to disks. The {half} with most of each."
    heat_help = f"The hottest sensor or GPU of each host. {TOP}"
    return (
        time_series("Network", network_help, traffic, THIRD, unit="Bps", smooth=True, empty=NO_HOST),
        time_series("Disks", disks_help, disks, THIRD, unit="Bps", smooth=True, empty=NO_HOST),
        time_series("Temperature", heat_help, heat, THIRD, unit="celsius", smooth=True, empty=NO_SENSOR),
    )


def _file_systems() -> Panel:
    return table(
        "File systems",
        f"File systems, the fullest first, {queries.ROWS} at most. Free is what users without privileges can write.",
        [queries.MOUNT_USED, queries.MOUNT_FREE, queries.MOUNT_SIZE],
        MOUNT_COLUMNS,
        Size(15, 9),
        sort=[("Value #A", True), ("instance", False), ("mountpoint", False)],
        empty=NO_HOST,
    )


def _sensors() -> Panel:
    return table(
        "Sensors",
        f"Temperature sensors other than those of GPUs, the hottest first, {queries.ROWS} at most.",
        [queries.SENSORS],
        SENSOR_COLUMNS,
        Size(9, 9),
        sort=[("Value #A", True), ("instance", False)],
        empty=NO_SENSOR,
    )
