"""The command `rollcall explain node`: asks a running exporter, and prints what it says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple, TextIO
from urllib.parse import quote

import msgspec

from exporter.endpoint import Endpoint
from exporter.explain.text import explanation, printable, unexplained
from exporter.records.evidence import NodeEvidence, Unexplained
from exporter.sources.connect import Resolve
from exporter.sources.fetch import Session
from exporter.sources.source import Deadline, SourceError

PORT = 10470
"""The port of an exporter whose URL has none."""

TIMEOUT = 10.0
"""Seconds that the exporter has for its answer."""

STATUSES = (200, 404, 409)
"""The answers of the exporter that are one: explained, unknown, ambiguous."""


class Question(NamedTuple):
    """Which node is to be explained, and how: its id or host name, its fleet where that is said, as JSON or text."""

    node: str
    fleet: str | None = None
    as_json: bool = False

    @property
    def path(self) -> str:
        """Where the exporter answers it."""
        path = "/api/v1/nodes/" + quote(self.node, safe="", errors="replace")
        return path if self.fleet is None else f"{path}?fleet={quote(self.fleet, safe='', errors='replace')}"


def run(
    question: Question,
    endpoint: Endpoint,
    resolve: Resolve,
    out: TextIO,
    err: TextIO,
    environ: Mapping[str, str],
) -> int:
    """Ask and print; the exit status: 0, or 1 with a line that says why there is no explanation."""
    try:
        with Session(endpoint, Deadline(TIMEOUT), resolve=resolve, statuses=STATUSES) as session:
            fetched = session.get(question.path)
        answer = _decoded(fetched.body, fetched.status)
    except SourceError as error:
        return _fail(err, f"cannot ask {endpoint.url}: {error}")
    if question.as_json:
        _write(out, json.dumps(json.loads(fetched.body), indent=2))
    if isinstance(answer, Unexplained):
        return _fail(err, unexplained(answer))
    if not question.as_json:
        _write(out, explanation(answer, coloured=_coloured(out, environ)))
    return 0


def _decoded(body: bytes, status: int) -> NodeEvidence | Unexplained:
    """Decode an answer; raises SourceError for that of something else."""
    kind: type[NodeEvidence | Unexplained] = NodeEvidence if status == 200 else Unexplained
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError):
        found = f"expected an explanation, or why there is none, got something else with status {status}"
    raise SourceError("malformed", found)


def _coloured(out: TextIO, environ: Mapping[str, str]) -> bool:
    """Colours are for terminals, unless NO_COLOR (no-color.org) is set or the terminal is a dumb one."""
    return out.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def _fail(err: TextIO, line: str) -> int:
    _write(err, f"rollcall: {printable(line)}")
    return 1


def _write(out: TextIO, text: str) -> None:
    """Write lines; what the encoding of the output does not have becomes a question mark."""
    encoding = out.encoding or "utf-8"
    out.write(text.encode(encoding, "replace").decode(encoding) + "\n")
