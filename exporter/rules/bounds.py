"""What the thresholds of the rules may be beside each other: bounds that the rules need, whoever sets them."""

from __future__ import annotations

from typing import Any

from exporter.config.duration import parse_duration
from exporter.config.file import Mapping, Node, Place, Problems

SHARES = ("ratio", "share", "used")
"""Numbers that are a part of something, by key."""
FACTORS = ("celsius", "missed", "times_promised", "times_usual")
"""Numbers that must not be 0, by key."""

LEAST = {
    "alerts.RollcallNoServingNode.for": "5m",
    "alerts.RollcallModelUnserved.missed_for": "5m",
    "alerts.RollcallModelOnlyWakeable.missed_for": "5m",
}
"""Longer than this: peers list a node that was suspended for so long (mesh-llm 0.66.0)."""
MOST = {"records.runners_drawn_every": "2m", "records.tickets_every": "2m"}
"""No longer than this: Prometheus looks back 5 minutes, over two evaluations that fail."""

SHORTER = (
    ("records.run_pause", "alerts.RollcallWorkerUnknownIdle.silent_for"),
    ("records.alerts_bridge", "alerts.RollcallNoServingNode.for"),
    ("alerts.RollcallNoServingNode.for", "records.attempts_remembered_for"),
    ("alerts.RollcallModelUnserved.for", "records.split_settles_in"),
    ("alerts.RollcallModelOnlyWakeable.for", "records.split_settles_in"),
    ("alerts.RollcallHostDiskFilling.lately", "alerts.RollcallHostDiskFilling.for"),
    ("alerts.RollcallHostDiskFilling.for", "records.disk_history_until"),
    ("alerts.RollcallSourceStale.age", "alerts.RollcallSourceStale.usual_over"),
)
"""Durations of which the first must be the shorter one."""


def check(values: dict[str, Any], tree: Mapping, problems: Problems) -> None:
    """Note what a file with this tree makes wrong in all the values; alerts that are off do not matter."""
    off = tuple(f"alerts.{name}." for name, alert in values["alerts"].items() if not alert["enabled"])
    said = {path: place for path in _paths() if (place := _place(tree, path)) and not path.startswith(off)}
    for path, place in said.items():
        text = _value(values, path)
        if path in LEAST and parse_duration(text) <= parse_duration(LEAST[path]):
            problems.add(place, f"expected a duration longer than {LEAST[path]}, got {text!r}")
        if path in MOST and parse_duration(text) > parse_duration(MOST[path]):
            problems.add(place, f"expected a duration of at most {MOST[path]}, got {text!r}")
    for pair in SHORTER:
        shorter, longer = (_value(values, path) for path in pair)
        if parse_duration(shorter) < parse_duration(longer) or any(path.startswith(off) for path in pair):
            continue
        if pair[0] in said:
            problems.add(said[pair[0]], f"expected a duration shorter than {pair[1]} ({longer}), got {shorter!r}")
        elif pair[1] in said:
            problems.add(said[pair[1]], f"expected a duration longer than {pair[0]} ({shorter}), got {longer!r}")


def _paths() -> list[str]:
    return sorted({*LEAST, *MOST, *(path for pair in SHORTER for path in pair)})


def _value(values: dict[str, Any], path: str) -> str:
    found: Any = values
    for key in path.split("."):
        found = found[key]
    return str(found)


def _place(tree: Mapping, path: str) -> Place | None:
    """Find where a file says a value, None where it does not."""
    node: Node | None = tree
    for key in path.split("."):
        node = node.entries.get(key) if isinstance(node, Mapping) else None
    return node.place if node else None
