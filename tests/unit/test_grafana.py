"""The dashboards are the ones their builders write, and follow what Grafana expects of provisioned files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter.records import NODE_STATES, WAKEABLE_STATES
from exporter.records.worker import ROLLOUT_STATUSES, WORKER_STATUSES
from grafana import fleet
from grafana.build import DIRECTORY, dashboards, main, stale
from grafana.panels import AMBER, BLUE, GREEN, GREY, RED

BOARDS = {path.stem: json.loads(path.read_text()) for path in sorted(DIRECTORY.glob("*.json"))}
PANELS = [
    pytest.param(panel, id=f"{name}-{panel['title']}") for name, board in BOARDS.items() for panel in board["panels"]
]
EACH_PANEL = pytest.mark.parametrize("panel", PANELS)
EACH_BOARD = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)


def test_the_files_are_what_would_be_written() -> None:
    assert stale(DIRECTORY) == []


@pytest.mark.parametrize("spoil", ["changed", "missing", "nobody's"])
def test_check_names_a_stale_file(spoil: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
    path = tmp_path / ("other.json" if spoil == "nobody's" else next(iter(dashboards())))
    if spoil == "missing":
        path.unlink()
    else:
        path.write_text("{}")
    assert main(["--check"], tmp_path) == 1
    assert capsys.readouterr().err == f"{path}: stale; run python -m grafana.build\n"


@pytest.mark.parametrize("text", dashboards().values(), ids=dashboards())
def test_the_first_line_says_that_the_file_is_generated(text: str) -> None:
    first = text.splitlines()[0]
    assert "__generated" in first
    assert "python -m grafana.build" in first


@EACH_BOARD
def test_a_provisioned_dashboard(board: dict[str, Any]) -> None:
    assert board["id"] is None
    assert board["uid"].startswith("rollcall-")
    assert board["description"]
    assert "__inputs" not in board
    assert [variable["name"] for variable in board["templating"]["list"]][:2] == ["datasource", "fleet"]


def test_uids_and_titles_are_unique() -> None:
    for key in ("uid", "title"):
        assert len({board[key] for board in BOARDS.values()}) == len(BOARDS)


def test_fleet_variable_offers_all_and_several() -> None:
    variable = BOARDS["rollcall-fleet"]["templating"]["list"][1]
    assert (variable["multi"], variable["includeAll"], variable["allValue"]) == (True, True, ".*")
    assert variable["query"]["query"] == "label_values(rollcall_source_up, fleet)"


@EACH_BOARD
def test_panels_have_their_own_ids_and_do_not_overlap(board: dict[str, Any]) -> None:
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    cells = [cell for panel in board["panels"] for cell in _cells(panel["gridPos"])]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def _cells(grid: dict[str, int]) -> Iterator[tuple[int, int]]:
    for x in range(grid["x"], grid["x"] + grid["w"]):
        for y in range(grid["y"], grid["y"] + grid["h"]):
            yield x, y


@EACH_PANEL
def test_a_panel_says_what_it_shows_and_has_no_empty_answer(panel: dict[str, Any]) -> None:
    assert len(panel["description"]) > 30
    assert panel["options"]
    assert panel["fieldConfig"]["defaults"]["noValue"]
    if panel["type"] != "table":
        assert panel["fieldConfig"]["defaults"]["unit"]


@EACH_PANEL
def test_a_panel_asks_the_chosen_data_source_about_the_chosen_fleets(panel: dict[str, Any]) -> None:
    refs = [target["refId"] for target in panel["targets"]]
    assert len(set(refs)) == len(refs) > 0
    for one in (panel, *panel["targets"]):
        assert one["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    for target in panel["targets"]:
        assert 'fleet=~"$fleet"' in target["expr"]
        assert target["instant"] is (panel["type"] in ("stat", "table"))
        assert target.get("format") == ("table" if panel["type"] == "table" else None)


@EACH_PANEL
def test_rates_follow_the_scrape_interval(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        assert set(re.findall(r"\[(.*?)\]", target["expr"])) <= {"$__rate_interval", "$__range"}


@EACH_PANEL
def test_a_count_of_nothing_is_zero(panel: dict[str, Any]) -> None:
    counts = [target["expr"] for target in panel["targets"] if re.match(r"(sum|count)\(", target["expr"])]
    assert all(expr.endswith(" or max(rollcall_build_info) * 0") for expr in counts)


@pytest.mark.parametrize(
    ("colours", "states"),
    [
        (fleet.NODE_COLOURS, NODE_STATES),
        (fleet.WORKER_COLOURS, WORKER_STATUSES),
        (fleet.WAKEABLE_COLOURS, WAKEABLE_STATES),
        (fleet.ROLLOUT_COLOURS, ROLLOUT_STATUSES),
    ],
    ids=["nodes", "workers", "wakeables", "rollouts"],
)
def test_every_state_has_a_colour_of_its_own(colours: dict[str, str], states: tuple[str, ...]) -> None:
    assert colours.keys() == set(states)
    assert len(set(colours.values())) == len(states)


def test_colours_mean_the_same_everywhere() -> None:
    assert fleet.NODE_COLOURS["serving"] == fleet.WORKER_COLOURS["busy"] == GREEN
    assert fleet.NODE_COLOURS["loading"] == fleet.WAKEABLE_COLOURS["waking"] == AMBER
    assert fleet.NODE_COLOURS["client"] == fleet.WORKER_COLOURS["idle"] == BLUE
    assert fleet.NODE_COLOURS["standby"] == fleet.WAKEABLE_COLOURS["sleeping"] == GREY
    assert fleet.WORKER_COLOURS["unknown"] == RED


@EACH_PANEL
def test_overrides_are_for_series_or_columns_that_exist(panel: dict[str, Any]) -> None:
    names = {target.get("legendFormat") for target in panel["targets"]}
    for transformation in panel["transformations"]:
        names |= set(transformation["options"].get("renameByName", {}).values())
    for override in panel["fieldConfig"]["overrides"]:
        assert override["matcher"]["id"] == "byName"
        assert override["matcher"]["options"] in names
