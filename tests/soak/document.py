"""`python -m tests.soak.document` writes what a soak found into docs/RELIABILITY.md; `--check` tells if it is stale."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence

import msgspec

from tests.promises.document import DOCUMENT, ROOT, figure
from tests.soak.report import Course, Report, Taken

RECORDED = ROOT / "docs/soak.json"
_PART = re.compile(r"(<!-- soak -->\n).*?(?=<!-- end -->)", re.DOTALL)


def rendered(document: str, report: Report) -> str:
    """The document with its tables of the soak made anew."""
    text = "\n".join(
        (
            f"Recorded over {report.minutes:.0f} minutes with Python {report.python} on {report.cores} processors.\n",
            *_table(["", *(f"Prometheus {each.version}" for each in report.prometheuses)], _prometheuses(report)),
            "",
            *_table(["of the exporter", "at first", "at last", "at most", "slope, an hour"], _process(report)),
            "",
            *_table(["heartbeats to the registry", "how many"], _heartbeats(report)),
            "",
            *_table(["fault", "injected"], ([kind, f"{count:,}"] for kind, count in report.faults.items())),
            "",
        )
    )
    return _PART.sub(lambda found: found[1] + text, document)


def _table(names: list[str], rows: Iterator[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(names)} |"
    yield "|" + "---|" * len(names)
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _prometheuses(report: Report) -> Iterator[list[str]]:
    for name, said in (
        ("scrapes", lambda each: f"{each.scrapes:,}"),
        ("failed", lambda each: f"{each.failed:,}"),
        ("the longest", lambda each: f"{figure(1000 * each.longest)} ms"),
        ("99 of 100 within", lambda each: f"{figure(1000 * each.p99)} ms"),
        ("duplicates or samples out of order", lambda each: f"{each.refused:,}"),
        ("rules that could not be evaluated", lambda each: f"{each.broken_rules:,}"),
        ("alerts that fired", _alerts),
    ):
        yield [name, *(said(each) for each in report.prometheuses)]


def _alerts(each: Taken) -> str:
    return ", ".join(sorted(each.alerts))


def _process(report: Report) -> Iterator[list[str]]:
    courses: dict[str, tuple[Course, str]] = {
        "memory": (report.memory, " MiB"),
        "threads": (report.threads, ""),
        "open files": (report.files, ""),
    }
    for name, (found, unit) in courses.items():
        figures = (found.first, found.last, found.most)
        yield [name, *(f"{figure(each)}{unit}" for each in figures), f"{found.slope:+.1f}{unit}"]


def _heartbeats(report: Report) -> Iterator[list[str]]:
    yield ["acknowledged", f"{report.acknowledged:,}"]
    yield ["refused, while the disk was full", f"{report.refused:,}"]
    yield ["acknowledged workers that were lost", f"{report.lost:,}"]


def main(arguments: Sequence[str]) -> int:
    """Write the document, or with --check tell whether it is stale; returns the exit status."""
    document = DOCUMENT.read_text("utf-8")
    wanted = rendered(document, msgspec.json.decode(RECORDED.read_bytes(), type=Report))
    if "--check" not in arguments:
        DOCUMENT.write_text(wanted, "utf-8")
        return 0
    if document != wanted:
        sys.stderr.write(f"{DOCUMENT}: the soak's tables are stale: run `python -m tests.soak.document`\n")
    return int(document != wanted)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
