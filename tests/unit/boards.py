"""The generated dashboards as tests read them: the JSON, never the builders."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
PROVISIONED, IMPORTABLE = ROOT / "grafana/dashboards", ROOT / "grafana/importable"

LABEL_VALUES = re.compile(r"label_values\((.+), *(\w+)\)", re.DOTALL)
QUERY_RESULT = re.compile(r"query_result\((.+)\)", re.DOTALL)

Json = dict[str, Any]


class Query(NamedTuple):
    """An expression of a dashboard as it is written, with Grafana's variables, and where it is."""

    place: str
    expr: str
    instant: bool


def load(folder: Path = PROVISIONED) -> dict[str, Json]:
    """The dashboards of a folder, by uid."""
    boards = [json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))]
    return {board["uid"]: board for board in boards}


BOARDS = load()


def panels(board: Json) -> Iterator[Json]:
    """All panels, those in collapsed rows too; rows themselves are none."""
    for panel in board["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def queries(board: Json) -> Iterator[Query]:
    """Every expression that a dashboard asks: of panels, of variables (as what gives their choices), of annotations."""
    for panel in panels(board):
        for target in panel.get("targets", ()):
            place = f"{board['uid']}: {panel['title']}: {target['refId']}"
            yield Query(place, target["expr"], target["instant"])
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield Query(f"{board['uid']}: ${variable['name']}", choices(variable), True)
    for annotation in board["annotations"]["list"]:
        yield Query(f"{board['uid']}: annotation {annotation['name']}", annotation["target"]["expr"], False)


def choices(variable: Json) -> str:
    """An expression whose answer has a series per choice of a variable. Raises ValueError for another kind of query."""
    text = variable["query"]["query"]
    if found := LABEL_VALUES.fullmatch(text):
        return f"count by ({found[2]}) ({found[1]})"
    if found := QUERY_RESULT.fullmatch(text):
        return found[1]
    raise ValueError(f"{variable['name']}: expected label_values(…) or query_result(…), found {text}")


def plain(expr: str) -> str:
    """An expression with a duration in place of Grafana's."""
    return re.sub(r"\$__(rate_interval|range|interval)\b", "5m", expr)


def of_panels() -> list[tuple[str, Json]]:
    """Every panel of every dashboard, with a name for it."""
    return [(f"{uid}: {panel['title']}", panel) for uid, board in BOARDS.items() for panel in panels(board)]


def strings(value: Any) -> Iterator[str]:
    """Every text in a piece of JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)
