"""One answer to Prometheus: the current snapshot, and behind it what is read when it asks."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Sequence
from itertools import chain as chained
from typing import NamedTuple

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from exporter import __version__
from exporter.collection import Collection
from exporter.exposition import Format, LiveText, Snapshot, gzip_member, inflated, render_client
from exporter.families import Family
from exporter.records import Build, Exposed, FamilySeries
from exporter.records.table import Tables


class Scraped(NamedTuple):
    """A whole answer: its body in pieces and their length, its content type, and whether they are one gzip member."""

    pieces: Iterable[bytes]
    length: int
    content_type: str
    gzipped: bool


class Scrape:
    """Answers scrapes; `snapshot` gives the current one, `families` are those that are read live.

    `own` gives tables of what the process counts of itself, beside those that are always there.
    """

    def __init__(
        self,
        snapshot: Callable[[], Snapshot],
        collection: Collection,
        families: Sequence[Family],
        own: Callable[[], Tables] = dict,
    ) -> None:
        self._snapshot = snapshot
        self._collection = collection
        self.follow(families)
        self._own = own
        self._build = (Build(__version__, platform.python_version()),)
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def follow(self, families: Sequence[Family]) -> None:
        """Read these families live from now on."""
        self._text = LiveText(families)

    async def answer(self, form: Format, gzipped: bool) -> Scraped:
        """Read what is read live, and put it behind the current snapshot."""
        machine = await self._collection.read()
        snapshot = self._snapshot()
        live = self._live(snapshot, machine, form)
        chain = snapshot.chain(form)
        if gzipped:
            pieces = gzip_member(chain, live)
            return Scraped(pieces, sum(map(len, pieces)), form.value, True)
        return Scraped(chained(inflated(chain.pieces), (live,)), chain.length + len(live), form.value, False)

    def _live(self, snapshot: Snapshot, machine: Tables, form: Format) -> bytes:
        itself: Tables = {
            Build: self._build,
            FamilySeries: snapshot.series,
            Exposed: (Exposed(snapshot.size),),
        }
        own = self._text.text({**machine, **self._own(), **itself}, form)
        return own + render_client(self._registry.collect(), form) + form.end
