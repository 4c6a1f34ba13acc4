"""What metrics and labels there are: those of exporter.families, Prometheus' own, and what the rules record."""

from __future__ import annotations

from typing import Any

import yaml

from exporter.families import FAMILIES
from tests.unit.boards import ROOT
from tests.unit.promql import labels_of

RULE_FILES = sorted(ROOT.glob("prometheus/rules/*.yml"))

OF_PROMETHEUS = {name: frozenset[str]() for name in ("scrape_duration_seconds", "scrape_samples_scraped")}
OF_PROCESSES = {
    f"process_{name}": frozenset[str]()
    for name in ("cpu_seconds_total", "max_fds", "open_fds", "resident_memory_bytes", "start_time_seconds")
}
"""Those of the Prometheus client."""


def rules() -> list[dict[str, Any]]:
    """Every rule that is shipped."""
    groups = [group for path in RULE_FILES for group in yaml.safe_load(path.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def _declared() -> dict[str, frozenset[str]]:
    """Label names by metric: the exporter's, Prometheus' own, and what the rules record from them."""
    families = {family.name: frozenset(family.labels) for family in FAMILIES} | {"up": frozenset()}
    families |= OF_PROMETHEUS | OF_PROCESSES
    records = [rule for rule in rules() if "record" in rule]
    for _ in records:
        families |= {rule["record"]: labels_of(rule["expr"], families) for rule in records}
    fired = [labels_of(rule["expr"], families) | set(rule["labels"]) for rule in rules() if "alert" in rule]
    alerts = frozenset({"alertname"}).union(*fired)
    return families | {"ALERTS": alerts | {"alertstate"}, "ALERTS_FOR_STATE": alerts}


DECLARED = _declared()
