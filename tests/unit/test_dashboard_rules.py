"""The rules of grafana/dashboard-linter (docs/rules, 2024), on the JSON; what is excused is listed with a reason."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

import promql_parser as promql
import pytest
import yaml

from tests.unit.boards import BOARDS, choices, panels, plain, queries

Json = dict[str, Any]
RATES = ("rate", "irate", "increase", "delta", "idelta", "deriv")
WITHOUT_QUERY = ("text",)
WITHOUT_UNIT = ("table", "text")


class Excuse(NamedTuple):
    """A rule that does not hold for what a pattern such as `rollcall-fleet: Fleets*` names."""

    rule: str
    place: str
    reason: str


EXCUSES = (
    Excuse("template-job", "*", "fleets, nodes and workers are what is looked at; the job is how Prometheus calls it"),
    Excuse("template-instance", "*", "two exporters that watch one fleet say the same, and count once"),
    Excuse("target-job", "*", "as there is no variable for it"),
    Excuse("target-instance", "*", "as there is no variable for it"),
    Excuse(
        "target-counter-agg",
        "rollcall-wakeable: Wakes that ended: *",
        "counted from the start of the time range, as the counter less itself then: wakes are few, and whole",
    ),
)


def datasource_variable(board: Json) -> Iterator[str]:
    """template-datasource-rule."""
    [*found] = [variable for variable in board["templating"]["list"] if variable["type"] == "datasource"]
    if [(each["name"], each["label"], each["query"]) for each in found] != [
        ("datasource", "Data source", "prometheus")
    ]:
        yield f"{board['uid']}: variables"
    if board["templating"]["list"][0]["type"] != "datasource":
        yield f"{board['uid']}: variables: data source not first"


def _template(board: Json, name: str) -> Iterator[str]:
    if name not in {variable["name"] for variable in board["templating"]["list"]}:
        yield f"{board['uid']}: variables"


def job_variable(board: Json) -> Iterator[str]:
    """template-job-rule."""
    return _template(board, "job")


def instance_variable(board: Json) -> Iterator[str]:
    """template-instance-rule."""
    return _template(board, "instance")


def promql_of_variables(board: Json) -> Iterator[str]:
    """template-label-promql-rule."""
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            promql.parse(plain(choices(variable)))
            if variable["datasource"]["uid"] != "${datasource}":
                yield f"{board['uid']}: ${variable['name']}"


def reload_of_variables(board: Json) -> Iterator[str]:
    """template-on-time-change-reload-rule."""
    for variable in board["templating"]["list"]:
        if variable["type"] == "query" and variable["refresh"] != 2:
            yield f"{board['uid']}: ${variable['name']}"


def datasource_of_panels(board: Json) -> Iterator[str]:
    """panel-datasource-rule."""
    expected = {"type": "prometheus", "uid": "${datasource}"}
    for panel in panels(board):
        if any(one["datasource"] != expected for one in (panel, *panel.get("targets", ()))):
            yield f"{board['uid']}: {panel['title']}"
    for annotation in board["annotations"]["list"]:
        if annotation["datasource"] != expected:
            yield f"{board['uid']}: annotation {annotation['name']}"


def title_and_description(board: Json) -> Iterator[str]:
    """panel-title-description-rule; a description is a sentence."""
    for panel in panels(board):
        said = panel["description"]
        if not panel["title"] or len(said) < 30 or not said.endswith(".") or not said[0].isupper():
            yield f"{board['uid']}: {panel['title']}"


def units(board: Json) -> Iterator[str]:
    """panel-units-rule."""
    for panel in panels(board):
        if panel["type"] not in WITHOUT_UNIT and not panel["fieldConfig"]["defaults"].get("unit"):
            yield f"{board['uid']}: {panel['title']}"


def targets(board: Json) -> Iterator[str]:
    """panel-no-targets-rule."""
    for panel in panels(board):
        if panel["type"] not in WITHOUT_QUERY and not panel.get("targets"):
            yield f"{board['uid']}: {panel['title']}"


def promql_of_targets(board: Json) -> Iterator[str]:
    """target-promql-rule: what does not parse raises here."""
    for query in queries(board):
        promql.parse(plain(query.expr))
    yield from ()


def rate_interval(board: Json) -> Iterator[str]:
    """target-rate-interval-rule; a total over the range that is shown may use that range."""
    for query in queries(board):
        ranges = re.findall(rf"\b(?:{'|'.join(RATES)})\([^\[]*\[(.*?)\]", query.expr)
        if set(ranges) - ({"$__rate_interval", "$__range"} if query.instant else {"$__rate_interval"}):
            yield query.place


def _selectors(node: Any, inside: str = "") -> Iterator[tuple[Any, str]]:
    """Every vector selector, with the function that its range is an argument of."""
    match node:
        case promql.VectorSelector():
            yield node, inside
        case promql.MatrixSelector():
            yield node.vector_selector, inside
        case promql.Call():
            for argument in node.args:
                yield from _selectors(argument, node.func.name)
        case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr() | promql.AggregateExpr():
            yield from _selectors(node.expr)
        case promql.BinaryExpr():
            yield from _selectors(node.lhs)
            yield from _selectors(node.rhs)


def _unmatched(board: Json, label: str) -> Iterator[str]:
    for query in queries(board):
        for selector, _ in _selectors(promql.parse(plain(query.expr))):
            if label not in {matcher.name for matcher in selector.matchers.matchers}:
                yield query.place
                break


def job_of_targets(board: Json) -> Iterator[str]:
    """target-job-rule."""
    return _unmatched(board, "job")


def instance_of_targets(board: Json) -> Iterator[str]:
    """target-instance-rule."""
    return _unmatched(board, "instance")


def counters(board: Json) -> Iterator[str]:
    """target-counter-agg-rule."""
    for query in queries(board):
        for selector, function in _selectors(promql.parse(plain(query.expr))):
            if (selector.name or "").endswith("_total") and function not in RATES:
                yield query.place


def uneditable(board: Json) -> Iterator[str]:
    """uneditable-dashboard."""
    if board["editable"]:
        yield board["uid"]


RULES: dict[str, Callable[[Json], Iterator[str]]] = {
    "template-datasource": datasource_variable,
    "template-job": job_variable,
    "template-instance": instance_variable,
    "template-label-promql": promql_of_variables,
    "template-on-time-change-reload": reload_of_variables,
    "panel-datasource": datasource_of_panels,
    "panel-title-description": title_and_description,
    "panel-units": units,
    "panel-no-targets": targets,
    "target-promql": promql_of_targets,
    "target-rate-interval": rate_interval,
    "target-job": job_of_targets,
    "target-instance": instance_of_targets,
    "target-counter-agg": counters,
    "uneditable-dashboard": uneditable,
}


def _excused(rule: str, place: str) -> bool:
    return any(excuse.rule == rule and fnmatch(place, excuse.place) for excuse in EXCUSES)


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
@pytest.mark.parametrize("rule", RULES)
def test_rule(rule: str, board: Json) -> None:
    assert [place for place in RULES[rule](board) if not _excused(rule, place)] == []


@pytest.mark.parametrize("excuse", EXCUSES, ids=lambda excuse: f"{excuse.rule} {excuse.place}")
def test_an_excuse_is_needed_and_has_a_reason(excuse: Excuse) -> None:
    assert len(excuse.reason) > 20
    found = [place for board in BOARDS.values() for place in RULES[excuse.rule](board)]
    assert any(fnmatch(place, excuse.place) for place in found)


def _spoilt(**changes: Any) -> Json:
    panel: Json = {
        "type": "stat",
        "title": "T",
        "description": "A sentence that says enough of it.",
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "fieldConfig": {"defaults": {"unit": "s"}},
    }
    target = {"refId": "A", "expr": "up", "instant": True, "datasource": panel["datasource"]}
    panel |= {"targets": [target | changes.pop("target", {})]} | changes
    return {"uid": "u", "panels": [panel], "templating": {"list": []}, "annotations": {"list": []}, "editable": False}


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("panel-units", {"fieldConfig": {"defaults": {}}}),
        ("panel-no-targets", {"targets": []}),
        ("panel-title-description", {"description": "short"}),
        ("panel-datasource", {"datasource": {"type": "prometheus", "uid": "abc"}}),
        ("target-rate-interval", {"target": {"expr": "rate(a_total[5m])"}}),
        ("target-counter-agg", {"target": {"expr": "sum(a_total)"}}),
        ("target-job", {}),
    ],
)
def test_a_rule_finds_what_it_is_for(rule: str, changes: Json) -> None:
    assert [*RULES[rule](_spoilt(**changes))]


def test_promtool_parses_every_expression(tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        message = "promtool is not installed (Debian: apt install prometheus)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    asked = [query for board in BOARDS.values() for query in queries(board)]
    rules = [{"record": f"level:metric:{number}", "expr": plain(query.expr)} for number, query in enumerate(asked)]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}))
    command = ["promtool", "check", "rules", "--lint=none", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{len(asked)} rules found" in result.stdout
