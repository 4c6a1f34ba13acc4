"""What a Prometheus would have scraped in virtual time, and which of the shipped alerts that would have raised.

promtool evaluates all rules at every scrape, with their `for` and `keep_firing_for`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from tests.unit.prometheus_tools import run
from tests.unit.shipped_rules import BY_FILE, PROMETHEUS, loaded

INTERVAL = 15.0
"""Seconds between two scrapes, and two evaluations of every rule: those of the shipped prometheus.yml."""

GOT = re.compile(r"\{([^{}]*)\} (-?[0-9.]+E[+-][0-9]+)")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
METRIC = re.compile(r"\brollcall_[a-z0-9_]+")
RECORD = re.compile(r"\b[a-z_]+:rollcall_[a-z0-9_]+:[a-z0-9_]+")
PLAIN = re.compile(r"-?[0-9]+(\.[0-9]+)?")


class Alert(NamedTuple):
    """An alert of a state, pending or firing: its labels without name and state; seconds of Unix time, first to last.

    `times` is how often it was evaluated in that state.
    """

    name: str
    labels: Mapping[str, str]
    first: float
    last: float
    times: int


class Series:
    """The values of one series, scrape by scrape."""

    def __init__(self) -> None:
        self._runs: list[tuple[str, int]] = []
        self._count = 0

    def add(self, value: str, moment: int) -> None:
        """Take its value at the scrape with this number; a gap before it is one without samples."""
        if moment > self._count:
            self._runs.append(("_", moment - self._count))
        before = self._runs.pop()[1] if self._runs and self._runs[-1][0] == value else 0
        self._runs.append((value, before + 1))
        self._count = moment + 1

    @property
    def values(self) -> set[str]:
        """The values that it ever had."""
        return {value for value, _ in self._runs}

    def __str__(self) -> str:
        """Its values as promtool writes them."""
        return " ".join(f"_x{times}" if value == "_" else _run(value, times) for value, times in self._runs)


def _run(value: str, times: int) -> str:
    return value if times == 1 else f"{value}+0x{times - 1}"


class Scrapes:
    """All that was scraped; the first scrape is at Unix time 0. Kept is what some rule asks for."""

    def __init__(self) -> None:
        self._asked = {"up", *METRIC.findall(" ".join(map(_expressions, _needed())))}
        self._series: dict[str, Series] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._there: dict[str, set[str]] = {}
        self._taken = 0

    @property
    def now(self) -> float:
        """When the next one is due, in Unix seconds."""
        return self._taken * INTERVAL

    def take(self, expositions: Mapping[str, str | None]) -> None:
        """Take what each instance exposes, None where it cannot be scraped; what it had before is stale then."""
        for instance, text in expositions.items():
            there = self._take(instance, text or "")
            there.add(self._add(instance, "up", "0" if text is None else "1"))
            for name in self._there.get(instance, set()) - there:
                self._series[name].add("stale", self._taken)
            self._there[instance] = there
        self._taken += 1

    def _take(self, instance: str, text: str) -> set[str]:
        lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {self._add(instance, name, value) for name, _, value in lines if name.partition("{")[0] in self._asked}

    def _add(self, instance: str, name: str, value: str) -> str:
        whole = self._names.get((instance, name))
        if whole is None:
            metric, _, labels = name.rstrip("}").partition("{")
            target = f'instance="{instance}",job="rollcall"'
            whole = f"{metric}{{{labels},{target}}}" if labels else f"{metric}{{{target}}}"
            self._names[instance, name] = whole
            self._series[whole] = Series()
        self._series[whole].add(_plain(value), self._taken)
        return whole

    def values(self, metric: str, **labels: str) -> set[str]:
        """The values that any series of a metric with these labels ever had."""
        wanted = [f'{name}="{value}"' for name, value in labels.items()]
        found = (name for name in self._series if name.startswith(metric + "{") and all(one in name for one in wanted))
        return {value for name in found for value in self._series[name].values}

    def alerts(self, state: str, folder: Path) -> list[Alert]:
        """The alerts that ever were in a state, the first first; `folder` takes promtool's file."""
        chosen = f'ALERTS{{alertstate="{state}"}}'
        window = f"{self.now:.0f}s"
        asked = [
            f"min_over_time(timestamp({chosen})[{window}:{INTERVAL:.0f}s])",
            f"max_over_time(timestamp({chosen})[{window}:{INTERVAL:.0f}s])",
            f"count_over_time({chosen}[{window}])",
        ]
        found = self._answers(asked, folder)
        first, last, times = (dict(each) for each in found)
        alerts = [Alert(_name(key), _labels(key), first[key], last[key], int(times[key])) for key in first]
        return sorted(alerts, key=lambda alert: (alert.first, alert.name))

    def _answers(self, asked: list[str], folder: Path) -> list[list[tuple[str, float]]]:
        """Ask at the end: promtool tells an answer where it expects another, here none."""
        end = f"{self.now - INTERVAL:.0f}s"
        test = {
            "interval": f"{INTERVAL:.0f}s",
            "input_series": [{"series": name, "values": str(series)} for name, series in self._series.items()],
            "promql_expr_test": [{"expr": expr, "eval_time": end, "exp_samples": []} for expr in asked],
        }
        document = {
            "rule_files": [str(PROMETHEUS / "rules" / name) for name in _needed()],
            "evaluation_interval": f"{INTERVAL:.0f}s",
            "group_eval_order": _groups(),
            "tests": [test],
        }
        file = folder / "hour.yml"
        file.write_text(json.dumps(document, indent=0))
        result = run("promtool", "test", "rules", file)
        output = result.stdout + result.stderr
        parts = output.split("expr: ")[1:]
        assert result.returncode == bool(parts), output[-2000:]
        told = {part.partition(", time:")[0]: GOT.findall(part.partition("got:")[2]) for part in parts}
        return [[(key, float(value)) for key, value in told.get(json.dumps(expr), [])] for expr in asked]


def _expressions(file: str) -> str:
    """All expressions of a file, and what its annotations ask."""
    return " ".join(f"{rule['expr']} {rule.get('annotations', '')}" for rule in BY_FILE[file])


def _needed() -> list[str]:
    """The files with alerts, and those whose records these name, and so on: not those that only dashboards ask."""
    needed = [name for name in BY_FILE if any("alert" in rule for rule in BY_FILE[name])]
    for name in needed:
        asked = set(RECORD.findall(_expressions(name)))
        needed += [one for one in BY_FILE if one not in needed and asked & {r.get("record") for r in BY_FILE[one]}]
    return sorted(needed)


def _groups() -> list[str]:
    """The groups, recording ones first."""
    files = [loaded((PROMETHEUS / "rules" / name).read_text()) for name in _needed()]
    names = [group["name"] for file in files for group in file["groups"]]
    return sorted(names, key=lambda name: ("-alerts" in name, name != "rollcall-records"))


def _plain(value: str) -> str:
    """A number without an exponent, which promtool's notation of series does not have."""
    return value if PLAIN.fullmatch(value) else format(Decimal(value), "f")


def _labels(key: str) -> dict[str, str]:
    own = ("alertname", "alertstate")
    return {name: value for name, value in LABEL.findall(key) if name not in own}


def _name(key: str) -> str:
    return dict(LABEL.findall(key))["alertname"]
