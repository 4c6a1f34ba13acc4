"""What panels show of the answers, by Grafana's own code: every field that they name is there, and no other is shown.

Where a query has no answer, which is excused elsewhere, a row stands in for it that has the labels it would have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from copy import deepcopy
from typing import Any

import pytest

from tests.real.dashboards import Told
from tests.real.frames import Asked, Frame, Shown, shown
from tests.real.test_dashboards import OF_WORKERS
from tests.unit.boards import BOARDS, plain
from tests.unit.declared import DECLARED
from tests.unit.promql import labels_of

NODE, EDGE = {"id", "title", "subtitle", "mainstat", "color"}, {"id", "source", "target", "mainstat", "color"}
NUMBERS = {"fixedx", "fixedy", "noderadius"}
OVER_TIME = ("timeseries", "state-timeline", "heatmap")


def _asked(told: Told, boards: Collection[str] = tuple(BOARDS)) -> Iterator[Asked]:
    for uid in boards:
        for panel, answers in told.panels(BOARDS[uid]):
            yield Asked(f"{uid}: {panel['title']}", panel, {ref: answer.result for ref, answer in answers.items()})


def _whole(asked: Asked) -> Asked:
    """The same, with a row in place of every answer that is empty."""
    targets = {target["refId"]: target for target in asked.panel["targets"]}
    return asked._replace(answers={ref: found or _made_up(targets[ref]) for ref, found in asked.answers.items()})


def _made_up(target: dict[str, Any]) -> list[Any]:
    labels = {name: name for name in labels_of(plain(target["expr"]), DECLARED)}
    return [{"metric": labels, "value": [0, "1"]} if target["instant"] else {"metric": labels, "values": [[0, "1"]]}]


@pytest.fixture(scope="module")
def drawn(busy: Told) -> list[tuple[Asked, Shown]]:
    """Every panel, with what it shows of the simulated fleet."""
    asked = [*_asked(busy)]
    found = shown(asked)
    return [(each, found[each.place]) for each in asked]


def test_what_panels_name_is_there(busy: Told) -> None:
    found = shown(_whole(asked) for asked in _asked(busy))
    assert {place: panel.missing for place, panel in found.items() if panel.missing} == {}


def test_what_panels_about_workers_name_is_there_for_a_real_store(lightning: Told) -> None:
    found = shown(_whole(asked) for asked in _asked(lightning, OF_WORKERS))
    assert {place: panel.missing for place, panel in found.items() if panel.missing} == {}


def test_tables_have_a_row_per_thing_and_the_columns_that_are_meant(drawn: list[tuple[Asked, Shown]]) -> None:
    """A row is a set of labels of the first query; of what a table gathers it makes one row."""
    tables = [(asked, panel) for asked, panel in drawn if asked.panel["type"] == "table"]
    assert len(tables) > 20
    for asked, panel in tables:
        if not asked.answers["A"]:
            continue
        (frame,) = (frame for frame in panel.frames if frame.fields)
        assert frame.length == len(_rows(asked)), asked.place
        assert [field.title for field in frame.fields if not field.overridden] == [], f"{asked.place}: not meant"
        blank = {field.name for field in frame.fields if not field.values}
        unanswered = {f"Value #{ref} (lastNotNull)" for ref, found in asked.answers.items() if not found}
        assert blank <= unanswered, f"{asked.place}: a column without a value"


def _rows(asked: Asked) -> set[tuple[str, ...]]:
    gathered = [
        label
        for step in asked.panel["transformations"]
        if step["id"] == "groupBy" and step.get("filter", {}).get("options") == "/^A$/"
        for label, how in step["options"]["fields"].items()
        if how["aggregations"]
    ]
    metrics = [each["metric"] for each in asked.answers["A"]]
    return {tuple(text for label, text in sorted(metric.items()) if label not in gathered) for metric in metrics}


def test_graphs_have_what_grafana_draws_them_by(drawn: list[tuple[Asked, Shown]]) -> None:
    graphs = [(asked, panel) for asked, panel in drawn if asked.panel["type"] == "nodeGraph"]
    assert len(graphs) == 2
    for asked, panel in graphs:
        edges, nodes = sorted(panel.frames, key=lambda frame: "source" not in frame.names)
        assert edges.length > 0
        assert nodes.length > 2
        for frame, wanted in ((edges, EDGE), (nodes, NODE | NUMBERS)):
            assert {field.name for field in frame.fields if field.values == frame.length} >= wanted, asked.place
        assert _types(nodes, NUMBERS) == {"number"}, "positions as text make no position"
        assert _types(nodes, NODE) == _types(edges, EDGE) == {"string"}
        assert "source" not in nodes.names, "Grafana would take the nodes for edges"


def _types(frame: Frame, names: Collection[str]) -> set[str]:
    return {field.type for field in frame.fields if field.name in names}


def test_series_of_a_chart_have_names_of_their_own(drawn: list[tuple[Asked, Shown]]) -> None:
    charts = [(asked, panel) for asked, panel in drawn if asked.panel["type"] in OVER_TIME]
    assert len(charts) > 30
    for asked, panel in charts:
        fields = [field for frame in panel.frames for field in frame.fields if field.type == "number"]
        assert len(fields) == sum(len(found) for found in asked.answers.values()), asked.place
        twice = [name for name, count in Counter(field.title for field in fields).items() if count > 1]
        assert twice == [], asked.place


def test_a_panel_without_an_answer_shows_its_words(empty: Told) -> None:
    """Grafana draws frames that have fields and no rows as headers, or as a fault, in place of the words."""
    asked = [each for each in _asked(empty) if not any(each.answers.values())]
    found = shown(asked)
    silent = [each.place for each in asked if each.panel["type"] in ("table", "state-timeline")]
    assert len(silent) > 20
    assert {place: found[place].frames for place in silent if any(frame.fields for frame in found[place].frames)} == {}


def _spoil(panel: dict[str, Any], spoilt: str) -> dict[str, Any]:
    panel = deepcopy(panel)
    organize = panel["transformations"][-1]["options"]
    override = panel["fieldConfig"]["overrides"][0]
    if spoilt == "organize":
        organize["renameByName"]["nowhere"] = "Nowhere"
    elif spoilt == "override":
        override["matcher"]["options"] = "Nowhere"
    elif spoilt == "link":
        override["properties"].append({"id": "links", "value": [{"url": "/d/x?var-a=${__data.fields.nowhere:raw}"}]})
    elif spoilt == "unit":
        override["properties"].append({"id": "unit", "value": "parsecs"})
    else:
        override["properties"].append({"id": "custom.cellOptions", "value": {"type": "hologram"}})
    return panel


SPOILT = {
    "organize": "organize: nowhere",
    "override": "override: Nowhere",
    "link": "link: data.fields.nowhere",
    "unit": "unit parsecs",
    "cell": "cell hologram",
}


def test_what_is_not_there_is_found(drawn: list[tuple[Asked, Shown]]) -> None:
    asked = next(asked for asked, _ in drawn if asked.place == "rollcall-fleet: Fleets")
    found = shown(asked._replace(place=spoilt, panel=_spoil(asked.panel, spoilt)) for spoilt in SPOILT)
    assert {spoilt: panel.missing for spoilt, panel in found.items()} == {key: (said,) for key, said in SPOILT.items()}
