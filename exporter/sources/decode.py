"""Typed decoding of what upstreams send: the envelope stands or falls, each item for itself."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Annotated, TypeVar

import msgspec

from exporter.sources.source import Deadline, SourceError

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

_SIGNS = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[\]{}]', re.DOTALL)
"""What opens and closes arrays and objects in JSON text, and the strings in which it does not."""

LEVELS = 64
"""Levels down to which JSON is decoded; msgspec gives up an answer at about 1,000, on Python 3.13 at 10,000."""

MOST_FLATTENED = 2**18
"""Bytes of the longest answer that is cut to these levels: 0.5 microseconds for each byte at the worst."""

MOST_VALUES = 2**21
"""Values of one answer at most: one takes 80 bytes of memory where it is decoded for itself, and 2 in the answer."""

OFTEN = 1000
"""Items after which it is looked whether there is time left."""

MANY = 100
"""Times as many items as were asked for that are decoded, to be counted, before a page is refused."""


def envelope(body: bytes, decoder: msgspec.json.Decoder[T], what: str, drift: Counter[str] | None = None) -> T:
    """Decode an answer whole; raises SourceError that says where it broke, never what it held.

    That is "malformed", and "too_large" where it has more than `MOST_VALUES` values. An escape of half a surrogate
    pair, which is no character, is read as U+FFFD: it costs only the text that has it. A value that is nested deeper
    than `LEVELS` is read as null, drift of `depth`.
    """
    if len(body) > MOST_VALUES and body.count(b",") >= MOST_VALUES:
        raise SourceError("too_large", f"expected {what} of at most {MOST_VALUES} values, got more")
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        trouble: Exception = error
    except UNDECODABLE as error:
        trouble = error
    mended = _mended(body, trouble)
    if mended is not None:
        if drift is not None and isinstance(trouble, RecursionError):
            drift["depth"] += 1
        return envelope(mended, decoder, what, drift)
    raise SourceError("malformed", f"expected {what}, got {describe(trouble)}")


def check_page(size: int, most: int | None, what: str) -> None:
    """Raise SourceError("too_large") where a page has more items than were asked for."""
    if most is not None and size > most:
        raise SourceError("too_large", f"expected at most {most} {what} in a page, got {size}")


def check_names(body: bytes, name: bytes, most: int | None, what: str) -> None:
    """Raise SourceError("too_large") where the name that each item of a page has is there far too often."""
    if most is not None and len(body) > MOST_VALUES and body.count(name) > MANY * most:
        raise SourceError("too_large", f"expected at most {most} {what} in a page, got far more")


def _mended(body: bytes, trouble: Exception) -> bytes | None:
    """The answer without what made it undecodable; None where there is nothing that can be mended."""
    mended = body
    if isinstance(trouble, RecursionError):
        if len(body) <= MOST_FLATTENED:
            mended = _flattened(body)
    elif not isinstance(trouble, msgspec.ValidationError) and len(body) <= MOST_MENDED and re.search(_SURROGATE, body):
        mended = _SOUND_OR_LONE.sub(lambda found: found[1] or rb"\ufffd", body)
    return None if mended == body else mended


def _flattened(body: bytes) -> bytes:
    """The JSON text with null in place of what is nested deeper than `LEVELS`; as it is where that does not end."""
    kept: list[bytes] = []
    start = depth = 0
    for found in _SIGNS.finditer(body):
        sign = found[0]
        if sign in (b"[", b"{"):
            depth += 1
            if depth == LEVELS + 1:
                kept += [body[start : found.start()], b"null"]
        elif sign in (b"]", b"}"):
            if depth == LEVELS + 1:
                start = found.end()
            depth -= 1
    return body if depth else b"".join((*kept, body[start:]))


def in_time(things: Iterable[T], deadline: Deadline | None) -> Iterator[T]:
    """The same things, as long as there is time left; raises SourceError("timeout") after the deadline's end."""
    for number, thing in zip(count(), things, strict=False):
        if deadline is not None and number % OFTEN == 0:
            deadline.remaining()
        yield thing


def items(
    raws: Sequence[msgspec.Raw],
    decoder: msgspec.json.Decoder[T],
    field: str,
    drift: Counter[str],
    deadline: Deadline | None = None,
) -> list[T]:
    """Decode items one by one; a malformed one is left out and counted as drift of `field`.

    Raises SourceError("timeout") where the `deadline` ends meanwhile.
    """
    return [item for _, item in placed(raws, decoder, field, drift, deadline)]


def placed(
    raws: Sequence[msgspec.Raw],
    decoder: msgspec.json.Decoder[T],
    field: str,
    drift: Counter[str],
    deadline: Deadline | None = None,
) -> list[tuple[int, T]]:
    """Decode items as `items` does, each with its position among all of them."""
    decoded = []
    for position, raw in enumerate(in_time(raws, deadline)):
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
