"""The promtool tests see it when an alert does not wait, or does not outlive a restart.

Those of Rollcall's own alerts; with ROLLCALL_FULL=1 those of all of them, which takes two minutes of CPU.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import NamedTuple

from exporter.config.duration import parse_duration
from exporter.rules.render import rendered
from exporter.rules.values import defaults
from tests.real.scale import FULL
from tests.unit.excused_cases import EXCUSES
from tests.unit.prometheus_tools import run
from tests.unit.shipped_rules import ALERTS, FILE_OF, PROMETHEUS, TESTED, cases, claims

FAILURE = re.compile(r" +name: (.+),\n +alertname: (\w+), time: (\w+), *\n +exp:\[(.?)")
CHOSEN = [alert for alert, file in FILE_OF.items() if FULL or file.startswith("alerts-rollcall")]
ASKED = sorted({one.file for one in cases() if one.alert in CHOSEN})
KEPT = [alert for alert in CHOSEN if "keep_firing_for" in ALERTS[alert] and (alert, "restart") not in EXCUSES]
WAITING = [alert for alert in CHOSEN if (alert, "waits") not in EXCUSES]


class Failure(NamedTuple):
    """An expectation not met: in which test, of which alert, at which second, and whether it was of nothing."""

    test: str
    alert: str
    time: float
    empty: bool


def failures_without(key: str, folder: Path) -> set[Failure]:
    """What fails in the tests of alerts where `key` of every alert is 0."""
    values = defaults()
    for alert in values["alerts"].values():
        alert.update({key: "0s"} if key in alert else {})
    (folder / "rules").mkdir()
    for name, text in rendered(values).items():
        (folder / "rules" / name).write_text(text)
    shutil.copytree(PROMETHEUS / "tests", folder / "tests")
    result = run("promtool", "test", "rules", *ASKED, cwd=folder / "tests")
    found = FAILURE.findall(result.stdout + result.stderr)
    return {Failure(test, alert, parse_duration(time), first == "]") for test, alert, time, first in found}


def test_alerts_that_do_not_wait_are_seen(tmp_path: Path) -> None:
    hasty = failures_without("for", tmp_path)
    seen = {one.alert for one in hasty if one.empty and one.time < _waits(one.alert).get(one.test, 0.0)}
    missed = sorted({*WAITING} - seen)
    assert missed == [], "without `for`, no test that claims `waits` fails: expect nothing nearer to their firing"


def test_alerts_that_end_with_their_series_are_seen(tmp_path: Path) -> None:
    fickle = failures_without("keep_firing_for", tmp_path)
    seen = {one.alert for one in fickle if not one.empty and one.test in _claiming("restart", one.alert)}
    missed = sorted({*KEPT} - seen)
    assert missed == [], "without `keep_firing_for`, no test that claims `restart` fails: expect them in the gap"


def _waits(alert: str) -> dict[str, float]:
    """When each test that claims `waits` first expects an alert."""
    return {test: _first(test, alert) for test in _claiming("waits", alert)}


def _claiming(case: str, alert: str) -> list[str]:
    return [
        test["name"]
        for _, test in TESTED
        if case in claims(test["name"]) and any(one["alertname"] == alert for one in test.get("alert_rule_test", ()))
    ]


def _first(name: str, alert: str) -> float:
    """When a test first expects an alert, in seconds."""
    asked = (one for _, test in TESTED if test["name"] == name for one in test.get("alert_rule_test", ()))
    times = [parse_duration(str(one["eval_time"])) for one in asked if one["alertname"] == alert and one["exp_alerts"]]
    return min(times, default=0.0)
