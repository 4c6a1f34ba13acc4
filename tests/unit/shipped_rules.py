"""The rules and alerts that are shipped, their templates, and the promtool tests of them."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import yaml

from exporter.config.duration import parse_duration
from exporter.rules.render import templates
from tests.unit.prometheus_tools import ROOT

PROMETHEUS = ROOT / "prometheus"
RULES = sorted(PROMETHEUS.glob("rules/*.yml"))
TESTS = sorted(PROMETHEUS.glob("tests/*.yml"))
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
CASES = ("fires", "waits", "resolves", "restart", "look-alike")


class Case(NamedTuple):
    """What a promtool test expects of one alert: whether it fires, at each time that is asked, in order."""

    file: str
    name: str
    alert: str
    claims: tuple[str, ...]
    fires: tuple[bool, ...]
    gaps: bool


def loaded(text: str) -> Any:
    """What a text of YAML says, by libyaml where PyYAML has it: ten times as fast."""
    return yaml.load(text, Loader=LOADER)


def _rules() -> dict[str, list[dict[str, Any]]]:
    documents = {path.name: loaded(path.read_text()) for path in RULES}
    return {name: [rule for group in one["groups"] for rule in group["rules"]] for name, one in documents.items()}


BY_FILE = _rules()
ALERTS = {rule["alert"]: rule for rules in BY_FILE.values() for rule in rules if "alert" in rule}
RECORDS = {rule["record"]: rule for rules in BY_FILE.values() for rule in rules if "record" in rule}
FILE_OF = {rule["alert"]: name for name, rules in BY_FILE.items() for rule in rules if "alert" in rule}
TEMPLATES = templates()
TESTED = [(path.name, test) for path in TESTS for test in loaded(path.read_text())["tests"]]
"""Every promtool test, with the name of its file."""


def claims(name: str) -> tuple[str, ...]:
    """The cases that a test's name begins with."""
    head = name.partition(":")[0]
    return tuple(head.split(", ")) if re.fullmatch(r"[a-z-]+(, [a-z-]+)*", head) and ":" in name else ()


def cases() -> list[Case]:
    """Every promtool test of an alert, once for each alert that it asks for."""
    found = []
    for file, test in TESTED:
        asked = sorted(test.get("alert_rule_test", ()), key=lambda one: parse_duration(str(one["eval_time"])))
        gaps = any(re.search(r"\bstale\b|(^|\s)_", str(series["values"])) for series in test.get("input_series", ()))
        for alert in dict.fromkeys(one["alertname"] for one in asked):
            fires = tuple(bool(one["exp_alerts"]) for one in asked if one["alertname"] == alert)
            found.append(Case(file, test["name"], alert, claims(test["name"]), fires, gaps))
    return found
