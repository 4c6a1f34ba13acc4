"""`python -m tests.first_hour.document` writes the figures into docs/FIRST_HOUR.md; `--check` tells if they are old."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby

import msgspec

from tests.first_hour.page import PAGE, ROOT, blocks

RECORDED = ROOT / "docs/first-hour.json"
_PART = re.compile(r"(<!-- first hour -->\n).*?(?=<!-- end -->)", re.DOTALL)


class Timed(msgspec.Struct, frozen=True):
    """A block as it was run, with the seconds until it ended, or for a question until what is promised was seen."""

    section: str
    commands: str
    seconds: float
    question: bool


class Record(msgspec.Struct):
    """A first hour: of what machine, and each block."""

    debian: str
    python: str
    prometheus: str
    cores: int
    blocks: list[Timed]


def rendered(page: str, record: Record) -> str:
    """The page with its figures made anew."""
    return _PART.sub(lambda found: found[1] + "\n".join(_table(record)) + "\n", page)


def unrecorded(page: str, record: Record) -> list[str]:
    """The commands of a page that are not those that were run, or not in that order: all from the first on."""
    written = [(each.section, each.commands) for each in blocks(page)]
    ran = [(each.section, each.commands) for each in record.blocks]
    same = next((n for n, pair in enumerate(zip(written, ran, strict=False)) if pair[0] != pair[1]), len(ran))
    return [commands for _, commands in written[same:]] or [commands for _, commands in ran[len(written) :]]


def _table(record: Record) -> Iterator[str]:
    machine = f"Debian {record.debian} with Python {record.python} and Prometheus {record.prometheus}"
    yield f"Recorded on a bare {machine}, on {record.cores} processors."
    yield "Commands include downloads and installing; a question counts until what stands below it was seen.\n"
    yield "| step | commands | questions | together |"
    yield "|---|---|---|---|"
    for section, ran in groupby(record.blocks, lambda each: each.section):
        yield _row(section, [*ran])
    yield _row("all of it", record.blocks)


def _row(name: str, ran: Sequence[Timed]) -> str:
    parts = ([each for each in ran if each.question is question] for question in (False, True))
    cells = [*(_said(each) for each in parts), _said(ran)]
    return f"| {name} | {' | '.join(cells)} |"


def _said(ran: Sequence[Timed]) -> str:
    return f"{sum(each.seconds for each in ran):,.1f} s" if ran else ""


def main(arguments: Sequence[str]) -> int:
    """Write the page, or with --check tell whether it is stale; returns the exit status."""
    page = PAGE.read_text("utf-8")
    record = msgspec.json.decode(RECORDED.read_bytes(), type=Record)
    wanted = rendered(page, record)
    if "--check" not in arguments:
        PAGE.write_text(wanted, "utf-8")
    elif page != wanted:
        sys.stderr.write(f"{PAGE}: its figures are stale: run `python -m tests.first_hour.document`\n")
        return 1
    if others := unrecorded(page, record):
        sys.stderr.write(f"{PAGE}: expected the commands that were timed: run `make first-hour`; got {others[0]!r}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
