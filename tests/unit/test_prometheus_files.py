"""Prometheus' and Alertmanager's own tools accept the files in prometheus/, and every rule has a test."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

PROMETHEUS = Path(__file__).parents[2] / "prometheus"
RULES = sorted(PROMETHEUS.glob("rules/*.yml"))
TESTS = sorted(PROMETHEUS.glob("tests/*.yml"))
PACKAGES = {"promtool": "prometheus", "amtool": "prometheus-alertmanager"}
ALERTMANAGER = PROMETHEUS / "alertmanager.yml"
MATCHER = re.compile(r'(\w+) *(=|!=|=~|!~) *"(.*)"')

Labels = dict[str, str]


def _run(tool: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a tool of Prometheus; without it, fail in CI and skip elsewhere."""
    if shutil.which(tool) is None:
        message = f"{tool} is not installed (Debian: apt install {PACKAGES[tool]})"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    command = [tool, *map(str, arguments)]
    return subprocess.run(command, cwd=PROMETHEUS, capture_output=True, text=True, timeout=120, check=False)


def _rules() -> list[dict[str, Any]]:
    return [rule for path in RULES for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


ALERTS = {rule["alert"]: rule for rule in _rules() if "alert" in rule}
RECORDS = {rule["record"]: rule for rule in _rules() if "record" in rule}


def test_promtool_accepts_the_configuration() -> None:
    result = _run("promtool", "check", "config", "prometheus.yml")
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{len(RULES)} rule files found" in result.stdout


def test_promtool_finds_nothing_in_the_rules() -> None:
    result = _run("promtool", "check", "rules", "--lint=all", "--lint-fatal", *RULES)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_rules_behave(path: Path) -> None:
    result = _run("promtool", "test", "rules", path)
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_wrong_expectation_fails(tmp_path: Path) -> None:
    text = (PROMETHEUS / "tests/rollcall.yml").read_text().replace("../rules", f"{PROMETHEUS}/rules")
    (tmp_path / "wrong.yml").write_text(text.replace("{severity: none}", "{severity: critical}"))
    result = _run("promtool", "test", "rules", tmp_path / "wrong.yml")
    assert result.returncode != 0
    assert "Watchdog" in result.stdout + result.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_seen_to_fire_and_to_keep_still(alert: str) -> None:
    cases = [case for path in TESTS for test in yaml.safe_load(path.read_text())["tests"] for case in _cases(test)]
    outcomes = {bool(case["exp_alerts"]) for case in cases if case["alertname"] == alert}
    assert outcomes == ({True} if alert == "Watchdog" else {True, False})


def _cases(test: dict[str, Any]) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = test.get("alert_rule_test", [])
    return cases


def test_an_exporter_is_seen_to_be_down_for_all_and_for_its_fleet() -> None:
    cases = [case for path in TESTS for test in yaml.safe_load(path.read_text())["tests"] for case in _cases(test)]
    alerts = [alert for case in cases if case["alertname"] == "RollcallDown" for alert in case["exp_alerts"]]
    assert {"fleet" in alert["exp_labels"] for alert in alerts} == {True, False}


@pytest.mark.parametrize("record", RECORDS)
def test_every_record_is_tested_with_samples(record: str) -> None:
    tests = [test for path in TESTS for test in yaml.safe_load(path.read_text())["tests"]]
    queries = [query for test in tests for query in test.get("promql_expr_test", ())]
    assert [query for query in queries if query["expr"] == record and query["exp_samples"]]


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_is_named_by_the_labels_it_keeps(record: str) -> None:
    level, metric, operation = record.split(":")
    kept = RECORDS[record]["expr"].split("(")[1].split(")")[0]
    assert level == "_".join(label.strip() for label in kept.split(","))
    assert metric.startswith("rollcall_")
    assert RECORDS[record]["expr"].startswith(f"{operation} by (")


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_has_a_severity_and_says_what_is_wrong(alert: str) -> None:
    assert ALERTS[alert]["labels"].keys() == {"severity"}
    assert ALERTS[alert]["labels"]["severity"] in ("critical", "warning", "ticket", "none")
    assert ALERTS[alert]["annotations"].keys() == {"summary", "description"}


@pytest.mark.parametrize("alert", ["RollcallWorkerUnknown", "RollcallWorkerHeartbeatOnly", "RollcallSourceDown"])
def test_alerts_on_what_an_exporter_reports_outlive_its_restart(alert: str) -> None:
    assert "keep_firing_for" in ALERTS[alert]


def test_amtool_accepts_the_configuration() -> None:
    result = _run("amtool", "check-config", ALERTMANAGER)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (("alertname=RollcallWorkerUnknown", "severity=warning", "fleet=training", "worker=Worker-0"), "webhook"),
        (("alertname=RollcallWorkerHeartbeatOnly", "severity=ticket", "fleet=training"), "webhook"),
        (("alertname=RollcallDown", "severity=critical"), "webhook"),
        (("alertname=RollcallDown", "severity=critical", "fleet=training"), "webhook"),
        (("alertname=Watchdog", "severity=none"), "watchdog"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0].removeprefix("alertname="),
)
def test_routes(labels: tuple[str, ...], receiver: str) -> None:
    result = _run("amtool", "config", "routes", "test", f"--config.file={ALERTMANAGER}", *labels)
    assert result.stdout.strip() == receiver, result.stderr


