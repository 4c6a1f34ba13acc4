"""Label text that no upstream can break: control characters, lone surrogates, length and escapes."""

from __future__ import annotations

import re
from hashlib import blake2b

LONGEST = 128
"""Characters of a label value at most, its hash included."""

_UNPRINTABLE = re.compile("[\\x00-\\x09\\x0b-\\x1f\\x7f-\\x9f\\ud800-\\udfff]")
_SPECIAL = re.compile('[\\x00-\\x1f\\x7f-\\x9f\\ud800-\\udfff"\\\\]')
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", '"': '\\"'})


def guard(text: str) -> str:
    """Give text that can stand in a label, and that no other text is guarded to.

    Control characters other than newline and lone surrogates become U+FFFD; text over `LONGEST` characters is cut. What
    was changed ends in a hash of the original, so that two names never become one.
    """
    printable = _UNPRINTABLE.sub("\ufffd", text)
    if printable == text and len(text) <= LONGEST:
        return text
    digest = "~" + blake2b(text.encode("utf-8", "surrogatepass"), digest_size=5).hexdigest()
    return printable[: LONGEST - len(digest)] + digest


def quote(text: str | None) -> str:
    """Guard and escape a label value; None is the empty value, which Prometheus takes for no label."""
    if text is None:
        return ""
    if len(text) <= LONGEST and _SPECIAL.search(text) is None:
        return text
    return guard(text).translate(_ESCAPES)


def pairs(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    """Join label names and values, without braces: `fleet="eu",node="n1"`."""
    return ",".join([f'{name}="{quote(value)}"' for name, value in zip(names, values, strict=True)])
