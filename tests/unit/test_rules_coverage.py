"""Every alert is tested in five cases, explained in the runbook and has its texts; every recording rule is tested.

The cases are the first words of a promtool test's name: it fires; waits, so is not early; resolves; outlives a restart
of the exporter; and does not fire in what looks alike.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest

from exporter.rules.values import SEVERITIES, defaults
from tests.unit.declared import DECLARED
from tests.unit.excused_cases import EXCUSES
from tests.unit.promql import labels_of
from tests.unit.shipped_rules import (
    ALERTS,
    BY_FILE,
    CASES,
    FILE_OF,
    PROMETHEUS,
    RECORDS,
    RULES,
    TEMPLATES,
    TESTED,
    TESTS,
    Case,
    cases,
    claims,
)

ROOT = PROMETHEUS.parent
COVERED = cases()
RUNBOOK = (ROOT / "docs/RUNBOOK.md").read_text("utf-8")
PARTS = {
    "rollcall": "Rollcall",
    "workers": "Workers",
    "nodes": "Nodes",
    "models": "Models and wakeable capacity",
    "hosts": "Hosts and GPUs",
}
"""The part of the runbook by the second word of a template's name."""

IDENTITY = {
    "fleet", "worker", "node", "model", "logical_id", "instance", "job", "source", "kind", "gpu", "uuid",
    "mountpoint", "device", "provider", "collector", "field",
}  # fmt: skip
"""Labels that say what an alert is about, and stay as they are for as long as it fires."""

DASHBOARDS = {
    model["uid"]: {variable["name"] for variable in model["templating"]["list"]}
    for model in (json.loads(path.read_text()) for path in (ROOT / "grafana/dashboards").glob("*.json"))
}


def _has(case: str, one: Case) -> bool:
    """Whether the expectations of a test are those of a case that its name claims."""
    first = one.fires.index(True) if True in one.fires else None
    match case:
        case "fires":
            return first is not None
        case "waits":
            return bool(first)
        case "resolves":
            return (True, False) in pairwise(one.fires)
        case "restart":
            return one.gaps and sum(one.fires) >= 2
    return first is None


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_tested_in_every_case(alert: str, case: str) -> None:
    found = [one for one in COVERED if one.alert == alert and case in one.claims and _has(case, one)]
    if (alert, case) in EXCUSES:
        assert not found, "is tested after all: take the excuse away"
        return
    assert found, f"no test in prometheus/tests is named `{case}` and does that of {alert}"


def test_excuses_are_of_alerts_and_cases() -> None:
    assert [excuse for excuse in EXCUSES if excuse[0] not in ALERTS or excuse[1] not in CASES] == []


