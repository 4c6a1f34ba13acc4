"""What Alertmanager tells: the notifications that it posts, and the alerts that it holds, muted or not."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from tests.real.monitoring import Alertmanager
from tests.real.web import Answer, Asked, ask

Labels = Mapping[str, str]


class Notification(NamedTuple):
    """What a receiver was told when (monotonic seconds) of the alerts of one name and fleet, "" for none."""

    receiver: str
    at: float
    name: str
    fleet: str
    firing: tuple[Labels, ...]
    resolved: tuple[Labels, ...]


class Sink:
    """A webhook receiver; a notification's receiver is the path that it was posted to."""

    def __init__(self) -> None:
        self._told: list[Notification] = []

    def take(self, asked: Asked) -> Answer:
        """Take a notification, as Alertmanager posts it."""
        said = json.loads(asked.body)
        alerts: dict[str, list[Labels]] = {"firing": [], "resolved": []}
        for alert in said["alerts"]:
            alerts[alert["status"]].append(alert["labels"])
        name, fleet = said["groupLabels"]["alertname"], said["groupLabels"].get("fleet", "")
        receiver = asked.target.removeprefix("/")
        told = Notification(receiver, time.monotonic(), name, fleet, *(tuple(each) for each in alerts.values()))
        self._told.append(told)
        return Answer(200, b"")

    @property
    def told(self) -> list[Notification]:
        """All of them but those of the watchdog, in order."""
        return [each for each in self._told if each.receiver != "watchdog"]

    def of(self, name: str, fleet: str) -> list[Notification]:
        """Those of one name and fleet."""
        return [each for each in self.told if (each.name, each.fleet) == (name, fleet)]

    def resolved(self, name: str, fleet: str) -> int:
        """How many alerts of one name and fleet were said to be resolved."""
        return sum(len(each.resolved) for each in self.of(name, fleet))


class Standing(NamedTuple):
    """An alert that Alertmanager holds; `by` are the names and fleets of those that mute it."""

    labels: Labels
    by: frozenset[tuple[str, str]]

    @property
    def name(self) -> tuple[str, str]:
        """Its name and its fleet, "" for none."""
        return self.labels["alertname"], self.labels.get("fleet", "")


def standing(alertmanager: Alertmanager) -> list[Standing] | None:
    """The alerts that it holds now, the watchdog aside; None where one that mutes others ended meanwhile."""
    held: list[dict[str, Any]] = ask(f"{alertmanager.url}/api/v2/alerts").json()
    names = {each["fingerprint"]: each["labels"] for each in held}
    found = []
    for each in held:
        marks = each["status"]["inhibitedBy"]
        assert (each["status"]["state"] == "suppressed") == bool(marks), each
        if not names.keys() >= set(marks):
            return None
        by = frozenset((names[mark]["alertname"], names[mark].get("fleet", "")) for mark in marks)
        if each["labels"]["alertname"] != "Watchdog":
            found.append(Standing(each["labels"], by))
    return found