def test_notifications_are_grouped_and_tickets_repeat_slower() -> None:
    route = yaml.safe_load(ALERTMANAGER.read_text())["route"]
    [ticket] = [child for child in route["routes"] if 'severity = "ticket"' in child["matchers"]]
    assert route["group_by"] == ["fleet", "alertname"]
    assert (route["repeat_interval"], ticket["repeat_interval"]) == ("4h", "4d")


DOWN = {"alertname": "RollcallDown"}
DOWN_EU = DOWN | {"fleet": "eu"}
STORE_EU = {"alertname": "RollcallSourceDown", "fleet": "eu", "kind": "agent-lightning"}
MESH_EU = STORE_EU | {"kind": "mesh-llm"}
WORKER_EU = {"alertname": "RollcallWorkerUnknown", "fleet": "eu", "worker": "Worker-0"}
TICKET_EU = WORKER_EU | {"alertname": "RollcallWorkerHeartbeatOnly"}
ELSEWHERE = {"fleet": "us"}
WATCHDOG = {"alertname": "Watchdog"}


@pytest.mark.parametrize(
    ("firing", "muted", "heard"),
    [
        (DOWN, (WORKER_EU, TICKET_EU, STORE_EU, MESH_EU, DOWN_EU), (DOWN, WATCHDOG)),
        (
            DOWN_EU,
            (WORKER_EU, TICKET_EU, STORE_EU, MESH_EU),
            (DOWN, DOWN_EU, DOWN | ELSEWHERE, WORKER_EU | ELSEWHERE, STORE_EU | ELSEWHERE, WATCHDOG),
        ),
        (STORE_EU, (WORKER_EU, TICKET_EU), (DOWN, DOWN_EU, STORE_EU, MESH_EU, WORKER_EU | ELSEWHERE, WATCHDOG)),
        (MESH_EU, (), (DOWN, DOWN_EU, STORE_EU, WORKER_EU)),
        (WORKER_EU, (), (DOWN, DOWN_EU, STORE_EU, WORKER_EU, TICKET_EU, WATCHDOG)),
    ],
    ids=["every exporter down", "a fleet's exporter down", "store down", "console down", "worker unknown"],
)
def test_inhibition(firing: Labels, muted: tuple[Labels, ...], heard: tuple[Labels, ...]) -> None:
    assert [_mutes(firing, alert) for alert in muted] == [True] * len(muted)
    assert [_mutes(firing, alert) for alert in heard] == [False] * len(heard)


def _mutes(source: Labels, target: Labels) -> bool:
    rules = yaml.safe_load(ALERTMANAGER.read_text())["inhibit_rules"]
    return any(
        all(_matches(matcher, source) for matcher in rule["source_matchers"])
        and all(_matches(matcher, target) for matcher in rule["target_matchers"])
        and all(source.get(label) == target.get(label) for label in rule.get("equal", ()))
        for rule in rules
    )


def _matches(matcher: str, labels: Labels) -> bool:
    """Whether a matcher holds; a missing label is an empty one, and expressions are anchored, as in Alertmanager."""
    name, operator, value = MATCHER.fullmatch(matcher).groups()  # type: ignore[union-attr]
    found = labels.get(name, "")
    same = re.fullmatch(value, found) is not None if operator.endswith("~") else value == found
    return same != operator.startswith("!")


def test_a_plain_machine_and_compose_have_the_same_targets() -> None:
    plain, compose = (
        {path.name for path in (PROMETHEUS / folder).iterdir()} for folder in ("targets", "targets-compose")
    )
    configuration = (PROMETHEUS / "prometheus.yml").read_text()
    assert plain == compose
    assert all(f"files: [targets/{name}]" in configuration for name in plain)
