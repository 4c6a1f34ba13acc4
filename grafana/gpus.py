"""The GPUs of the dashboard `Hosts and GPUs`, hottest first."""

from __future__ import annotations

from grafana import links
from grafana.panels import Column, Gather, Line, Panel, Series, Size, table, time_series
from grafana.queries import hosts as queries
from grafana.states import AMBER, GREY, RED, THROTTLE

NO_GPU = "no GPU here"
WARM = ((None, "text"), (70, AMBER), (85, RED))
"""In °C; `text` is the colour of any other text."""

BAD = ((None, GREY), (1, RED))
REASONS = Gather("I", "reason", ("instance", "gpu"))
"""Among the queries of the table."""

THIRD = Size(8, 8)
HOTTEST = f"The {queries.TOP} GPUs that are hottest at the end of the time range."
NAME = "{{instance}} GPU {{gpu}}"


def share(field: str, title: str, width: int = 110) -> Column:
    """A column of a part of something, as a bar from 0 to 100 %."""
    return Column(field, title, unit="percentunit", decimals=0, gauge=True, top=1, width=width)


COLUMNS = (
    Column("instance", "Host", links=(links.host_of_row(instance="Host"),), width=160),
    Column("gpu", "GPU", width=65),
    Column("name", "Name", width=195),
    Column("Value #B", "Temperature", unit="celsius", decimals=0, limits=WARM, width=110),
    share("Value #C", "Utilization"),
    share("Value #D", "Memory"),
    share("Value #E", "Of power limit", 120),
    Column("Value #F", "Power", unit="watt", decimals=0, width=80),
    Column("Value #G", "Fan", unit="percentunit", decimals=0, width=60),
    Column("Value #H", "SM clock", unit="hertz", width=90),
    Column(REASONS.field, "Throttle reason", pills=True, filterable=False, empty="nothing", width=275),
    Column("Value #J", "Processes", width=95),
    Column("Value #K", "ECC errors", decimals=0, limits=BAD),
)


def gpus() -> Panel:
    """The table of GPUs."""
    exprs = [
        queries.GPU,
        queries.of_hottest(queries.of_gpus("temperature_celsius")),
        queries.of_hottest(queries.of_gpus("utilization_ratio")),
        queries.of_hottest(queries.gpu_memory),
        queries.GPU_POWER_SHARE,
        queries.of_hottest(queries.of_gpus("power_watts")),
        queries.of_hottest(queries.of_gpus("fan_ratio")),
        queries.of_hottest(queries.of_gpus("clock_hertz", 'clock="sm"')),
        queries.GPU_HELD_BACK_BY,
        queries.of_hottest(queries.of_gpus("processes")),
        queries.GPU_ECC_ERRORS,
    ]
    return table(
        "GPUs",
        "Every GPU that NVML shows, the hottest first. Throttle reason: why its clocks are lowered now; a power cap is "
        "normal under full load, heat is not. ECC errors are uncorrected ones in the time range. The first "
        f"{queries.ROWS} are listed.",
        exprs,
        COLUMNS,
        Size(24, 10),
        sort=[("Value #B", True), ("instance", False), ("gpu", False)],
        empty=NO_GPU,
        gather=[REASONS],
    )


def _chart(title: str, metric: queries.At, description: str, unit: str, top: float | None = None) -> Panel:
    series = [Series(NAME, queries.of_hottest_over_time(metric))]
    return time_series(title, f"{description} {HOTTEST}", series, THIRD, unit=unit, top=top, smooth=True, empty=NO_GPU)


def gpus_over_time() -> tuple[Line, ...]:
    """Charts of the hottest GPUs."""
    held = [Series(reason, queries.held_back_over_time(reason), look.colour) for reason, look in THROTTLE.items()]
    pcie = [Series(f"{NAME} {verb}", queries.pcie(verb)) for verb in ("receive", "transmit")]
    held_help = "How many GPUs are throttled, by reason; being idle is not one of them."
    pcie_help = f"PCIe throughput of GPUs, over 20 ms at each scrape. {HOTTEST}"
    return (
        (
            _chart("GPU temperature", queries.of_gpus("temperature_celsius"), "Temperature of GPUs.", "celsius"),
            _chart("GPU utilization", queries.of_gpus("utilization_ratio"), "Utilization of GPUs.", "percentunit", 1),
            _chart("GPU memory", queries.gpu_memory, "The part of its memory that is in use.", "percentunit", 1),
        ),
        (
            _chart("GPU power", queries.of_gpus("power_watts"), "What GPUs draw.", "watt"),
            time_series("Throttled over time", held_help, held, THIRD, stacked=True, empty=NO_GPU),
            time_series("PCIe", pcie_help, pcie, THIRD, unit="Bps", smooth=True, empty=NO_GPU),
        ),
    )
