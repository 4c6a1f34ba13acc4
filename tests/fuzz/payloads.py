"""Broken payloads: captured ones, mutated in what they say and in how they say it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from copy import deepcopy
from itertools import islice, product
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.real.scale import FULL

EXAMPLES = int(os.environ.get("ROLLCALL_EXAMPLES", "300"))
"""Generated payloads per source; `ROLLCALL_EXAMPLES=20000` for a long run."""

EVERY = 4
"""Of so many pairs of a place and a hostile value a run that is not a full one tries one; prime to `len(HOSTILE)`."""

REPRODUCIBLE = settings(
    max_examples=EXAMPLES, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)

Path = tuple[str | int, ...]

_VERBATIM = {
    "deep list": "[" * 100_000 + "]" * 100_000,
    "deep object": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "half a deep list": "[" * 100_000,
    "1e400": "1e400",
    "-1e400": "-1e400",
    "NaN": "NaN",
    "-Infinity": "-Infinity",
    "10**400": "1" + "0" * 400,
    "leading zero": "007",
    "comment": "/* no */ 1",
    "single quotes": "'a'",
    "lone surrogate": '"\\ud800"',
    "swapped surrogates": '"\\udc00\\ud83d"',
    "bare control characters": '"\x00\x1f"',
    "nothing": "",
}
_MARK = re.compile(r'"\\u0001verbatim:([^"\\]*)\\u0001"')
_WORDS = ["serving", "standby", "client", "sleeping", "idle", "busy", "unknown", "timeout", "direct", "Client", "true"]
_TEXTS = [
    "",
    " ",
    "x" * 100_000,
    "/etc/passwd",
    "C:\\models\\a.gguf",
    'quote" back\\slash\nnewline\ttab\rreturn',
    "\x00\x07\x1b[31m\x7f\x85",
    "\u2028\u2029\ufeff\u202e",
    "emoji 🤖",
    '{fleet="eu"} 1',
    "# EOF",
    "nan",
    "%s%n${HOME}",
    "é" * 127 + "\n" * 5,
]
_NUMBERS = [0, -1, 1, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 10**25, 0.1, -0.0, 1e308, -1e308, 5e-324, 1.5]

HOSTILE = (
    *(None, True, False, [], {}, [None], {"": None}, [[]], [{}], ["a", 1], {"a": {}}),
    *_NUMBERS,
    *_TEXTS,
    *_WORDS,
    *(f"\x01verbatim:{name}\x01" for name in sorted(_VERBATIM)),
)
hostile = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**70), 2**70),
)
"""A value that the place where it stands was not made for."""


def places(value: Any, path: Path = ()) -> list[Path]:
    """The paths of every value below `value`."""
    children: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    return [found for key, child in children for found in ((*path, key), *places(child, (*path, key)))]


def keys_of(value: Any) -> frozenset[str]:
    """The keys of every object in `value`."""
    return frozenset(step for path in places(value) for step in path if isinstance(step, str))


def matters(path: Path, keys: frozenset[str]) -> bool:
    """Tell whether the exporter reads what stands at a path: below none but keys that it declares."""
    return {step for step in path if isinstance(step, str)} <= keys


@st.composite
def said_otherwise(draw: st.DrawFn, captured: Any, keys: frozenset[str]) -> Any:
    """A captured payload with up to four values gone, doubled, or replaced by hostile ones or by each other.

    Most of them are values that the exporter reads.
    """
    payload = deepcopy(captured)
    for _ in range(draw(st.integers(1, 4))):
        found = places(payload)
        read = [path for path in found if matters(path, keys)]
        if not read:
            break
        if draw(st.integers(0, 7)):
            found = read
        *above, key = draw(st.sampled_from(found))
        holder = payload
        for step in above:
            holder = holder[step]
        match draw(st.sampled_from(["gone", "hostile", "hostile", "hostile", "doubled", "another"])):
            case "gone":
                del holder[key]
            case "doubled" if isinstance(holder, list):
                holder.extend(deepcopy([holder[key]]) * draw(st.integers(1, 3)))
            case "another":
                other: Any = payload
                for step in draw(st.sampled_from(found)):
                    other = other[step]
                holder[key] = deepcopy(other)
            case _:
                holder[key] = deepcopy(draw(hostile))
    return payload


@st.composite
def broken(draw: st.DrawFn, captured: Any, keys: frozenset[str]) -> bytes:
    """A captured payload as bytes, said otherwise, written otherwise, or both; `keys` are what the exporter reads."""
    text = written(draw(said_otherwise(captured, keys)))
    match draw(st.sampled_from(["whole"] * 7 + ["cut", "twice", "other", "spoiled"])):
        case "cut":
            return text[: draw(st.integers(0, max(0, len(text) - 1)))]
        case "twice":
            key = draw(st.sampled_from(sorted(keys)))
            start = text.find(b"{", draw(st.integers(0, len(text) // 2)))
            again = b"{" + json.dumps(key).encode() + b":" + written(draw(hostile)) + b","
            return text[:start] + again + text[start + 1 :] if start >= 0 else text
        case "other":
            return draw(st.sampled_from([b"", b"null", b"0", b"<html>502</html>", b"\xef\xbb\xbf" + text, text + text]))
        case "spoiled":
            at = draw(st.integers(0, len(text)))
            return text[:at] + draw(st.binary(min_size=1, max_size=4)) + text[at:]
        case _:
            return text


def written(payload: Any) -> bytes:
    """JSON, with what is to stand there verbatim."""
    text = json.dumps(payload)
    return _MARK.sub(lambda mark: _VERBATIM.get(mark[1], "0"), text).encode()


def sweep(captured: Any, keys: frozenset[str]) -> Iterator[tuple[Path, bytes]]:
    """Every value that the exporter reads, replaced by every hostile one in turn; of lists' items the first alone.

    Of these pairs every fourth unless ROLLCALL_FULL=1: some of every place, and all of the hostile ones.
    """
    read = [path for path in places(captured) if matters(path, keys)]
    first = [path for path in read if all(step == 0 for step in path if isinstance(step, int))]
    for path, value in islice(product(first, HOSTILE), 0, None, 1 if FULL else EVERY):
        payload = deepcopy(captured)
        *above, key = path
        holder = payload
        for step in above:
            holder = holder[step]
        holder[key] = value
        yield path, written(payload)
