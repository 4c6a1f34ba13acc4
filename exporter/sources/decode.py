"""Typed decoding of what upstreams send: the envelope stands or falls, each item for itself."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, TypeVar

import msgspec

from exporter.sources.source import SourceError

T = TypeVar("T")

Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""A number of things, as a payload says it."""

Name = Annotated[str, msgspec.Meta(min_length=1)]
"""What tells one thing from another."""

UNDECODABLE = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
"""What msgspec raises on text that is no JSON, no UTF-8, nested too deep, or of another type."""


_SURROGATE = rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
_PAIR = rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_SOUND_OR_LONE = re.compile(rb"((?:[^\\]++|" + _PAIR + rb"|(?!" + _SURROGATE + rb")\\.)++)|" + _SURROGATE, re.DOTALL)
"""JSON text up to a surrogate escape that is no part of a pair, or that escape."""

MOST_MENDED = 8 * 2**20
"""Bytes of the longest answer in which such escapes are replaced: 0.2 microseconds for each byte at the worst."""


def envelope(body: bytes, decoder: msgspec.json.Decoder[T], what: str) -> T:
    """Decode an answer whole; raises SourceError("malformed") that says where it broke, never what it held.

    An escape of half a surrogate pair, which is no character, is read as U+FFFD: it costs only the text that has it.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        trouble: Exception = error
    except UNDECODABLE as error:
        trouble = error
        if len(body) <= MOST_MENDED and re.search(_SURROGATE, body):
            mended = _SOUND_OR_LONE.sub(lambda found: found[1] or rb"\ufffd", body)
            if mended != body:
                return envelope(mended, decoder, what)
    raise SourceError("malformed", f"expected {what}, got {describe(trouble)}")


def items(raws: Sequence[msgspec.Raw], decoder: msgspec.json.Decoder[T], field: str, drift: Counter[str]) -> list[T]:
    """Decode items one by one; a malformed one is left out and counted as drift of `field`."""
    return [item for _, item in placed(raws, decoder, field, drift)]


def placed(
    raws: Sequence[msgspec.Raw], decoder: msgspec.json.Decoder[T], field: str, drift: Counter[str]
) -> list[tuple[int, T]]:
    """Decode items as `items` does, each with its position among all of them."""
    decoded = []
    for position, raw in enumerate(raws):
        try:
            decoded.append((position, decoder.decode(raw)))
        except UNDECODABLE:
            drift[field] += 1
    return decoded


def sound(figure: float | None, field: str, drift: Counter[str]) -> float | None:
    """A figure that is finite and no less than 0; another one is not said, and drift of `field`."""
    if figure is None or 0 <= figure < math.inf:
        return figure
    drift[field] += 1
    return None


def describe(error: Exception) -> str:
    """Name what was found, without quoting the payload beyond its types and field names."""
    if isinstance(error, RecursionError):
        return "JSON nested too deep"
    if isinstance(error, msgspec.ValidationError):
        return f"another shape: {error}"[:200]
    return "no JSON"
