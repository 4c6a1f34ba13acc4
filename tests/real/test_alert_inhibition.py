"""A real Alertmanager with the shipped configuration mutes what an alert explains, and nothing else.

Every alert is posted beside each alert that may explain it, in a fleet and on an instance of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pytest

from tests.real.monitoring import Alertmanager, adapt_alertmanager
from tests.real.process import PATIENCE, free_port, wait_until
from tests.real.web import ask
from tests.unit.test_alertmanager_config import MUTED_BY, SOURCES, labels

EVERYWHERE = "no exporter"
APART = [name for name in SOURCES if name != EVERYWHERE]

SETTLED = 20
"""Looks in a row that find the same: Alertmanager mutes an alert a moment after it has it."""

Labels = Mapping[str, str]


class Pair(NamedTuple):
    """An alert, and one that may explain it."""

    alert: str
    source: str

    def own(self, said: Labels) -> dict[str, str]:
        """Labels in the pair's own fleet, on its own instance."""
        place = f"{self.alert} beside {self.source}"
        return {**said, **{name: place for name in ("fleet", "instance") if said.get(name)}}


PAIRS = [Pair(alert, source) for alert in MUTED_BY for source in APART if labels(alert) != SOURCES[source]]


class Held:
    """An Alertmanager, and which alerts mute which of those that were posted to it."""

    def __init__(self, alertmanager: Alertmanager) -> None:
        self._alerts = f"{alertmanager.url}/api/v2/alerts"
        self._muting: dict[frozenset[tuple[str, str]], list[dict[str, str]]] = {}

    def post(self, alerts: list[dict[str, str]]) -> None:
        """Have these fire, and see what mutes what then."""
        body = json.dumps([{"labels": each} for each in alerts]).encode()
        form = {"Content-Type": "application/json"}
        assert ask(self._alerts, method="POST", headers=form, body=body, timeout=PATIENCE).status == 200
        posted = {frozenset(each.items()) for each in alerts}
        looks = [self._look()]

        def settled() -> bool:
            looks.append(self._look())
            lately = looks[-SETTLED:]
            return posted <= looks[-1].keys() and len(lately) == SETTLED and all(look == looks[-1] for look in lately)

        wait_until(settled, "the alerts, and what mutes what", seconds=3 * PATIENCE)
        self._muting = looks[-1]

    def muting(self, said: Labels) -> list[dict[str, str]]:
        """What mutes an alert."""
        return self._muting[frozenset(said.items())]

    def _look(self) -> dict[frozenset[tuple[str, str]], list[dict[str, str]]]:
        held = ask(self._alerts, timeout=PATIENCE).json()
        named = {each["fingerprint"]: each["labels"] for each in held}
        return {
            frozenset(each["labels"].items()): [named[mark] for mark in each["status"]["inhibitedBy"]] for each in held
        }


def without_empty(said: Labels) -> dict[str, str]:
    """Labels as they are kept."""
    return {name: value for name, value in said.items() if value}


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    folder = tmp_path_factory.mktemp("inhibition")
    adapt_alertmanager(folder, "http://127.0.0.1:9/")
    with Alertmanager(folder, free_port()) as alertmanager:
        posted = Held(alertmanager)
        pairs = [pair.own(said) for pair in PAIRS for said in (labels(pair.alert), SOURCES[pair.source])]
        posted.post([dict(each) for each in {frozenset(pair.items()) for pair in pairs}])
        yield posted


@pytest.mark.parametrize("source", APART)
def test_an_alert_is_muted_by_what_explains_it(source: str, held: Held) -> None:
    wrong = []
    for pair in PAIRS:
        if pair.source == source:
            by = held.muting(pair.own(labels(pair.alert)))
            expected = [pair.own(SOURCES[source])] if source in MUTED_BY[pair.alert] else []
            wrong += [pair.alert] if by != expected else []
    assert wrong == []


@pytest.mark.parametrize("source", APART)
def test_what_explains_an_alert_is_not_muted_by_it(source: str, held: Held) -> None:
    explained = [pair for pair in PAIRS if pair.source == source and source in MUTED_BY[pair.alert]]
    assert [pair.alert for pair in explained if held.muting(pair.own(SOURCES[source]))] == []


def test_without_any_exporter_all_else_is_muted(held: Held) -> None:
    everywhere = without_empty(SOURCES[EVERYWHERE])
    alone = {alert: Pair(alert, EVERYWHERE).own(labels(alert)) for alert in MUTED_BY}
    held.post([everywhere, *alone.values()])
    expected = {alert: [everywhere] if EVERYWHERE in MUTED_BY[alert] else [] for alert in MUTED_BY}
    assert {alert: held.muting(each) for alert, each in alone.items()} == expected
    assert held.muting(everywhere) == []
