"""What a metric family is: a name, a help text, and a projection of one table."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.records import Record
from exporter.records.table import label as label_of

UNITS = ("bytes", "celsius", "hertz", "joules", "ratio", "seconds", "watts")


@dataclass(frozen=True)
class Value:
    """One sample per record: `field`, or 1 where `field` is None; `labels` are further fields. Absent while None."""

    field: str | None
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Word:
    """One sample of value 1 per record, labelled with `field`; absent while the field is None."""

    field: str


@dataclass(frozen=True)
class OneOf:
    """One sample per word and record: 1 for the word that `field` holds, 0 for the others."""

    field: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Split:
    """One sample per (label value, field) and record; absent while the field is None."""

    label: str
    fields: tuple[tuple[str, str], ...]


Projection = Value | Word | OneOf | Split


@dataclass(frozen=True)
class Family:
    """A metric, declared once: what it is called, what it means, and which table it is a projection of."""

    name: str
    record: type[Record]
    projection: Projection
    help: str

    @property
    def type(self) -> str:
        """`counter` where the name ends in `_total`, else `gauge`."""
        return "counter" if self.name.endswith("_total") else "gauge"

    @property
    def unit(self) -> str:
        """The unit that the name ends in, or nothing."""
        stem = self.name.removesuffix("_total")
        last = stem.rpartition("_")[2]
        return last if last in UNITS and not stem.endswith("_per_second") else ""

    @property
    def labels(self) -> tuple[str, ...]:
        """All label names, the record's key first."""
        key = tuple(map(label_of, self.record.KEY))
        match self.projection:
            case Value(_, labels):
                return key + labels
            case Word(field) | OneOf(field, _):
                return (*key, field)
            case Split(label, _):
                return (*key, label)

    @property
    def rows(self) -> int:
        """The most samples that one record gives."""
        match self.projection:
            case OneOf(_, words):
                return len(words)
            case Split(_, fields):
                return len(fields)
            case _:
                return 1


def info(name: str, record: type[Record], labels: tuple[str, ...], meaning: str) -> Family:
    """Declare a family of value 1 that carries `labels`."""
    return Family(name, record, Value(None, labels), meaning)


def value(name: str, record: type[Record], field: str, meaning: str, labels: tuple[str, ...] = ()) -> Family:
    """Declare a family whose samples are one field of a record."""
    return Family(name, record, Value(field, labels), meaning)
