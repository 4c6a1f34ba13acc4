"""One word for one thing: what pages, tables, explanations, dashboards and documents say is what records declare."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter import records
from exporter.explain import text as node_text
from exporter.explain import worker_text
from exporter.families import FAMILIES
from exporter.overview import text as status_text
from exporter.overview.holdings import Holdings
from exporter.overview.rows import GONE, TABLES, FleetRow
from exporter.pages import cells
from exporter.pages.drawing import LETTERS
from exporter.records.evidence import NodeEvidence, ObservedView
from exporter.records.worker_evidence import InconsistencyEvidence, Sign, WorkerEvidence
from exporter.state import consistency, worker, worker_words
from grafana import states
from tests.unit.boards import BOARDS, ROOT, of_panels
from tests.unit.declared import DECLARED
from tests.unit.promql import TARGET_LABELS
from tests.unit.test_detail_pages import SHOWN
from tests.unit.test_grafana import mappings

GLOSSARY = (ROOT / "docs/GLOSSARY.md").read_text("utf-8")
PAGES = ROOT / "exporter/pages"

SECTIONS = {
    "Node: `state`": records.NODE_STATES,
    "Node: `standing`": records.STANDINGS,
    "Node: `basis`": records.BASES,
    "Node: `latency`": records.LATENCIES,
    "Node: `relation` to a model": records.RELATIONS,
    "Views of a node: `kind` of disagreement": records.DISAGREEMENTS,
    "Wakeable node: `state`": records.WAKEABLE_STATES,
    "Worker: `status`": records.WORKER_STATUSES,
    "Worker: `reason` of unknown": records.UNKNOWN_REASONS,
    "Worker: `kind` of inconsistency": records.INCONSISTENCIES,
    "Source: `result` of a read": records.READ_RESULTS,
    "In the place of a state or status": records.ABSENCES,
}
DECLARED_WORDS = {word for words in SECTIONS.values() for word in words}
JUDGED = {"overdue", "not understood", "up", "down"}
"""What is said beside a state: of a wake, of a word that is none, of a source."""


def cells_of(heading: str) -> Iterator[tuple[str, str]]:
    """The rows of the glossary's table below a heading."""
    section = re.split(r"^##", GLOSSARY.partition(f"# {heading}\n")[2], flags=re.MULTILINE)[0]
    yield from re.findall(r"^\| (.+?) \| (.+?) \|$", section, re.MULTILINE)[1:]


def called(heading: str) -> dict[str, set[str]]:
    """By name in lower case, the fields and labels that a table of the glossary says it shows."""
    names: dict[str, set[str]] = {}
    for titles, text in cells_of(heading):
        for title in titles.lower().split(", "):
            names.setdefault(title, set()).update(re.findall(r"`(\w+)`", text))
    return names


COLUMNS, LINES = (
    called("Columns that are not called as their label"),
    called("Lines of an explanation that are not called as a field"),
)


def is_of(title: str, field: str) -> bool:
    """Tell whether a heading is the name of a field, less its unit, or stands for it in the glossary."""
    unit = r"(_bytes|_seconds|_ratio|_celsius|_seconds_ago)$"
    words = {name.replace("_", " ") for name in (field, re.sub(unit, "", field))}
    return title.lower() in words or field in COLUMNS.get(title.lower(), ())


def fields_of(*shapes: Any) -> set[str]:
    return {field.removesuffix("_") for shape in shapes for field in shape.__struct_fields__}


@pytest.mark.parametrize(("section", "words"), SECTIONS.items(), ids=SECTIONS)
def test_the_glossary_has_every_word_that_is_declared_and_no_other(section: str, words: tuple[str, ...]) -> None:
    assert [word for word, _ in cells_of(section)] == [f"`{word}`" for word in words]


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (states.NODE_CONDITION, {*records.NODE_STATES, "unconfirmed", "ghost", GONE}),
        (states.WORKER_HISTORY, {*records.WORKER_STATUSES, GONE}),
        (states.WAKEABLE_SHOWN, {*records.WAKEABLE_STATES, "not understood"}),
        (states.UNKNOWN_REASON, set(records.UNKNOWN_REASONS)),
        (states.RELATION, set(records.RELATIONS)),
        (states.LATENCY, {*records.LATENCIES, "not listed"}),
        (LETTERS, set(records.NODE_STATES)),
        (worker_words.REASONS, {"reported", *records.UNKNOWN_REASONS}),
        (consistency.MEANINGS, set(records.INCONSISTENCIES)),
    ],
)
def test_what_is_said_of_each_word_is_said_of_those_that_are_declared(shown: dict[str, Any], words: set[str]) -> None:
    assert shown.keys() == words


