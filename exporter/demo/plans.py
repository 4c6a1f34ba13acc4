"""What will happen in the simulated mesh at moments that are drawn by lot."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

from exporter.demo.agenda import Agenda
from exporter.demo.nodes import Node


class Plans:
    """Puts things on the agenda, between two instants; times are simulated seconds."""

    def __init__(self, agenda: Agenda, rng: random.Random) -> None:
        self.agenda, self.rng = agenda, rng

    def after(self, least: float, most: float, action: Callable[[], None]) -> None:
        """Have `action` called between `least` and `most` seconds from now."""
        self.agenda.after(self.rng.uniform(least, most), action)

    def later(self, node: Node, least: float, most: float, step: Callable[[Node], None]) -> None:
        """Have `step` called with a node, unless that starts or stops before."""
        self.after(least, most, partial(_if_same_epoch, node, node.epoch, step))


def _if_same_epoch(node: Node, epoch: int, step: Callable[[Node], None]) -> None:
    if node.epoch == epoch:
        step(node)
