"""One truth about a node from all fresh views of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from exporter.records import NodeView

GHOST_AFTER = 120.0
"""Seconds for which no view may have measured a node before it is a ghost."""

QUORUM = 2
"""The fewest observers that make a state the quorum's."""


TIES = ("held", "measured", "observer", "state")
"""What decides between views that show different states, in this order."""


def choose(views: Sequence[tuple[NodeView, str]], held: str | None) -> tuple[int, str]:
    """Choose among fresh views of one node, each with the state it shows: the index of the chosen one, and the basis.

    The node's own report stands (`self`). Else a view that shows the state of strictly most observers, at least two
    (`quorum`). Else (`single`) a view that shows the state already held, so that two dissenting consoles never make a
    node flap; else one with a measured latency; else that of the lowest observer id. Among own reports, as two
    processes with one identity give, and among those of a quorum the choice goes on in the same order. The order of
    the views does not matter, but for reports of one process that show one state.
    """
    among, basis = _among(views)
    return min(among, key=lambda index: _preference(*views[index], held)), basis


def tie(views: Sequence[tuple[NodeView, str]], held: str | None) -> str | None:
    """Tell what made `choose` choose a state, one of `TIES`; None where the views it may choose show no other."""
    among, _ = _among(views)
    best = min(among, key=lambda index: _preference(*views[index], held))
    rivals = [_preference(*views[index], held) for index in among if views[index][1] != views[best][1]]
    if not rivals:
        return None
    won, lost = _preference(*views[best], held), min(rivals)
    return next(name for name, mine, other in zip(TIES, won, lost, strict=False) if mine != other)


def _among(views: Sequence[tuple[NodeView, str]]) -> tuple[list[int], str]:
    """The views among which the choice is, and the basis."""
    own = [index for index, (view, _) in enumerate(views) if view.own]
    if own:
        return own, "self"
    most = _quorum(views)
    among = [index for index, (_, state) in enumerate(views) if most in (state, None)]
    return among, "single" if most is None else "quorum"


def _preference(view: NodeView, state: str, held: str | None) -> tuple[bool, bool, str, str, str, str]:
    return state != held, view.rtt_seconds is None, view.observer, state, view.hostname or "", view.process or ""


def _quorum(views: Sequence[tuple[NodeView, str]]) -> str | None:
    """The state that strictly most observers show; one that is polled at two URLs has one vote for a state."""
    if len(views) < QUORUM:
        return None
    votes = Counter(state for _, state in {(view.observer, state) for view, state in views})
    (first, most), *others = votes.most_common(2)
    return first if most >= QUORUM and all(most > fewer for _, fewer in others) else None


def explained(chosen: tuple[NodeView, str], dissent: tuple[NodeView, str]) -> bool:
    """Tell whether a view, given with the state it shows, differs from the chosen one by its rule alone.

    It does when both saw the same, models or none, and it shows a state that the peers' rule can give for that: serving
    or loading (runtimes announced, none ready) with models, else standby. A node's own rule gives others: loading or
    standby before its models are ready, standby with the path of an unloaded model still listed, serving without a
    list. Two peers follow different rules when one of them is too old to name states. The rules are those of mesh-llm
    0.66's `api/status`; whether a node is a client is never a matter of rules.
    """
    view, state = dissent
    stands, held = chosen
    if view.own or not (stands.own or (stands.word is None) != (view.word is None)) or held == "client":
        return False
    models = view.serving or view.hosted
    return models == (stands.serving or stands.hosted) and state in (("serving", "loading") if models else ("standby",))


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