def test_every_reason_that_a_rule_gives_is_declared() -> None:
    assert {*worker.FLAGGED.values(), "attempt_flagged"} <= set(records.UNKNOWN_REASONS)
    said = re.findall(r'WorkerVerdict\("unknown", "(\w+)"', Path(worker.__file__).read_text("utf-8"))
    assert said
    assert set(said) <= set(records.UNKNOWN_REASONS)


@pytest.mark.parametrize("module", [status_text, node_text, worker_text])
def test_what_is_coloured_at_a_terminal_is_a_declared_word(module: Any) -> None:
    assert set(module.COLOURS) <= DECLARED_WORDS | JUDGED


def test_every_badge_of_a_page_is_a_declared_word_and_each_has_a_colour_and_a_shape() -> None:
    style = (PAGES / "static/status.css").read_text("utf-8")
    coloured = set(re.findall(r"\.([a-z_]+)(?=[^{}]*\{ --mark)", style))
    shaped = set(re.findall(r"\.([a-z_]+)::before", style))
    assert coloured - {"none"} <= DECLARED_WORDS | JUDGED
    assert shaped <= DECLARED_WORDS | JUDGED
    states_of = {*records.NODE_STATES, *records.WAKEABLE_STATES, *records.WORKER_STATUSES, *records.ABSENCES}
    assert coloured >= states_of | {"unconfirmed", "ghost", "overdue", "up", "down"}
    # A circle is the shape of what has none of its own.
    assert states_of - shaped == {"idle"}


def test_the_key_of_the_drawing_has_every_state() -> None:
    page = (PAGES / "templates/status.html").read_text("utf-8")
    said = re.findall(r'<b class="(\w+)">(\w)</b> (\w+)', page)
    assert {(state, letter, state) for state, letter in LETTERS.items()} == set(said)


@pytest.mark.parametrize("table", TABLES)
def test_a_column_of_the_status_page_is_called_as_what_it_shows(table: str) -> None:
    fields = fields_of(TABLES[table])
    for column in cells.COLUMNS[table]:
        assert column.field in fields
        assert is_of(column.title, column.field), f"{column.title}: shows {column.field}"


@pytest.mark.parametrize("table", TABLES)
def test_a_column_of_rollcall_status_is_called_as_on_the_page_or_as_what_it_shows(table: str) -> None:
    on_page = {column.title.lower() for column in cells.COLUMNS[table]}
    others = {title for title, _ in status_text.COLUMNS[table]} - on_page
    assert [title for title in others if not any(is_of(title, field) for field in fields_of(TABLES[table]))] == []
    at_terminal = {title for title, _ in status_text.COLUMNS[table]}
    assert on_page <= at_terminal
    assert set(TABLES) < fields_of(FleetRow)


def test_a_small_table_of_a_page_has_labels_and_fields_for_headings() -> None:
    held = Holdings(lambda: SHOWN)
    found = [each for kind, at in (("nodes", ("eu", "n1")), ("workers", ("training", "w"))) for each in held(kind, *at)]
    assert len(found) > 6
    known = fields_of(*(family.record for family in FAMILIES)) | {label for each in FAMILIES for label in each.labels}
    for each in found:
        wrong = [head for head in each.headings if not any(is_of(head, name) for name in known)]
        assert set(wrong) <= COLUMNS.keys(), each.title


def node() -> NodeEvidence:
    said = dict.fromkeys(("hostname", "role", "version", "state", "reason", "rule", "reported", "basis"), "x")
    said |= dict.fromkeys(("basis_because", "standing", "standing_because", "console"), "x")
    rest = {"unmeasured_seconds": 1.0, "views_by_state": {"serving": 1}, "since": 1.0, "present": True}
    return NodeEvidence(fleet="f", node="n", at=2.0, judged_seconds_ago=1.0, **said, **rest)  # type: ignore[arg-type]


def held() -> WorkerEvidence:
    said = dict.fromkeys(("source", "status", "reason", "rule", "reported", "word", "host", "os"), "x")
    odd = (InconsistencyEvidence("shared_id", "x", None, None),)
    return WorkerEvidence(fleet="f", worker="w", at=2.0, clock_skew_seconds=1.0, inconsistencies=odd, **said)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("facts", "shape", "least"),
    [
        (list(node_text.node_facts(node())), NodeEvidence, 11),
        (list(worker_text.worker_facts(held())), WorkerEvidence, 10),
    ],
    ids=["node", "worker"],
)
def test_a_line_of_an_explanation_is_called_as_a_field(facts: list[tuple[str, str]], shape: Any, least: int) -> None:
    names = {name for name, text in facts if text}
    assert len(names) >= least
    fields = fields_of(shape)
    wrong = {name for name in names if not any(is_of(name, field) for field in fields)}
    assert wrong <= LINES.keys()
    assert all(LINES[name] <= fields for name in LINES.keys() & names)


