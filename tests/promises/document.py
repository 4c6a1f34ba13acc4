"""The tables of `docs/RELIABILITY.md`, made from what was recorded, and what keeps them true."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.promises.recording import MARK, Record, Row

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs/RELIABILITY.md"
RECORDED = ROOT / "docs/reliability.json"

COLUMNS = "| promise | measured | test |\n|---|---|---|\n"
_TABLE = re.compile(r"(<!-- promises: ([^>]+) -->\n).*?(?=<!-- end -->)", re.DOTALL)
_RUN = re.compile(r"(<!-- run -->\n).*?(?=<!-- end -->)", re.DOTALL)


class Declared(NamedTuple):
    """A promise as a test declares it: its section, its text with braces, and the test (path::function)."""

    section: str
    text: str
    test: str

    def is_row(self, row: Row) -> bool:
        """Tell whether a row is this promise, or one that its parameters make of it."""
        pattern = re.sub(r"\\\{\w+\\\}", ".+", re.escape(self.text))
        return (row.section, row.test) == (self.section, self.test) and bool(re.fullmatch(pattern, row.promise))


def declared(folder: Path) -> Iterator[Declared]:
    """Every promise of the tests in a folder, in the order of files and lines."""
    for path in sorted(folder.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                test = f"{path.relative_to(folder.parent)}::{node.name}"
                calls = [each for each in node.decorator_list if isinstance(each, ast.Call)]
                marks = [call for call in calls if ast.unparse(call.func) == f"pytest.mark.{MARK}"]
                yield from (Declared(*map(ast.literal_eval, mark.args), test) for mark in marks)


def rendered(document: str, record: Record, promises: list[Declared]) -> str:
    """The document with its tables made anew."""

    def table(found: re.Match[str]) -> str:
        rows = [row for promise in promises for row in record.rows if promise.is_row(row)]
        lines = [line(row) for row in rows if row.section == found[2]]
        return found[1] + COLUMNS + "".join(dict.fromkeys(lines))

    run = f"Recorded with Python {record.python} on {record.cores} processors.\n"
    return _RUN.sub(lambda found: found[1] + run, _TABLE.sub(table, document))


def line(row: Row) -> str:
    """A row of a table."""
    path, _, function = row.test.partition("::")
    figures = "; ".join(f"{what}: {figure(value)} {unit}".rstrip() for what, value, unit in row.figures)
    kept = f"{row.cases} cases" if row.cases > 1 else "kept"
    if row.passed < row.cases:
        kept = f"**broken in {row.cases - row.passed} of {row.cases}**"
    return f"| {row.promise} | {'; '.join(filter(None, (figures, kept)))} | [{function}](../{path}) |\n"


def figure(value: float) -> str:
    """A figure with three digits that count."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def troubles(document: str, record: Record, promises: list[Declared]) -> Iterator[str]:
    """What is wrong with the document: each in a line."""
    for promise in promises:
        if not any(promise.is_row(row) for row in record.rows):
            yield f"{promise.test}: its promise {promise.text!r} is not recorded"
    for row in record.rows:
        if not any(promise.is_row(row) for promise in promises):
            yield f"{row.test}: no test has the recorded promise {row.promise!r}"
        if row.passed < row.cases:
            yield f"{row.test}: the promise {row.promise!r} was broken when it was recorded"
    sections = {found[2] for found in _TABLE.finditer(document)}
    for section in sorted({promise.section for promise in promises} - sections):
        yield f"{DOCUMENT}: expected a table for the promises of {section!r}, got none"
    if document != rendered(document, record, promises):
        yield f"{DOCUMENT} is stale"
