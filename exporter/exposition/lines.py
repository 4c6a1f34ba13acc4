"""Sample lines of one family over some records: the one place where a value becomes text."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from exporter.exposition.labels import quote
from exporter.families import Family, OneOf, Split, Value, Word
from exporter.records import Record

INFINITY = float("inf")


class Lines(NamedTuple):
    """Sample lines of a family as UTF-8, how many they are, and how many values were no number to expose."""

    text: bytes
    samples: int
    dropped: int


def render(family: Family, labels: Sequence[str], records: Sequence[Record]) -> Lines:
    """Render a family's samples of `records`; `labels[i]` is the key of `records[i]` as label pairs.

    A value that is not finite, and a counter below 0, is left out and counted.
    """
    match family.projection:
        case Value(None, further):
            tails = _further(further, records)
            texts = [f"{family.name}{{{key}{tail}}} 1\n" for key, tail in zip(labels, tails, strict=True)]
            return Lines("".join(texts).encode(), len(texts), 0)
        case Value(str() as field, further):
            return _numbers(family, labels, records, field, _further(further, records))
        case Word(field):
            words = map(attrgetter(field), records)
            texts = [
                f'{family.name}{{{key},{field}="{quote(word)}"}} 1\n'
                for key, word in zip(labels, words, strict=True)
                if word is not None
            ]
            return Lines("".join(texts).encode(), len(texts), 0)
        case OneOf(field, words):
            return _one_of(family, labels, map(attrgetter(field), records), field, words)
        case Split(label, fields):
            parts = [
                _numbers(family, labels, records, field, [f',{label}="{word}"'] * len(records))
                for word, field in fields
            ]
            return Lines(
                b"".join([part.text for part in parts]),
                sum(part.samples for part in parts),
                sum(part.dropped for part in parts),
            )
    raise TypeError(f"{family.name}: no such projection")


def _further(names: tuple[str, ...], records: Sequence[Record]) -> list[str]:
    if not names:
        return [""] * len(records)
    return ["".join([f',{name}="{quote(getattr(record, name))}"' for name in names]) for record in records]


def _numbers(
    family: Family, labels: Sequence[str], records: Sequence[Record], field: str, tails: Sequence[str]
) -> Lines:
    lowest = 0 if family.type == "counter" else -INFINITY
    values: list[Any] = list(map(attrgetter(field), records))
    if not family.labels:
        texts = [f"{family.name} {value!r}\n" for value in values if value is not None and value - value == 0]
    else:
        head = family.name + "{"
        texts = [
            f"{head}{key}{tail}}} {value!r}\n"
            for key, tail, value in zip(labels, tails, values, strict=True)
            if value is not None and value - value == 0 and value >= lowest
        ]
    return Lines("".join(texts).encode(), len(texts), len(values) - values.count(None) - len(texts))


def _one_of(family: Family, labels: Sequence[str], held: Any, field: str, words: tuple[str, ...]) -> Lines:
    head = family.name + "{"
    tails = {true: [f',{field}="{word}"}} {int(word == true)}\n' for word in words] for true in (*words, None)}
    texts = [f"{head}{key}{tail}" for key, word in zip(labels, held, strict=True) for tail in tails[word]]
    return Lines("".join(texts).encode(), len(texts), 0)
