"""The table of promises: what a run records, how it is rendered, and what makes it untrue."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.promises import recording
from tests.promises.document import DOCUMENT, Declared, declared, figure, rendered, troubles
from tests.promises.recording import Record, Recorder, Row, read

pytest_plugins = ["pytester"]

DOC = "# Title\n<!-- run -->\nold\n<!-- end -->\n<!-- promises: Clients -->\nold\n<!-- end -->\nkept\n"
TEST = "tests/unit/test_x.py::test_it"
SLOW = Declared("Clients", "A {kind} client holds up nobody", TEST)
ROW = Row("Clients", "A slow client holds up nobody", TEST, 2, 2, [("a scrape", 12.3456, "ms"), ("kills", 1234.0, "")])


def record(*rows: Row) -> Record:
    return Record("3.11.7", 2, list(rows))


def test_a_document_is_rendered_between_its_marks() -> None:
    assert rendered(DOC, record(ROW), [SLOW]) == (
        "# Title\n<!-- run -->\nRecorded with Python 3.11.7 on 2 processors.\n<!-- end -->\n"
        "<!-- promises: Clients -->\n| promise | measured | test |\n|---|---|---|\n"
        "| A slow client holds up nobody | a scrape: 12.3 ms; kills: 1,234; 2 cases "
        "| [test_it](../tests/unit/test_x.py) |\n<!-- end -->\nkept\n"
    )


@pytest.mark.parametrize(
    ("value", "shown"), [(0, "0"), (0.00123456, "0.00123"), (99.96, "100"), (1e6, "1,000,000"), (-0.25, "-0.25")]
)
def test_figures_have_three_digits(value: float, shown: str) -> None:
    assert figure(value) == shown


OTHER = Row("Clients", "A fast client holds up nobody", "tests/unit/test_y.py::test_gone", 1, 1)
WRONG: dict[str, tuple[list[Row], list[Declared], str]] = {
    "a test that is not recorded": (
        [],
        [SLOW],
        f"{TEST}: its promise 'A {{kind}} client holds up nobody' is not recorded",
    ),
    "a test that is gone": (
        [ROW, OTHER],
        [SLOW],
        "tests/unit/test_y.py::test_gone: no test has the recorded promise 'A fast client holds up nobody'",
    ),
    "another text": (
        [Row("Clients", "Else", TEST, 1, 1), ROW],
        [SLOW],
        f"{TEST}: no test has the recorded promise 'Else'",
    ),
    "a broken one": (
        [Row("Clients", ROW.promise, TEST, 2, 1)],
        [SLOW],
        f"{TEST}: the promise 'A slow client holds up nobody' was broken when it was recorded",
    ),
    "no table": (
        [Row("State", "Kept", TEST, 1, 1)],
        [Declared("State", "Kept", TEST)],
        f"{DOCUMENT}: expected a table for the promises of 'State', got none",
    ),
}


@pytest.mark.parametrize(("rows", "promises", "said"), WRONG.values(), ids=WRONG)
def test_what_is_untrue_is_said(rows: Sequence[Row], promises: list[Declared], said: str) -> None:
    document = rendered(DOC, record(*rows), promises)
    assert list(troubles(document, record(*rows), promises)) == [said]


def test_a_stale_document_is_said_and_a_true_one_is_not() -> None:
    assert list(troubles(DOC, record(ROW), [SLOW])) == [f"{DOCUMENT} is stale"]
    assert list(troubles(rendered(DOC, record(ROW), [SLOW]), record(ROW), [SLOW])) == []


TESTS = """
import pytest

@pytest.mark.promise("Clients", "A {kind} client holds up nobody")
@pytest.mark.parametrize("number", [3.0, 5.0, 4.0])
@pytest.mark.parametrize("kind", ["slow", "fast"])
def test_it(kind, number, measured):
    measured("a scrape", number, "ms")
    assert (kind, number) != ("fast", 4.0)

@pytest.fixture
def broken():
    raise ZeroDivisionError

@pytest.mark.promise("Clients", "Nothing is set up")
def test_without(broken):
    pass

def test_of_no_promise():
    pass
"""


def test_a_run_is_recorded_case_by_case_and_what_did_not_run_stays(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_x=TESTS)
    path = pytester.path / "record.json"
    recorder = Recorder(path)
    kept = Row("Clients", "Kept", "test_z.py::test_z", 1, 1)
    recorder.write([kept, Row("Clients", "No more", "test_x.py::test_it", 1, 1)])
    pytester.inline_run("-p", "no:cacheprovider", plugins=[recorder, recording])
    assert read(path).rows == [
        Row("Clients", "A fast client holds up nobody", "test_x.py::test_it", 3, 2, [("a scrape", 5.0, "ms")]),
        Row("Clients", "A slow client holds up nobody", "test_x.py::test_it", 3, 3, [("a scrape", 5.0, "ms")]),
        Row("Clients", "Nothing is set up", "test_x.py::test_without", 1, 0),
        kept,
    ]
    pytester.mkdir("tests")
    Path("test_x.py").rename("tests/test_x.py")
    assert list(declared(pytester.path / "tests")) == [
        Declared("Clients", "A {kind} client holds up nobody", "tests/test_x.py::test_it"),
        Declared("Clients", "Nothing is set up", "tests/test_x.py::test_without"),
    ]
