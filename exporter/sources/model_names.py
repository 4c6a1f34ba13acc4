"""Model names as payloads list them, and which of them may become labels."""

from __future__ import annotations

import re
from collections.abc import Sequence

_PATH = re.compile(r"[/~\\]|\.{1,2}([/\\]|$)|[a-z]:|file:|.*/\.{1,2}(/|$)", re.IGNORECASE | re.DOTALL)
"""An absolute path, one from home, one with a dot for a folder, one of Windows, or a file's URL.

One that starts with a folder's name cannot be told from `organisation/model`.
"""


def is_model(name: str | None) -> bool:
    """Tell a model's name from nothing and from a file path: mesh-llm lists the path of a model loaded at run time."""
    shown = name or ""
    if not shown.isprintable():
        shown = "".join(letter for letter in shown if letter.isprintable())
    shown = shown.lstrip()
    return bool(shown) and not _PATH.match(shown)


def model_names(said: Sequence[str] | None) -> list[str]:
    """Model names, each once, without paths."""
    return [name for name in dict.fromkeys(said or ()) if is_model(name)]
