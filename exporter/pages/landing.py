"""The landing page: what this is, where the metrics are, and how the reading of each source goes."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from exporter import __version__
from exporter.exposition.labels import guard
from exporter.health import SourceHealth


def landing(health: Sequence[SourceHealth]) -> str:
    """Render the page; a default source that never answered is not on it."""
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    template = environment.from_string(files("exporter.pages").joinpath("landing.html").read_text("utf-8"))
    sources = [
        {
            "fleet": guard(each.source.fleet),
            "name": guard(each.source.name),
            "kind": each.source.kind,
            "up": each.up,
            "result": each.result or "not read yet",
        }
        for each in health
        if each.answered or not each.source.pace.optional
    ]
    return template.render(version=__version__, sources=sources)
