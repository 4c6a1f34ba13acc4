"""Who sees a node how: the fresh views of it, counted by state, and those that differ from the state it is in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from exporter.records import NodeView, NodeViews
from exporter.records.reading import Sighting
from exporter.state.mesh import NodeVerdict
from exporter.state.reconcile import explained

LASTING = 2
"""Reads of one observer for which a difference must last to be a real one."""

Dissents = Mapping[tuple[str, str], int]
"""Reads for which a source's view of a node has differed from its state without explanation, by node and source."""


class Seen(NamedTuple):
    """A fresh view of a node: the source that it was read from, the sighting, and the judgement of that view alone."""

    source: str
    sighting: Sighting
    verdict: NodeVerdict

    @property
    def view(self) -> NodeView:
        """The evidence."""
        return self.sighting.view

    @property
    def state(self) -> str:
        """The state that this view shows."""
        return self.verdict.state

    @property
    def ballot(self) -> tuple[str, str, str | None, str | None]:
        """What it is counted by, once: a console at two URLs is one, two processes with one identity are two."""
        view = self.sighting.view
        return view.observer, self.verdict.state, view.hostname if view.own else None, view.process


def count_views(
    views: Sequence[Seen], chosen: Seen, before: Dissents, new: Collection[str]
) -> tuple[NodeViews, dict[tuple[str, str], int]]:
    """Count the views of one node, of which the `chosen` one stands; gives the counts and what dissent remains.

    `before` is what dissent there was at the last judgement, `new` the sources that were read since. A view that two
    URLs of a console give is expected if one of them explains it.
    """
    node = chosen.view.node
    shown = Counter(state for _, state, *_ in {each.ballot for each in views})
    differing = [each for each in views if each.state != chosen.state]
    stands = chosen.view, chosen.state
    expected = {each.ballot for each in differing if explained(stands, (each.view, each.state))}
    others = [each for each in differing if each.ballot not in expected]
    dissents = {(node, each.source): before.get((node, each.source), 0) + (each.source in new) for each in others}
    real = {each.ballot for each in others if dissents[node, each.source] >= LASTING}
    found = {"expected": len(expected), "real": len(real)}
    return NodeViews(fleet=chosen.view.fleet, node=node, **found, **shown), dissents
