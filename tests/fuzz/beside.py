"""A healthy fleet beside a sick one, in one exposition: what the sick one may never cost it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from exporter.exposition import Exposition, Format, Snapshot
from exporter.families import POLLED
from exporter.health import SourceHealth
from exporter.isolate import Attempted
from exporter.records.table import Tables
from exporter.sources.mesh_llm import parse
from exporter.sources.source import Reading, Source, SourceError
from exporter.state.fleet import Fleet, Limits, WorkerRules
from tests.golden.cases import MESH, console, whole
from tests.golden.texts import families_apart, samples

HEALTHY = MESH / "status-two-models.json"


class Sick(NamedTuple):
    """A source and how each of its reads went: a reading, or the error it gave."""

    source: Source
    reads: Sequence[Reading | SourceError]


def attempt(read: Callable[[], Reading], *results: str) -> Reading | SourceError:
    """Read; whatever else than SourceError ("malformed" or one of `results`) comes out is a failure of the test."""
    try:
        return read()
    except SourceError as error:
        wrong = error
    assert wrong.result in ("malformed", *results)
    assert len(str(wrong)) < 400
    assert "CANARY" not in str(wrong)
    return wrong


def exposed(sick: Sequence[Sick]) -> bytes:
    """The exposition (OpenMetrics) of a healthy console and of sick sources in another fleet, checked with parsers."""
    shown = published(sick)
    text = whole(shown, Format.OPENMETRICS)
    _check(text, whole(shown, Format.TEXT))
    return text


def published(sick: Sequence[Sick], exposition: Exposition | None = None) -> Snapshot:
    """What is shown of a healthy console and of sick sources in another fleet, all read in turns.

    A given exposition keeps its text from one call to the next, as it does in the exporter.
    """
    exposition = exposition or Exposition(POLLED, limit=10**6)
    well = console("http://well:3131", "eu")
    fleets = {"eu": Fleet("eu", WorkerRules(), Limits()), "sick": Fleet("sick", WorkerRules(), Limits())}
    every = [Sick(well, [parse(HEALTHY.read_bytes(), "eu")]), *sick]
    health = {id(each.source): SourceHealth(each.source) for each in every}
    shown = exposition.publish({})
    for turn in range(max(len(each.reads) for each in every)):
        for each in every:
            if turn < len(each.reads):
                _take(fleets, health[id(each.source)], each.reads[turn])
        slices: dict[str, Tables | None] = {f"fleet {name}": fleet.tables(turn)[0] for name, fleet in fleets.items()}
        records = [record for kept in health.values() for record in kept.records()]
        kinds = set(map(type, records))
        slices["sources"] = {kind: tuple(record for record in records if type(record) is kind) for kind in kinds}
        shown = exposition.publish(slices)
    return shown


def lines_of(text: bytes, fleet: str) -> list[str]:
    """The sample lines of a fleet."""
    return [line for line in text.decode().split("\n") if line.partition("{")[2].startswith(f'fleet="{fleet}"')]


def _take(fleets: dict[str, Fleet], health: SourceHealth, read: Reading | SourceError) -> None:
    source = health.source
    if isinstance(read, SourceError):
        health.take(Attempted(None, read.result, str(read), 0.5), 1000.0)
    else:
        health.take(Attempted(read, "ok", "", 0.5), 1000.0)
        fleets[source.fleet].receive(source.name, read, fresh_until=1000.0)


def _check(openmetrics: bytes, text: bytes) -> None:
    """Both formats have the same sample lines; those of the healthy fleet, which callers compare, are not parsed."""
    lines = [line for line in openmetrics.split(b"\n") if not line.startswith(b"#")]
    assert lines == [line for line in text.split(b"\n") if not line.startswith(b"#")]
    sick = [line for line in openmetrics.split(b"\n") if not line.partition(b"{")[2].startswith(b'fleet="eu"')]
    samples(b"\n".join(sick), Format.OPENMETRICS)
    assert families_apart(openmetrics) == []
    longest = max(len(line) for line in openmetrics.decode().split("\n"))
    assert longest < 1200, f"expected labels cut to 128 characters, got a line of {longest}"
