"""Label text that no upstream can break."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from exporter.exposition.labels import LONGEST, guard, pairs, quote

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=300)


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        pytest.param("gpu-01", "gpu-01", id="plain"),
        pytest.param('say "hi"', 'say \\"hi\\"', id="quotes"),
        pytest.param("C:\\models", "C:\\\\models", id="backslash"),
        pytest.param("two\nlines", "two\\nlines", id="newline"),
        pytest.param("naïve 日本 🙂", "naïve 日本 🙂", id="unicode"),
        pytest.param("", "", id="empty"),
        pytest.param(None, "", id="none"),
    ],
)
def test_quote(text: str | None, quoted: str) -> None:
    assert quote(text) == quoted


@pytest.mark.parametrize("sign", ["\x00", "\t", "\r", "\x1b", "\x7f", "\x85", "\x9f", "\ud800"])
def test_signs_that_no_label_may_hold_are_replaced_and_told_apart(sign: str) -> None:
    guarded = guard(f"a{sign}b")
    assert re.fullmatch("a\ufffdb~[0-9a-f]{10}", guarded)
    assert guarded != guard("a\x01b")


def test_long_text_is_cut_and_ends_in_a_hash() -> None:
    one, other = guard("x" * 1000), guard("x" * 1001)
    assert len(one) == len(other) == LONGEST
    assert one[:100] == other[:100] == "x" * 100
    assert one != other
    assert guard("y" * LONGEST) == "y" * LONGEST


@given(ANY_TEXT)
def test_whatever_comes_in_one_label_goes_out(text: str) -> None:
    line = f"m{{{pairs(('a', 'b'), (text, 'x'))}}} 1\n"
    line.encode()
    [family] = text_string_to_metric_families(line)
    [sample] = family.samples
    assert sample.labels == {"a": guard(text), "b": "x"}
    assert len(guard(text)) <= LONGEST


@given(ANY_TEXT, ANY_TEXT)
def test_two_texts_never_become_one(one: str, other: str) -> None:
    assert (guard(one) == guard(other)) == (one == other)
