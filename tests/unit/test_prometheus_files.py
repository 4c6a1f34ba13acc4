"""Prometheus' own tools, Debian's and the newest, accept the files in prometheus/.

The tests of the rules run with Debian's, and with ROLLCALL_FULL=1 with the newest too, which takes another minute of
CPU: from 3.0 on ranges are open on the left.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real.scale import FULL
from tests.unit.prometheus_tools import VERSIONS, run
from tests.unit.shipped_rules import PROMETHEUS, RULES, TESTED, TESTS


@pytest.mark.parametrize("version", VERSIONS)
def test_promtool_accepts_the_configuration(version: str) -> None:
    result = run("promtool", "check", "config", "prometheus.yml", version=version, cwd=PROMETHEUS)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{len(RULES)} rule files found" in result.stdout


@pytest.mark.parametrize("version", VERSIONS)
def test_promtool_finds_nothing_in_the_rules(version: str) -> None:
    result = run("promtool", "check", "rules", "--lint=all", "--lint-fatal", *RULES, version=version)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("version", VERSIONS)
def test_promtool_finds_what_is_wrong_with_rules(version: str, tmp_path: Path) -> None:
    text = (PROMETHEUS / "rules/alerts-rollcall.yml").read_text()
    (tmp_path / "rules.yml").write_text(text.replace("keep_firing_for: 3m", "keep_firing: 3m"))
    result = run("promtool", "check", "rules", "--lint=all", "--lint-fatal", tmp_path / "rules.yml", version=version)
    assert result.returncode != 0
    assert "keep_firing" in result.stdout + result.stderr


def test_the_newest_is_newer() -> None:
    versions = [run("promtool", "--version", version=version).stdout.split()[2] for version in VERSIONS]
    assert [int(part) for part in versions[1].split("+")[0].split(".")] > [2, 42]


@pytest.mark.parametrize("version", VERSIONS if FULL else VERSIONS[:1])
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_rules_behave(path: Path, version: str) -> None:
    result = run("promtool", "test", "rules", path, version=version)
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_wrong_expectation_fails(tmp_path: Path) -> None:
    text = (PROMETHEUS / "tests/watchdog.yml").read_text().replace("../rules", f"{PROMETHEUS}/rules")
    (tmp_path / "wrong.yml").write_text(text.replace("{severity: none}", "{severity: critical}"))
    result = run("promtool", "test", "rules", tmp_path / "wrong.yml")
    assert result.returncode != 0
    assert "Watchdog" in result.stdout + result.stderr


def test_an_exporter_is_seen_to_be_down_for_all_and_for_its_fleet() -> None:
    asked = [one for _, test in TESTED for one in test.get("alert_rule_test", ())]
    alerts = [alert for one in asked if one["alertname"] == "RollcallDown" for alert in one["exp_alerts"]]
    assert {"fleet" in alert["exp_labels"] for alert in alerts} == {True, False}


def test_a_plain_machine_and_compose_have_the_same_targets() -> None:
    plain, compose = (
        {path.name for path in (PROMETHEUS / folder).iterdir()} for folder in ("targets", "targets-compose")
    )
    configuration = (PROMETHEUS / "prometheus.yml").read_text()
    assert plain == compose
    assert all(f"files: [targets/{name}]" in configuration for name in plain)
