"""The check of names in queries: it passes what is declared and names what is not."""

from __future__ import annotations

import pytest

from tests.unit.promql import labels_of, undeclared

FAMILIES = {
    "fleet_nodes": frozenset({"fleet", "state"}),
    "node_info": frozenset({"fleet", "node", "hostname"}),
    "node_up": frozenset({"fleet", "node"}),
    "reads_total": frozenset({"fleet", "result"}),
}


@pytest.mark.parametrize(
    "expression",
    [
        'sum by (state) (fleet_nodes{fleet=~"eu|us",state!="x"})',
        'sum by (job, instance) (node_up{job="rollcall"})',
        "sum without (node) (node_up)",
        "node_up * on (fleet, node) group_left (hostname) node_info",
        "node_info * on (fleet, node) group_right (hostname) node_up",
        'max by (host) (label_replace(node_info, "host", "$1", "hostname", "(.*)"))',
        'sum by (result) (rate(reads_total{result!="ok"}[5m])) > 0',
        "max_over_time(sum by (fleet) (node_up)[5m:1m])",
        'sum by (v) (count_values by (fleet) ("v", node_up))',
        "topk by (fleet) (3, node_up) * on (node) group_left () sum by (node) (node_up)",
        "60 * sum by (fleet) (node_up) or vector(0)",
        "time() - node_up unless on (node) node_info",
        "-(node_up and on (fleet) fleet_nodes == 0)",
        "absent(node_up)",
    ],
)
def test_declared_names_pass(expression: str) -> None:
    assert undeclared(expression, FAMILIES) == []


@pytest.mark.parametrize(
    ("expression", "problems"),
    [
        ("node_upp", ["node_upp"]),
        ("sum(rate(reads[5m]))", ["reads"]),
        ("absent(node_upp)", ["node_upp"]),
        ("1 + (node_up or node_ifno)", ["node_ifno"]),
        ('fleet_nodes{stat="serving"}', ["fleet_nodes{stat}"]),
        ('rate(reads_total{results="ok"}[5m])', ["reads_total{results}"]),
        ('{fleet="eu"}', ["a selector without a metric name"]),
        ("sum by (stat) (fleet_nodes)", ["by (stat)"]),
        ("sum without (nod) (node_up)", ["without (nod)"]),
        ("sum by (node) (sum without (node) (node_up))", ["by (node)"]),
        ("sum by (node) (sum by (fleet) (node_up))", ["by (node)"]),
        ("topk by (flet) (3, node_up)", ["by (flet)"]),
        ("node_up * on (fleet, nod) node_info", ["on (nod)"]),
        ("node_up unless on (state) fleet_nodes", ["on (state)"]),
        ("node_up * ignoring (hostnam) node_info", ["ignoring (hostnam)"]),
        ("node_up * on (node) group_left (host) node_info", ["group_left (host)"]),
        ("node_info * on (node) group_right (host) node_up", ["group_right (host)"]),
        ('label_replace(node_info, "host", "$1", "hostnam", "(.*)")', ["label_replace from hostnam"]),
        ("max by (x) (node_upp)", ["node_upp"]),
        ('max by (x) (node_up{y="z"})', ["by (x)", "node_up{y}"]),
        ("sum by (hostname) (node_up * on (node) node_info)", ["by (hostname)"]),
    ],
)
def test_misspelt_names_are_named(expression: str, problems: list[str]) -> None:
    assert undeclared(expression, FAMILIES) == problems


def test_what_is_no_promql_is_an_error() -> None:
    with pytest.raises(ValueError, match="unclosed left parenthesis"):
        undeclared("sum(node_up", FAMILIES)


@pytest.mark.parametrize(
    ("expression", "labels"),
    [
        ("sum by (fleet) (fleet_nodes)", {"fleet"}),
        ("max by (fleet, node) ((node_up == 1) unless on (node) node_info)", {"fleet", "node"}),
        ("node_up * on (node) group_left (hostname) node_info", {"fleet", "node", "hostname", "job", "instance"}),
        ("vector(1)", set()),
    ],
)
def test_labels_of_an_answer(expression: str, labels: set[str]) -> None:
    assert labels_of(expression, FAMILIES) == labels
