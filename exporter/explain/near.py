"""Names much like one that nobody has."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TypeVar

NEAR = 5
"""Names at most that are offered instead of one that nobody has."""

COMPARED = 500
"""Names at most that are compared letter by letter, which takes about 0.1 ms each."""

LONGEST = 128
"""Characters of a name that is looked for, at most, in an answer."""

T = TypeVar("T")


def alike(name: str, called: Iterable[tuple[str | None, T]]) -> tuple[T, ...]:
    """A few of those whose name holds this text, or is much like it; each may be called by several names."""
    text = name[:LONGEST].casefold()
    known: dict[str, T] = {}
    for title, each in called:
        if title:
            known.setdefault(title.casefold(), each)
    holding = sorted(title for title in known if text and text in title)
    compared = [title for title in sorted(known)[:COMPARED] if len(title) <= LONGEST]
    found = dict.fromkeys([*holding[:NEAR], *get_close_matches(text, compared, NEAR)])
    return tuple(dict.fromkeys(known[title] for title in found))[:NEAR]
