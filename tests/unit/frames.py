"""Which fields Grafana's transformations leave, by name: enough of them to find a column that is not there.

After grafana/packages/grafana-data/src/transformations of Grafana 12.4. Values are not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass
class Frame:
    """A frame: the query or transformation that it comes from, and the names of its fields."""

    ref: str
    fields: set[str]


def answered(panel: Json, labels: Mapping[str, frozenset[str]]) -> list[Frame]:
    """The frames of a panel's queries in table format, from the labels of each answer by ref."""
    several = len(panel["targets"]) > 1
    return [
        Frame(ref, {"Time", f"Value #{ref}" if several else "Value", *labels[ref]})
        for ref in (target["refId"] for target in panel["targets"])
    ]


def transformed(panel: Json, frames: list[Frame]) -> tuple[list[Frame], dict[str, str], list[str]]:
    """The frames after all transformations, the display names that fields were given, and names that were not there."""
    shown: dict[str, str] = {}
    missing: list[str] = []
    for transformation in panel["transformations"]:
        pattern = transformation.get("filter", {}).get("options", "/.*/").strip("/")
        taken = [frame for frame in frames if re.search(pattern, frame.ref)]
        rest = [frame for frame in frames if frame not in taken]
        kind, options = transformation["id"], transformation["options"]
        known = set().union(*(frame.fields for frame in taken))
        absent = sorted(_named(kind, options) - known)
        missing += [f"{kind}: {name}" for name in absent]
        frames = [*rest, *_apply(kind, options, taken)]
        if kind == "organize":
            shown |= options["renameByName"]
    return frames, shown, missing


def displayed(panel: Json, labels: Mapping[str, frozenset[str]]) -> tuple[set[str], list[str]]:
    """The display names of the fields that a panel of table frames shows, and names that were not there."""
    frames, shown, missing = transformed(panel, answered(panel, labels))
    fields = set().union(*(frame.fields for frame in frames))
    return {shown.get(field, field) for field in fields} | fields, missing


def _named(kind: str, options: Json) -> set[str]:
    """The fields that a transformation needs."""
    match kind:
        case "merge" | "filterFieldsByName":
            return set()
        case "sortBy":
            return {field["field"] for field in options["sort"]}
        case "groupBy":
            return set(options["fields"])
        case "joinByField":
            return {options["byField"]}
        case "organize":
            return {name for key in ("renameByName", "indexByName", "excludeByName") for name in options.get(key, ())}
        case "calculateField":
            binary, unary = options.get("binary", {}), options.get("unary", {})
            sides = [
                binary[side]["matcher"]["options"] for side in ("left", "right") if "matcher" in binary.get(side, ())
            ]
            return {*sides, unary["fieldName"]} if unary else set(sides)
    raise NotImplementedError(f"{kind}: say here which fields it needs and leaves")


def _apply(kind: str, options: Json, frames: list[Frame]) -> list[Frame]:
    """The frames that a transformation leaves."""
    match kind:
        case "merge" | "joinByField":
            name = "-".join((kind, *(frame.ref for frame in frames)))
            return [Frame(name, set().union(*(frame.fields for frame in frames)))] if frames else []
        case "groupBy":
            return [Frame(frame.ref, _grouped(options["fields"], frame.fields)) for frame in frames]
        case "organize":
            hidden = {name for name, hide in options.get("excludeByName", {}).items() if hide}
            return [Frame(frame.ref, frame.fields - hidden) for frame in frames]
        case "calculateField":
            return [Frame(frame.ref, frame.fields | {options["alias"]}) for frame in frames]
    return frames


def _grouped(fields: Json, known: set[str]) -> set[str]:
    kept = {name for name, how in fields.items() if how["operation"] == "groupby"}
    calculated = {f"{name} ({each})" for name, how in fields.items() for each in how["aggregations"] if name in known}
    return (kept & known) | calculated
