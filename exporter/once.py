"""What is read once, without a server: `rollcall metrics`, and `rollcall check-config --live`."""

from __future__ import annotations

import asyncio
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from typing import BinaryIO, NamedTuple, TextIO

from exporter import __version__
from exporter.collection import Collection
from exporter.config import Config
from exporter.config.directory import state_directory
from exporter.explain.terminal import PLAIN, printable, short, span, table
from exporter.exposition import Exposition, Format, LiveText, inflated
from exporter.exposition.exposition import LeftOut
from exporter.families import LIVE, POLLED
from exporter.health import SourceHealth
from exporter.isolate import Attempted, isolated
from exporter.plan import Sources, terms, wanted
from exporter.privacy.concealed import Concealed
from exporter.privacy.names import open_names
from exporter.records import (
    Build,
    Exposed,
    FamilySeries,
    LedgerStatus,
    NodeMemory,
    NodeTransitions,
    SourceDrift,
    WakeableMemory,
    WakeCount,
    WorkerMemory,
    WorkerTransitions,
)
from exporter.records.reading import ConsolesReading, InventoryReading, MeshReading
from exporter.records.table import Tables
from exporter.sources.collector import Collector
from exporter.sources.source import Deadline, Reading, Source
from exporter.state.fleet import Fleet
from exporter.state.notes import Recalled
from exporter.state.wakeable import unclear_in

AT_ONCE = 64
"""Sources that are read at the same time."""

GRACE = 5.0
"""Seconds beyond all timeouts after which a read that does not come back is left behind."""

COLLECTORS = 10.0
"""Seconds that the collectors of this host have."""

MEMORY = (NodeMemory, WorkerMemory, WakeableMemory, NodeTransitions, WorkerTransitions, WakeCount, LedgerStatus)
"""What one look does not tell: since when, how often, and who left."""


Told = Callable[[int, int], None]
"""Learns how many sources have been read, and of how many."""


def progress(err: TextIO) -> Told:
    """Shows on a terminal how far it is; nothing elsewhere."""

    def show(done: int, of: int) -> None:
        if err.isatty():
            err.write("\r\x1b[K" if done == of else f"\rread {done} of {of} sources")
            err.flush()

    return show


class Once(NamedTuple):
    """A source that was read once, how that went, and its counters after it."""

    source: Source
    attempted: Attempted[Reading]
    health: SourceHealth

    @property
    def failed(self) -> bool:
        """Whether somebody configured it, and it was not read."""
        return not self.health.up and not self.source.pace.optional


