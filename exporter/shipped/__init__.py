"""What is shipped beside the program: dashboards, and an example of Prometheus' and Alertmanager's configuration.

`dashboards`, `importable` and `prometheus` here are links to folders of the top level: a wheel has the same files.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

EXAMPLE = ("prometheus/*.yml", "prometheus/targets/*.yml", "prometheus/templates/*.tmpl")
"""The example's files, as pyproject.toml lists them too; rules are not among them, but rendered."""


def dashboards(*, importable: bool = False) -> dict[str, str]:
    """The text of every dashboard by the name of its file: to provision, or to import by hand."""
    folder = files(__name__).joinpath("importable" if importable else "dashboards")
    texts = {each.name: each.read_text("utf-8") for each in folder.iterdir() if each.name.endswith(".json")}
    return dict(sorted(texts.items()))


def example() -> dict[str, str]:
    """The text of every file of the example, by its path below the folder that Prometheus and Alertmanager run in."""
    found: dict[str, str] = {}
    for pattern in EXAMPLE:
        _, *below, name = pattern.split("/")
        folder = files(__name__).joinpath("prometheus", *below)
        for each in folder.iterdir():
            if each.name.endswith(name[1:]):
                found["/".join([*below, each.name])] = each.read_text("utf-8")
    return dict(sorted(found.items()))


def write(texts: Mapping[str, str], directory: Path) -> None:
    """Write files by their paths below a directory, made where it is missing; others there are left alone.

    Raises OSError where one cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
