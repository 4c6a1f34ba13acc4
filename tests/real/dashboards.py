"""Asks a real Prometheus what a dashboard would ask it, with Grafana's variables put in."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from tests.unit.boards import BOARDS, LABEL_VALUES, Query, choices, panels, queries

RANGE = 600
"""Seconds that a range query covers, until now: on a busy machine all that is to happen takes minutes."""

STEP = 5
DURATIONS = {"__rate_interval": "15s", "__interval": f"{STEP}s", "__range": f"{RANGE}s"}
VARIABLE = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|([a-zA-Z_]\w*))")

Series = list[dict[str, str]]
"""The labels of each series of an answer."""


class Answer(NamedTuple):
    """What a query was answered: the `result` of Prometheus' API, and an error where there was one."""

    query: Query
    result: list[Any]
    error: str | None

    @property
    def series(self) -> Series:
        """The labels of each series."""
        return [each["metric"] for each in self.result]


class Told(NamedTuple):
    """What a Prometheus told at one instant: the answers to all that each dashboard asks, by uid, and to `further`."""

    boards: Mapping[str, list[Answer]]
    further: Mapping[str, list[Any]]

    def panels(self, board: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Answer]]]:
        """Each panel of a dashboard that asks anything, with the answers by ref."""
        found = {answer.query.place: answer for answer in self.boards[board["uid"]]}
        for panel in panels(board):
            if panel.get("targets"):
                yield (
                    panel,
                    {t["refId"]: found[f"{board['uid']}: {panel['title']}: {t['refId']}"] for t in panel["targets"]},
                )


def filled(expr: str, values: Mapping[str, str]) -> str:
    """An expression with the values of variables; `$1` of a replacement is none. Raises KeyError for an unknown one."""
    return VARIABLE.sub(lambda found: {**DURATIONS, **values}[found[1] or found[2]], expr)


class Engine(Protocol):
    """A Prometheus, or what answers as one does."""

    def api(self, path: str, **parameters: str) -> Any:
        """The data of an answer of its API; raises AssertionError for one that says it is an error."""


class Asker:
    """An engine, and what the variables of a dashboard are; `preferred` is text that a choice should begin with."""

    def __init__(self, prometheus: Engine, preferred: Mapping[str, str]) -> None:
        self.prometheus = prometheus
        self.preferred = preferred
        self.now = time.time()

    def told(self, *further: str) -> Told:
        """Ask all that the dashboards ask, and these further queries."""
        boards = {uid: [*self.answers(board)] for uid, board in BOARDS.items()}
        return Told(boards, {expr: self._instant(expr) for expr in further})

    def variables(self, board: dict[str, Any]) -> dict[str, str]:
        """What the variables of a dashboard would be at first: all, or the preferred choice, else the first."""
        values = {"datasource": "prometheus"}
        for variable in board["templating"]["list"][1:]:
            if variable["type"] != "query":
                values[variable["name"]] = ".*" if variable["type"] == "custom" else ""
            elif variable["includeAll"]:
                values[variable["name"]] = variable["allValue"]
            else:
                values[variable["name"]] = self._choice(variable, values)
        return values

    def _choice(self, variable: dict[str, Any], values: Mapping[str, str]) -> str:
        found = self._instant(filled(choices(variable), values))
        offered = [choice for each in found if (choice := _offered(variable, each["metric"], each["value"]))]
        if variable["sort"]:
            offered.sort()
        wanted = [choice for choice in offered if choice[0].startswith(self.preferred.get(variable["name"], ""))]
        return (wanted or offered or [("", "")])[0][1]

    def answers(self, board: dict[str, Any]) -> Iterator[Answer]:
        """What everything that a dashboard asks is answered."""
        values = self.variables(board)
        for query in queries(board):
            yield self.ask(query, values)

    def ask(self, query: Query, values: Mapping[str, str]) -> Answer:
        """What one query is answered."""
        expr = filled(query.expr, values)
        try:
            result = self._instant(expr) if query.instant else self._range(expr)
        except AssertionError as error:
            return Answer(query, [], f"{error}: {expr}")
        return Answer(query, result, None)

    def _instant(self, expr: str) -> list[Any]:
        result: list[Any] = self.prometheus.api("query", query=expr, time=f"{self.now:.3f}")["result"]
        return result

    def _range(self, expr: str) -> list[Any]:
        times = {"start": f"{self.now - RANGE:.3f}", "end": f"{self.now:.3f}", "step": str(STEP)}
        result: list[Any] = self.prometheus.api("query_range", query=expr, **times)["result"]
        return result


def _offered(variable: dict[str, Any], labels: dict[str, str], value: list[Any]) -> tuple[str, str] | None:
    """The text and value of the choice that a series gives, as Grafana makes them."""
    if found := LABEL_VALUES.fullmatch(variable["query"]["query"]):
        return labels.get(found[2], ""), labels.get(found[2], "")
    name = labels.pop("__name__", "")
    shown = name + "{" + ",".join(f'{key}="{text}"' for key, text in sorted(labels.items())) + "} " + str(value[1])
    pattern = variable["regex"].strip("/").replace("(?<", "(?P<")
    match = re.search(pattern, shown)
    return (match["text"], match["value"]) if match else None
