"""What tests use to prove a promise: the marker `promise`, the fixture `measured`, and `--record=FILE`.

`@pytest.mark.promise("Section", "a {fault} costs only itself")` names a row of a section's table in
`docs/RELIABILITY.md`; what is in braces is a parameter of the test, a word. `measured(what, value, unit)` is a figure
of that row; where several cases have it, the largest stands.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

MARK = "promise"
MEASURED = "measured"

Measured = Callable[[str, float, str], None]
"""Notes a figure: what it is, its value, and its unit."""


class Row(msgspec.Struct):
    """A promise, the test of it (path::function), its cases, those that passed, and (what, value, unit) of figures."""

    section: str
    promise: str
    test: str
    cases: int = 0
    passed: int = 0
    figures: list[tuple[str, float, str]] = []

    def add(self, passed: bool, figures: list[tuple[str, float, str]]) -> None:
        """Add a case."""
        self.cases += 1
        self.passed += passed
        largest = {(what, unit): value for what, value, unit in self.figures}
        for what, value, unit in figures:
            largest[what, unit] = max(value, largest.get((what, unit), value))
        self.figures = [(what, value, unit) for (what, unit), value in largest.items()]


class Record(msgspec.Struct):
    """What was recorded: the interpreter and the processors of the last run, and a row per promise and test."""

    python: str
    cores: int
    rows: list[Row]


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Measured:
    """Notes figures of the promise that the test proves."""

    def note(what: str, value: float, unit: str) -> None:
        request.node.user_properties.append((MEASURED, [what, float(value), unit]))

    return note


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--record`."""
    parser.addoption("--record", metavar="FILE", help="write there which promises were kept, and what was measured")


def pytest_configure(config: pytest.Config) -> None:
    """Begin to record, in the one process that hears of every test."""
    config.addinivalue_line("markers", "promise(section, text): a row of docs/RELIABILITY.md that the test proves")
    if config.getoption("--record") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(Path(config.getoption("--record"))))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the report of each test carry its promises."""
    for item in items:
        parameters: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
        for mark in item.iter_markers(MARK):
            section, text = mark.args
            item.user_properties.append((MARK, [section, text.format(**parameters)]))


class Recorder:
    """Writes down what became of the promises; what other runs recorded of other tests stays."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: dict[tuple[str, str, str], Row] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take a case: its call, or the setup that kept it from being called."""
        if report.when == "call" or (report.when == "setup" and not report.passed):
            said = report.user_properties
            figures = [(what, value, unit) for name, (what, value, unit) in only(said, MEASURED)]
            for _, (section, promise) in only(said, MARK):
                test = report.nodeid.partition("[")[0]
                row = self._rows.setdefault((section, promise, test), Row(section, promise, test))
                row.add(report.passed, figures)

    def pytest_sessionfinish(self) -> None:
        """Write the file."""
        ran = {row.test for row in self._rows.values()}
        before = read(self._path).rows if self._path.exists() else []
        self.write([*self._rows.values(), *(row for row in before if row.test not in ran)])

    def write(self, rows: Sequence[Row]) -> None:
        """Write these rows, in an order that does not depend on that of the run."""
        ordered = sorted(rows, key=lambda row: (row.section, row.test, row.promise))
        record = Record(platform.python_version(), os.cpu_count() or 0, ordered)
        self._path.write_bytes(msgspec.json.format(msgspec.json.encode(record)) + b"\n")


def only(said: list[tuple[str, Any]], name: str) -> list[tuple[str, Any]]:
    """Those properties of a report that have a name."""
    return [each for each in said if each[0] == name]


def read(path: Path) -> Record:
    """What was recorded in a file."""
    return msgspec.json.decode(path.read_bytes(), type=Record)
