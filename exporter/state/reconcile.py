"""One truth about a node from all fresh views of it."""

from __future__ import annotations

from collections.abc import Sequence

from exporter.records import NodeView

GHOST_AFTER = 120.0
"""Seconds for which no view may have measured a node before it is a ghost."""


def choose(views: Sequence[tuple[NodeView, str]], held: str | None) -> tuple[int, str]:
    """Choose among fresh views of one node, each with the state it shows: the index of the chosen one, and the basis.

    The node's own report stands (`self`). Else (`single`) a view that shows the state already held, so that two
    dissenting consoles never make a node flap; else one with a measured latency; else that of the lowest observer id.
    The order of the views does not matter.
    """
    own = [index for index, (view, _) in enumerate(views) if view.own]
    among = own or list(range(len(views)))

    def preference(index: int) -> tuple[bool, bool, str, str]:
        view, state = views[index]
        return state != held, view.rtt_seconds is None, view.observer, state

    return min(among, key=preference), "self" if own else "single"


def standing(views: Sequence[NodeView], own_silent: bool, unmeasured_for: float) -> str:
    """Tell what a node's capacity counts as: `confirmed`, `unconfirmed` or `ghost`.

    Confirmed while its own console answers, or it has none among the polled (`own_silent` false) and some fresh view
    measured a latency to it. A ghost is one that no fresh view has known a latency of for `GHOST_AFTER`;
    `unmeasured_for` is how long that has been so, in seconds.
    """
    if any(view.own for view in views):
        return "confirmed"
    if unmeasured_for >= GHOST_AFTER:
        return "ghost"
    measured = any(view.rtt_seconds is not None for view in views)
    return "confirmed" if measured and not own_silent else "unconfirmed"


def unmeasured(views: Sequence[NodeView]) -> bool:
    """Tell whether nobody knows a latency of a node: no own report, and every view says null and unknown."""
    return all(not view.own and view.rtt_seconds is None and view.latency in (None, "unknown") for view in views)
