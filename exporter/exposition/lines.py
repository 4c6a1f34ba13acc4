"""Sample lines of one family over some records: the one place where a value becomes text."""

from __future__ import annotations

from collections.abc import Sequence
from operator import add, attrgetter, eq
from types import NoneType
from typing import Any, NamedTuple

import msgspec

from exporter.exposition.labels import quote
from exporter.families import Family, OneOf, Split, Value, Word
from exporter.records import Record


class Lines(NamedTuple):
    """Sample lines of a family as UTF-8, how many they are, and how many values were no number to expose."""

    text: bytes
    samples: int
    dropped: int


NOTHING = Lines(b"", 0, 0)

LARGEST = 2**63 - 1
"""The largest whole number that is written; Prometheus keeps 53 bits of it."""


def render(family: Family, labels: Sequence[str], records: Sequence[Record]) -> Lines:
    """Render a family's samples of `records`; `labels[i]` is the key of `records[i]` as label pairs.

    A value that is not finite, and a counter below 0, is left out and counted.
    """
    if not records:
        return NOTHING
    match family.projection:
        case Value(None, further):
            return _ones(family, list(map(add, labels, _further(further, records))))
        case Value(str() as field, further):
            keys = list(map(add, labels, _further(further, records))) if further else labels
            return _numbers(family, keys, list(map(attrgetter(field), records)))
        case Word(field):
            words = map(attrgetter(field), records)
            pairs = zip(labels, words, strict=True)
            return _ones(family, [f'{key},{field}="{quote(word)}"' for key, word in pairs if word is not None])
        case OneOf(field, words):
            return _one_of(family, labels, list(map(attrgetter(field), records)), field, words)
        case Split(label, fields):
            return _joined(
                _numbers(family, [f'{key},{label}="{word}"' for key in labels], list(map(attrgetter(field), records)))
                for word, field in fields
            )
    raise TypeError(f"{family.name}: no such projection")


def unchanged(family: Family, before: Sequence[Record], after: Sequence[Record]) -> bool:
    """Tell whether a family's samples of two equally long runs of records with the same keys are the same."""
    match family.projection:
        case Value(field, further):
            fields = (*further,) if field is None else (field, *further)
        case Word(field) | OneOf(field, _):
            fields = (field,)
        case Split(_, parts):
            fields = tuple(field for _, field in parts)
    return all(all(map(eq, map(attrgetter(field), before), map(attrgetter(field), after))) for field in fields)


def _further(names: tuple[str, ...], records: Sequence[Record]) -> list[str]:
    return ["".join([f',{name}="{quote(getattr(record, name))}"' for name in names]) for record in records]


def _ones(family: Family, keys: Sequence[str]) -> Lines:
    if not keys:
        return NOTHING
    head = family.name + "{"
    return Lines((head + ("} 1\n" + head).join(keys) + "} 1\n").encode(), len(keys), 0)


def _numbers(family: Family, keys: Sequence[str], values: list[Any]) -> Lines:
    """Lines of numbers; msgspec writes them several times faster than `repr`, and what is not finite as null."""
    said = len(values) - values.count(None)
    if not said:
        return NOTHING
    numbers = _written(values)
    if said < len(values) or "null" in numbers or family.type == "counter":
        kept = [
            (key, number)
            for key, number in zip(keys, numbers, strict=True)
            if number != "null" and (family.type != "counter" or number[0] != "-")
        ]
        keys, numbers = [key for key, _ in kept], [number for _, number in kept]
    dropped = said - len(numbers)
    if not numbers:
        return Lines(b"", 0, dropped)
    if not family.labels:
        return Lines(f"{family.name} {numbers[0]}\n".encode(), 1, dropped)
    head = family.name + "{"
    lines = [f"{key}}} {number}" for key, number in zip(keys, numbers, strict=True)]
    return Lines((head + ("\n" + head).join(lines) + "\n").encode(), len(numbers), dropped)


def _written(values: list[Any]) -> list[str]:
    """Each value as text, `null` for what is no number that can be exposed."""
    if not set(map(type, values)) <= {float, NoneType}:
        values = [value if _is_number(value) else None for value in values]
    return msgspec.json.encode(values)[1:-1].decode().split(",")


def _is_number(value: Any) -> bool:
    return type(value) is float or (type(value) is int and -LARGEST <= value <= LARGEST)


def _one_of(family: Family, labels: Sequence[str], held: list[str | None], field: str, words: tuple[str, ...]) -> Lines:
    head = family.name + "{"
    tails = {true: [f',{field}="{word}"}} {int(word == true)}\n' for word in words] for true in (*words, None)}
    texts = [f"{head}{key}{tail}" for key, word in zip(labels, held, strict=True) for tail in tails[word]]
    return Lines("".join(texts).encode(), len(texts), 0)


def _joined(parts: Any) -> Lines:
    texts, samples, dropped = zip(*parts, strict=True)
    return Lines(b"".join(texts), sum(samples), sum(dropped))
