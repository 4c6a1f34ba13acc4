"""What must be true of every exposition, whatever was read."""

from __future__ import annotations

from collections import Counter

from prometheus_client import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from exporter.exposition import Format

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def metrics(text: bytes, form: Format) -> list[Metric]:
    """Parse with prometheus-client's parser of the format."""
    if form is Format.OPENMETRICS:
        return list(openmetrics.text_string_to_metric_families(text.decode()))
    return list(text_string_to_metric_families(text.decode()))


def samples(text: bytes, form: Format) -> Samples:
    """Every sample's value by name and labels; fails if two have the same."""
    found = [
        ((sample.name, tuple(sorted(sample.labels.items()))), sample.value)
        for metric in metrics(text, form)
        for sample in metric.samples
    ]
    twice = [key for key, times in Counter(key for key, _ in found).items() if times > 1]
    assert not twice, f"expected every sample once, got these more often: {twice[:5]}"
    return dict(found)


def families_apart(text: bytes) -> list[str]:
    """Families whose samples do not stand in one piece."""
    order: list[str] = []
    for line in text.decode().split("\n"):
        if line and not line.startswith("#"):
            name = line.partition("{")[0].partition(" ")[0]
            if not order or order[-1] != name:
                order.append(name)
    return [name for name, times in Counter(order).items() if times > 1]
