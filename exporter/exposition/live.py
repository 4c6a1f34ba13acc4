"""What is read at scrape time, through the same encoder: small tables, and prometheus-client's own families."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from prometheus_client import Metric

from exporter.exposition.formats import Format, family_header, header
from exporter.exposition.labels import pairs
from exporter.exposition.lines import Keys, Renderer
from exporter.families import Family
from exporter.records import Record
from exporter.records.table import Tables, label


class LiveText:
    """Tables that are no part of a snapshot, as text; one that is the same object as before keeps its text."""

    def __init__(self, families: Sequence[Family]) -> None:
        self._families = tuple(families)
        self._headers = {form: [family_header(family, form) for family in families] for form in Format}
        self._renderers: dict[type[Record], dict[str, Renderer]] = {}
        for family in families:
            self._renderers.setdefault(family.record, {})[family.name] = Renderer(family)
        self._before: dict[type[Record], tuple[Sequence[Record], Mapping[str, bytes]]] = {}

    def text(self, tables: Tables, form: Format) -> bytes:
        """Render tables family by family; of records with the same labels the first stands."""
        texts: dict[str, bytes] = {}
        for record in self._renderers:
            texts.update(self._texts(record, tables.get(record, ())))
        both = zip(self._headers[form], self._families, strict=True)
        return b"".join([head + texts[family.name] for head, family in both if texts[family.name]])

    def _texts(self, record: type[Record], records: Sequence[Record]) -> Mapping[str, bytes]:
        before = self._before.get(record)
        if before is None or before[0] is not records:
            keys, rows = _keyed(record, records)
            texts = {name: renderer.lines(keys, rows).text for name, renderer in self._renderers[record].items()}
            before = self._before[record] = (records, texts)
        return before[1]


def _keyed(record: type[Record], records: Sequence[Record]) -> tuple[Keys, list[Record]]:
    """The records in the order of their keys as label pairs."""
    names = tuple(map(label, record.KEY))
    found: dict[str, Record] = {}
    for each in records:
        found.setdefault(pairs(names, tuple([getattr(each, field) for field in record.KEY])), each)
    labels = sorted(found)
    return Keys.of(labels), [found[key] for key in labels]


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
