"""The rules about nodes in words, for people: what each reason, basis and standing means."""

from __future__ import annotations

from exporter.state.reconcile import GHOST_AFTER

REASONS = {
    "reported": "the word that is said stands",
    "stage_ready": "it holds a ready stage of a split model: what would be standby is serving",
    "assigned_not_ready": "models are assigned and llama_ready is false: what would be standby is loading",
    "is_client": "is_client is true",
    "work_ready": "it is host or has models of its own, names a model, and llama_ready is true",
    "work_not_ready": "it is host or has models of its own, names a model, and llama_ready is not true",
    "no_work": "it is neither host nor has models of its own, or names no model",
    "role_client": "its role is Client",
    "has_models": "models are listed as serving or hosted",
    "no_models": "no models are listed as serving or hosted",
}
"""What each reason of `mesh.node_state` means."""

TIES = {
    "held": "of views that differ, one that shows the state it was in before",
    "measured": "of views that differ, and none shows the state it was in before, one with a measured latency",
    "observer": "of views that differ, that of the lowest observer id",
    "state": "of reports under one identity that differ, the first state in the order of the alphabet",
}
"""What each of `reconcile.TIES` means."""


def because_of_basis(basis: str, tie: str | None, observers: int, agreeing: int) -> str:
    """Say why a view stands; `agreeing` of `observers` with a fresh view show its state."""
    decided = "" if tie is None else f"; {TIES[tie]}"
    match basis:
        case "self":
            return f"its own console's report comes before every other{decided}"
        case "quorum":
            return f"no report of its own; {agreeing} of {observers} observers show this state, strictly most"
        case _ if observers == 1:
            return f"no report of its own; only one observer has a view of it{decided}"
        case _:
            return f"no report of its own, and no state that strictly most observers show{decided}"


def because_of_standing(standing: str, own: bool, measured: int, console: str | None) -> str:
    """Say why a node has its standing: its `own` report is fresh, or `measured` views of it have a latency.

    `console` is the URL of its own console where that is polled and does not answer for it.
    """
    match standing:
        case "confirmed" if own:
            return "its own console answers"
        case "confirmed":
            return f"none of its own among the consoles polled, and views with a measured latency: {measured}"
        case "ghost":
            return f"nobody has known a latency of it for {GHOST_AFTER:g} s, and it has no report of its own"
        case _ if console is not None:
            return f"its own console, polled at {console}, does not answer for it; views with a latency: {measured}"
        case _:
            return "no report of its own, and no fresh view has a measured latency"
