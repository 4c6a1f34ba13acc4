"""Tables in, snapshot out: keeps every table's text and re-renders what changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from exporter.exposition.blocks import TableText
from exporter.exposition.formats import Format, family_header
from exporter.exposition.segments import Packer, summed
from exporter.exposition.snapshot import Shown, Snapshot
from exporter.families import Family
from exporter.records import FamilySeries, Record
from exporter.records.table import Tables, first

LeftOut = Mapping[type[Record], int]


class _Admitted(NamedTuple):
    """The text of a table, and which records of it were admitted: the first `fit` by rank."""

    text: TableText
    records: Sequence[Record]
    fit: int


class Exposition:
    """The text of all tables, by slice: one slice per fleet, one for the sources.

    `families` gives the order of the exposition. `limit` bounds its series: tables are admitted in the families' order,
    and of the one that no longer fits those of the lowest rank. One writer; the snapshots it gives are safe to share.
    """

    def __init__(self, families: Sequence[Family], limit: int) -> None:
        self._families = tuple(families)
        self._limit = limit
        packer = Packer()
        self._headers = {
            family.name: {form: packer.pack(family_header(family, form), short=True) for form in Format}
            for family in families
        }
        self._by_record: dict[type[Record], list[Family]] = {}
        for family in families:
            self._by_record.setdefault(family.record, []).append(family)
        self._tables: dict[str, Tables] = {}
        self._left_out: dict[str, LeftOut] = {}
        self._texts: dict[tuple[type[Record], str], _Admitted] = {}

    def publish(self, slices: Mapping[str, Tables | None], left_out: Mapping[str, LeftOut] | None = None) -> Snapshot:
        """Take the new tables of some slices (None: the slice is gone) and give the snapshot that follows.

        `left_out` counts, by slice and table, the records that another limit left out before.
        """
        for name, tables in slices.items():
            if tables is None:
                self.forget(name)
            else:
                self._tables[name] = tables
                self._left_out[name] = (left_out or {}).get(name, {})
        return self._compose(self._admit())

    def forget(self, name: str) -> None:
        """Take back the tables of a slice that could not be published."""
        self._tables.pop(name, None)
        self._left_out.pop(name, None)

    def _admit(self) -> Counter[type[Record]]:
        """Update every table's text with the records that fit; returns how many did not, by table."""
        budget = self._limit
        over: Counter[type[Record]] = Counter()
        texts: dict[tuple[type[Record], str], _Admitted] = {}
        for record, families in self._by_record.items():
            cost = sum(family.rows for family in families)
            for name in sorted(self._tables):
                records = self._tables[name].get(record, ())
                fit = min(len(records), budget // cost)
                budget -= fit * cost
                over[record] += len(records) - fit
                if fit:
                    texts[record, name] = self._text(record, name, records, fit)
        self._texts = texts
        return over

    def _text(self, record: type[Record], name: str, records: Sequence[Record], fit: int) -> _Admitted:
        shown = self._texts.get((record, name))
        if shown is not None and shown.records is records and shown.fit == fit:
            return shown
        text = shown.text if shown else TableText(record, self._by_record[record])
        text.update(records if fit == len(records) else first(records, fit))
        return _Admitted(text, records, fit)

    def _compose(self, over: Counter[type[Record]]) -> Snapshot:
        for left_out in self._left_out.values():
            over.update(left_out)
        by_record: dict[type[Record], list[TableText]] = {}
        for (record, _), shown in self._texts.items():
            by_record.setdefault(record, []).append(shown.text)
        visible: list[Shown] = []
        series = []
        for family in self._families:
            texts = by_record.get(family.record, [])
            place = self._by_record[family.record].index(family)
            whole = summed(text.sum(place) for text in texts)
            dropped = whole.dropped + (over[family.record] + sum(text.duplicates for text in texts)) * family.rows
            series.append(FamilySeries(family.name, whole.samples, dropped))
            if whole.samples:
                every = [text.pieces(place) for text in texts]
                pieces = every[0] if len(every) == 1 else [*chain.from_iterable(every)]
                visible.append(Shown(self._headers[family.name], pieces, whole))
        return Snapshot(visible, tuple(series))
