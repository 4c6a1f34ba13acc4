"""Every metric and label that prometheus/ and grafana/ name is declared in exporter.families or recorded by a rule."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.families import FAMILIES
from tests.unit.promql import TARGET_LABELS, labels_of, undeclared

ROOT = Path(__file__).parents[2]
RULES = sorted(ROOT.glob("prometheus/rules/*.yml"))
TESTS = sorted(ROOT.glob("prometheus/tests/*.yml"))
DASHBOARDS = sorted(ROOT.glob("grafana/dashboards/*.json"))

TEMPLATE_QUERY = re.compile(r'printf "((?:[^"\\]|\\.)*)"')
TEMPLATE_METRIC = re.compile(r"\brollcall_\w+|\w+:rollcall_\w+:\w+")
TEMPLATE_LABEL = re.compile(r"\$labels\.(\w+)")
LABEL_VALUES = re.compile(r"label_values\((.+), *(\w+)\)")


def _rules() -> list[dict[str, Any]]:
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def _declared() -> dict[str, frozenset[str]]:
    """Label names by metric: the exporter's, Prometheus' own `up`, and what the rules record from them."""
    families = {family.name: frozenset(family.labels) for family in FAMILIES} | {"up": frozenset()}
    records = [rule for rule in _rules() if "record" in rule]
    for _ in records:
        families |= {rule["record"]: labels_of(rule["expr"], families) for rule in records}
    return families


DECLARED = _declared()


def _dashboard_queries() -> Iterator[tuple[str, str]]:
    for path in DASHBOARDS:
        board = json.loads(path.read_text())
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                yield f"{path.stem}: {panel['title']} {target['refId']}", _plain(target["expr"])
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                query = LABEL_VALUES.fullmatch(variable["query"]["query"])
                assert query, f"{path.stem}: expected label_values(…), found {variable['query']['query']}"
                yield f"{path.stem}: ${variable['name']}", f"count by ({query[2]}) ({query[1]})"


def _plain(expression: str) -> str:
    """`expression` with a duration in place of Grafana's."""
    return re.sub(r"\$__(rate_interval|range|interval)\b", "5m", expression)


def _test_queries() -> Iterator[tuple[str, str]]:
    for path in TESTS:
        for test in yaml.safe_load(path.read_text())["tests"]:
            for series in test["input_series"]:
                yield f"{path.stem}: {series['series']}", series["series"]
            for query in test.get("promql_expr_test", ()):
                yield f"{path.stem}: {query['expr']}", query["expr"]
                for sample in query["exp_samples"]:
                    yield f"{path.stem}: {sample['labels']}", sample["labels"]


def _parameters(named: Iterator[tuple[str, str]]) -> list[Any]:
    return [pytest.param(expression, id=name) for name, expression in named]


@pytest.mark.parametrize(
    "expression", [pytest.param(rule["expr"], id=rule.get("record") or rule["alert"]) for rule in _rules()]
)
def test_rules(expression: str) -> None:
    assert undeclared(expression, DECLARED) == []


@pytest.mark.parametrize("expression", _parameters(_test_queries()))
def test_input_and_samples_of_rule_tests(expression: str) -> None:
    assert undeclared(expression, DECLARED) == []


@pytest.mark.parametrize("expression", _parameters(_dashboard_queries()))
def test_dashboards(expression: str) -> None:
    assert undeclared(expression, DECLARED) == []


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule["alert"]) for rule in _rules() if "alert" in rule])
def test_templates_of_alerts(rule: dict[str, Any]) -> None:
    labels = labels_of(rule["expr"], DECLARED)
    for text in (*rule["annotations"].values(), *rule["labels"].values()):
        assert set(TEMPLATE_LABEL.findall(text)) <= labels
        assert set(TEMPLATE_METRIC.findall(text)) <= DECLARED.keys()
        for query in TEMPLATE_QUERY.findall(text):
            assert undeclared(query.replace("%q", '""'), DECLARED) == []


def _labels_of_answers(panel: dict[str, Any]) -> frozenset[str]:
    labels = (labels_of(_plain(target["expr"]), DECLARED) for target in panel["targets"])
    return frozenset().union(*labels)


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_legends_and_columns_are_labels_of_the_answer(path: Path) -> None:
    for panel in json.loads(path.read_text())["panels"]:
        labels = _labels_of_answers(panel)
        values = {"Time", "Value"} | {f"Value #{target['refId']}" for target in panel["targets"]}
        for target in panel["targets"]:
            assert set(re.findall(r"{{ *(\w+) *}}", target.get("legendFormat", ""))) <= labels - TARGET_LABELS
        for transformation in panel["transformations"]:
            options = transformation["options"]
            sorted_by = {field["field"] for field in options.get("sort", ())}
            named = sorted_by.union(*(options.get(key, {}) for key in ("renameByName", "indexByName", "excludeByName")))
            assert named <= labels | values, f"{panel['title']}: {transformation['id']}"


def test_there_is_something_to_check() -> None:
    assert RULES
    assert TESTS
    assert DASHBOARDS
