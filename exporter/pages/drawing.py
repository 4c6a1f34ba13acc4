"""A drawing of a mesh: its nodes on a ring, in the places that they keep, and who lists whom. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, pi, sin
from typing import NamedTuple
from urllib.parse import quote

from exporter.overview import NodeRow
from exporter.overview.rows import GONE

MOST = 60
"""Nodes that are drawn at most: more are a ball of wool."""

NAMED = 24
"""Nodes that are drawn with their names at most."""

RADIUS, CENTRE, LONGEST = 105.0, (230.0, 145.0), 16
"""Of the ring, in units of the drawing, which is 460 wide and 290 high; characters of a name."""

LETTERS = {"serving": "S", "loading": "L", "standby": "B", "client": "C"}
"""What stands in a node beside its colour."""


class Dot(NamedTuple):
    """A node: its place, state and letter, where it leads, and its name where that is drawn, `anchor` beside it."""

    x: float
    y: float
    state: str
    letter: str
    href: str
    title: str
    name: str
    name_x: float
    name_y: float
    anchor: str


class Line(NamedTuple):
    """An edge between two nodes."""

    x1: float
    y1: float
    x2: float
    y2: float


class Drawing(NamedTuple):
    """A mesh; `left_out` nodes are too many for a drawing, which has none then."""

    fleet: str
    dots: Sequence[Dot]
    lines: Sequence[Line]
    left_out: int = 0

    @property
    def label(self) -> str:
        """What there is to see, for who does not."""
        states = [f"{name} is {state}" for name, state in ((dot.title, dot.state) for dot in self.dots)]
        return f"Mesh {self.fleet}: {len(self.dots)} nodes, {len(self.lines)} lines between peers. {', '.join(states)}"


def drawn(fleet: str, rows: Sequence[NodeRow]) -> Drawing | None:
    """Draw the nodes of a fleet that are there; None where there are none."""
    there = [row for row in rows if row.fleet == fleet and row.state != GONE]
    if not there:
        return None
    if len(there) > MOST:
        return Drawing(fleet, (), (), len(there))
    there.sort(key=lambda row: (row.ordinal is None, row.ordinal or 0, row.node))
    dots = {row.node: _dot(row, at, len(there)) for at, row in enumerate(there)}
    pairs = [(row.node, peer) for row in there for peer in row.peers if peer in dots and peer != row.node]
    lines = [
        Line(dots[one].x, dots[one].y, dots[other].x, dots[other].y)
        for one, other in sorted({(min(pair), max(pair)) for pair in pairs})
    ]
    return Drawing(fleet, tuple(dots.values()), lines)


def _dot(row: NodeRow, place: int, count: int) -> Dot:
    angle = 2 * pi * place / count - pi / 2
    x, y = (round(middle + RADIUS * part, 1) for middle, part in zip(CENTRE, (cos(angle), sin(angle)), strict=True))
    name = row.hostname or row.node
    short = name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"
    aside = cos(angle)
    return Dot(
        x=x,
        y=y,
        state=row.state if row.standing == "confirmed" else str(row.standing),
        letter=LETTERS.get(row.state, "?"),
        href=f"/nodes/{quote(row.node, safe='')}?fleet={quote(row.fleet, safe='')}",
        title=name,
        name=short if count <= NAMED else "",
        name_x=round(CENTRE[0] + (RADIUS + 20) * aside, 1),
        name_y=round(CENTRE[1] + (RADIUS + 20) * sin(angle) + 4, 1),
        anchor="middle" if abs(aside) < 0.2 else "start" if aside > 0 else "end",
    )
