"""A real VictoriaMetrics to which a real Prometheus writes answers the dashboards as that Prometheus does.

A second one is written to by an agent, with the example's own file, and a vmalert evaluates the shipped rules over it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from exporter.demo import Demo, DemoOptions
from tests.real.dashboards import Answer, Asker
from tests.real.monitoring import Prometheus, adapt
from tests.real.process import wait_until
from tests.real.rollcall import Rollcall
from tests.real.victoria import Agent, Victoria, Vmalert, every_second, example, writes, written
from tests.real.victoria_answers import DIFFERENCES, Difference, unlike
from tests.real.web import Answer as Response
from tests.real.web import Asked, WebServer
from tests.unit.boards import BOARDS, queries

SILENT = "trainer-0-runner-1"
CHOICES = {"node": "gpu-01", "observer": "gpu-01", "worker": SILENT}
INSTANCE = "gpu-01:10470"
BEFORE, SCRAPES = 3, 9
HAPPENED = (
    'ALERTS{alertname="RollcallWorkerUnknown",alertstate="firing"}',
    "fleet:rollcall_nodes_lost:sum > 0",
    'rollcall_wakes_total{result="live"} > 0',
)
SETTLED = 1.5
"""Seconds after an instant by which rules of that instant are evaluated and written."""


class Told(NamedTuple):
    """What both engines answered, by dashboard; the second store's series; vmalert's groups, and whom it alerted."""

    prometheus: dict[str, list[Answer]]
    victoria: dict[str, list[Answer]]
    delivered: set[str]
    groups: list[Any]
    alerts: set[str]


class Notified:
    """Takes alerts as an Alertmanager does, and keeps their names."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: set[str] = set()

    def take(self, asked: Asked) -> Response:
        """Take one notification."""
        with self._lock:
            self._names |= {alert["labels"]["alertname"] for alert in json.loads(asked.body)}
        return Response(200, b"")

    def names(self) -> set[str]:
        """Of all alerts so far."""
        with self._lock:
            return set(self._names)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder, apart = tmp_path_factory.mktemp("victoria"), tmp_path_factory.mktemp("agent")
    options = DemoOptions(nodes=9, mesh_port=0, store_port=0, speed=10, seed=6, calm=True, steady=True, split=3)
    with Demo(options) as demo, ExitStack() as stack:
        configuration = demo.configuration(interval="500ms", heartbeat_timeout="5s")
        store, second = (stack.enter_context(Victoria(each)) for each in (folder, apart))
        exporter = stack.enter_context(Rollcall(folder, configuration))
        wait_until(lambda: exporter.get("/-/ready").status == 200, "every source to be read")
        target = exporter.url.removeprefix("http://")
        stack.enter_context(Agent(example(apart, "agent/prometheus.yml", target, second)))
        prometheus = stack.enter_context(_prometheus(folder, target, store))
        _await(prometheus, BEFORE)
        _misfortune(demo)
        _await(prometheus, SCRAPES, *HAPPENED)
        asker = Asker(prometheus, CHOICES)
        wait_until(lambda: written(prometheus, asker.now + SETTLED), "Prometheus to have written what it has")
        store.settle()
        other = Asker(store, CHOICES)
        other.now = asker.now
        boards = [dict(each.told().boards) for each in (asker, other)]
        yield Told(boards[0], boards[1], *_evaluated(stack, apart, folder / "rules", second))


def _prometheus(folder: Path, target: str, store: Victoria) -> Prometheus:
    """A Prometheus with the shipped rules that writes to a store as one of a pair does."""
    adapt(folder, [target], None, hold=2, keep=60)
    named = [{"targets": [target], "labels": {"instance": INSTANCE}}]
    (folder / "targets/rollcall.yml").write_text(yaml.safe_dump(named))
    writes(folder, "ha-pair/a.yml", store)
    return Prometheus(folder)


def _misfortune(demo: Demo) -> None:
    ids = {name: node for node, name in demo.nodes().items()}
    demo.kill_node(ids["gpu-03"])
    demo.kill_worker(SILENT, busy=True)
    demo.wake("attic-gpu-31")


def _await(prometheus: Prometheus, scrapes: int, *happened: str) -> None:
    for expr in (f"sum(count_over_time(up[10m])) >= {scrapes}", *happened):
        wait_until(partial(prometheus.query, expr), expr)


def _evaluated(stack: ExitStack, folder: Path, rules: Path, store: Victoria) -> tuple[set[str], list[Any], set[str]]:
    """What an agent delivered, and vmalert's groups and alerts once it has evaluated every rule over that."""
    wait_until(lambda: store.query("rollcall_build_info"), "the agent to deliver what it scraped")
    delivered = {each["metric"]["__name__"] for each in store.query('{job="rollcall",cluster="rollcall"}')}
    notified = Notified()
    sink = stack.enter_context(WebServer(notified.take))
    vmalert = stack.enter_context(Vmalert(folder, every_second(rules, folder), store, sink.url))
    wait_until(lambda: "Watchdog" in notified.names(), "vmalert to tell of the watchdog")
    wait_until(lambda: all(_times(vmalert.groups())), "vmalert to evaluate every rule")
    return delivered, vmalert.groups(), notified.names()


def _rules(groups: list[Any]) -> Iterator[Any]:
    for group in groups:
        yield from group["rules"]


def _times(groups: list[Any]) -> list[bool]:
    return [not rule["lastEvaluation"].startswith("0001") for rule in _rules(groups)]


@pytest.mark.parametrize("uid", BOARDS)
def test_it_answers_as_prometheus_does(uid: str, told: Told) -> None:
    found = []
    for one, other in zip(told.prometheus[uid], told.victoria[uid], strict=True):
        found += [f"{one.query.place}: {each}" for each in unlike(one, other)]
    assert found == []


def test_most_was_answered_with_something(told: Told) -> None:
    answers = [answer for board in told.victoria.values() for answer in board]
    assert sum(bool(answer.result) for answer in answers) > 0.75 * len(answers)


def test_another_answer_is_told(told: Told) -> None:
    answers = [each for each in told.prometheus["rollcall-fleet"] if each.result and not unlike(each, each)]
    some = next(each for each in answers if each.query.instant and "increase" not in each.query.expr)
    first, *rest = some.result
    changed = {**first, "value": [first["value"][0], str(float(first["value"][1]) + 1)]}
    renamed = {**first, "metric": {**first["metric"], "fleet": "another"}}
    assert any(" and " in each for each in unlike(some, some._replace(result=[changed, *rest])))
    assert len(unlike(some, some._replace(result=[renamed, *rest]))) == 2
    assert unlike(some, some._replace(result=[], error="no such function")) == ["no such function"]


@pytest.mark.parametrize("allowed", DIFFERENCES, ids=lambda each: f"{each.place} {each.asks}")
def test_what_may_differ_is_asked(allowed: Difference) -> None:
    assert allowed.may in ("values", "times", "more", "labels", "all")
    assert any(fnmatch(query.place, allowed.place) for board in BOARDS.values() for query in queries(board))


def test_an_agent_delivers(told: Told) -> None:
    wanted = {"up", "rollcall_build_info", "rollcall_node_state", "rollcall_worker_status", "process_cpu_seconds_total"}
    assert wanted <= told.delivered
    assert not [name for name in told.delivered if name.startswith("python_")]


def test_every_rule_is_evaluated_over_the_store(told: Told) -> None:
    assert {rule["name"]: rule["lastError"] for rule in _rules(told.groups) if rule["lastError"]} == {}
    assert len([*_rules(told.groups)]) > 100
    assert "Watchdog" in told.alerts
