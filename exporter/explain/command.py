"""The command `rollcall explain`: asks a running exporter why a node or worker is as it is, and prints what it says."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple, TextIO
from urllib.parse import quote

import msgspec

from exporter.endpoint import Endpoint
from exporter.explain.terminal import printable
from exporter.explain.text import explanation, unexplained
from exporter.explain.worker_text import unknown_worker, worker_explanation
from exporter.records.evidence import NodeEvidence, Unexplained
from exporter.records.worker_evidence import UnknownWorker, WorkerEvidence
from exporter.sources.connect import Resolve
from exporter.sources.fetch import Fetched, Session
from exporter.sources.source import Deadline, SourceError

PORT = 10470
"""The port of an exporter whose URL has none."""

TIMEOUT = 10.0
"""Seconds that the exporter has for its answer."""

STATUSES = (200, 404, 409, 503)
"""The answers of the exporter that are one: explained, unknown, ambiguous, asked by too many."""


class Subject(NamedTuple):
    """What can be explained: where, by which records of an explanation and of none, and how those read as text."""

    path: str
    explained: type[msgspec.Struct]
    unexplained: type[msgspec.Struct]
    text: Callable[[Any, bool], str]
    line: Callable[[Any], str]


NODE = Subject("nodes", NodeEvidence, Unexplained, explanation, unexplained)
WORKER = Subject("workers", WorkerEvidence, UnknownWorker, worker_explanation, unknown_worker)


class Question(NamedTuple):
    """Who is to be explained, and how: id or name, the fleet where that is said, as JSON or text."""

    name: str
    fleet: str | None = None
    as_json: bool = False
    subject: Subject = NODE

    @property
    def path(self) -> str:
        """Where the exporter answers it."""
        path = f"/api/v1/{self.subject.path}/" + quote(self.name, safe="", errors="replace")
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
        fetched = answered(endpoint, question.path, STATUSES, resolve)
        answer = _decoded(fetched, question.subject)
    except SourceError as error:
        return fail(err, f"cannot ask {endpoint.url}: {error}")
    if question.as_json:
        write(out, json.dumps(json.loads(fetched.body), indent=2))
    if fetched.status != 200:
        return fail(err, question.subject.line(answer))
    if not question.as_json:
        write(out, question.subject.text(answer, coloured(out, environ)))
    return 0


def answered(endpoint: Endpoint, path: str, statuses: Collection[int], resolve: Resolve) -> Fetched:
    """Ask an exporter; raises SourceError where there is no answer of one of the statuses."""
    with Session(endpoint, Deadline(TIMEOUT), resolve=resolve, statuses=statuses) as session:
        return session.get(path)


def _decoded(fetched: Fetched, subject: Subject) -> msgspec.Struct:
    """Decode an answer; raises SourceError for that of something else."""
    try:
        return msgspec.json.decode(
            fetched.body, type=subject.explained if fetched.status == 200 else subject.unexplained
        )
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError):
        found = f"expected an explanation, or why there is none, got something else with status {fetched.status}"
    raise SourceError("malformed", found)


def coloured(out: TextIO, environ: Mapping[str, str]) -> bool:
    """Colours are for terminals, unless NO_COLOR (no-color.org) is set or the terminal is a dumb one."""
    return out.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def fail(err: TextIO, line: str) -> int:
    """Say what went wrong; the exit status."""
    write(err, f"rollcall: {printable(line)}")
    return 1


def write(out: TextIO, text: str, end: str = "\n") -> None:
    """Write lines; what the encoding of the output does not have becomes a question mark."""
    encoding = out.encoding or "utf-8"
    out.write(text.encode(encoding, "replace").decode(encoding) + end)
    out.flush()