def read_once(
    sources: Sequence[Source],
    told: Told = lambda _done, _of: None,
    clock: Callable[[], float] = time.monotonic,
    grace: float = GRACE,
) -> list[Once]:
    """Read every source once, each within its timeout."""
    waiting: SimpleQueue[int] = SimpleQueue()
    done: SimpleQueue[tuple[int, Attempted[Reading]]] = SimpleQueue()
    for number in range(len(sources)):
        waiting.put(number)
    for _ in range(min(AT_ONCE, len(sources))):
        Thread(target=_read, args=(sources, waiting, done, clock), daemon=True).start()
    turns = -(-len(sources) // AT_ONCE)
    until = clock() + grace + turns * max((each.pace.timeout for each in sources), default=0.0)
    found: dict[int, Attempted[Reading]] = {}
    told(0, len(sources))
    while len(found) < len(sources):
        try:
            number, attempted = done.get(timeout=max(0.0, until - clock()))
        except Empty:
            break
        found[number] = attempted
        told(len(found), len(sources))
    told(len(sources), len(sources))
    late = Attempted[Reading](None, "timeout", "the read does not come back", grace)
    return [_counted(source, found.get(number, late)) for number, source in enumerate(sources)]


def _read(
    sources: Sequence[Source],
    waiting: SimpleQueue[int],
    done: SimpleQueue[tuple[int, Attempted[Reading]]],
    clock: Callable[[], float],
) -> None:
    while True:
        try:
            number = waiting.get_nowait()
        except Empty:
            return
        source = sources[number]
        read = partial(source.read, Deadline(source.pace.timeout, clock))
        done.put((number, isolated(source.name, read, clock)))


def _counted(source: Source, attempted: Attempted[Reading]) -> Once:
    health = SourceHealth(source)
    health.take(attempted, time.time())
    return Once(source, attempted, health)


def sources_of(config: Config, environ: Mapping[str, str]) -> list[Source]:
    """The sources of a configuration, with names hidden as it says; raises PrivacyError where they cannot be."""
    names = open_names(config.privacy, state_directory(config.state_dir, environ))
    return Sources(partial(Concealed, names=names) if names else None).of(config)


def metrics(
    config: Config,
    sources: Sequence[Source],
    collectors: Sequence[Collector],
    out: BinaryIO,
    err: TextIO,
    told: Told = lambda _done, _of: None,
) -> int:
    """Print what one look gives, as Prometheus text; the exit status: 0, or 1 where something configured was not read.

    What depends on earlier looks is left out: since when, transitions, wakes, presence. So is the process itself.
    """
    looks = read_once(sources, told)
    families = [family for family in wanted(POLLED, config) if family.record not in MEMORY]
    slices, left_out = _judged(config, looks)
    rows = [record for look in looks for record in look.health.records()]
    slices["sources"] = {kind: tuple(row for row in rows if type(row) is kind) for kind in set(map(type, rows))}
    snapshot = Exposition(families, config.limits.series).publish(slices, left_out)
    suffering: dict[str, str] = {}
    machine = asyncio.run(Collection(collectors, COLLECTORS, suffering.__setitem__).read())
    itself: Tables = {
        Build: (Build(__version__, platform.python_version()),),
        FamilySeries: snapshot.series,
        Exposed: (Exposed(snapshot.size),),
    }
    live = LiveText(wanted(LIVE, config)).text({**machine, **itself}, Format.TEXT)
    out.writelines(inflated(snapshot.chain(Format.TEXT).pieces))
    out.write(live)
    out.flush()
    complaints = [_complaint(look) for look in looks if look.failed]
    complaints += [f"collector {name}: {why}" for name, why in suffering.items() if why]
    err.writelines(f"rollcall: {printable(line)}\n" for line in complaints)
    return 1 if complaints else 0


def _judged(config: Config, looks: Sequence[Once]) -> tuple[dict[str, Tables | None], dict[str, LeftOut]]:
    """The tables of each fleet by slice, and what its limits leave out."""
    now, wall = time.monotonic(), time.time()
    slices: dict[str, Tables | None] = {}
    left_out: dict[str, LeftOut] = {}
    for name, term in terms(config, [look.source for look in looks]).items():
        own = [look for look in looks if look.source.fleet == name]
        kinds = {look.source.kind for look in own if look.health.answered or not look.source.pace.optional}
        if not kinds:
            continue
        fleet = Fleet.under(name, term, Recalled())
        for look in own:
            if look.attempted.value is not None:
                fleet.receive(look.source.name, look.attempted.value, now, now)
        judged = isolated(f"fleet {name}", partial(fleet.tables, now, kinds, wall))
        for look in own:
            if judged.value is None and look.health.up:
                look.health.spoil()
            elif isinstance(look.attempted.value, InventoryReading):
                look.health.add(unclear_in(look.attempted.value, fleet.wakes))
        if judged.value is not None:
            slices[f"fleet {name}"], left_out[f"fleet {name}"] = judged.value
    return slices, left_out


def _complaint(look: Once) -> str:
    source, why = look.source, look.attempted.message or "nothing can be made of what it said"
    return f"source {source.name} of fleet {source.fleet} ({source.kind}): {look.health.result}: {why}"


def check(sources: Sequence[Source], out: TextIO, told: Told = lambda _done, _of: None) -> int:
    """Read every source once, and print how that went; the exit status: 0, or 1 where one was not read."""
    looks = read_once(sources, told)
    rows = [[printable(cell) for cell in _row(look)] for look in looks]
    if rows:
        out.writelines(
            f"{line}\n" for line in table([["source", "fleet", "kind", "read", "took", "what"], *rows], PLAIN)
        )
    else:
        out.write("no source is configured\n")
    return 1 if any(look.failed for look in looks) else 0


def _row(look: Once) -> list[str]:
    source, attempted = look.source, look.attempted
    if attempted.value is None:
        what = attempted.message + ("; nobody configured it" if source.pace.optional else "")
    else:
        drift = [f"{row.field} ({row.count})" for row in look.health.records() if isinstance(row, SourceDrift)]
        what = ", ".join(_found(attempted.value)) + (f"; not understood: {', '.join(drift)}" if drift else "")
    return [short(source.name), short(source.fleet), source.kind, attempted.result, span(attempted.seconds), what]


def _found(reading: Reading) -> Iterator[str]:
    """What a reading has, counted."""
    if isinstance(reading, ConsolesReading):
        nodes = {sight.view.node for each in reading.readings.values() for sight in each.sightings}
        yield f"{len(reading.readings)} of {len(reading.addresses)} consoles"
        yield f"{len(nodes)} nodes"
    elif isinstance(reading, MeshReading):
        yield f"{len(reading.sightings)} nodes"
        yield f"{len(reading.wakeables)} wakeable"
    elif isinstance(reading, InventoryReading):
        yield f"{len(reading.wakeables)} wakeable"
    else:
        yield f"{len(reading.workers)} workers" if reading.lists_workers else "a store without workers"
        yield f"{sum(row.count for row in reading.rollouts)} rollouts"
