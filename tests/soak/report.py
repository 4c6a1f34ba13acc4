"""What a soak found out: of each Prometheus, of the exporter's process, and of the faults."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence

import msgspec
import psutil

from tests.real.monitoring import Prometheus
from tests.real.rollcall import Samples, parse
from tests.real.web import ask
from tests.soak.world import World

MIB = 2**20
LOOK = 2.0
"""Seconds between two looks at the process."""

WRONG = re.compile(r"duplicate|out.of.order|different value|too old", re.IGNORECASE)
"""What a Prometheus' log says of samples that it does not take."""

REFUSED = ("duplicate_timestamp", "out_of_order", "out_of_bounds")
"""What counters a Prometheus has of such samples."""


class Taken(msgspec.Struct):
    """What one Prometheus took in: scrapes, those that failed, and the seconds that they took.

    `refused` are samples and log lines about duplicates and order, `broken_rules` evaluations of rules that failed.
    """

    version: str
    scrapes: int
    failed: int
    longest: float
    p99: float
    refused: int
    broken_rules: int
    alerts: dict[str, int]


class Course(msgspec.Struct):
    """A figure of the process: at the first and last look, at most, and its slope an hour over the last two thirds."""

    first: float
    last: float
    most: float
    slope: float


class Report(msgspec.Struct):
    """Everything; `unmet` are faults that nobody met, `tracebacks` those in the exporter's log."""

    python: str
    cores: int
    minutes: float
    every: float
    prometheuses: list[Taken]
    memory: Course
    threads: Course
    files: Course
    faults: dict[str, int]
    unmet: dict[str, int]
    acknowledged: int
    refused: int
    lost: int
    tracebacks: int


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The rise of a line of least squares through (seconds, figure), an hour; 0 through fewer than two points."""
    if len(points) < 2:
        return 0.0
    middle = sum(at for at, _ in points) / len(points)
    below = sum((at - middle) ** 2 for at, _ in points)
    return 3600 * sum((at - middle) * figure for at, figure in points) / below


def course(points: Sequence[tuple[float, float]]) -> Course:
    """What became of a figure."""
    start, end = points[0][0], points[-1][0]
    late = [point for point in points if point[0] >= start + (end - start) / 3]
    return Course(points[0][1], points[-1][1], max(figure for _, figure in points), slope(late))


class Watch:
    """Looks at a process from a thread of its own, until it is stopped; a context manager."""

    def __init__(self, process: psutil.Process) -> None:
        self.memory: list[tuple[float, float]] = []
        self.threads: list[tuple[float, float]] = []
        self.files: list[tuple[float, float]] = []
        self._process = process
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            now = time.monotonic()
            with self._process.oneshot():
                self.memory.append((now, self._process.memory_info().rss / MIB))
                self.threads.append((now, self._process.num_threads()))
            self.files.append((now, self._process.num_fds()))
            if self._over.wait(LOOK):
                return


def taken(prometheus: Prometheus, seconds: float) -> Taken:
    """What a Prometheus says of the last seconds, which are those since it began."""
    window = f"[{seconds + 60:.0f}s]"
    ups, sizes, durations = (
        [float(value) for series in prometheus.query(name + window) for _, value in series["values"]]
        for name in ("up", "scrape_samples_scraped", "scrape_duration_seconds")
    )
    durations.sort()
    own = Samples(parse(ask(prometheus.url + "/metrics").body.decode()))
    counters = [f"prometheus_target_scrapes_sample_{kind}_total" for kind in REFUSED]
    refused = sum(value for name in counters for _, value in own.find(name))
    firing = prometheus.query(f'count by (alertname) (count_over_time(ALERTS{{alertstate="firing"}}{window}))')
    return Taken(
        version=prometheus.api("status/buildinfo")["version"],
        scrapes=len(ups),
        failed=len([up for up in ups if up != 1]) + len([size for size in sizes if size < 1]),
        longest=durations[-1],
        p99=durations[int(0.99 * len(durations))],
        refused=int(refused) + sum(bool(WRONG.search(line)) for line in prometheus.output().splitlines()),
        broken_rules=int(sum(value for _, value in own.find("prometheus_rule_evaluation_failures_total"))),
        alerts={each["metric"]["alertname"]: int(each["value"][1]) for each in firing},
    )


def tracebacks(world: World) -> int:
    """How many errors the exporter did not see coming."""
    return world.rollcall.output().count("Traceback")
