"""Every query of every panel, variable and annotation, as the JSON has it, is answered by real Prometheuses.

All have the shipped rules: one scraped the simulated fleet, one an empty fleet, one that of a real LightningStore.
"""

from __future__ import annotations

from collections import Counter
from fnmatch import fnmatch
from typing import Any

import pytest

from grafana.panels import NO_EXPORTER
from tests.real.dashboards import Answer, Told
from tests.real.excuses import EXCUSES, OF_A_STORE, Excuse, excused
from tests.real.worlds import ASLEEP
from tests.unit.boards import BOARDS, queries

MOST = 2000
OF_WORKERS = ("rollcall-fleet", "rollcall-runners", "rollcall-runner", "rollcall-self")
EACH_BOARD = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)


def _check(answers: list[Answer], excuses: tuple[Excuse, ...]) -> None:
    assert [answer.error for answer in answers if answer.error] == []
    assert [a.query.place for a in answers if not a.series and not excused(a.query.place, excuses)] == []


@EACH_BOARD
def test_everything_has_an_answer(board: dict[str, Any], busy: Told) -> None:
    _check(busy.boards[board["uid"]], EXCUSES)


@pytest.mark.parametrize("uid", OF_WORKERS)
def test_everything_about_workers_has_an_answer_of_a_real_store(uid: str, lightning: Told) -> None:
    _check(lightning.boards[uid], OF_A_STORE)


@EACH_BOARD
def test_nothing_asks_for_too_many_series(board: dict[str, Any], busy: Told) -> None:
    counts: Counter[str] = Counter()
    for answer in busy.boards[board["uid"]]:
        counts[answer.query.place.rpartition(": ")[0]] += len(answer.series)
    assert {place: count for place, count in counts.items() if count > MOST} == {}


@EACH_BOARD
def test_an_empty_fleet_is_shown_as_such(board: dict[str, Any], empty: Told) -> None:
    assert [answer.error for answer in empty.boards[board["uid"]] if answer.error] == []
    for panel, answers in empty.panels(board):
        if not any(answer.series for answer in answers.values()):
            assert panel["fieldConfig"]["defaults"]["noValue"] != NO_EXPORTER, panel["title"]


def test_graphs_hang_together(busy: Told) -> None:
    graphs = [(p, answers) for p, answers in busy.panels(BOARDS["rollcall-topology"]) if p["type"] == "nodeGraph"]
    assert len(graphs) == 2
    asleep = {each["metric"]["logical_id"] for each in busy.further[ASLEEP]}
    assert asleep
    for panel, answers in graphs:
        series = {ref: answer.series for ref, answer in answers.items()}
        edges = series.pop("edges")
        nodes = [node for ref in ("hubs", "nodes") for node in series.get(ref, ())]
        ids = [node["id"] for node in nodes]
        assert len(set(ids)) == len(ids) > 2, panel["title"]
        assert edges
        assert len({edge["id"] for edge in edges}) == len(edges)
        assert {end for edge in edges for end in (edge["source"], edge["target"])} <= set(ids)
        assert not asleep & set(ids)
        assert not any("wakeable" in target["expr"] for target in panel["targets"])
        for ref in series.keys() - {"hubs", "nodes"}:
            assert {row["id"] for row in series[ref]} == set(ids), f"{ref}: every node needs one"


@pytest.mark.parametrize("excuse", [*EXCUSES, *OF_A_STORE], ids=lambda excuse: excuse.place)
def test_an_excuse_is_for_something_that_is_asked(excuse: Excuse) -> None:
    assert len(excuse.reason) > 20
    assert any(fnmatch(query.place, excuse.place) for board in BOARDS.values() for query in queries(board))
