"""Sample lines of one family over some records: the one place where a value becomes text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from operator import attrgetter, ne
from types import NoneType
from typing import Any, NamedTuple

import msgspec

from exporter.exposition.labels import quote
from exporter.families import Family, OneOf, Split, Value, Word
from exporter.records import Record


class Lines(msgspec.Struct, frozen=True, gc=False):
    """Sample lines of a family as UTF-8, how many they are, and how many values were no number to expose."""

    text: bytes
    samples: int
    dropped: int


class Keys(NamedTuple):
    """The keys of some records as label pairs, and the same with what ends a sample's labels: `fleet="eu"} `."""

    labels: Sequence[str]
    closed: Sequence[str]

    @classmethod
    def of(cls, labels: Sequence[str]) -> Keys:
        """The keys with these label pairs."""
        return cls(labels, [key + "} " for key in labels])

    def part(self, start: int, end: int) -> Keys:
        """Some of them."""
        return Keys(self.labels[start:end], self.closed[start:end])


NOTHING = Lines(b"", 0, 0)

_ENCODE = msgspec.json.Encoder().encode

LARGEST = 2**63 - 1
"""The largest whole number that is written; Prometheus keeps 53 bits of it."""

FLOATS = frozenset((float, NoneType))

Field = Callable[[Record], Any]


