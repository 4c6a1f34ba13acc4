"""`rollcall rules`: an operator's values over the shipped ones, and templates that become files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.cli import main
from exporter.config import ConfigError
from exporter.rules import __main__ as generator
from exporter.rules.render import HEAD, document, in_words, rendered
from exporter.rules.values import Values, defaults, parse
from tests.unit.prometheus_tools import VERSIONS, run
from tests.unit.shipped_rules import ALERTS, PROMETHEUS, RULES, TEMPLATES, loaded

BRACKETS = re.compile(r"<[<%](.+?)[>%]>", re.DOTALL)
NAME = re.compile(r"\b(?:alerts|records|links)(?:\.\w+)+")
DURATION = "expected a duration such as 500ms, 5s or 1m30s, got "


def alerts(text: str) -> dict[str, Any]:
    """The alerts of a rule file by name."""
    rules = [rule for group in loaded(text)["groups"] for rule in group["rules"] or ()]
    return {rule["alert"]: rule for rule in rules if "alert" in rule}


def test_the_shipped_rules_are_not_stale() -> None:
    assert {path.name: path.read_text() for path in RULES} == rendered(defaults()), "run `make generate`"


def test_a_stale_file_is_told_and_written_anew_and_a_foreign_one_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prometheus/rules").mkdir(parents=True)
    assert generator.main([]) == generator.main(["--check"]) == 0
    (tmp_path / "prometheus/rules/records.yml").write_text("")
    (tmp_path / "prometheus/rules/old.yml").write_text("")
    assert generator.main(["--check"]) == 1
    assert capsys.readouterr().err == (
        "prometheus/rules/old.yml is stale: run `make generate`\n"
        "prometheus/rules/records.yml is stale: run `make generate`\n"
    )
    assert generator.main([]) == generator.main(["--check"]) == 0
    assert not (tmp_path / "prometheus/rules/old.yml").exists()


@pytest.mark.parametrize("version", VERSIONS)
def test_one_document_has_every_rule_and_promtool_takes_it(version: str, tmp_path: Path) -> None:
    text = document(defaults())
    parts = [loaded(each) for each in rendered(defaults()).values()]
    assert loaded(text) == {"groups": [group for part in parts for group in part["groups"]]}
    (tmp_path / "rules.yml").write_text(text)
    result = run("promtool", "check", "rules", "--lint=all", "--lint-fatal", tmp_path / "rules.yml", version=version)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("version", VERSIONS)
def test_rules_without_any_alert_are_sound(version: str, tmp_path: Path) -> None:
    text = document(parse(yaml.safe_dump({"alerts": {alert: {"enabled": False} for alert in ALERTS}}), "v.yml"))
    assert alerts(text) == {}
    (tmp_path / "rules.yml").write_text(text)
    result = run("promtool", "check", "rules", "--lint=all", "--lint-fatal", tmp_path / "rules.yml", version=version)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("alert", ["RollcallDown", "RollcallConsoleDown", "Watchdog"])
def test_an_alert_that_is_off_is_left_out_alone(alert: str) -> None:
    text = document(parse(f"alerts: {{{alert}: {{enabled: false}}}}", "v.yml"))
    assert alerts(text) == {name: rule for name, rule in ALERTS.items() if name != alert}


def test_only_what_a_file_says_changes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "values.yml"
    file.write_text(
        "links: {runbook: https://docs.example/r, grafana: https://g.example/}\r\n"
        "alerts:\n  RollcallDown: {for: 90s, severity: warning}\n  RollcallSourceDown: {for: 0}\n"
    )
    assert main(["rules", "--values", str(file)]) == 0
    text = capsys.readouterr().out
    found = alerts(text)
    assert text.startswith(HEAD)
    assert found["RollcallDown"] | {"for": "1m30s", "labels": {"severity": "warning"}} == found["RollcallDown"]
    assert "for 1 minute 30 seconds." in found["RollcallDown"]["annotations"]["description"]
    assert found["RollcallSourceDown"]["for"] == "0s"
    assert found["RollcallDown"]["annotations"]["runbook_url"] == "https://docs.example/r#rollcalldown"
    assert found["RollcallSourceDown"]["annotations"]["dashboard"].startswith("https://g.example/d/")
    assert found.keys() == ALERTS.keys()


def test_a_directory_gets_the_shipped_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/own.yml").write_text("mine")
    for folder in ("rules", "new/rules"):
        assert main(["rules", "--directory", str(tmp_path / folder)]) == 0
        written = {path.name: path.read_text() for path in (tmp_path / folder).iterdir() if path.name != "own.yml"}
        assert written == {path.name: path.read_text() for path in RULES}
    assert (tmp_path / "rules/own.yml").read_text() == "mine"
    assert capsys.readouterr().out == ""


def test_a_directory_that_cannot_be_written_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["rules", "--directory", str(tmp_path / "file")]) == 1
    assert capsys.readouterr().err == f"rollcall: {tmp_path / 'file'}: expected to write the rules, got: File exists\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "alerts:\n  RollcallDwn: {for: 5s}",
            "alerts.RollcallDwn: unknown key, expected one of .*; did you mean RollcallDown\\? \\(v.yml:2\\)",
        ),
        ("alert: {}", r"alert: unknown key, expected one of links, records, alerts; did you mean alerts\? \(v.yml:1\)"),
        ("alerts:\n  RollcallDown:\n    For: 5s", r"alerts.RollcallDown.For: unknown key, .*mean for\? \(v.yml:3\)"),
        ("alerts: {RollcallDown: {for: 5}}", rf"alerts.RollcallDown.for: {DURATION}5 \(v.yml:1\)"),
        ("alerts: {RollcallDown: {for: -1m}}", rf"alerts.RollcallDown.for: {DURATION}'-1m'"),
        ("alerts: {RollcallDown: {for: [1m]}}", rf"alerts.RollcallDown.for: {DURATION}\[\.\.\]"),
        ("alerts: {RollcallDown: {severity: loud}}", "severity: expected one of critical, .*, info, got 'loud'"),
        ("alerts: {RollcallDown: {severity: 1}}", "severity: expected one of critical, .*, info, got 1"),
        ("alerts: {RollcallDown: {enabled: no}}", "RollcallDown.enabled: expected true or false, got 'no'"),
        ("alerts: {RollcallDown: off}", "alerts.RollcallDown: expected a mapping, got 'off'"),
        ("alerts: {RollcallDown: }", "alerts.RollcallDown: expected a mapping, got null"),
        ("alerts:\n  RollcallDown: {}\n  RollcallDown: {}", "duplicate key, first given on line 2"),
        ("records: {queue_starved_after: 0s}", "queue_starved_after: expected a duration greater than 0, got '0s'"),
        ("records: {queue_starved_after: }", f"queue_starved_after: {DURATION}null"),
        ("links: {grafana: 'http://g/ x'}", "links.grafana: expected a URL or a path, without a fragment, got"),
        ("links: {runbook: 'http://r#top'}", "links.runbook: expected a URL or a path, without a fragment, got"),
        ("links: {runbook: '{{ x }}'}", "links.runbook: expected a URL or a path, without a fragment, got"),
        ("[]", "expected a mapping, got \\[\\]"),
        ("a: *b", "expected plain YAML, got an alias"),
    ],
)
def test_what_is_wrong_with_the_values_is_said_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(text, "v.yml")


def test_every_problem_of_a_file_is_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "values.yml"
    file.write_text("alerts:\n  RollcallDown: {for: soon}\n  RollcallSourceDown: {for: later}\n")
    assert main(["rules", "--values", str(file)]) == 2
    assert main(["rules", "--values", str(tmp_path / "none.yml")]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"rollcall: alerts.RollcallDown.for: {DURATION}'soon' ({file}:2)",
        f"rollcall: alerts.RollcallSourceDown.for: {DURATION}'later' ({file}:3)",
        f"rollcall: {tmp_path / 'none.yml'}: expected a readable file, got: No such file or directory",
    ]


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        ("0s", "0 seconds"),
        ("1s", "1 second"),
        ("1500ms", "1.5 seconds"),
        ("90s", "1 minute 30 seconds"),
        ("30m", "30 minutes"),
        ("36h", "1 day 12 hours"),
        ("1w", "7 days"),
    ],
)
def test_durations_in_words(duration: str, words: str) -> None:
    assert in_words(duration) == words


def _leaves(values: Values, path: str = "") -> list[str]:
    found = [
        _leaves(value, f"{path}{key}.") if isinstance(value, dict) else [f"{path}{key}"]
        for key, value in values.items()
    ]
    return [leaf for leaves in found for leaf in leaves]


def test_every_value_is_used() -> None:
    used = {name for text in TEMPLATES.values() for code in BRACKETS.findall(text) for name in NAME.findall(code)}
    leaves = {leaf for leaf in _leaves(defaults()) if not leaf.endswith(".enabled") and not leaf.startswith("links.")}
    assert leaves == used - {"links.grafana"}


def test_prometheus_has_the_folder_that_is_generated() -> None:
    configuration = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    assert configuration["rule_files"] == ["rules/*.yml"]
    assert Path("prometheus/rules") == generator.DIRECTORY
