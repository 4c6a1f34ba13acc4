"""Alertmanager's own tool accepts its configuration, and every alert is routed and muted as it should be."""

from __future__ import annotations

import re

import pytest

from exporter.config.duration import parse_duration
from tests.unit.declared import DECLARED
from tests.unit.prometheus_tools import VERSIONS, run
from tests.unit.promql import labels_of
from tests.unit.shipped_rules import ALERTS, PROMETHEUS, loaded

ALERTMANAGER = PROMETHEUS / "alertmanager.yml"
CONFIGURATION = loaded(ALERTMANAGER.read_text())
MATCHER = re.compile(r'(\w+) *(=|!=|=~|!~) *"(.*)"')
RECEIVERS = {"critical": "page", "warning": "page", "ticket": "ticket", "info": "log", "none": "watchdog"}

Labels = dict[str, str]

SAMPLE = {
    "fleet": "eu",
    "worker": "Worker-0",
    "node": "n1",
    "model": "m",
    "instance": "a:10470",
    "job": "rollcall",
    "uuid": "GPU-0",
    "gpu": "0",
    "device": "/dev/sda1",
    "logical_id": "sleeper",
    "provider": "ipmi",
    "source": "s:1",
    "kind": "agent-lightning",
    "field": "f",
    "collector": "host",
}
"""A value for every label that an alert can have; two alerts that have one are about the same thing."""


def labels(alert: str, **others: str) -> Labels:
    """The labels of an alert, with a value for each."""
    names = labels_of(ALERTS[alert]["expr"], DECLARED)
    found = {name: SAMPLE[name] for name in sorted(names)}
    return found | {"alertname": alert, "severity": ALERTS[alert]["labels"]["severity"]} | others


SOURCES = {
    "no exporter": labels("RollcallDown") | {"fleet": "", "kind": "", "instance": ""},
    "no exporter of the store": labels("RollcallDown"),
    "no exporter of the registry": labels("RollcallDown", kind="registry"),
    "no exporter of the mesh": labels("RollcallDown", kind="mesh-llm"),
    "no exporter of the inventory": labels("RollcallDown", kind="inventory"),
    "exporter down": labels("RollcallExporterDown"),
    "shard missing": labels("RollcallShardMissing"),
    "store down": labels("RollcallSourceDown"),
    "store stale": labels("RollcallSourceStale"),
    "registry down": labels("RollcallSourceDown", kind="registry"),
    "mesh down": labels("RollcallSourceDown", kind="mesh-llm"),
    "mesh stale": labels("RollcallSourceStale", kind="mesh-llm"),
    "inventory down": labels("RollcallSourceDown", kind="inventory"),
    "inventory stale": labels("RollcallSourceStale", kind="inventory"),
    "console down": labels("RollcallConsoleDown"),
    "majority": labels("RollcallWorkerUnknownMajority"),
    "worker": labels("RollcallWorkerUnknown"),
    "no workers": labels("RollcallNoWorkers"),
    "node gone": labels("RollcallNodeGone"),
    "nobody serves": labels("RollcallNoServingNode"),
    "GPU missing": labels("RollcallGpuMissing"),
    "disk full": labels("RollcallHostDiskFull"),
}
"""What may fire beside an alert."""

ANY = {"no exporter"}
SOURCE = ANY | {"no exporter of the store"}
WORKERS = SOURCE | {"no exporter of the registry", "store down", "store stale", "registry down"}
WORKER = WORKERS | {"majority"}
MESH = ANY | {"no exporter of the mesh", "mesh down", "mesh stale"}
NODE = MESH | {"node gone"}
SHARD = {"shard missing"}
WAKE = MESH | {"no exporter of the inventory", "inventory down", "inventory stale"}
EXPORTER = {f"no exporter of the {source}" for source in ("store", "registry", "mesh", "inventory")}
HOST = ANY | EXPORTER | {"exporter down"}
GPU = HOST | {"GPU missing"}

MUTED_BY = {
    "RollcallDown": {"no exporter"},
    "RollcallExporterDown": ANY | EXPORTER,
    "RollcallShardMissing": ANY | {f"no exporter of the {source}" for source in ("store", "mesh", "inventory")},
    "RollcallSourceDown": SOURCE,
    "RollcallConsoleDown": MESH,
    "RollcallSourceStale": SOURCE,
    "RollcallUpstreamDrift": SOURCE,
    "RollcallSeriesDropped": ANY,
    "RollcallCollectorFailing": ANY,
    "RollcallReloadFailed": ANY,
    "RollcallWebConfigFailed": ANY,
    "RollcallLedgerUnavailable": ANY,
    "Watchdog": set[str](),
    "RollcallWorkerUnknown": WORKER,
    "RollcallWorkerUnknownIdle": WORKER | SHARD | {"no workers"},
    "RollcallWorkerHeartbeatOnly": WORKERS,
    "RollcallWorkerAttemptFlagged": WORKER,
    "RollcallWorkerTelemetryStale": WORKERS,
    "RollcallWorkerFlapping": WORKER,
    "RollcallWorkerClockSkew": WORKERS,
    "RollcallWorkerSharedId": WORKERS,
    "RollcallWorkerSilentWithAssignment": WORKER,
    "RollcallWorkerAssignmentInconsistent": WORKER,
    "RollcallWorkerVanished": WORKER,
    "RollcallWorkerUnknownMajority": WORKERS,
    "RollcallStoreRestarted": WORKERS,
    "RollcallQueueStarved": WORKERS | SHARD,
    "RollcallNoWorkers": WORKER,
    "RollcallNodeGone": MESH | SHARD,
    "RollcallNodeLoadingTooLong": NODE,
    "RollcallNodeFlapping": NODE,
    "RollcallNodeViewsDisagree": NODE,
    "RollcallNodeGhost": NODE,
    "RollcallNodeStandbyWhileWanted": NODE | SHARD,
    "RollcallNoServingNode": MESH,
    "RollcallModelUnserved": MESH | SHARD | {"nobody serves"},
    "RollcallModelOnlyWakeable": MESH | SHARD,
    "RollcallWakeOverdue": WAKE,
    "RollcallWakeFailing": MESH,
    "RollcallWakeableExhausted": WAKE | SHARD,
    "RollcallHostDiskFilling": HOST | {"disk full"},
    "RollcallHostDiskFull": HOST,
    "RollcallHostMemoryLow": HOST,
    "RollcallGpuMissing": HOST,
    "RollcallGpuHot": GPU,
    "RollcallGpuThrottled": GPU,
    "RollcallGpuEccErrors": ANY | {"GPU missing"},
    "RollcallGpuMemoryFull": GPU,
}
"""Which of them mute it. An alert that nobody decided on is not in it, and fails the test below."""


