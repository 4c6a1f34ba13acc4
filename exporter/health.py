"""How the reading of one source goes, as records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from exporter.isolate import Attempted
from exporter.records import READ_RESULTS, Record, SourceDrift, SourceReading, SourceReads
from exporter.records.reading import ConsolesReading, InventoryReading, MeshReading
from exporter.sources.source import Reading, Source
from exporter.state import mesh_tables, wakeable, worker_tables


class SourceHealth:
    """The counters of one source since the start of the process."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.attempted = False
        self.answered = False
        self.up = False
        self.result = ""
        self._last_success: float | None = None
        self._seconds: float | None = None
        self._reads: Counter[str] = Counter()
        self._drift: Counter[str] = Counter()

    def take(self, attempted: Attempted[Reading], wall: float) -> None:
        """Count one attempt that ended at `wall`, in Unix seconds."""
        self.attempted = True
        self.result = attempted.result
        self.up = attempted.value is not None
        self._seconds = attempted.seconds
        self._reads[attempted.result] += 1
        if attempted.value is not None:
            self.answered = True
            self._last_success = wall
            self._drift.update(_drift(attempted.value))

    def add(self, drift: Counter[str]) -> None:
        """Count what only the judgement of the last read showed not to fit."""
        self._drift.update(drift)

    def spoil(self) -> None:
        """Count the last read, which succeeded, as malformed after all: nothing could be made of it."""
        self.up = False
        self.result = "malformed"
        self._reads["ok"] -= 1
        self._reads["malformed"] += 1

    def records(self) -> Iterator[Record]:
        """The source's rows; none before its first attempt, none of a default source that never answered."""
        source = self.source
        if not self.attempted or (source.pace.optional and not self.answered):
            return
        key = (source.fleet, source.name, source.kind)
        yield SourceReading(
            fleet=source.fleet,
            source=source.name,
            kind=source.kind,
            up=int(self.up),
            last_success=self._last_success,
            read_duration_seconds=self._seconds,
        )
        for result in READ_RESULTS:
            yield SourceReads(*key, result, self._reads[result])
        for field in sorted(self._drift):
            yield SourceDrift(*key, field, self._drift[field])


def _drift(reading: Reading) -> Counter[str]:
    if isinstance(reading, MeshReading):
        return mesh_tables.drift_of(reading)
    if isinstance(reading, ConsolesReading):
        return sum(map(mesh_tables.drift_of, reading.readings.values()), Counter(reading.drift))
    if isinstance(reading, InventoryReading):
        return wakeable.drift_of(reading)
    return worker_tables.drift_of(reading)
