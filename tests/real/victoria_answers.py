"""What two engines answer to the same question, compared; and where a VictoriaMetrics may answer otherwise, and why."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatch
from math import isclose
from typing import Any, NamedTuple

from tests.real.dashboards import Answer

EXTERNAL = "cluster"
"""The label that what is written has, and what is asked at home has not."""

Values = dict[float, float]


class Difference(NamedTuple):
    """Queries at a place that match an expression may differ in so much.

    `may` is what: `values`, of the same series; `times` too; `more` series, beside Prometheus' own; `labels` of as many
    series; `all`, if only it answers.
    """

    place: str
    asks: str
    may: str
    reason: str


COUNTED = "rate and increase take in the sample before the window and do not extrapolate"
DIFFERENCES = (
    Difference("*: annotation *", r"increase\(", "times", COUNTED + ", so that > 0 holds a step longer or shorter"),
    Difference("rollcall-self: Sources: E", r"increase\(", "more", COUNTED + "; a new counter counts from 0"),
    Difference(
        "rollcall-wakeable: Providers: I", r"increase\(", "all", "what holds of increase and of nameless providers"
    ),
    Difference("rollcall-runner: What it held: [ABC]", r"range:", "all", "its subqueries look at other instants"),
    Difference("*", r"changes\(", "more", "changes counts the first sample of a series as one"),
    Difference("rollcall-self: Series by family: A", "topk", "labels", "topk chooses others where values are equal"),
    Difference(
        "rollcall-wakeable: *",
        '"none named"',
        "labels",
        "1.79 finds a stray value where label_replace reads an absent label that it also writes",
    ),
    Difference("*", r"(rate|increase)\(", "values", COUNTED),
)
"""The first that fits holds."""


def difference(answer: Answer) -> Difference | None:
    """What is allowed for a query."""
    fits = (each for each in DIFFERENCES if fnmatch(answer.query.place, each.place))
    return next((each for each in fits if re.search(each.asks, answer.query.expr)), None)


def unlike(one: Answer, other: Answer) -> list[str]:
    """How a VictoriaMetrics' answer `other` differs from Prometheus' answer `one`, beyond what is allowed."""
    if one.error or other.error:
        return [f"{each}" for each in (one.error, other.error) if each]
    allowed = difference(one)
    may = allowed.may if allowed else ""
    first, second = _series(one.result), _series(other.result)
    if may in ("labels", "all"):
        same = may == "all" or len(first) == len(second)
        return [] if same else [f"{len(first)} series, and {len(second)}"]
    found = [f"only Prometheus has {key}" for key in first.keys() - second.keys()]
    if may == "more":
        return found
    found += [f"only VictoriaMetrics has {key}" for key in second.keys() - first.keys()]
    for key in first.keys() & second.keys() if may != "times" else ():
        found += [f"{key}: {each}" for each in _points(first[key], second[key], compare=may != "values")]
    return found


def _series(result: list[Any]) -> dict[str, Values]:
    found: dict[str, Values] = {}
    for each in result:
        key = json.dumps({name: text for name, text in each["metric"].items() if name != EXTERNAL}, sort_keys=True)
        assert key not in found, f"two series {key}"
        points = each["values"] if "values" in each else [each["value"]]
        found[key] = {round(float(at), 3): float(value) for at, value in points}
    return found


def _points(one: Values, other: Values, *, compare: bool) -> list[str]:
    """Points that only one has, and those with other values; a store rounds times of day to some microseconds."""
    found = [f"a value at {at} in one only" for at in sorted(one.keys() ^ other.keys())]
    if compare:
        for at in sorted(one.keys() & other.keys()):
            if not isclose(one[at], other[at], rel_tol=1e-6, abs_tol=1e-5):
                found.append(f"{one[at]} and {other[at]} at {at}")
    return found
