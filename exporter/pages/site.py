"""The status page, a page for each node and worker, and the same as JSON: an ASGI application."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined

from exporter import __version__
from exporter.asgi import Receive, Scope, Send, answer
from exporter.bounded import Bounded, BusyError
from exporter.explain.terminal import moment
from exporter.overview import Choice, Overview, chosen
from exporter.overview.choice import ChoiceError
from exporter.overview.holdings import Holding
from exporter.pages.detail import of_node, of_worker
from exporter.pages.view import link, view
from exporter.records.evidence import NodeEvidence, Unexplained
from exporter.records.worker_evidence import UnknownWorker, WorkerEvidence

Explain = Callable[[str, str | None], tuple[int, bytes]]
"""Gives status and JSON for a name and a fleet, None for any; threads call it."""

STATUS = "/api/v1/status"
STATIC = "/static/"
KINDS = ("nodes", "workers")
"""What has a page of its own."""

ROWS, ANSWERED = 100, 1000
"""Rows of each table of a page, and of the JSON, where nobody says how many."""

RENDERED = 4
"""Pages that are made at a time."""

POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SAFE = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))
HTML = ((b"content-type", b"text/html; charset=utf-8"), (b"content-security-policy", POLICY), *SAFE)
JSON = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"), *SAFE)

BEYOND = re.compile("[^\\x00-\\x7f]")
"""What is not ASCII."""

TYPES = {"css": b"text/css; charset=utf-8", "js": b"text/javascript; charset=utf-8", "svg": b"image/svg+xml"}

Headers = Sequence[tuple[bytes, bytes]]
Page = tuple[int, Headers, bytes]
Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]
"""A title, headings and rows."""


class Shape(NamedTuple):
    """How an explanation is decoded and shown: what the records are, and what the template is filled with."""

    explained: type[msgspec.Struct]
    unexplained: type[msgspec.Struct]
    shown: Callable[[Any, Overview], dict[str, Any]]


SHAPES = {
    "nodes": Shape(NodeEvidence, Unexplained, of_node),
    "workers": Shape(WorkerEvidence, UnknownWorker, of_worker),
}


class Site:
    """Renders in a few threads; beyond those it answers 503.

    `explain` is by what it explains, as in `KINDS`; `holdings` gives what one of a kind has, by fleet and id.
    """

    def __init__(
        self,
        overview: Callable[[], Overview],
        explain: Mapping[str, Explain],
        holdings: Callable[[str, str, str], Sequence[Holding]] = lambda _kind, _fleet, _name: (),
    ) -> None:
        self._overview = overview
        self._explain = explain
        self._holdings = holdings
        self._threads = Bounded(RENDERED, "pages")
        self._templates = Environment(
            loader=PackageLoader("exporter.pages", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals.update(link=link, version=__version__, moment=moment)
        folder = files("exporter.pages").joinpath("static")
        self._static = {each.name: each.read_bytes() for each in folder.iterdir()}

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer a request for what `has` tells of."""
        path = scope["path"]
        if path.startswith(STATIC):
            await answer(send, *self._asset(path.removeprefix(STATIC)))
            return
        try:
            page = await self._threads.call(self._page, path, scope["query_string"])
        except BusyError:
            busy = f"{RENDERED} pages are being made: ask again in a moment"
            page = self._json(503, {"error": busy}) if path == STATUS else self._problem(503, f"{busy}.")
        await answer(send, *page)

    def has(self, path: str) -> bool:
        """Tell whether a path is one of these pages."""
        kind = path[1:].partition("/")[0]
        return path in ("/", STATUS) or path.startswith(STATIC) or (kind in KINDS and path != f"/{kind}")

    def _page(self, path: str, query: bytes) -> Page:
        said = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
        if path not in ("/", STATUS):
            kind, _, name = path[1:].partition("/")
            return self._of_one(kind, name, said.get("fleet"))
        try:
            choice = Choice.of(said, ANSWERED if path == STATUS else ROWS)
        except ChoiceError as wrong:
            return self._json(400, {"error": str(wrong)}) if path == STATUS else self._problem(400, f"{wrong}.")
        everything = self._overview()
        shown = chosen(everything, choice)
        if path == STATUS:
            return self._json(200, shown)
        fleets = [row.fleet for row in everything.fleets]
        return self._html(200, "status.html", view=view(everything, shown, choice), fleets=fleets, at=shown.at)

    def _of_one(self, kind: str, name: str, fleet: str | None) -> Page:
        shape = SHAPES[kind]
        status, body = self._explain[kind](name, fleet)
        if status != 200:
            said: Any = msgspec.json.decode(body, type=shape.unexplained)
            others = said.candidates or said.near
            links = [(self._name(each), self._link(kind, each)) for each in others]
            return self._problem(status, f"{said.error}.", links)
        told: Any = msgspec.json.decode(body, type=shape.explained)
        shown = shape.shown(told, self._overview())
        shown["tables"] += map(_held, self._holdings(kind, told.fleet, shown["known"]))
        shown["tables"] = [_filled(*table) for table in shown["tables"]]
        return self._html(200, "detail.html", kind=kind, fleet=told.fleet, at=told.at, **shown)

    @staticmethod
    def _name(each: Any) -> str:
        name = getattr(each, "worker", None) or each.hostname or each.node
        return f"{name} ({each.fleet})"

    @staticmethod
    def _link(kind: str, each: Any) -> str:
        name = each.node if kind == "nodes" else each.worker
        return f"/{kind}/{quote(name, safe='')}?fleet={quote(each.fleet, safe='')}"

    def _problem(self, status: int, why: str, links: Sequence[tuple[str, str]] = ()) -> Page:
        return self._html(status, "problem.html", code=status, why=why, links=links)

    def _html(self, status: int, template: str, **values: Any) -> Page:
        page = self._templates.get_template(template).render(values)
        return status, HTML, page.encode("utf-8", "replace")

    def _json(self, status: int, said: object) -> Page:
        """JSON of ASCII alone, as the text of upstreams may steer a terminal."""
        body = msgspec.json.encode(said)
        if not body.isascii():
            body = BEYOND.sub(lambda sign: json.dumps(sign[0])[1:-1], body.decode()).encode("ascii")
        return status, JSON, body + b"\n"

    def _asset(self, name: str) -> Page:
        body = self._static.get(name)
        if body is None:
            return self._problem(404, "There is nothing here.")
        kind = TYPES[name.rpartition(".")[2]]
        return 200, ((b"content-type", kind), (b"cache-control", b"max-age=3600"), *SAFE), body


def _filled(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table without the columns that are empty in all rows, but for the first."""
    kept = [at for at in range(len(headings)) if at == 0 or not rows or any(row[at] for row in rows)]
    return title, [headings[at] for at in kept], [[row[at] for at in kept] for row in rows]


def _held(held: Holding) -> Table:
    left = f": {len(held.rows)} of {held.of} shown" if len(held.rows) < held.of else ""
    return held.title + left, held.headings, held.rows
