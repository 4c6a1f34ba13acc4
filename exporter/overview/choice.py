"""What somebody wants to see of an overview: which fleet, state and text, in which order, and how many rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from exporter.overview.rows import TABLES, Overview, Row

MOST = 100_000
"""Rows of a table that are given at most."""

R = TypeVar("R", bound=Row)


class ChoiceError(ValueError):
    """A parameter that cannot be followed; the text says which, what was expected and what was found."""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What is wanted; `sort` and `page` (from 1) are by table, `limit` is rows of each table and page.

    A sort is the name of a field, with `-` before it where the largest come first.
    """

    fleet: str = ""
    q: str = ""
    state: str = ""
    sort: Mapping[str, str] = {}
    page: Mapping[str, int] = {}
    limit: int = 100

    @classmethod
    def of(cls, parameters: Mapping[str, str], limit: int) -> Choice:
        """Read the parameters of a request: `fleet`, `q`, `state`, `limit`, `sort_TABLE` and `page_TABLE`.

        Raises ChoiceError for one that is not known, or whose value is not.
        """
        known = {"fleet", "q", "state", "limit", *(f"{what}_{name}" for what in ("sort", "page") for name in TABLES)}
        for name in parameters:
            if name not in known:
                raise ChoiceError(f"expected one of {', '.join(sorted(known))}, got {name[:40]!r}")
        sort = {name: parameters[f"sort_{name}"] for name in TABLES if parameters.get(f"sort_{name}")}
        for name, field in sort.items():
            fields = TABLES[name].__struct_fields__
            if field.removeprefix("-") not in fields:
                raise ChoiceError(f"sort_{name}: expected one of {', '.join(fields)}, got {field[:40]!r}")
        return cls(
            fleet=parameters.get("fleet", ""),
            q=parameters.get("q", "")[:200],
            state=parameters.get("state", ""),
            sort=sort,
            page={name: _number(parameters, f"page_{name}", 1) for name in TABLES},
            limit=_number(parameters, "limit", limit),
        )


def chosen(overview: Overview, choice: Choice) -> Overview:
    """The rows that are wanted, in order; `of` counts those of all pages. Fleets are those of the fleet alone."""
    tables: dict[str, Any] = {}
    of: dict[str, int] = {}
    for name in TABLES:
        rows = _ordered(_kept(getattr(overview, name), choice), choice.sort.get(name, ""))
        of[name] = len(rows)
        start = (choice.page.get(name, 1) - 1) * choice.limit
        tables[name] = tuple(rows[start : start + choice.limit])
    fleets = tuple(row for row in overview.fleets if choice.fleet in ("", row.fleet))
    return msgspec.structs.replace(overview, fleets=fleets, of=of, **tables)


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """A key that sorts `w-2` before `w-10`."""
    return tuple(
        (0, int(part), "") if part.isdecimal() and part.isascii() and len(part) < 19 else (1, 0, part.casefold())
        for part in re.split(r"(\d+)", text)
        if part
    )


def _kept(rows: Sequence[R], choice: Choice) -> list[R]:
    kept = [row for row in rows if choice.fleet in ("", row.fleet)]
    if choice.state:
        kept = [row for row in kept if choice.state in _states(row)]
    words = choice.q.casefold().split()
    return [row for row in kept if _has(row, words)] if words else kept


def _states(row: Row) -> set[str]:
    """What a row may be asked for by: its state, and why it is in it."""
    return {str(getattr(row, field, None)) for field in (row.STATE, "reason", "standing")}


def _has(row: Row, words: Sequence[str]) -> bool:
    fields = [getattr(row, field) for field in row.SEARCHED]
    texts = [" ".join(field) if isinstance(field, tuple) else field or "" for field in fields]
    text = "\n".join(texts).casefold()
    return all(word in text for word in words)


def _ordered(rows: list[R], sort: str) -> list[R]:
    """The unhealthy first, then by name; or by a field, in which what is not said comes last."""
    keyed = [(row.rank, natural(f"{row.fleet} {row.name}"), at) for at, row in enumerate(rows)]
    by_name = [rows[at] for _, _, at in sorted(keyed)]
    if not sort:
        return by_name
    field = sort.removeprefix("-")
    said = [row for row in by_name if _value(row, field) is not None]
    said.sort(key=lambda row: _sortable(_value(row, field)), reverse=sort.startswith("-"))
    return said + [row for row in by_name if _value(row, field) is None]


def _value(row: Row, field: str) -> Any:
    value = getattr(row, field)
    return None if value in ("", ()) else value


def _sortable(value: Any) -> Any:
    if isinstance(value, str | tuple):
        return natural(" ".join(value) if isinstance(value, tuple) else value)
    return value


def _number(parameters: Mapping[str, str], name: str, default: int) -> int:
    text = parameters.get(name) or str(default)
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:7]) <= MOST and len(text) <= 6):
        raise ChoiceError(f"{name}: expected a whole number from 1 to {MOST}, got {text[:40]!r}")
    return int(text)
