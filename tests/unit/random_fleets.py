"""Random fleets as tables: rows of every table that is polled, without any sense, but with keys that hang together."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from types import NoneType
from typing import Any, get_args

import msgspec

from exporter.families import POLLED, OneOf
from exporter.records import Record, SourceReading
from exporter.records.table import Tables

OBJECTS = ("node", "worker", "logical_id", "model")
RECORDS = tuple(dict.fromkeys(family.record for family in POLLED))
FIELDS = {record: msgspec.structs.fields(record) for record in RECORDS}
WORDS = {
    (family.record, family.projection.field): family.projection.words
    for family in POLLED
    if isinstance(family.projection, OneOf)
}
NAMES = ("", "gpu-01", "Worker-0", "größer", 'a"b', "x\ny", "a/b.gguf", "\x00", "☃" * 40)
FLEETS = ("eu", "us", "demo", "\x00", "a\x00b", "größer")
MOST = 12
"""Objects of a kind in a fleet at most."""

Slices = dict[str, Tables | None]


def fleets(rng: Random) -> Slices:
    """Slices as a poller publishes them: fleets, sources, the ledger."""
    chosen = rng.sample(FLEETS, rng.randint(1, 4))
    slices: Slices = {f"fleet {fleet}": _fleet(rng, fleet) for fleet in chosen}
    slices["sources"] = {
        record: _unique(_row(rng, record, fleet, None) for fleet in chosen for _ in range(3))
        for record in RECORDS
        if "source" in record.KEY
    }
    slices["ledger"] = {record: (_row(rng, record, "", None),) for record in RECORDS if record.KEY == ()}
    return slices


def changed(rng: Random, slices: Slices) -> Slices:
    """What a poller publishes next: some fleets, of whose tables some are the same object, and of others some rows."""
    found: Slices = {}
    for name, tables in slices.items():
        if tables is None or not name.startswith("fleet "):
            continue
        if rng.random() < 0.15:
            found[name] = None
        elif rng.random() < 0.8:
            fresh = _fleet(rng, name.removeprefix("fleet "))
            found[name] = {
                record: _mixed(rng, records, fresh[record]) if rng.random() < 0.5 else records
                for record, records in tables.items()
                if rng.random() < 0.95
            }
    return found


def _mixed(rng: Random, before: tuple[Record, ...], fresh: tuple[Record, ...]) -> tuple[Record, ...]:
    stay = [each for each in before if rng.random() < 0.7]
    return _unique([*stay, *(each for each in fresh if rng.random() < 0.5)])


def _fleet(rng: Random, fleet: str) -> Tables:
    names = {kind: _names(rng) for kind in OBJECTS}
    return {
        record: _unique(_rows(rng, record, fleet, names))
        for record in RECORDS
        if record.KEY[:1] == ("fleet",) and not issubclass(record, SourceReading) and "source" not in record.KEY
    }


def _names(rng: Random) -> list[str]:
    return [rng.choice(NAMES) + rng.choice(("", str(number))) for number in range(rng.randint(0, MOST))]


def _rows(rng: Random, record: type[Record], fleet: str, names: dict[str, list[str]]) -> Iterator[Record]:
    kind = record.KEY[1] if len(record.KEY) > 1 else ""
    for name in names.get(kind, [None] * rng.randint(0, 4)):  # type: ignore[arg-type]
        for _ in range(rng.randint(1, 3) if len(record.KEY) > 2 else 1):
            yield _row(rng, record, fleet, name)


def _row(rng: Random, record: type[Record], fleet: str, name: str | None) -> Record:
    said: dict[str, Any] = {"fleet": fleet}
    if name is not None:
        said[record.KEY[1]] = name
    return record(
        **{
            field.name: said[field.name] if field.name in said else _value(rng, record, field)
            for field in FIELDS[record]
        }
    )


def _value(rng: Random, record: type[Record], field: msgspec.structs.FieldInfo) -> Any:
    if words := WORDS.get((record, field.name)):
        return rng.choice(words)
    kinds = get_args(field.type) or (field.type,)
    if NoneType in kinds and rng.random() < 0.2:
        return None
    if str in kinds:
        return rng.choice(NAMES)
    return rng.randrange(100) if int in kinds else rng.random()


def _unique(rows: Any) -> tuple[Record, ...]:
    return tuple({tuple(getattr(each, field) for field in each.KEY): each for each in rows}.values())
