"""Writes the dashboards: `python -m grafana.build`, or `--check` to fail where a file is not what would be written."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from grafana.fleet import fleet

DIRECTORY = Path(__file__).parent / "dashboards"


def dashboards() -> dict[str, str]:
    """The text of every dashboard, by file name; the first line says that it is generated."""
    return {"rollcall-fleet.json": _text(fleet())}


def stale(directory: Path) -> list[str]:
    """The names of files in `directory` that are missing, differ, or that nothing generates."""
    expected = dashboards()
    found = {path.name: path.read_text(encoding="utf-8") for path in sorted(directory.glob("*.json"))}
    return sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))


def main(arguments: Sequence[str] | None = None, directory: Path = DIRECTORY) -> int:
    """Write or check; the exit status is 1 where a check found a stale file."""
    parser = argparse.ArgumentParser(prog="python -m grafana.build", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is stale")
    if parser.parse_args(arguments).check:
        names = stale(directory)
        for name in names:
            sys.stderr.write(f"{directory / name}: stale; run python -m grafana.build\n")
        return 1 if names else 0
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in dashboards().items():
        (directory / name).write_text(text, encoding="utf-8")
    return 0


def _text(model: dict[str, object]) -> str:
    note = '{ "__generated": "by python -m grafana.build from grafana/*.py; do not edit",\n'
    return note + json.dumps(model, indent=2, ensure_ascii=False).removeprefix("{\n") + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