@pytest.mark.parametrize("version", VERSIONS)
def test_amtool_accepts_the_configuration(version: str) -> None:
    result = run("amtool", "check-config", ALERTMANAGER, version=version)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_goes_where_its_severity_says(alert: str) -> None:
    said = [f"{name}={value}" for name, value in labels(alert).items()]
    result = run("amtool", "config", "routes", "test", f"--config.file={ALERTMANAGER}", *said)
    assert result.stdout.strip() == RECEIVERS[ALERTS[alert]["labels"]["severity"]], result.stderr


def test_an_alert_without_a_severity_pages() -> None:
    result = run("amtool", "config", "routes", "test", f"--config.file={ALERTMANAGER}", "alertname=Other")
    assert result.stdout.strip() == "page"


def test_notifications_are_grouped_and_tickets_repeat_slower() -> None:
    route = CONFIGURATION["route"]
    [ticket] = [child for child in route["routes"] if child["receiver"] == "ticket"]
    assert route["group_by"] == ["fleet", "alertname"]
    assert not [child for child in route["routes"] if "group_by" in child]
    assert (route["repeat_interval"], ticket["repeat_interval"]) == ("4h", "4d")


def test_it_is_decided_of_every_alert_what_mutes_it() -> None:
    assert MUTED_BY.keys() == ALERTS.keys()


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("alert", MUTED_BY)
def test_an_alert_is_muted_by_what_explains_it_and_nothing_else(alert: str, source: str) -> None:
    assert _mutes(SOURCES[source], labels(alert)) == (source in MUTED_BY[alert])


@pytest.mark.parametrize("source", [name for name in SOURCES if name != "no exporter"])
def test_nothing_mutes_what_is_elsewhere(source: str) -> None:
    for thing in ("fleet", "instance"):
        elsewhere = [labels(alert) for alert in ALERTS]
        elsewhere = [{**one, thing: "elsewhere"} for one in elsewhere if thing in one]
        mutes = [one["alertname"] for one in elsewhere if thing in SOURCES[source] and _mutes(SOURCES[source], one)]
        assert mutes == []


@pytest.mark.parametrize("thing", ["node", "uuid", "device"])
def test_a_part_mutes_only_what_is_about_that_part(thing: str) -> None:
    others = [labels(alert) | {thing: "other"} for alert in ALERTS if thing in labels(alert)]
    sources = [one for one in SOURCES.values() if thing in one]
    assert sources
    assert [one["alertname"] for one in others for source in sources if _mutes(source, one)] == []


def test_no_exporter_mutes_that_of_a_fleet_and_not_the_other_way_round() -> None:
    everywhere, fleet = SOURCES["no exporter"], SOURCES["no exporter of the store"]
    assert (_mutes(everywhere, fleet), _mutes(fleet, everywhere)) == (True, False)


def test_nobody_mutes_itself_or_each_other() -> None:
    assert [name for name, one in SOURCES.items() if _mutes(one, one)] == []
    pairs = [(a, b) for a in SOURCES for b in SOURCES if _mutes(SOURCES[a], SOURCES[b])]
    assert [pair for pair in pairs if pair[::-1] in pairs] == []


@pytest.mark.parametrize("source", ["majority", "no workers"])
def test_what_mutes_workers_outlasts_those_that_end_with_it(source: str) -> None:
    """An alert is last seen to hold up to an interval after what mutes it; flapping is told on for its own reason."""
    lasting = _lasts(SOURCES[source]["alertname"])
    muted = {alert for alert, by in MUTED_BY.items() if source in by} - {"RollcallWorkerFlapping", "RollcallNoWorkers"}
    assert muted
    assert [alert for alert in sorted(muted) if _lasts(alert) + 60 >= lasting] == []


def _lasts(alert: str) -> float:
    return parse_duration(ALERTS[alert]["keep_firing_for"])


def _mutes(source: Labels, target: Labels) -> bool:
    return any(
        all(_matches(matcher, source) for matcher in rule["source_matchers"])
        and all(_matches(matcher, target) for matcher in rule["target_matchers"])
        and all(source.get(label, "") == target.get(label, "") for label in rule.get("equal", ()))
        for rule in CONFIGURATION["inhibit_rules"]
    )


def _matches(matcher: str, found: Labels) -> bool:
    """Whether a matcher holds; a missing label is an empty one, and expressions are anchored, as in Alertmanager."""
    name, operator, value = MATCHER.fullmatch(matcher).groups()  # type: ignore[union-attr]
    here = found.get(name, "")
    same = re.fullmatch(value, here) is not None if operator.endswith("~") else value == here
    return same != operator.startswith("!")
