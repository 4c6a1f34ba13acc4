"""Why a node is in its state, for a person to read: no table, and no metric comes of it. As JSON it is an interface."""

from __future__ import annotations

import msgspec

from exporter.records.transition import Transition


class Flags(msgspec.Struct, frozen=True):
    """What an observer said of a node beside the state; None where this kind of view never says it.

    `serving_models` and `hosted_models` tell whether the lists of that name hold a model.
    """

    is_client: bool | None
    is_host: bool | None
    llama_ready: bool | None
    has_model: bool | None
    has_activity: bool | None
    serving_models: bool
    hosted_models: bool


class ObservedView(msgspec.Struct, frozen=True, kw_only=True):
    """A node as one observer reported it in its last answer, and the state that follows from this view alone.

    `source` is where the observer was read; `own` tells a node's report of itself; `chosen` is the view that stands.
    One that is not `fresh` does not count. `drift` tells that the word was none, or not what the flags give. `dissent`
    is `expected`, `real`, `brief` (real, if it lasts), or None where the view shows the state that the node is in.
    """

    observer: str
    observer_hostname: str | None
    source: str
    own: bool
    chosen: bool
    fresh: bool
    age_seconds: float | None
    hostname: str | None
    role: str | None
    version: str | None
    word: str | None
    flags: Flags
    state: str
    reason: str
    rule: str
    drift: bool
    latency: str | None
    rtt_seconds: float | None
    dissent: str | None


class NodeEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """A node, its state with the rule that gave it, its standing, what is remembered of it, and all views of it.

    `at` and `since` are Unix seconds, `judged_seconds_ago` says how old the judgement was at `at`. `reported` is the
    word that the state overrides. What depends on a fresh view is None without one; `present` and `since` are None
    where nothing is remembered. `console` is the URL of the node's own console where it answered last, `console_silent`
    tells that it does not answer for the node now. `unmeasured_seconds` is for how long nobody has known a latency.
    `transitions`, the oldest first, are known since `transitions_since`; None where nothing was ever remembered.
    """

    fleet: str
    node: str
    at: float
    judged_seconds_ago: float
    hostname: str | None = None
    role: str | None = None
    version: str | None = None
    state: str | None = None
    reason: str | None = None
    rule: str | None = None
    reported: str | None = None
    basis: str | None = None
    basis_because: str | None = None
    standing: str | None = None
    standing_because: str | None = None
    present: bool | None = None
    since: float | None = None
    console: str | None = None
    console_silent: bool | None = None
    unmeasured_seconds: float | None = None
    views_by_state: dict[str, int] = {}
    disagree_expected: int = 0
    disagree_real: int = 0
    views: tuple[ObservedView, ...] = ()
    transitions: tuple[Transition, ...] = ()
    transitions_since: float | None = None


class NodeName(msgspec.Struct, frozen=True, order=True):
    """What a node is called."""

    fleet: str
    node: str
    hostname: str | None


class Unexplained(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no explanation; `candidates` are those that a name may mean, `near` those with a similar name."""

    error: str
    candidates: tuple[NodeName, ...] = ()
    near: tuple[NodeName, ...] = ()
