"""Text for terminals: aligned, and nothing that an upstream said can steer one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from exporter.records.transition import Transition

UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
"""Units of a span of time, in seconds."""

CHANGED = ("at", "from", "to")
"""What changes of state or status are shown under."""

LONGEST = 64
"""Characters of one thing that an upstream said, at most."""


def printable(text: str) -> str:
    """Text without control characters, surrogates, and signs that change the direction of others."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in text)


def short(text: str) -> str:
    """Printable text of at most `LONGEST` characters."""
    return printable(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…")


def span(seconds: float) -> str:
    """A length of time by its two largest units."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    rest, parts = int(seconds), []
    for unit, size in UNITS:
        if rest >= size:
            parts.append(f"{rest // size}{unit}")
            rest %= size
    return "".join(parts[:2])


def moment(at: float) -> str | None:
    """A time in Unix seconds, as UTC; None for one that no calendar has."""
    try:
        return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return None


def since(start: float | None, now: float) -> str:
    """Since when, and for how long, in words that follow others; nothing where it is not said."""
    text = None if start is None else moment(start)
    return "" if start is None or text is None else f" since {text}, for {span(max(0.0, now - start))}"


def facts(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    """A line per fact that has a text, aligned."""
    told = [(name, text) for name, text in pairs if text]
    width = max(len(name) for name, _ in told)
    yield from (f"{name:<{width}}  {printable(text)}" for name, text in told)


def table(rows: Sequence[Sequence[str]], paint: Paint) -> Iterator[str]:
    """Columns of equal width, without those that are empty in all rows but the first."""
    kept = [column for column in range(len(rows[0])) if column == 0 or any(row[column] for row in rows[1:])]
    widths = {column: max(len(row[column]) for row in rows) for column in kept}
    for row in rows:
        cells = [paint(row[column]) + " " * (widths[column] - len(row[column])) for column in kept]
        yield "  ".join(cells).rstrip()


def change_rows(transitions: Iterable[Transition]) -> list[list[str]]:
    """The cells of each change of state or status, under `CHANGED`."""
    return [[moment(each.at) or "?", *map(_word, (each.origin, each.target))] for each in transitions]


def changes(what: str, known_since: float | None, now: float, transitions: Iterable[Transition]) -> Iterator[str]:
    """The last changes of state or status, below a line that says since when they are known; nothing where none are."""
    if known_since is not None:
        rows = change_rows(transitions)
        yield from ("", f"changes of {what} known{since(known_since, now)}:")
        yield from table([CHANGED, *rows], PLAIN) if rows else ("none",)


def _word(word: str | None) -> str:
    return "not there" if word is None else short(word)


class Paint:
    """Colours a word, or leaves it as it is; `colours` are SGR parameters of ECMA-48."""

    def __init__(self, colours: Mapping[str, str]) -> None:
        self._colours = colours

    def __call__(self, text: str) -> str:
        colour = self._colours.get(text.rpartition(" ")[2])
        return text if colour is None else f"\x1b[{colour}m{text}\x1b[0m"


PLAIN = Paint({})
"""Colours nothing."""
