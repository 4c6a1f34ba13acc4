"""Every query of every panel, variable and annotation, as the JSON has it, is answered by real Prometheuses.

Both have the shipped rules. One scraped the simulated fleet for a minute, ten times as fast; the other an empty fleet:
a store without a worker.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.demo import Demo, DemoOptions
from grafana.panels import NO_EXPORTER
from tests.real.dashboards import Answer, Asker, Series
from tests.real.excuses import EXCUSES, Excuse
from tests.real.monitoring import Prometheus, adapt
from tests.real.process import wait_until
from tests.real.rollcall import Rollcall
from tests.unit.boards import BOARDS, panels, plain, queries
from tests.unit.declared import DECLARED
from tests.unit.frames import displayed
from tests.unit.promql import labels_of

MOST = 2000
SCRAPES = 40
PREFERRED = {"node": "gpu-01", "observer": "gpu-01"}
EACH_BOARD = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)


@contextmanager
def watched(folder: Path, configuration: dict[str, Any], scrapes: int) -> Iterator[Prometheus]:
    """A Prometheus with the shipped rules that has scraped an exporter so many times."""
    with Rollcall(folder, yaml.safe_dump(configuration | {"gpu": {"enabled": False}})) as exporter:
        wait_until(lambda: exporter.get("/-/ready").status == 200, "every source to be read")
        adapt(folder, [exporter.url.removeprefix("http://")], None, hold=2, keep=60)
        with Prometheus(folder) as prometheus:
            once = f"sum(count_over_time(up[10m])) >= {scrapes}"
            wait_until(lambda: prometheus.query(once), f"{scrapes} scrapes", seconds=60 + 2 * scrapes)
            yield prometheus


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asker]:
    with Demo(DemoOptions(mesh_port=0, store_port=0, speed=10, silence=20)) as demo:
        configuration = yaml.safe_load(demo.configuration(interval="500ms", heartbeat_timeout="5s"))
        with watched(tmp_path_factory.mktemp("busy"), configuration, SCRAPES) as prometheus:
            yield Asker(prometheus, PREFERRED)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asker]:
    with Demo(DemoOptions(mesh_port=0, store_port=0, workers=0, calm=True)) as demo:
        configuration = yaml.safe_load(demo.configuration(interval="500ms"))
        only_store = {"stores": configuration["stores"], "host": {"enabled": False}}
        with watched(tmp_path_factory.mktemp("empty"), only_store, 10) as prometheus:
            yield Asker(prometheus, {})


def _excused(place: str) -> bool:
    return any(fnmatch(place, excuse.place) for excuse in EXCUSES)


def _by_panel(board: dict[str, Any], answers: list[Answer]) -> list[tuple[dict[str, Any], dict[str, Series]]]:
    """Each panel with the answers to its queries, by ref."""
    found = {answer.query.place: answer.series for answer in answers}
    return [
        (panel, {t["refId"]: found[f"{board['uid']}: {panel['title']}: {t['refId']}"] for t in panel["targets"]})
        for panel in panels(board)
        if panel.get("targets")
    ]


@EACH_BOARD
def test_everything_has_an_answer(board: dict[str, Any], busy: Asker) -> None:
    answers = [*busy.answers(board)]
    assert [answer.error for answer in answers if answer.error] == []
    assert [a.query.place for a in answers if not a.series and not _excused(a.query.place)] == []


@EACH_BOARD
def test_nothing_asks_for_too_many_series(board: dict[str, Any], busy: Asker) -> None:
    counts: Counter[str] = Counter()
    for answer in busy.answers(board):
        counts[answer.query.place.rpartition(": ")[0]] += len(answer.series)
    assert {place: count for place, count in counts.items() if count > MOST} == {}


@EACH_BOARD
def test_columns_are_there(board: dict[str, Any], busy: Asker) -> None:
    """A query without an answer, which is excused above, has the columns that it would have."""
    for panel, series in _by_panel(board, [*busy.answers(board)]):
        if panel["type"] not in ("table", "nodeGraph"):
            continue
        expected = {t["refId"]: labels_of(plain(t["expr"]), DECLARED) for t in panel["targets"]}
        there = {ref: frozenset().union(*found) if found else expected[ref] for ref, found in series.items()}
        names, missing = displayed(panel, there)
        columns = {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]}
        places = [f"{board['uid']}: {panel['title']}: {name}" for name in (*missing, *sorted(columns - names))]
        assert [place for place in places if not _excused(place)] == []


@EACH_BOARD
def test_an_empty_fleet_is_shown_as_such(board: dict[str, Any], empty: Asker) -> None:
    answers = [*empty.answers(board)]
    assert [answer.error for answer in answers if answer.error] == []
    for panel, series in _by_panel(board, answers):
        if not any(series.values()):
            assert panel["fieldConfig"]["defaults"]["noValue"] != NO_EXPORTER, panel["title"]


def test_graphs_hang_together(busy: Asker) -> None:
    board = BOARDS["rollcall-topology"]
    graphs = [(p, series) for p, series in _by_panel(board, [*busy.answers(board)]) if p["type"] == "nodeGraph"]
    assert len(graphs) == 2
    asleep = busy.prometheus.api("query", query="rollcall_wakeable_info", time=f"{busy.now:.3f}")["result"]
    assert asleep
    for panel, series in graphs:
        edges = series.pop("edges")
        nodes = [node for ref in ("hubs", "nodes") for node in series.get(ref, ())]
        ids = [node["id"] for node in nodes]
        assert len(set(ids)) == len(ids) > 2, panel["title"]
        assert edges
        assert len({edge["id"] for edge in edges}) == len(edges)
        assert {end for edge in edges for end in (edge["source"], edge["target"])} <= set(ids)
        assert all({"title", "subtitle", "mainstat", "color"} <= node.keys() for node in nodes)
        assert not any("source" in node for node in nodes), "Grafana would take the nodes for edges"
        assert not {each["metric"]["logical_id"] for each in asleep} & set(ids)
        assert not any("wakeable" in target["expr"] for target in panel["targets"])
        for ref in series.keys() - {"hubs", "nodes"}:
            assert {row["id"] for row in series[ref]} == set(ids), f"{ref}: every node needs one"


@pytest.mark.parametrize("excuse", EXCUSES, ids=lambda excuse: excuse.place)
def test_an_excuse_is_for_something_that_is_asked(excuse: Excuse) -> None:
    assert len(excuse.reason) > 20
    assert any(fnmatch(query.place, excuse.place) for board in BOARDS.values() for query in queries(board))


def test_the_fleet_that_was_watched_shows_what_matters(busy: Asker) -> None:
    """Else the other tests would pass on a fleet in which nothing happens."""
    seen = "max_over_time({}[10m]) > 0"
    for metric in ("rollcall_worker_unknown_reason", "fleet:rollcall_nodes_lost:sum", "rollcall_wakes_total"):
        assert busy.prometheus.query(seen.format(metric)), metric
