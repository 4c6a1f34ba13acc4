"""The command `rollcall status`: asks a running exporter what is known now, and prints it as tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple, TextIO
from urllib.parse import urlencode

import msgspec

from exporter.endpoint import Endpoint
from exporter.explain.command import answered, coloured, fail, write
from exporter.explain.terminal import printable
from exporter.overview.rows import TABLES, Overview
from exporter.overview.text import overview_text
from exporter.sources.connect import Resolve
from exporter.sources.fetch import Fetched
from exporter.sources.source import SourceError

PATH = "/api/v1/status"

EVERY = 2.0
"""Seconds from one look to the next while somebody watches."""

OK, WRONG, BUSY = 200, 400, 503
"""The answers of the exporter that are one: an overview, a question that is none, asked by too many."""

# DECAWM off and on (xterm's control sequences): a line longer than the terminal is wide takes no second one.
FRAME = "\x1b[?7l\x1b[H{}\x1b[J\x1b[?7h"
"""A whole screen, in place of what was there."""

CLEARED = "\x1b[K\n"
"""The end of a line, and of what was behind it."""


class Refused(msgspec.Struct, frozen=True):
    """Why there is no overview."""

    error: str


class Look(NamedTuple):
    """What is asked for: a fleet, a text, a state, how the tables are sorted (a field each), and rows of each table."""

    fleet: str | None = None
    text: str | None = None
    state: str | None = None
    sort: Mapping[str, str] = {}
    limit: int | None = None

    @property
    def path(self) -> str:
        """Where the exporter answers it."""
        said = {"fleet": self.fleet, "q": self.text, "state": self.state, "limit": self.limit}
        pairs = {**said, **{f"sort_{name}": field for name, field in self.sort.items()}}
        query = urlencode({name: value for name, value in pairs.items() if value is not None}, errors="replace")
        return f"{PATH}?{query}" if query else PATH


class Form(NamedTuple):
    """How the answer is printed: which tables, as JSON, and whether again and again."""

    only: Collection[str] = tuple(TABLES)
    as_json: bool = False
    watch: bool = False


class Screen(NamedTuple):
    """Where to print; `pause` waits for so many seconds."""

    out: TextIO
    err: TextIO
    environ: Mapping[str, str]
    height: Callable[[], int]
    pause: Callable[[float], None]


def sorts(field: str, falling: bool = False) -> dict[str, str]:
    """How each table that has a field is sorted by it; raises ValueError where none has it."""
    order = "-" * falling + field
    found = {name: order for name, row in TABLES.items() if field in row.__struct_fields__}
    if not found:
        known = sorted({name for row in TABLES.values() for name in row.__struct_fields__})
        raise ValueError(f"expected one of {', '.join(known)}, got {field!r}")
    return found


def run(look: Look, form: Form, endpoint: Endpoint, resolve: Resolve, screen: Screen) -> int:
    """Ask and print; the exit status: 0, or 1 with a line that says why there is nothing to show.

    Who watches sees that line too, and goes on; the end is 0.
    """
    if not form.watch:
        try:
            write(screen.out, _asked(look, form, endpoint, resolve, screen))
        except SourceError as error:
            return fail(screen.err, str(error))
        return 0
    try:
        while True:
            _show(_or_why(look, form, endpoint, resolve, screen), screen)
            screen.pause(EVERY)
    except KeyboardInterrupt:
        return 0


def _or_why(look: Look, form: Form, endpoint: Endpoint, resolve: Resolve, screen: Screen) -> str:
    try:
        return _asked(look, form, endpoint, resolve, screen)
    except SourceError as error:
        return f"rollcall: {printable(str(error))}"


def _asked(look: Look, form: Form, endpoint: Endpoint, resolve: Resolve, screen: Screen) -> str:
    """The answer as it is printed; raises SourceError where there is none, with the whole line that says why."""
    try:
        fetched = answered(endpoint, look.path, (OK, WRONG, BUSY), resolve)
        said = _decoded(fetched)
    except SourceError as error:
        raise SourceError(error.result, f"cannot ask {endpoint.url}: {error}") from None
    if isinstance(said, Refused):
        raise SourceError("http", said.error)
    if look.fleet is not None and not said.fleets:
        raise SourceError("http", f"expected a fleet that is read, got {look.fleet!r}")
    if form.as_json:
        return json.dumps(json.loads(fetched.body), indent=2)
    return overview_text(said, form.only, coloured(screen.out, screen.environ))


def _decoded(fetched: Fetched) -> Overview | Refused:
    """Decode an answer; raises SourceError for that of something else."""
    try:
        if fetched.status == OK:
            return msgspec.json.decode(fetched.body, type=Overview)
        return msgspec.json.decode(fetched.body, type=Refused)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError):
        found = f"expected what is known now, got something else with status {fetched.status}"
    raise SourceError("malformed", found)


def _show(text: str, screen: Screen) -> None:
    """Fill a terminal with the beginning of a text; elsewhere print it all, with an empty line behind it."""
    if not screen.out.isatty():
        write(screen.out, text + "\n")
    else:
        lines = text.split("\n")
        room = max(1, screen.height() - 1)
        if len(lines) > room:
            lines = [*lines[: room - 1], f"… {len(lines) - room + 1} more lines"]
        write(screen.out, FRAME.format(CLEARED.join([*lines, ""])), end="")
