"""What every state looks like, on every dashboard: one colour, one text, one number; readable without the colour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

GREEN, AMBER, BLUE, GREY, RED, VIOLET = "#56A64B", "#E0B400", "#3274D9", "#8E8E8E", "#E02F44", "#8F3BB8"


class State(NamedTuple):
    """How a state is drawn; `number` stands for it in a timeline, and is its row in every legend."""

    colour: str
    number: int


class Badge(NamedTuple):
    """The text and colour of a cell or a band that holds `value`."""

    value: str
    text: str
    colour: str


NODE = {
    "serving": State(GREEN, 1),
    "loading": State(AMBER, 2),
    "standby": State(GREY, 3),
    "client": State(BLUE, 4),
}
"""States of a node that is confirmed."""

NODE_CONDITION = NODE | {"unconfirmed": State(VIOLET, 5), "ghost": State("#B877D9", 6), "gone": State(RED, 7)}
"""`fleet_node:rollcall_node_condition:max`: the state, or that peers list the node and nobody confirms it (for a ghost,
nobody has measured it for long), or that it is no longer listed, while its tombstone stands."""

LATENCY = {
    "direct": State(GREEN, 1),
    "estimated": State(AMBER, 2),
    "unknown": State("#B877D9", 3),
    "not listed": State(GREY, 4),
}
"""How well a console knows its latency to a node: it measured a round trip time, estimates one, or has hearsay only."""

RELATION = {
    "hosted": State(GREEN, 1),
    "serving": State(AMBER, 2),
    "requested": State(BLUE, 3),
    "available": State(GREY, 4),
}
"""What a node has to do with a model: it serves it, is to serve it, was asked to, has it on its disk."""

WORKER = {"busy": State(GREEN, 1), "idle": State(BLUE, 2), "unknown": State(RED, 3)}
WORKER_HISTORY = WORKER | {"gone": State(RED, 4)}
UNKNOWN_REASON = {
    "silent": State(RED, 11),
    "attempt_timeout": State(VIOLET, 12),
    "attempt_unresponsive": State("#B877D9", 13),
    "attempt_flagged": State("#CA95E5", 14),
    "heartbeat_only": State(AMBER, 15),
    "unrecognised": State(GREY, 16),
}
"""Why a worker is unknown; the numbers go on from those of a worker's status, so that one timeline can hold both."""

TELEMETRY = {"fresh": State(GREEN, 21), "stale": State(AMBER, 22)}
"""Whether a worker's heartbeats are younger than the heartbeat timeout."""

THROTTLE = {
    "hw_thermal_slowdown": State(RED, 1),
    "sw_thermal_slowdown": State("#FF7383", 2),
    "hw_slowdown": State(VIOLET, 3),
    "hw_power_brake_slowdown": State("#CA95E5", 4),
    "sw_power_cap": State(AMBER, 5),
    "applications_clocks_setting": State(BLUE, 6),
    "display_clock_setting": State("#8AB8FF", 7),
    "sync_boost": State(GREY, 8),
}
"""Why a GPU is throttled: heat, the board, power, then what somebody asked for. Being idle is no reason."""

WAKEABLE = {"waking": State(AMBER, 1), "sleeping": State(GREY, 2)}
WAKEABLE_SHOWN = WAKEABLE | {"not understood": State(RED, 3)}
"""The same, and a word that Rollcall does not know."""

SLEEPING = "#5B5B66"
"""VRAM that sleeps, beside the grey of standby VRAM."""

ROLLOUT = {
    "queuing": State(BLUE, 1),
    "preparing": State(AMBER, 2),
    "running": State(GREEN, 3),
    "requeuing": State(VIOLET, 4),
    "succeeded": State("#2F6B3A", 5),
    "failed": State(RED, 6),
    "cancelled": State(GREY, 7),
}
UP = (Badge("1", "up", GREEN), Badge("0", "down", RED))
"""Badges of a 0/1 metric that says whether something answers."""

SOURCE = (*UP, Badge("0.5", "sleeping", GREY))
"""The same of a source, which may be down because its host sleeps."""

SUCCESS = (Badge("1", "yes", GREEN), Badge("0", "no", RED))
"""Badges of a 0/1 metric that says whether something succeeded."""

YES_IS_BAD = (Badge("0", "no", GREY), Badge("1", "yes", RED))
YES_IS_GOOD = (Badge("1", "yes", GREEN), Badge("0", "no", RED))


CLOSABLE = (
    Badge("standby", "standby could", AMBER),
    Badge("waking", "waking could", VIOLET),
    Badge("nothing", "nothing could", RED),
)
"""Badges of what could close the gap of a model that is missed."""


def by_word(states: Mapping[str, State]) -> tuple[Badge, ...]:
    """Badges of a column that holds the state's word, such as the label `state`."""
    return tuple(Badge(word, word, state.colour) for word, state in states.items())


def by_number(states: Mapping[str, State]) -> tuple[Badge, ...]:
    """Badges of a series that holds the state's number."""
    return tuple(Badge(str(state.number), word, state.colour) for word, state in states.items())


def colours(states: Mapping[str, State]) -> dict[str, str]:
    """Colour by word, in the order of legends."""
    return {word: state.colour for word, state in states.items()}


def numbered(states: Mapping[str, State], metric: str, label: str, labels: Iterable[str], matchers: str) -> str:
    """The PromQL of a timeline: per set of `labels`, the number of the one state that `metric` says is 1.

    `metric` is a family with one 0/1 row per state, named by `label`; `matchers` select the fleets.
    """
    by = ", ".join(labels)
    return " or ".join(
        f'{state.number} * max by ({by}) ({metric}{{{matchers},{label}="{word}"}} == 1)'
        for word, state in states.items()
    )