class Renderer:
    """Renders one family; a value that is not finite, and a counter below 0, is left out and counted."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self._counts = family.type == "counter"
        self._bare = not family.labels
        self._head = family.name + "{"
        self._between = "\n" + self._head
        self._edge = "\n\0" + self._head
        self._fields: tuple[Field, ...] = tuple(map(attrgetter, _fields(family)))

    def lines(self, keys: Keys, records: Sequence[Record]) -> Lines:
        """The samples of `records`, each with its key."""
        if not records:
            return NOTHING
        match self._family.projection:
            case Value(None, further):
                return self._ones(_further(keys, further, records))
            case Value(str(), further):
                closed = _further(keys, further, records) if further else keys.closed
                return self._numbers(closed, list(map(self._fields[0], records)))
            case Word(field):
                pairs = zip(keys.labels, map(self._fields[0], records), strict=True)
                return self._ones([f'{key},{field}="{quote(word)}"}} ' for key, word in pairs if word is not None])
            case OneOf(field, words):
                return self._one_of(keys.labels, list(map(self._fields[0], records)), field, words)
            case Split(label, parts):
                named = zip(parts, self._fields, strict=True)
                return _joined(
                    self._numbers([f'{key},{label}="{word}"}} ' for key in keys.labels], list(map(get, records)))
                    for (word, _), get in named
                )
        raise TypeError(f"{self._family.name}: no such projection")

    def runs(self, keys: Keys, records: Sequence[Record], edges: Sequence[int]) -> list[Lines]:
        """The same in runs that end at these places: numbers of them all are written at once."""
        spans = list(pairwise((0, *edges)))
        match self._family.projection:
            case Value(str(), further) if records and not self._bare:
                closed = _further(keys, further, records) if further else keys.closed
                values = list(map(self._fields[0], records))
                text = _encoded(values)
                numbers = text.split(",")
                texts = self._texts(closed, numbers, edges)
                whole = self._all(text)
                return [
                    Lines(run, end - start, 0)
                    if whole or self._all(",".join(numbers[start:end]))
                    else self._some(closed[start:end], numbers[start:end], values[start:end])
                    for run, (start, end) in zip(texts, spans, strict=True)
                ]
        return [self.lines(keys.part(start, end), records[start:end]) for start, end in spans]

    def others(self, before: Sequence[Record], after: Sequence[Record]) -> list[bool]:
        """Tell of each of two equally long runs of records with the same keys whether its samples are others."""
        each = [list(map(ne, map(field, before), map(field, after))) for field in self._fields]
        return each[0] if len(each) == 1 else list(map(any, zip(*each, strict=True)))

    def same(self, before: Sequence[Record], after: Sequence[Record]) -> bool:
        """Tell whether the samples of two equally long runs of records with the same keys are the same."""
        return not any(_differ(before, after, field) for field in self._fields)

    def _ones(self, keys: Sequence[str]) -> Lines:
        return self._written(keys, ["1"] * len(keys), 0)

    def _numbers(self, keys: Sequence[str], values: list[Any]) -> Lines:
        """Lines of numbers; msgspec writes them several times faster than `repr`, and what is not finite as null."""
        text = _encoded(values)
        numbers = text.split(",")
        return self._written(keys, numbers, 0) if self._all(text) else self._some(keys, numbers, values)

    def _some(self, keys: Sequence[str], numbers: Sequence[str], values: list[Any]) -> Lines:
        """Lines of those numbers that are to be exposed."""
        kept = [
            (key, number)
            for key, number in zip(keys, numbers, strict=True)
            if number != "null" and not (self._counts and number[0] == "-")
        ]
        dropped = len(values) - values.count(None) - len(kept)
        return self._written([key for key, _ in kept], [number for _, number in kept], dropped)

    def _all(self, text: str) -> bool:
        """Tell whether each of the encoded numbers is one to expose."""
        return "null" not in text and not (self._counts and "-" in text)

    def _written(self, keys: Sequence[str], numbers: Sequence[str], dropped: int) -> Lines:
        """One line for each number."""
        count = len(numbers)
        if not count:
            return Lines(b"", 0, dropped) if dropped else NOTHING
        if self._bare:
            return Lines(f"{self._family.name} {numbers[0]}\n".encode(), 1, dropped)
        return Lines(self._texts(keys, numbers, [count])[0], count, dropped)

    def _texts(self, keys: Sequence[str], numbers: Sequence[str], edges: Sequence[int]) -> list[bytes]:
        """One line for each number, in runs; all are joined at once, for a text of each line would cost more.

        What stands between two runs is a character that no label has: those of control are none.
        """
        pieces = [self._between] * (3 * len(numbers) + 1)
        pieces[1::3] = keys
        pieces[2::3] = numbers
        for edge in edges[:-1]:
            pieces[3 * edge] = self._edge
        pieces[0], pieces[-1] = self._head, "\n"
        return _cut("".join(pieces).encode(), len(edges))

    def _one_of(self, labels: Sequence[str], held: list[str | None], field: str, words: tuple[str, ...]) -> Lines:
        """Lines of every word for each record; each piece ends one line and begins the next."""
        width = 2 * len(words)
        pieces: list[str] = [""] * (width * len(held))
        for place, word in enumerate(words):
            tails = {true: f',{field}="{word}"}} {int(word == true)}{self._between}' for true in (*words, None)}
            pieces[2 * place :: width] = labels
            pieces[2 * place + 1 :: width] = map(tails.__getitem__, held)
        text = self._head + "".join(pieces)
        return Lines(text[: -len(self._head)].encode(), len(held) * len(words), 0)


def _fields(family: Family) -> list[str]:
    """The fields that a family's samples are made of; the value's first."""
    match family.projection:
        case Value(field, further):
            return [*further] if field is None else [field, *further]
        case Word(field) | OneOf(field, _):
            return [field]
        case Split(_, parts):
            return [field for _, field in parts]
    raise TypeError(f"{family.name}: no such projection")


def _cut(text: bytes, count: int) -> list[bytes]:
    """Texts with a zero byte between two of them; `find` is several times faster than `split` by one byte."""
    found = []
    start = 0
    for _ in range(1, count):
        end = text.find(b"\0", start)
        found.append(text[start:end])
        start = end + 1
    return [*found, text[start:]]


def _differ(before: Sequence[Record], after: Sequence[Record], field: Field) -> bool:
    """Tell whether a field is another anywhere; where it is in the first record, the others need not be asked."""
    if not before or field(before[0]) != field(after[0]):
        return bool(before)
    return list(map(field, before)) != list(map(field, after))


def _further(keys: Keys, names: tuple[str, ...], records: Sequence[Record]) -> Sequence[str]:
    """The closed keys with further labels."""
    if not names:
        return keys.closed
    fields = [[f',{name}="{quote(text)}"' for text in map(attrgetter(name), records)] for name in names]
    return list(map("".join, zip(keys.labels, *fields, ["} "] * len(records), strict=True)))


def _encoded(values: Sequence[Any]) -> str:
    """Values as JSON with commas between; what is no finite number as null."""
    if not FLOATS.issuperset(map(type, values)):
        values = [value if _is_number(value) else None for value in values]
    return _ENCODE(values).decode()[1:-1]


def _is_number(value: Any) -> bool:
    return type(value) is float or (type(value) is int and -LARGEST <= value <= LARGEST)


def _joined(parts: Iterable[Lines]) -> Lines:
    every = list(parts)
    samples, dropped = sum([each.samples for each in every]), sum([each.dropped for each in every])
    return Lines(b"".join([each.text for each in every]), samples, dropped)
