"""What Grafana's own code makes of answers: tests/grafana/frames.mjs in Node, with packages that set_up.sh brings."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from tests.real.process import missing

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tests/grafana/frames.mjs"
NODE = Path(os.environ.get("ROLLCALL_NODE") or ROOT / ".cache/node")
"""Has bin/node, and node_modules."""


class Field(NamedTuple):
    """A field after all transformations: `title` is what is shown, `values` how many are neither null nor empty."""

    name: str
    title: str
    type: str
    values: int
    overridden: bool
    hidden: bool


class Frame(NamedTuple):
    """A frame after all transformations, with `length` rows."""

    ref: str
    length: int
    fields: tuple[Field, ...]

    @property
    def names(self) -> set[str]:
        """The names of its fields."""
        return {field.name for field in self.fields}


class Shown(NamedTuple):
    """What a panel shows, and what it names that is not there."""

    frames: tuple[Frame, ...]
    missing: tuple[str, ...]


class Asked(NamedTuple):
    """A panel as its dashboard has it, and by ref the `result` that Prometheus' API gave for each of its queries."""

    place: str
    panel: dict[str, Any]
    answers: dict[str, list[Any]]


def shown(asked: Iterable[Asked]) -> dict[str, Shown]:
    """What panels show, by their place."""
    node = NODE / "bin/node"
    if not node.exists() or not (NODE / "node_modules").exists():
        missing(f"no Node with Grafana's packages: expected {node} and {NODE / 'node_modules'} (sh tests/set_up.sh)")
    done = subprocess.run(
        [node, PROGRAM, NODE],
        input=json.dumps([each._asdict() for each in asked]),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {each["place"]: _shown(each) for each in json.loads(done.stdout)}


def _shown(said: dict[str, Any]) -> Shown:
    frames = (
        Frame(frame["ref"], frame["length"], tuple(Field(**field) for field in frame["fields"]))
        for frame in said["frames"]
    )
    return Shown(tuple(frames), tuple(said["missing"]))
