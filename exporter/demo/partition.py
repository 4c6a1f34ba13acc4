"""A mesh that has fallen into two halves, neither of which hears of the other."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from exporter.demo.nodes import Node


class Partition:
    """The cut of a mesh at an instant (simulated seconds): nodes with the ids `half` on one side, all others beyond.

    To each side the other one is what it was at the cut.
    """

    def __init__(self, half: Collection[str], nodes: Iterable[Node], at: float) -> None:
        self.at = at
        self._half = frozenset(half)
        self._last_seen = [msgspec.structs.replace(node) for node in nodes]

    def same_side(self, one: Node, other: Node) -> bool:
        """Tell whether two nodes still hear of each other."""
        return (one.node_id in self._half) == (other.node_id in self._half)

    def beyond(self, observer: Node) -> list[Node]:
        """The nodes of the other side, as the observer's side saw them last."""
        return [node for node in self._last_seen if not self.same_side(node, observer)]
