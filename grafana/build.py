"""Writes the dashboards: `python -m grafana.build`, or `--check` to fail where a file is not what would be written.

dashboards/ is for provisioning. importable/ is for those who import by hand: Grafana then asks for the data source.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from grafana.fleet import fleet
from grafana.hosts import hosts
from grafana.node import node
from grafana.panels import Board, rendered
from grafana.rollcall import rollcall
from grafana.runner import runner
from grafana.runners import runners
from grafana.topology import topology
from grafana.wakeable import wakeable

HERE = Path(__file__).parent
FOLDERS = ("dashboards", "importable")
BOARDS: tuple[Callable[[], Board], ...] = (fleet, topology, node, runners, runner, wakeable, hosts, rollcall)

INPUT = MappingProxyType(
    {
        "name": "DS_PROMETHEUS",
        "label": "Prometheus",
        "description": "The Prometheus that scrapes Rollcall and has its rules.",
        "type": "datasource",
        "pluginId": "prometheus",
        "pluginName": "Prometheus",
    }
)
"""What Grafana asks for on import, and puts in place of `${DS_PROMETHEUS}`."""


def dashboards() -> dict[str, str]:
    """The text of every file, by its path below this folder; the first line says that it is generated."""
    models = [rendered(board()) for board in BOARDS]
    provisioned = {f"dashboards/{model['uid']}.json": _text(model) for model in models}
    return provisioned | {f"importable/{model['uid']}.json": _text(_importable(model)) for model in models}


def stale(directory: Path) -> list[str]:
    """The paths of files in `directory` that are missing, differ, or that nothing generates."""
    expected = dashboards()
    found = {
        f"{folder}/{path.name}": path.read_text(encoding="utf-8")
        for folder in FOLDERS
        for path in sorted((directory / folder).glob("*.json"))
    }
    return sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))


def main(arguments: Sequence[str] | None = None, directory: Path = HERE) -> int:
    """Write or check; the exit status is 1 where a check found a stale file."""
    parser = argparse.ArgumentParser(prog="python -m grafana.build", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is stale")
    if parser.parse_args(arguments).check:
        names = stale(directory)
        for name in names:
            sys.stderr.write(f"{directory / name}: stale; run python -m grafana.build\n")
        return 1 if names else 0
    for name, text in dashboards().items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text, encoding="utf-8")
    return 0


def _importable(model: dict[str, Any]) -> dict[str, Any]:
    """The copy of a dashboard whose data source is asked for on import, and that can be edited."""
    chosen = f"${{{INPUT['name']}}}"
    variables = [
        variable | {"current": {"selected": True, "text": chosen, "value": chosen}}
        if variable["name"] == "datasource"
        else variable
        for variable in model["templating"]["list"]
    ]
    requires = [{"type": "grafana", "id": "grafana", "name": "Grafana", "version": "12.4.0"}]
    asked = {"__inputs": [dict(INPUT)], "__requires": requires}
    return asked | model | {"editable": True, "templating": {"list": variables}}


def _text(model: dict[str, Any]) -> str:
    note = '{ "__generated": "by python -m grafana.build from grafana/*.py; do not edit",\n'
    return note + json.dumps(model, indent=2, ensure_ascii=False).removeprefix("{\n") + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
