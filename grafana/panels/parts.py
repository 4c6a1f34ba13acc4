"""What panels are made of: queries, columns, links, sizes, and the settings that every panel has."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from grafana.states import GREY, Badge

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
REFS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
NO_EXPORTER = "no data from Rollcall"
"""The answer of a panel whose queries are 0 or more on every fleet: it can only be empty where nothing is scraped."""

DURATION = "dtdhms"
"""The unit of seconds that are written as days and hours:minutes:seconds."""

MOMENT = "time:YYYY-MM-DD HH:mm:ss"
"""The unit of Unix times in milliseconds that are written out."""

Model = dict[str, Any]
"""A piece of Grafana's JSON model."""


class Size(NamedTuple):
    """Width and height on Grafana's grid: 24 columns, rows of 38 pixels with the gap."""

    w: int
    h: int


@dataclass(frozen=True)
class Panel:
    """A panel without a place; `grafana.panels.board` gives it one, and an id."""

    model: Model
    size: Size


@dataclass(frozen=True)
class Link:
    """A link of a cell, a value or a band; see `grafana.links` for where to."""

    title: str
    url: str


@dataclass(frozen=True)
class Series:
    """One query of a chart; `name` is its legend, a template such as `{{node}}` where it gives several series.

    `alarming` ones are grey at 0 and in their colour above. `unit` is for a stat among others in another unit.
    """

    name: str
    expr: str
    colour: str | None = None
    alarming: bool = False
    unit: str | None = None


class Builder(Protocol):
    """A panel builder of the SDK."""

    def build(self) -> Any:
        """The SDK's model of the panel."""


def encoded(value: object) -> Any:
    """A model of the SDK as plain JSON."""
    return json.loads(json.dumps(value, cls=JSONEncoder))


def finished(builder: Builder, title: str, description: str, size: Size, *, unit: str | None, empty: str) -> Panel:
    """A panel with what every panel has: title, description, data source, unit, and the text where nothing is."""
    model: Model = encoded(builder.build())
    model |= {"title": title, "description": description, "datasource": DATASOURCE}
    model.setdefault("options", {})
    model.setdefault("transformations", [])
    defaults = model.setdefault("fieldConfig", {}).setdefault("defaults", {})
    model["fieldConfig"].setdefault("overrides", [])
    defaults["noValue"] = empty
    if unit is not None:
        defaults["unit"] = unit
    return Panel(model, size)


def target(expr: str, ref: str, *, instant: bool, legend: str = "", table: bool = False) -> prometheus.Dataquery:
    """A query; `table` makes every label a field of its own."""
    query = prometheus.Dataquery().ref_id(ref).expr(expr).datasource(dashboard.DataSourceRef(**_reference()))
    query = query.instant() if instant else query.range()
    if table:
        return query.format(PromQueryFormat.TABLE)
    return query.legend_format(legend)


def override(name: str, properties: Model) -> Model:
    """An override of the field with this display name."""
    listed = [{"id": key, "value": value} for key, value in properties.items()]
    return {"matcher": {"id": "byName", "options": name}, "properties": listed}


def fixed(colour: str) -> Model:
    """A field colour."""
    return {"mode": "fixed", "fixedColor": colour}


def steps(*levels: tuple[float | None, str]) -> Model:
    """Thresholds; the first level is None, for everything below the second."""
    return {"mode": "absolute", "steps": [{"value": value, "color": colour} for value, colour in levels]}


def overrides(series: Iterable[Series]) -> list[Model]:
    """The colours and units of series that have their own, by name or, where the name is a template, by query."""
    found = []
    for ref, one in zip(REFS, series, strict=False):
        properties: Model = {}
        if one.alarming and one.colour:
            properties = {"color": {"mode": "thresholds"}, "thresholds": steps((None, GREY), (1, one.colour))}
        elif one.colour:
            properties = {"color": fixed(one.colour)}
        if one.unit:
            properties["unit"] = one.unit
        if properties:
            found.append(override(one.name, properties))
            if "{{" in one.name:
                found[-1]["matcher"] = {"id": "byFrameRefID", "options": ref}
    return found


def mappings(badges: Sequence[Badge]) -> list[Model]:
    """Value mappings; their order is that of the legend."""
    options = {badge.value: {"text": badge.text, "color": badge.colour, "index": at} for at, badge in enumerate(badges)}
    return [{"type": "value", "options": options}]


def data_links(links: Iterable[Link]) -> list[Model]:
    """Links of a field."""
    return [{"title": link.title, "url": link.url, "targetBlank": False} for link in links]


def _reference() -> dict[str, str]:
    return {"type_val": DATASOURCE["type"], "uid": DATASOURCE["uid"]}
