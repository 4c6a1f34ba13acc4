"""What the templates show: an overview as sections of tables, each with links that sort it and turn its pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from exporter.overview import Choice, FleetRow, Overview
from exporter.overview.rows import GONE, TABLES
from exporter.pages.cells import COLUMNS, FLEET, Cell, Column
from exporter.pages.drawing import Drawing, drawn

DRAWN = 3
"""Meshes that are drawn where no fleet is chosen."""

TITLES = {
    "nodes": ("Nodes", "mesh-llm nodes that are here, and those that left a moment ago"),
    "workers": ("Workers", "Agent Lightning workers and those of the registry"),
    "wakeable": ("Wakeable capacity", "what sleeps and could be woken; never a node of the mesh"),
    "sources": ("Sources", "what this exporter reads, and how that goes"),
}


class Heading(NamedTuple):
    """A column's head: `order` is ARIA's word for how the table is sorted by it, empty where it is not."""

    title: str
    href: str
    order: str
    number: bool


class Section(NamedTuple):
    """A table of one page of rows, the first of which is number `first` of `of`."""

    name: str
    title: str
    caption: str
    headings: Sequence[Heading]
    rows: Sequence[Sequence[Cell]]
    first: int
    of: int
    before: str
    after: str


class View(NamedTuple):
    """A whole page: what was chosen, the fleets, the sections that have rows, and the meshes drawn."""

    choice: Choice
    fleets: Sequence[FleetRow]
    sections: Sequence[Section]
    drawings: Sequence[Drawing]
    states: Sequence[str]
    told: str


def view(everything: Overview, shown: Overview, choice: Choice) -> View:
    """Arrange the rows that are `shown` of everything."""
    sections = [_section(name, shown, choice, several=len(everything.fleets) > 1) for name in TABLES]
    fleets = [row.fleet for row in shown.fleets if row.nodes]
    drawings = [found for fleet in fleets[:DRAWN] if (found := drawn(fleet, everything.nodes))]
    return View(
        choice=choice,
        fleets=shown.fleets,
        sections=[each for each in sections if each.of or getattr(everything, each.name)],
        drawings=drawings,
        states=_states(everything),
        told=told(shown.fleets),
    )


def told(fleets: Sequence[FleetRow]) -> str:
    """What matters most, in a sentence."""
    nodes, workers = (sum(sum(getattr(row, what).values()) for row in fleets) for what in ("nodes", "workers"))
    unknown = sum(row.workers.get("unknown", 0) for row in fleets)
    serving = sum(row.nodes.get("serving", 0) for row in fleets)
    asleep = sum(row.wakeable.get("sleeping", 0) for row in fleets)
    down = sum(row.sources_down for row in fleets)
    parts = [f"{serving} of {nodes} nodes serve"] if nodes else []
    parts += [f"{unknown} of {workers} workers are unknown"] if workers else []
    parts += [f"{asleep} could be woken"] if asleep else []
    parts += [f"{down} of {sum(row.sources for row in fleets)} sources are down"] if down else []
    return "; ".join(parts) + "." if parts else ""


def link(choice: Choice, **changes: str) -> str:
    """The page with other parameters; what is not changed stays, but for pages where anything else changes."""
    said = {"fleet": choice.fleet, "q": choice.q, "state": choice.state}
    said |= {f"sort_{name}": field for name, field in choice.sort.items()}
    if all(name.startswith("page_") for name in changes):
        said |= {f"page_{name}": str(page) for name, page in choice.page.items() if page > 1}
    said |= changes
    query = urlencode({name: text for name, text in said.items() if text})
    return f"/?{query}" if query else "/"


def _section(name: str, shown: Overview, choice: Choice, *, several: bool) -> Section:
    title, caption = TITLES[name]
    rows = getattr(shown, name)
    columns = [column for column in COLUMNS[name] if several or column is not FLEET]
    columns = [each for each in columns if each.always or any(getattr(row, each.field) is not None for row in rows)]
    page, of = choice.page.get(name, 1), shown.of.get(name, 0)
    first = (page - 1) * choice.limit + 1
    cells = [[column.cell(row, shown.at) for column in columns] for row in rows]
    numbers = [any(row[place].number for row in cells) for place in range(len(columns))]
    return Section(
        name=name,
        title=title,
        caption=caption,
        headings=[
            _heading(name, column, choice, number=number) for column, number in zip(columns, numbers, strict=True)
        ],
        rows=cells,
        first=first,
        of=of,
        before=link(choice, **{f"page_{name}": str(page - 1)}) if page > 1 else "",
        after=link(choice, **{f"page_{name}": str(page + 1)}) if first + len(rows) <= of else "",
    )


def _heading(table: str, column: Column, choice: Choice, *, number: bool) -> Heading:
    field, now = column.field, choice.sort.get(table, "")
    order = {field: "ascending", f"-{field}": "descending"}.get(now, "")
    following = {"ascending": f"-{field}", "descending": ""}.get(order, field)
    return Heading(column.title, f"{link(choice, **{f'sort_{table}': following})}#{table}", order, number)


def _states(everything: Overview) -> list[str]:
    """States and reasons that somebody may want to see alone."""
    found = {row.state for row in everything.nodes} | {row.state for row in everything.wakeable if row.state}
    found |= {row.status for row in everything.workers} | {row.reason for row in everything.workers if row.reason}
    found |= {row.standing for row in everything.nodes if row.standing not in (None, "confirmed")}
    order = ("unknown", GONE, "ghost", "unconfirmed")
    return sorted(filter(None, found), key=lambda state: (state not in order, state))
