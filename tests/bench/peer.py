"""prometheus-client with the samples of an exposition, which it encodes: `python -m tests.bench.peer WAY FILE`.

WAY is how: from metric objects that hold the values (`gauges`), from families that a collector fills at each scrape,
as exporters do (`collector`), or from families that are ready (`families`, the encoder alone). It prints a line when it
has them, and for each line that it is given the CPU seconds that encoding took. It is a process of its own, whose
memory has nothing else.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector


class Filled(Collector):
    """Gives the families that `fill` gives."""

    def __init__(self, fill: Callable[[], Iterable[Metric]]) -> None:
        self._fill = fill

    def collect(self) -> Iterable[Metric]:
        """The families."""
        return self._fill()


def gauges(families: Iterable[Metric]) -> CollectorRegistry:
    """A registry of metric objects with the families' samples."""
    registry = CollectorRegistry()
    for family in families:
        gauge = Gauge(family.name, family.documentation, tuple(family.samples[0].labels), registry=registry)
        for sample in family.samples:
            gauge.labels(*sample.labels.values()).set(sample.value)
    return registry


def collector(families: Iterable[Metric]) -> CollectorRegistry:
    """A registry of a collector that makes the families anew at each scrape."""
    rows = [
        (
            (each.name, each.documentation, list(each.samples[0].labels)),
            [([*sample.labels.values()], sample.value) for sample in each.samples],
        )
        for each in families
    ]

    def fill() -> Iterator[Metric]:
        for (name, meaning, labels), samples in rows:
            family = GaugeMetricFamily(name, meaning, labels=labels)
            for values, value in samples:
                family.add_metric(values, value)
            yield family

    return filled(fill)


def ready(families: Iterable[Metric]) -> CollectorRegistry:
    """A registry of a collector that has the families."""
    found = list(families)
    return filled(lambda: found)


def filled(fill: Callable[[], Iterable[Metric]]) -> CollectorRegistry:
    """A registry of one collector."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Filled(fill))
    return registry


WAYS: dict[str, Callable[[Iterable[Metric]], CollectorRegistry]] = {
    "collector": collector,
    "gauges": gauges,
    "families": ready,
}


class Peer:
    """A peer that runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def encoded(self) -> float:
        """CPU seconds that it takes to encode once."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())


@contextmanager
def peer(way: str, file: Path) -> Iterator[Peer]:
    """Start a peer that holds the samples of a file."""
    command = [sys.executable, "-m", "tests.bench.peer", way, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        yield Peer(process)
        process.stdin.close()


def main(way: str, file: str) -> None:
    """Encode for each line."""
    registry = WAYS[way](text_string_to_metric_families(Path(file).read_text("utf-8")))
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.process_time()
        generate_latest(registry)
        print(time.process_time() - start, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
