"""What the values of the rules may be: numbers and patterns that Prometheus takes, and what must fit together."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.config import ConfigError
from exporter.config.duration import parse_duration
from exporter.rules import bounds
from exporter.rules.render import document
from exporter.rules.values import defaults, parse
from tests.unit.prometheus_tools import run

LETTERS = r"expected a regular expression of letters, digits, spaces and \. _ / \| \( \) \* \+ \? -, got "
KINDS = "alerts.RollcallWorkerAssignmentInconsistent.kinds: "


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("alerts: {RollcallDown: {severity: none}}", "one of critical, warning, ticket, info, got 'none'"),
        ("alerts: {Watchdog: {severity: high}}", "one of critical, warning, ticket, info, none, got 'high'"),
        ("links: {runbook: /}", "links.runbook: expected a URL or a path, without a fragment, got '/'"),
        ("records: {disks_from_bytes: -1}", "disks_from_bytes: expected a number of at least 0, got -1"),
        ("records: {disks_from_bytes: .inf}", "disks_from_bytes: expected a number of at least 0, got .inf"),
        ("alerts: {RollcallNodeLoadingTooLong: {times_usual: -3}}", "times_usual: expected a number greater than 0"),
        ("alerts: {RollcallGpuHot: {celsius: hot}}", "celsius: expected a number greater than 0, got 'hot'"),
        ("alerts: {RollcallWorkerUnknownMajority: {ratio: 1.0}}", "ratio: expected a number between 0 and 1, got 1.0"),
        ("alerts: {RollcallHostDiskFilling: {used: 85}}", "used: expected a number between 0 and 1, got 85"),
        ("records:\n  run_pause: 20m", r"run_pause: .*shorter than .*Idle\.silent_for \(15m\), got '20m' \(v.yml:2\)"),
        (
            "alerts:\n  RollcallWorkerUnknownIdle: {silent_for: 10m}",
            r"UnknownIdle.silent_for: expected a duration longer than records.run_pause \(10m\), got '10m' \(v.yml:2\)",
        ),
        (
            "records: {alerts_bridge: 1h}",
            r"alerts_bridge: expected .*shorter than .*NoServingNode.for \(7m\), got '1h'",
        ),
        ("records: {tickets_every: 30m}", "tickets_every: expected a duration of at most 2m, got '30m'"),
        (
            "alerts: {RollcallNoServingNode: {for: 0}}",
            "NoServingNode.for: expected a duration longer than 5m, got '0s'",
        ),
        (
            "alerts: {RollcallModelUnserved: {missed_for: 4m}}",
            "Unserved.missed_for: expected a duration longer than 5m, got '4m'",
        ),
        (
            "records: {split_settles_in: 30s}",
            r"split_settles_in: expected a duration longer than .*Unserved.for \(1m\), got '30s'",
        ),
        (
            "alerts: {RollcallHostDiskFilling: {lately: 2h}}",
            r"lately: .*shorter than .*Filling.for \(1h30m\), got '2h'",
        ),
    ],
)
def test_what_the_rules_cannot_do_is_said_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(text, "v.yml")


@pytest.mark.parametrize(
    ("kinds", "why"),
    [
        ("held_by_gone(", "missing \\), unterminated subpattern"),
        ("(*", "nothing to repeat"),
        ("a**", "multiple repeat"),
        (".*(", "missing \\), unterminated subpattern"),
        ("a)", "unbalanced parenthesis"),
        ("a*+", "Prometheus knows no \\*\\+"),
        ("(?a)b", "Prometheus knows no \\(\\?"),
    ],
)
def test_a_pattern_that_prometheus_does_not_take_is_said(kinds: str, why: str) -> None:
    text = f"alerts:\n  RollcallWorkerAssignmentInconsistent:\n    kinds: {kinds}"
    with pytest.raises(ConfigError, match=f"{KINDS}{LETTERS}.*: {why}.* \\(v.yml:3\\)"):
        parse(text, "v.yml")


def test_what_is_allowed_makes_rules_that_prometheus_takes(tmp_path: Path) -> None:
    text = """
        records: {read_only_types: "ext4|(fuse.*)?|a-b c+?", run_pause: 16m, tickets_every: 2m}
        alerts:
          RollcallWorkerUnknownIdle: {enabled: false, silent_for: 5m}
          RollcallNodeFlapping: {changes: 0}
          RollcallGpuHot: {celsius: 89.5}
          Watchdog: {severity: info}
    """
    (tmp_path / "rules.yml").write_text(document(parse(text, "v.yml")))
    result = run("promtool", "check", "rules", tmp_path / "rules.yml")
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_shipped_values_fit_together() -> None:
    values = defaults()
    found = [bounds._value(values, path) for path in (*bounds.LEAST, *bounds.MOST)]
    limits = [*bounds.LEAST.values(), *bounds.MOST.values()]
    assert [parse_duration(one) > parse_duration(limit) for one, limit in zip(found, limits, strict=True)] == [
        *(True for _ in bounds.LEAST),
        *(False for _ in bounds.MOST),
    ]
    pairs = [[parse_duration(bounds._value(values, path)) for path in pair] for pair in bounds.SHORTER]
    assert [pair for pair in pairs if pair[0] >= pair[1]] == []
