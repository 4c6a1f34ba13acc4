"""Captured payloads give the golden expositions, byte for byte, and those are sound."""

from __future__ import annotations

import difflib
import os
import shutil
import subprocess

import pytest

from exporter.exposition import Format
from tests.golden.cases import CASES, MESH, STORE, Case
from tests.golden.texts import families_apart, metrics, samples

BOTH = pytest.mark.parametrize("form", Format, ids=["text", "openmetrics"])
EVERY = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
SECRET = b"SECRET-TOKEN-CANARY"


@EVERY
@BOTH
def test_captured_payloads_give_the_golden_text(case: Case, form: Format) -> None:
    expected, got = case.file(form).read_bytes(), case.texts()[form]
    difference = difflib.unified_diff(
        expected.decode().splitlines(), got.decode().splitlines(), str(case.file(form)), "now", lineterm="", n=0
    )
    assert got == expected, "\n".join(
        ["not the golden text; `python -m tests.golden.update` rewrites it:", *list(difference)[:60]]
    )


@EVERY
@BOTH
def test_a_golden_text_parses_and_has_no_sample_twice(case: Case, form: Format) -> None:
    assert len(samples(case.file(form).read_bytes(), form)) > 30


@EVERY
def test_both_formats_have_the_same_samples(case: Case) -> None:
    text, openmetrics = (samples(case.file(form).read_bytes(), form) for form in Format)
    assert text == openmetrics


@EVERY
@BOTH
def test_families_are_contiguous(case: Case, form: Format) -> None:
    text = case.file(form).read_bytes()
    assert families_apart(text) == []
    names = [metric.name for metric in metrics(text, form)]
    assert len(names) == len(set(names))


@EVERY
def test_promtool_accepts_a_golden_text(case: Case) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        assert os.environ.get("CI") != "true", "promtool is not installed"
        pytest.skip("promtool is not installed")
    text = case.file(Format.TEXT).read_bytes()
    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, timeout=60)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


@EVERY
@BOTH
def test_neither_tokens_nor_paths_are_shown(case: Case, form: Format) -> None:
    text = case.file(form).read_bytes()
    assert SECRET not in text
    shown = {
        sample.labels["model"]
        for metric in metrics(text, form)
        for sample in metric.samples
        if "model" in sample.labels
    }
    assert not [model for model in shown if model.startswith(("/", "~", "\\", "C:"))]


def test_every_golden_file_belongs_to_a_case() -> None:
    files = {case.file(form) for case in CASES for form in Format}
    folders = (MESH, STORE, MESH.parent / "made")
    there = {path for folder in folders for suffix in ("*.txt", "*.om") for path in folder.rglob(suffix)}
    assert there == files


def test_uniqueness_check_sees_a_sample_twice() -> None:
    text = b'# TYPE a gauge\na{b="1",c="2"} 1\na{c="2",b="1"} 2\n'
    with pytest.raises(AssertionError, match="expected every sample once"):
        samples(text, Format.TEXT)


def test_contiguity_check_sees_a_family_in_two_pieces() -> None:
    assert families_apart(b"a 1\nb 2\na 3\n") == ["a"]