@pytest.mark.parametrize(
    ("name", "found"),
    [(f"{file}: {test['name']}", test) for file, test in TESTED if "alert_rule_test" in test],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_a_name_claims_cases_that_the_test_has(name: str, found: dict[str, object]) -> None:
    claimed = claims(str(found["name"]))
    assert claimed, "begin the name with its cases: `fires, waits: …`"
    assert set(claimed) <= set(CASES)
    assert "look-alike" not in claimed or claimed == ("look-alike",)
    mine = [one for one in COVERED if one.file == name.partition(":")[0] and one.name == found["name"]]
    assert [case for case in claimed if not any(_has(case, one) for one in mine)] == []
    assert "look-alike" not in claimed or all(_has("look-alike", one) for one in mine)


def test_no_two_tests_of_a_file_have_one_name() -> None:
    names = [(file, test["name"]) for file, test in TESTED]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("record", RECORDS)
def test_every_record_is_tested_with_samples(record: str) -> None:
    queries = [query for _, test in TESTED for query in test.get("promql_expr_test", ())]
    assert [query for query in queries if query["expr"] == record and query["exp_samples"]]


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_is_named_by_the_labels_it_keeps(record: str) -> None:
    level, metric, operation = record.split(":")
    kept = RECORDS[record]["expr"].split("(")[1].split(")")[0]
    assert level == "_".join(label.strip() for label in kept.split(","))
    assert metric.startswith("rollcall_")
    assert RECORDS[record]["expr"].startswith(f"{operation} by (")


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_what_is_wrong_and_where_to_look(alert: str) -> None:
    rule = ALERTS[alert]
    annotations = rule["annotations"]
    assert rule["labels"].keys() == {"severity"}
    assert rule["labels"]["severity"] in SEVERITIES
    assert (rule["labels"]["severity"] == "none") == (alert == "Watchdog")
    assert ("for" in rule) == (alert != "Watchdog")
    assert annotations.keys() == {"summary", "description", "runbook_url", "dashboard"}
    assert all(annotations.values())
    assert annotations["runbook_url"] == f"docs/RUNBOOK.md#{alert.lower()}"


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_leads_to_a_dashboard_that_can_take_its_variables(alert: str) -> None:
    link = ALERTS[alert]["annotations"]["dashboard"]
    uid = re.fullmatch(r"http://localhost:3000/d/([a-z-]+)((\?|\{).*)?", link)
    assert uid is not None
    assert uid[1] in DASHBOARDS
    assert set(re.findall(r"var-(\w+)=", link)) <= DASHBOARDS[uid[1]]
    assert re.findall(r"=\{\{ \$labels\.\w+ (?!\| urlquery \}\})", link) == []


@pytest.mark.parametrize("alert", ALERTS)
def test_the_labels_of_an_alert_are_those_of_a_thing(alert: str) -> None:
    assert labels_of(ALERTS[alert]["expr"], DECLARED) <= IDENTITY


def test_durations_and_severities_are_those_of_the_values() -> None:
    wrong, name = [], ""
    for file, text in TEMPLATES.items():
        for line in text.splitlines():
            if match := re.match(r"      - alert: (\w+)", line):
                name = match[1]
            if match := re.match(r" +(for|keep_firing_for|severity):(.*)", line):
                wrong += [] if match[2] == f" << alerts.{name}.{match[1]} >>" else [f"{file}: {line.strip()}"]
    assert wrong == []


def test_the_values_are_those_of_alerts() -> None:
    assert set(defaults()["alerts"]) == set(ALERTS)


def test_groups_are_named_by_their_files_and_files_are_short() -> None:
    for name, text in TEMPLATES.items():
        groups = re.findall(r"^  - name: (\S+)$", text, re.MULTILINE)
        assert groups
        assert all(f"{group}-".startswith(f"rollcall-{name.removesuffix('.yml')}-") for group in groups)
    assert [str(path) for path in (*RULES, *TESTS) if len(path.read_text().splitlines()) > 300] == []
    assert [name for name in FILE_OF.values() if not name.startswith("alerts-")] == []
    assert [name for name in BY_FILE if name.startswith("alerts-") != (name in FILE_OF.values())] == []


def _runbook() -> dict[str, tuple[str, str]]:
    """The part and the text of each alert's section."""
    sections = {}
    for part in re.split(r"^# ", RUNBOOK, flags=re.MULTILINE)[1:]:
        title, *rest = re.split(r"^## ", part, flags=re.MULTILINE)
        for section in rest:
            heading, _, text = section.partition("\n")
            assert heading not in sections, f"{heading} has two headings"
            sections[heading] = (title.partition("\n")[0], text)
    return sections


def test_the_runbook_has_a_heading_for_every_alert_and_no_other() -> None:
    sections = _runbook()
    assert set(sections) == set(ALERTS)
    parts = {alert: PARTS[re.split(r"[-.]", file)[1]] for alert, file in FILE_OF.items()}
    assert {alert: part for alert, (part, _) in sections.items()} == parts


@pytest.mark.parametrize("alert", ALERTS)
def test_the_runbook_says_what_can_be_tuned(alert: str) -> None:
    _, text = _runbook()[alert]
    own = set(defaults()["alerts"][alert]) - {"severity", "enabled"}
    assert [key for key in sorted(own) if f"`{key}`" not in text] == []
    assert 5 <= len(text.strip().splitlines()) <= 25
