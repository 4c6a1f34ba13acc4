"""Targets of make that the documentation names are there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "docker-compose.yml")
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def commands(path: Path) -> Iterator[str]:
    """The commands of a document's shell blocks, and those of `make` in its text."""
    text = path.read_text("utf-8")
    for block in re.findall(r"^ *```sh\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE):
        for line in block.replace("\\\n", " ").splitlines():
            yield line.strip()
    bare = re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)
    yield from (" ".join(each.split()) for each in re.findall(r"`(make [^`…\[]+)`", bare))


def words(command: str) -> list[str]:
    return shlex.split(command, comments=True)


SHOWN = [(path.name, command) for path in DOCUMENTS for command in commands(path) if words(command)]
MADE = [(name, command) for name, command in SHOWN if words(command)[0] == "make"]


@pytest.mark.parametrize(("document", "command"), MADE, ids=lambda each: each)
def test_make_has_its_targets(document: str, command: str) -> None:
    asked = [word for word in words(command)[1:] if "=" not in word and not word.startswith("-")]
    assert set(asked) <= TARGETS


def test_there_are_some() -> None:
    assert len(MADE) > 10
