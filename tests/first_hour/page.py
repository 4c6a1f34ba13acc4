"""`docs/FIRST_HOUR.md` as what is typed: its blocks of commands, and what is to be seen after each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/FIRST_HOUR.md"
ANYTHING = "…"
"""Stands on the page for what differs."""

_PART = re.compile(r"^## (?P<heading>[^\n]+)$|^```(?P<kind>sh|text)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """Commands under a heading; `promised` are lines of their output, and there are some where they are a question."""

    section: str
    commands: str
    promised: tuple[str, ...] = ()

    def unseen(self, output: str) -> list[str]:
        """The promised lines that an output has not, however many blanks are between words."""
        lines = [" ".join(line.split()) for line in output.splitlines()]
        return [each for each in self.promised if not any(map(_pattern(each).fullmatch, lines))]


def _pattern(promised: str) -> re.Pattern[str]:
    parts = " ".join(promised.split()).split(ANYTHING)
    return re.compile(".*".join(map(re.escape, parts)))


def blocks(text: str) -> Iterator[Block]:
    """The blocks of a page, in order.

    A block of text belongs to the commands before it; raises ValueError where there are none.
    """
    section, last = "", None
    for part in _PART.finditer(text):
        match part["kind"]:
            case None:
                section = part["heading"]
            case "sh":
                if last is not None:
                    yield last
                last = Block(section, part["body"])
            case _:
                if last is None or last.promised:
                    raise ValueError(f"expected commands before what is to be seen, got none: {part['body']!r}")
                last = last._replace(promised=tuple(part["body"].splitlines()))
    if last is not None:
        yield last
