"""How the names of nodes are shown: as they are, as keyed hashes, or as aliases."""

from __future__ import annotations

from exporter.config.check import WrongValueError, string
from exporter.config.file import Node

MODES = ("raw", "hash", "alias")


def privacy(node: Node) -> str:
    """Take one of `MODES`."""
    text = string(node)
    if text not in MODES:
        raise WrongValueError("raw, hash or alias")
    return text
