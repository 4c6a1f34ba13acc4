"""Broken YAML files: good ones, mutated in what they say and in how they say it."""

from __future__ import annotations

import re
from typing import Any

import yaml
from hypothesis import strategies as st

from tests.fuzz.payloads import keys_of, said_otherwise, written

FRAGMENTS = (
    *("&a ", "*a", "!!python/object/apply:os.system [x]", "!x ", "%YAML 1.1\n", "---\n", "...\n", "? [a]\n: b\n"),
    *("<<: *a\n", "\t", "\n", " ", "  ", "- ", ": ", "#", "'", '"', "|\n", ">-\n", "[", "]", "{", "}", ",", "~", "@"),
    *('"\\ud800"', '"\\U00110000"', '"\\x00"', "\x00", "\x85", "\u2028", "\ufeff", "\ud800", "\xff", "1e999", ".nan"),
    *("0x10", "0o17", "1_000", "2026-11-23", "yes", "=", "9" * 400, "[" * 100, "{a: " * 100, "x" * 5000),
)


def _plain(value: Any) -> Any:
    """The same without what PyYAML cannot write."""
    if isinstance(value, dict):
        return {_plain(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return re.sub("[\ud800-\udfff]", "?", value) if isinstance(value, str) else value


@st.composite
def documents(draw: st.DrawFn, good: Any) -> bytes:
    """A file that says `good` otherwise, in blocks or in brackets: whole, cut, spliced or with other bytes in it."""
    said = draw(said_otherwise(good, keys_of(good)))
    if draw(st.booleans()):
        text = yaml.safe_dump(_plain(said), sort_keys=False, allow_unicode=draw(st.booleans()))
    else:
        text = written(said).decode("utf-8", "surrogatepass")
    match draw(st.sampled_from(["whole"] * 4 + ["cut", "spliced", "spliced", "bytes", "other"])):
        case "cut":
            text = text[: draw(st.integers(0, len(text)))]
        case "spliced":
            for _ in range(draw(st.integers(1, 3))):
                at = draw(st.integers(0, len(text)))
                text = text[:at] + draw(st.sampled_from(FRAGMENTS) | st.text(max_size=5)) + text[at:]
        case "bytes":
            data = text.encode("utf-8", "surrogatepass")
            at = draw(st.integers(0, len(data)))
            return data[:at] + draw(st.binary(min_size=1, max_size=4)) + data[at:]
        case "other":
            return draw(st.sampled_from([b"", b"null", b"- a", b"0", text.encode("utf-16", "surrogatepass")]))
    return text.encode("utf-8", "surrogatepass")
