"""Typed decoding of what upstreams send: the envelope stands or falls, each item for itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, TypeVar

import msgspec

from exporter.sources.source import SourceError

T = TypeVar("T")

Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""A number of things, as a payload says it."""

UNDECODABLE = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
"""What msgspec raises on text that is no JSON, no UTF-8, nested too deep, or of another type."""


def envelope(body: bytes, decoder: msgspec.json.Decoder[T], what: str) -> T:
    """Decode an answer whole; raises SourceError("malformed") that says where it broke, never what it held."""
    try:
        return decoder.decode(body)
    except UNDECODABLE as error:
        raise SourceError("malformed", f"expected {what}, got {describe(error)}") from None


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


def describe(error: Exception) -> str:
    """Name what was found, without quoting the payload beyond its types and field names."""
    if isinstance(error, RecursionError):
        return "JSON nested too deep"
    if isinstance(error, msgspec.ValidationError):
        return f"another shape: {error}"[:200]
    return "no JSON"
