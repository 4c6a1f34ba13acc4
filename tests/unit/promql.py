"""Which metric and label names a PromQL expression uses that nobody declares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import promql_parser as promql

TARGET_LABELS = frozenset({"job", "instance"})
SET_OPERATORS = ("and", "unless")
LABELLESS = ("scalar", "vector", "time", "absent", "absent_over_time")
"""Functions whose answer has no labels, but for those that `absent` takes from equality matchers."""

Families = Mapping[str, frozenset[str]]
Labels = frozenset[str] | None
"""Label names that a vector may have; None where its metric is not declared, so that nothing can be said."""


def undeclared(expression: str, families: Families) -> list[str]:
    """Names in `expression` that `families` (metric to label names) lacks: `metric`, or `metric{label}` and the like.

    `job` and `instance` belong to every metric that is scraped, not to recorded ones. Raises ValueError if the
    expression cannot be parsed.
    """
    problems: list[str] = []
    _labels(promql.parse(expression), families, problems)
    return sorted(set(problems))


def labels_of(expression: str, families: Families) -> frozenset[str]:
    """The label names that the answer to `expression` may have; nothing where a metric is not declared."""
    return _labels(promql.parse(expression), families, []) or frozenset()


def _labels(node: Any, families: Families, problems: list[str]) -> Labels:
    match node:
        case promql.VectorSelector():
            return _selector(node, families, problems)
        case promql.MatrixSelector():
            return _selector(node.vector_selector, families, problems)
        case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            return _labels(node.expr, families, problems)
        case promql.AggregateExpr():
            return _aggregate(node, families, problems)
        case promql.BinaryExpr():
            return _binary(node, families, problems)
        case promql.Call():
            return _call(node, families, problems)
        case promql.NumberLiteral() | promql.StringLiteral():
            return frozenset()
    raise TypeError(f"expected a PromQL node, found {type(node).__name__}")


def _selector(node: Any, families: Families, problems: list[str]) -> Labels:
    if node.name is None:
        problems.append("a selector without a metric name")
        return None
    if node.name not in families:
        problems.append(node.name)
        return None
    known = families[node.name] if ":" in node.name else families[node.name] | TARGET_LABELS
    _check([matcher.name for matcher in node.matchers.matchers], known, f"{node.name}{{%s}}", problems)
    return known


def _aggregate(node: Any, families: Families, problems: list[str]) -> Labels:
    inner = _labels(node.expr, families, problems)
    named = frozenset(node.modifier.labels if node.modifier else ())
    without = node.modifier is not None and node.modifier.type == promql.AggModifierType.Without
    _check(named, inner, "without (%s)" if without else "by (%s)", problems)
    if without:
        return None if inner is None else inner - named
    operation = str(node.op)
    if operation in ("topk", "bottomk"):
        return inner
    return named | {node.param.val} if operation == "count_values" else named


def _binary(node: Any, families: Families, problems: list[str]) -> Labels:
    left, right = (_labels(side, families, problems) for side in (node.lhs, node.rhs))
    if node.modifier is None or node.modifier.matching is None:
        return left if str(node.op) in SET_OPERATORS else _either(left, right)
    matching, grouped = node.modifier.matching, frozenset(node.modifier.group_labels or ())
    exact = matching.type == promql.LabelModifierType.Include
    for side in (left, right):
        _check(matching.labels, side, "on (%s)" if exact else "ignoring (%s)", problems)
    many_to_one, one_to_many = (
        node.modifier.card == card
        for card in (promql.VectorMatchCardinality.ManyToOne, promql.VectorMatchCardinality.OneToMany)
    )
    if many_to_one or one_to_many:
        many, one = (left, right) if many_to_one else (right, left)
        _check(grouped, one, "group_left (%s)" if many_to_one else "group_right (%s)", problems)
        return None if many is None else many | grouped
    if str(node.op) in SET_OPERATORS:
        return left
    if str(node.op) == "or":
        return _either(left, right)
    return frozenset(matching.labels) if exact else left


def _call(node: Any, families: Families, problems: list[str]) -> Labels:
    labels: Labels = frozenset()
    for argument in node.args:
        labels = _either(labels, _labels(argument, families, problems))
    if node.func.name == "label_replace":
        target, source = node.args[1].val, node.args[3].val
        _check([source] if source else [], labels, "label_replace from %s", problems)
        return None if labels is None else labels | {target}
    if node.func.name == "label_join":
        _check([source.val for source in node.args[3:]], labels, "label_join from %s", problems)
        return None if labels is None else labels | {node.args[1].val}
    return frozenset() if node.func.name in LABELLESS else labels


def _check(names: Iterable[str], known: Labels, form: str, problems: list[str]) -> None:
    if known is not None:
        problems.extend(form % name for name in names if name not in known)


def _either(left: Labels, right: Labels) -> Labels:
    return None if left is None or right is None else left | right
