"""Model names as payloads list them, and which of them may become labels."""

from __future__ import annotations

import re
from collections.abc import Sequence

_PATH = re.compile(r"[/~\\]|[A-Za-z]:[/\\]")


def is_model(name: str | None) -> bool:
    """Tell a model's name from nothing and from a file path: mesh-llm lists the path of a model loaded at run time."""
    return bool(name) and not _PATH.match(name or "")


def model_names(said: Sequence[str] | None) -> list[str]:
    """Model names, each once, without paths."""
    return [name for name in dict.fromkeys(said or ()) if is_model(name)]
