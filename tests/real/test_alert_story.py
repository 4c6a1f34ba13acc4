"""From workers that fall silent to the notifications, and back, through all that may befall who watches them."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.real.alert_sink import Notification
from tests.real.alert_story import HOLD, SILENT, TIMEOUT, Told, told
from tests.real.lightning import Nursery

pytestmark = pytest.mark.timeout(280)

Name = tuple[str, str]
"""Of an alert and of a fleet, "" for none."""

UNKNOWN, MAJORITY, GONE = "RollcallWorkerUnknown", "RollcallWorkerUnknownMajority", "RollcallNodeGone"
FLAPPING, DOWN, STOPPED = "RollcallNodeFlapping", "RollcallDown", "RollcallSourceDown"

EXPECTED = {
    ("page", UNKNOWN, "demo"),
    ("page", MAJORITY, "training"),
    ("page", STOPPED, "training"),
    ("page", STOPPED, "calm"),
    ("page", DOWN, "demo"),
    ("page", DOWN, "third"),
    ("page", DOWN, ""),
    ("ticket", FLAPPING, "demo"),
    ("ticket", GONE, "demo"),
}
"""Who was told what of which fleet."""


@pytest.fixture(scope="module")
def story(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Told:
    return told(tmp_path_factory.mktemp("story"), nursery)


def until_mended(story: Told) -> list[Notification]:
    """What somebody was told before anything was mended."""
    return [each for each in story.sink.told if each.at < story.at["mended"] and each.receiver != "log"]


def muting(story: Told, stage: str) -> dict[Name, set[Name]]:
    """What muted the alerts of each name and fleet at a stage; all of one name were muted alike."""
    found: dict[Name, set[Name]] = {}
    for each in story.held[stage]:
        assert found.setdefault(each.name, set(each.by)) == each.by, each
    return found


def test_a_hundred_silent_workers_are_one_notification_in_time(story: Told) -> None:
    first, *others = story.sink.of(UNKNOWN, "demo")
    assert {labels["worker"] for labels in first.firing} == set(story.silent)
    assert (len(first.firing), len(first.resolved)) == (SILENT, 0)
    assert first.at - story.at["silent"] < TIMEOUT + HOLD + 30
    assert [each for each in others if each.at < story.at["mended"]] == []


def test_every_alert_is_told_once_and_nothing_else(story: Told) -> None:
    news = [each for each in until_mended(story) if each.firing and not each.resolved]
    assert Counter((each.receiver, each.name, each.fleet) for each in news) == dict.fromkeys(EXPECTED, 1)


def test_of_a_fleet_whose_store_stops_only_that_is_said(story: Told) -> None:
    assert [name for name, fleet in story.fired if fleet == "calm" and name.startswith("RollcallWorker")] == []
    (only,) = [each for each in until_mended(story) if each.fleet == "calm" and each.firing]
    assert (only.name, len(only.firing)) == (STOPPED, 1)


def test_of_a_fleet_whose_exporter_is_killed_only_that_is_said(story: Told) -> None:
    assert [name for name, fleet in story.fired if fleet == "third"] == [DOWN]
    (only,) = [each for each in until_mended(story) if each.fleet == "third" and each.firing]
    assert (only.name, len(only.firing)) == (DOWN, 1)


def test_silent_workers_and_a_lost_majority(story: Told) -> None:
    assert muting(story, "silent") == {
        (UNKNOWN, "demo"): set(),
        (MAJORITY, "training"): set(),
        (UNKNOWN, "training"): {(MAJORITY, "training")},
        (GONE, "demo"): set(),
        (FLAPPING, "demo"): {(GONE, "demo")},
    }


def test_stopped_stores_and_a_killed_exporter(story: Told) -> None:
    assert muting(story, "stopped") == {
        (STOPPED, "calm"): set(),
        (STOPPED, "training"): set(),
        (MAJORITY, "training"): {(STOPPED, "training")},
        (UNKNOWN, "training"): {(STOPPED, "training")},
        (DOWN, "third"): set(),
        (DOWN, "demo"): set(),
        (UNKNOWN, "demo"): {(DOWN, "demo")},
        (GONE, "demo"): {(DOWN, "demo")},
        (FLAPPING, "demo"): {(DOWN, "demo")},
    }


def test_without_any_exporter_only_that_is_said(story: Told) -> None:
    held = muting(story, "dead")
    assert held.pop((DOWN, "")) == set()
    assert held.keys() >= {(DOWN, "demo"), (DOWN, "third"), (DOWN, "training"), (DOWN, "calm"), (STOPPED, "calm")}
    assert [name for name, by in held.items() if by != {(DOWN, "")}] == []


def test_nothing_is_said_to_recover_that_did_not(story: Told) -> None:
    resolved = [each for each in until_mended(story) if each.resolved]
    early = {(each.name, each.fleet) for each in resolved if each.at < story.at["on"]}
    assert early == {(DOWN, ""), (DOWN, "demo"), (DOWN, "third")}
    assert {(each.name, each.fleet) for each in resolved} - early <= {(STOPPED, "calm"), (STOPPED, "training")}


def test_each_recovery_is_told(story: Told) -> None:
    missed = {
        (name, fleet): (firing, story.sink.resolved(name, fleet))
        for _, name, fleet in EXPECTED - {("ticket", FLAPPING, "demo")}
        if (firing := max(len(each.firing) for each in story.sink.of(name, fleet))) != story.sink.resolved(name, fleet)
    }
    assert missed == {}
