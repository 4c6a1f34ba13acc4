"""How a figure grows with its size: a line or a power, fitted to what was measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

Points = Sequence[tuple[float, float]]
"""Sizes with the figures measured there; neither is 0."""

Cost = Callable[[float], float]
"""The figure at a size."""


def line(points: Points) -> Cost:
    """a + b n, of least squares of relative errors, so that small sizes count as much; a is not below 0."""
    constant, slope = [1 / figure for _, figure in points], [size / figure for size, figure in points]
    cc, cs, ss = _product(constant, constant), _product(constant, slope), _product(slope, slope)
    a = (sum(constant) * ss - sum(slope) * cs) / (cc * ss - cs * cs)
    b = (sum(slope) * cc - sum(constant) * cs) / (cc * ss - cs * cs)
    if a < 0:
        a, b = 0.0, sum(slope) / ss
    return lambda size: a + b * size


def power(points: Points) -> Cost:
    """c n^e, of least squares of logarithms: where a larger size costs more of each, as memory is farther away."""
    sizes, figures = [math.log(size) for size, _ in points], [math.log(figure) for _, figure in points]
    middle, centre = sum(sizes) / len(sizes), sum(figures) / len(figures)
    across = [size - middle for size in sizes]
    e = _product(across, [figure - centre for figure in figures]) / _product(across, across)
    return lambda size: math.exp(centre + e * (math.log(size) - middle))


def _product(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


class Growth(NamedTuple):
    """A figure measured at several sizes, and in what form it grows."""

    what: str
    unit: str
    points: Points
    form: Callable[[Points], Cost]

    @property
    def cost(self) -> Cost:
        """What all points say of any size."""
        return self.form(self.points)

    def told(self) -> list[tuple[float, float, float]]:
        """Each size, what was measured, and what the cost of all points says."""
        cost = self.cost
        return [(size, figure, cost(size)) for size, figure in self.points]

    def foretold(self) -> tuple[float, float, float]:
        """The largest size, what was measured, and what the others say of it."""
        *others, (size, figure) = self.points
        return size, figure, self.form(others)(size)
