"""The commands that the documentation shows, in its order."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    str(path.relative_to(ROOT))
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("p*/**/*.md"), ROOT / "docker-compose.yml")
)

_BLOCK = re.compile(r"^(?P<indent> *)```(?P<kind>\w+)\n(?P<body>.*?)^ *```$", re.DOTALL | re.MULTILINE)
_PROMPT = "$ "
_COMMENT = re.compile(r"\s+# .*$", re.MULTILINE)
_HERE = re.compile(r"<<'?(\w+)'?")


def commands(document: str) -> Iterator[str]:
    """The commands of a document's shell blocks, those of `make` in its text, and those of docker-compose.yml."""
    text = (ROOT / document).read_text("utf-8")
    if document.endswith(".yml"):
        yield from re.findall(r"^# (docker compose .*?)(?:  .*)?$", text, re.MULTILINE)
        return
    for block in _BLOCK.finditer(text):
        lines = [line.removeprefix(block["indent"]) for line in block["body"].splitlines()]
        if block["kind"] == "console":
            lines = [line.removeprefix(_PROMPT) for line in lines if line.startswith(_PROMPT)]
        if block["kind"] in ("sh", "bash", "shell", "console"):
            yield from _commands(lines)
    bare = _BLOCK.sub("", text)
    yield from (" ".join(each.split()) for each in re.findall(r"`(make\s[^`…\[]+)`", bare))


def _commands(lines: list[str]) -> Iterator[str]:
    """Join lines that go on, and here-documents; comments and empty lines are left out."""
    rest = iter(lines)
    for line in rest:
        command = _COMMENT.sub("", line)
        while command.endswith("\\"):
            command = command.removesuffix("\\") + _COMMENT.sub("", next(rest)).lstrip()
        if here := _HERE.search(command):
            for line in rest:
                command += f"\n{line}"
                if line == here[1]:
                    break
        if shlex.split(command.partition("\n")[0], comments=True):
            yield command.strip()


def yaml_blocks(document: str) -> list[str]:
    """The texts of a document's blocks of YAML."""
    text = (ROOT / document).read_text("utf-8")
    return [block["body"] for block in _BLOCK.finditer(text) if block["kind"] in ("yaml", "yml")]