def test_a_column_of_an_explanation_is_called_as_a_field() -> None:
    assert [
        head for head in node_text.HEADINGS if head and not any(is_of(head, name) for name in fields_of(ObservedView))
    ] == []
    signs = {head for head in worker_text.HEADINGS if head}
    assert {head for head in signs if not any(is_of(head, name) for name in fields_of(Sign))} == {"evidence"}
    assert {name.replace(" ", "_") for name in worker_text.NAMES.values()} == set(worker_text.NAMES)


OF_DASHBOARDS = {"", "yes", "no", "the same", "not listed", "fresh", "missing", "not missing", "served"} | {
    *("works on it", "fell silent with it", "standby could", "waking could", "nothing could", "not asked for"),
}
"""What badges of dashboards say of what is yes or no, or has no word of its own among the records."""

OF_ALERTS = {"firing", "pending", "critical", "warning", "ticket", "none"}


def test_a_badge_of_a_dashboard_is_a_declared_word() -> None:
    words = DECLARED_WORDS | JUDGED | OF_ALERTS | OF_DASHBOARDS | {*records.ROLLOUT_STATUSES, *records.WAKE_RESULTS}
    said = {badge["text"] for _, panel in of_panels() for each in mappings(panel) for badge in each["options"].values()}
    assert said - words == set()
    assert said >= OF_DASHBOARDS | OF_ALERTS


def renamed(panel: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The labels that a table shows, and what their columns are called."""
    for each in panel["transformations"]:
        for label, title in each["options"].get("renameByName", {}).items():
            if not label.startswith("Value"):
                yield re.sub(r" \(uniqueValues\)$", "", label), title


TITLED = [(name, *column) for name, panel in of_panels() if panel["type"] == "table" for column in renamed(panel)]


@pytest.mark.parametrize(("place", "label", "title"), TITLED, ids=[f"{place}: {title}" for place, _, title in TITLED])
def test_a_column_of_a_dashboard_is_called_as_its_label(place: str, label: str, title: str) -> None:
    assert is_of(title, label), f"{place}: {title} shows {label}"


def test_a_variable_of_a_dashboard_is_called_as_its_label() -> None:
    variables = [each for board in BOARDS.values() for each in board["templating"]["list"]]
    labels = {label for each in FAMILIES for label in each.labels} | TARGET_LABELS
    assert {each["name"] for each in variables} - labels == {"datasource", "observer", "named"}
    wrong = {(each["name"], each["label"]) for each in variables if not is_of(each["label"], each["name"])}
    assert wrong == {("datasource", "Data source"), ("named", "Name has"), ("host", "Its host")}


NAME = re.compile(r"(?<![\w:.\-/])(?:[a-z_]+:)?rollcall_[a-z0-9_]+(?::[a-z0-9_]+)?")
TEXTS = ("*.py", "*.html", "*.md", "*.yml", "*.yaml", "*.tmpl", "*.j2")


def written() -> Iterable[Path]:
    """What people read that may name a metric, and the code that says it."""
    yield from (ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md"))
    for folder in ("exporter", "grafana", "packaging", "prometheus"):
        yield from (path for pattern in TEXTS for path in (ROOT / folder).rglob(pattern))


def test_every_metric_that_is_named_anywhere_is_declared() -> None:
    unknown = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in written()
        for name in NAME.findall(path.read_text("utf-8"))
        if name not in DECLARED and not (name.endswith("_") and any(each.startswith(name) for each in DECLARED))
    ]
    assert unknown == []


def test_every_label_beside_a_metric_in_a_document_is_one_of_its_labels() -> None:
    found = [
        (path.name, name, label)
        for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))
        for name, matchers in re.findall(r"\b((?:\w+:)?rollcall_\w+(?::\w+)?)\{([^{}]*)\}", path.read_text("utf-8"))
        for label in re.findall(r"(\w+) *(?:=|!|$|,)", re.sub(r'"[^"]*"', "", matchers))
    ]
    assert len(found) > 5
    assert [each for each in found if each[2] not in DECLARED[each[1]] | TARGET_LABELS] == []


@pytest.mark.parametrize(
    ("heading", "words"),
    [("reason", records.UNKNOWN_REASONS), ("`rollcall_worker_inconsistency`", records.INCONSISTENCIES)],
)
def test_the_readme_has_every_reason_and_inconsistency(heading: str, words: tuple[str, ...]) -> None:
    table = (ROOT / "README.md").read_text("utf-8").partition(f"| {heading} | means |\n|---|---|\n")[2].split("\n\n")[0]
    named = [word for row in table.splitlines() for word in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert sorted(named) == sorted(words)
