"""Keeps prometheus/rules as the shipped values make them: `python -m exporter.rules [--check]`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from exporter.rules.render import rendered
from exporter.rules.values import defaults

DIRECTORY = Path("prometheus/rules")


def main(arguments: Sequence[str]) -> int:
    """Write the files, or with --check tell which are stale; returns the exit status."""
    expected = rendered(defaults())
    found = {path.name: path.read_text("utf-8") for path in DIRECTORY.glob("*.yml")}
    stale = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if "--check" in arguments:
        for name in stale:
            sys.stderr.write(f"{DIRECTORY / name} is stale: run `make generate`\n")
        return 1 if stale else 0
    for name in stale:
        if name in expected:
            (DIRECTORY / name).write_text(expected[name], "utf-8")
        else:
            (DIRECTORY / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
