"""What is read at scrape time, through the same encoder: small tables, and prometheus-client's own families."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prometheus_client import Metric

from exporter.exposition.blocks import TableText
from exporter.exposition.formats import Format, family_header, header
from exporter.exposition.labels import pairs
from exporter.families import Family
from exporter.records.table import Tables


def render_tables(families: Sequence[Family], tables: Tables, form: Format) -> bytes:
    """Render tables that are not kept, family by family."""
    pieces: list[bytes] = []
    for family in families:
        text = TableText(family.record, [family])
        text.update(tables.get(family.record, ()))
        lines = [block.lines[0].text for block in text.blocks.values() if block.lines[0].samples]
        if lines:
            pieces += [family_header(family, form), *lines]
    return b"".join(pieces)


def render_client(metrics: Iterable[Metric], form: Format) -> bytes:
    """Render prometheus-client's families, without `_created`; a value that is not finite is left out."""
    pieces: list[str] = []
    for metric in metrics:
        lines = []
        for sample in metric.samples:
            if sample.name.endswith("_created") or sample.value - sample.value != 0:
                continue
            labels = pairs(tuple(sample.labels), tuple(sample.labels.values()))
            lines.append(
                f"{sample.name}{{{labels}}} {sample.value!r}\n" if labels else f"{sample.name} {sample.value!r}\n"
            )
        if lines:
            name = metric.name + "_total" if metric.type == "counter" else metric.name
            pieces += [header(name, metric.type, "", metric.documentation, form).decode(), *lines]
    return "".join(pieces).encode()
