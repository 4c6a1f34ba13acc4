"""Every metric and label that prometheus/ and grafana/ name is declared in exporter.families or recorded by a rule."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.unit.boards import BOARDS, ROOT, of_panels, plain, queries
from tests.unit.declared import DECLARED, RULE_FILES, rules
from tests.unit.promql import TARGET_LABELS, labels_of, undeclared

TESTS = sorted(ROOT.glob("prometheus/tests/*.yml"))

TEMPLATE_QUERY = re.compile(r'printf "((?:[^"\\]|\\.)*)"')
TEMPLATE_METRIC = re.compile(r"\brollcall_\w+|\w+:rollcall_\w+:\w+")
TEMPLATE_LABEL = re.compile(r"\$labels\.(\w+)")


def _dashboard_queries() -> Iterator[tuple[str, str]]:
    for board in BOARDS.values():
        for query in queries(board):
            yield query.place, plain(query.expr)


def _test_queries() -> Iterator[tuple[str, str]]:
    for path in TESTS:
        for test in yaml.safe_load(path.read_text())["tests"]:
            for series in test["input_series"]:
                yield f"{path.stem}: {series['series']}", series["series"]
            for query in test.get("promql_expr_test", ()):
                yield f"{path.stem}: {query['expr']}", query["expr"]
                for sample in (each for each in query["exp_samples"] if not each["labels"].startswith("{")):
                    yield f"{path.stem}: {sample['labels']}", sample["labels"]


def _parameters(named: Iterator[tuple[str, str]]) -> list[Any]:
    return [pytest.param(expression, id=name) for name, expression in named]


@pytest.mark.parametrize(
    "expression", [pytest.param(rule["expr"], id=rule.get("record") or rule["alert"]) for rule in rules()]
)
def test_rules(expression: str) -> None:
    assert undeclared(expression, DECLARED) == []


@pytest.mark.parametrize("expression", _parameters(_test_queries()))
def test_input_and_samples_of_rule_tests(expression: str) -> None:
    assert undeclared(expression, DECLARED) == []


@pytest.mark.parametrize("expression", _parameters(_dashboard_queries()))
def test_dashboards(expression: str) -> None:
    assert undeclared(expression, DECLARED) == []


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule["alert"]) for rule in rules() if "alert" in rule])
def test_templates_of_alerts(rule: dict[str, Any]) -> None:
    labels = labels_of(rule["expr"], DECLARED)
    for text in (*rule["annotations"].values(), *rule["labels"].values()):
        assert set(TEMPLATE_LABEL.findall(text)) <= labels
        assert set(TEMPLATE_METRIC.findall(text)) <= DECLARED.keys()
        for query in TEMPLATE_QUERY.findall(text):
            assert undeclared(query.replace("%q", '""'), DECLARED) == []


def _labels(panel: dict[str, Any]) -> dict[str, frozenset[str]]:
    """The labels that the answer to each query of a panel may have."""
    return {target["refId"]: labels_of(plain(target["expr"]), DECLARED) for target in panel.get("targets", ())}


EACH_PANEL = pytest.mark.parametrize("panel", [pytest.param(panel, id=name) for name, panel in of_panels()])


@EACH_PANEL
def test_legends_are_labels_of_the_answer(panel: dict[str, Any]) -> None:
    labels = _labels(panel)
    for target in panel.get("targets", ()):
        named = set(re.findall(r"{{ *(\w+) *}}", target.get("legendFormat", "")))
        assert named <= labels[target["refId"]]
        linked = set(re.findall(r"__field\.labels\.(\w+)", str(panel["fieldConfig"]["defaults"].get("links"))))
        assert not linked or linked & labels[target["refId"]]


@EACH_PANEL
def test_tables_are_aggregated(panel: dict[str, Any]) -> None:
    """Else `instance` and `job` split the rows."""
    if panel["type"] == "table" and "instance" not in str(panel["transformations"]):
        assert {
            ref: sorted(labels & TARGET_LABELS) for ref, labels in _labels(panel).items() if labels & TARGET_LABELS
        } == {}


def test_every_annotation_names_labels_of_its_answer() -> None:
    for board in BOARDS.values():
        for annotation in board["annotations"]["list"]:
            labels = labels_of(plain(annotation["target"]["expr"]), DECLARED)
            texts = annotation["titleFormat"] + annotation["textFormat"]
            assert set(re.findall(r"{{(\w+)}}", texts)) | set(annotation["tagKeys"].split(",")) <= labels


def test_there_is_something_to_check() -> None:
    assert RULE_FILES
    assert TESTS
    assert BOARDS
