"""The dashboards are what their builders write, and follow what Grafana expects of provisioned and imported files."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from exporter.records import NODE_STATES, WAKEABLE_STATES
from exporter.records.worker import ROLLOUT_STATUSES, WORKER_STATUSES
from grafana import links, states
from grafana.build import HERE, INPUT, dashboards, main, stale
from grafana.panels import Board, Size, rendered, text
from grafana.states import AMBER, BLUE, GREEN, GREY, RED, State
from tests.unit.boards import BOARDS, IMPORTABLE, load, of_panels, panels, strings

EACH_BOARD = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
EACH_PANEL = pytest.mark.parametrize("panel", [pytest.param(panel, id=name) for name, panel in of_panels()])
FIELD = re.compile(r"\$\{__(data\.fields|field\.labels)\.([^}:]+):percentencode\}")


def test_the_files_are_what_would_be_written() -> None:
    assert stale(HERE) == []


@pytest.mark.parametrize("spoil", ["changed", "missing", "nobody's"])
@pytest.mark.parametrize("folder", ["dashboards", "importable"])
def test_check_names_a_stale_file(spoil: str, folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
    path = tmp_path / folder / ("other.json" if spoil == "nobody's" else "rollcall-fleet.json")
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
    assert len(board["description"]) > 30
    assert "__inputs" not in board
    assert "rollcall" in board["tags"]


@EACH_BOARD
def test_an_importable_copy_differs_in_what_it_asks_for_only(board: dict[str, Any]) -> None:
    copy = load(IMPORTABLE)[board["uid"]]
    [asked], [requires] = copy.pop("__inputs"), copy.pop("__requires")
    assert asked == dict(INPUT)
    assert requires["id"] == "grafana"
    datasource = copy["templating"]["list"][0]
    assert datasource.pop("current")["value"] == "${DS_PROMETHEUS}" == f"${{{asked['name']}}}"
    assert copy == board | {"editable": True}


def test_uids_and_titles_are_unique_in_each_folder() -> None:
    for boards in (BOARDS, load(IMPORTABLE)):
        assert boards.keys() == BOARDS.keys()
        assert len({board["title"] for board in boards.values()}) == len(boards)
    assert len(list((HERE / "dashboards").glob("*.json"))) == len(BOARDS)


@EACH_BOARD
def test_panels_have_ids_and_places_of_their_own(board: dict[str, Any]) -> None:
    shown = [*board["panels"], *chain.from_iterable(panel.get("panels", ()) for panel in board["panels"])]
    ids = [panel["id"] for panel in shown]
    assert len(set(ids)) == len(ids)
    assert [title for title, count in Counter(panel["title"] for panel in shown).items() if count > 1] == []
    cells = [cell for panel in board["panels"] for cell in _cells(panel["gridPos"])]
    assert len(set(cells)) == len(cells), "panels overlap"
    assert max(x for x, _ in cells) < 24


def _cells(grid: dict[str, int]) -> Iterator[tuple[int, int]]:
    for x in range(grid["x"], grid["x"] + grid["w"]):
        for y in range(grid["y"], grid["y"] + grid["h"]):
            yield x, y


def test_a_line_wider_than_the_grid_is_not_built() -> None:
    wide = [text(f"t{number}", "d", "c", Size(13, 2)) for number in range(2)]
    with pytest.raises(ValueError, match="t1: ends at column 26, expected at most 24"):
        rendered(Board("u", "t", "d", (wide,), ()))


@EACH_PANEL
def test_an_empty_panel_says_so_in_words(panel: dict[str, Any]) -> None:
    assert len(panel["fieldConfig"]["defaults"]["noValue"].split()) > 1
    assert "no data" not in panel["fieldConfig"]["defaults"]["noValue"].lower().replace("no data from rollcall", "")


@EACH_PANEL
def test_panels_of_now_ask_once_and_panels_of_the_past_over_time(panel: dict[str, Any]) -> None:
    refs = [target["refId"] for target in panel.get("targets", ())]
    assert len(set(refs)) == len(refs)
    over_time = panel["type"] in ("timeseries", "state-timeline", "heatmap")
    for target in panel.get("targets", ()):
        assert target["instant"] is not over_time
        assert target.get("format") == ("table" if panel["type"] in ("table", "nodeGraph") else None)


def _urls(value: Any) -> list[str]:
    return [found for found in strings(value) if found.startswith("/d/")]


@EACH_BOARD
def test_links_lead_to_dashboards_that_exist_with_variables_that_they_have(board: dict[str, Any]) -> None:
    for url in _urls(board):
        target = BOARDS[urlsplit(url).path.removeprefix("/d/")]
        known = {variable["name"] for variable in target["templating"]["list"]}
        assert set(re.findall(r"var-(\w+)=", url)) <= known, url
        assert "${datasource:queryparam}" in url
        assert "${__url_time_range}" in url
        assert "fleet" not in known or "var-fleet=" in url or "${fleet:queryparam}" in url


@EACH_PANEL
def test_links_take_fields_that_the_panel_has(panel: dict[str, Any]) -> None:
    columns = {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]}
    for url in _urls(panel):
        for kind, name in FIELD.findall(url):
            assert (kind == "data.fields") is (panel["type"] in ("table", "nodeGraph")), url
            assert kind == "field.labels" or name in columns, f"{name}: no such column"


def test_every_dashboard_leads_to_the_others() -> None:
    reached = {uid for board in BOARDS.values() for url in _urls(board) for uid in [urlsplit(url).path[3:]]}
    assert BOARDS.keys() - {links.FLEET} - reached == set()
    assert all(board["links"][0]["type"] == "dashboards" for board in BOARDS.values())


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (states.NODE, NODE_STATES),
        (states.WORKER, WORKER_STATUSES),
        (states.WAKEABLE, WAKEABLE_STATES),
        (states.ROLLOUT, ROLLOUT_STATUSES),
    ],
    ids=["nodes", "workers", "wakeables", "rollouts"],
)
def test_every_state_has_a_colour_and_a_number_of_its_own(known: dict[str, State], words: tuple[str, ...]) -> None:
    assert known.keys() == set(words)
    assert len({state.colour for state in known.values()}) == len(words)
    assert sorted(state.number for state in known.values()) == list(range(1, len(words) + 1))


def test_colours_mean_the_same_everywhere() -> None:
    assert states.NODE["serving"].colour == states.WORKER["busy"].colour == GREEN
    assert states.NODE["loading"].colour == states.WAKEABLE["waking"].colour == AMBER
    assert states.NODE["client"].colour == states.WORKER["idle"].colour == BLUE
    assert states.NODE["standby"].colour == states.WAKEABLE["sleeping"].colour == GREY
    assert states.WORKER["unknown"].colour == states.NODE_CONDITION["gone"].colour == RED


@EACH_PANEL
def test_a_word_of_a_state_has_its_colour_in_every_panel(panel: dict[str, Any]) -> None:
    kinds = (states.NODE, states.WORKER, states.WAKEABLE, states.RELATION, states.LATENCY)
    words = {word for kind in kinds for word in kind}
    known = {word: {kind[word].colour for kind in kinds if word in kind} for word in words}
    for mapping in mappings(panel):
        for result in mapping["options"].values():
            assert result["text"] or result["color"] == "transparent", "a badge without a text is a colour only"
            assert result["color"] in known.get(result["text"], {result["color"]}), result


def mappings(panel: dict[str, Any]) -> Iterator[dict[str, Any]]:
    config = panel["fieldConfig"]
    properties = chain.from_iterable(override["properties"] for override in config["overrides"])
    listed = [prop["value"] for prop in properties if prop["id"] == "mappings"]
    for mapping in chain(config["defaults"].get("mappings", ()), *listed):
        if mapping["type"] == "value":
            yield mapping


def test_only_the_panels_know_the_types_of_the_sdk() -> None:
    for path in HERE.rglob("*.py"):
        named = [
            node.module or ""
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.ImportFrom)
        ]
        assert path.parent.name == "panels" or not any(name.startswith("grafana_foundation_sdk") for name in named), (
            path
        )


def test_a_dashboard_is_valid_json_without_repeated_keys() -> None:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    for file_text in dashboards().values():
        json.loads(file_text, object_pairs_hook=unique)


def test_there_is_something_to_check() -> None:
    assert all(list(panels(board)) for board in BOARDS.values())
    assert {links.FLEET, links.TOPOLOGY} <= BOARDS.keys()


@pytest.mark.parametrize("uid", BOARDS)
def test_every_dashboard_is_pictured(uid: str) -> None:
    docs, name = HERE.parent / "docs", uid.removeprefix("rollcall-")
    text = (docs / "DASHBOARDS.md").read_text("utf-8")
    assert f"`{uid}`" in text
    assert f"](pictures/{name}.png)" in text
    assert (docs / f"pictures/{name}.png").stat().st_size < 250_000
