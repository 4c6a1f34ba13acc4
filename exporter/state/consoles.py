"""What the consoles of a mesh said last: which answers are fresh, who has a console, who is listed by no other one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from exporter.records.reading import ConsolesReading, MeshReading


class Told(NamedTuple):
    """A console's last answer, until when it is fresh, and when it came (None: not said), on a monotonic clock.

    `console` names the console: its URL, followed by a space and its address where the URL has several.
    """

    reading: MeshReading
    fresh_until: float
    at: float | None
    console: str = ""


class Heard(NamedTuple):
    """What counts at an instant: fresh answers by source, of which each process gave one.

    `answering` maps a node to its console that answers, `polled` are all consoles that are read, `silent` those that
    have no fresh answer. `unsure` are nodes that are not listed, but were by nobody other than consoles now silent.
    """

    fresh: Mapping[str, MeshReading]
    answering: Mapping[str, str]
    polled: Collection[str]
    silent: Collection[str]
    unsure: Collection[str] = ()

    @classmethod
    def of(cls, fresh: Mapping[str, MeshReading]) -> Heard:
        """What is heard of consoles that all answer, each at its source."""
        answering = {fresh[source].observer: source for source in sorted(fresh, reverse=True)}
        return cls(fresh, answering, fresh.keys(), ())


class Consoles:
    """The last answer of each console, by source: a URL, or a URL, a space and an address. Not safe for threads."""

    def __init__(self) -> None:
        self.told: dict[str, Told] = {}
        self._polled: dict[str, frozenset[str]] = {}
        self._listed: dict[str, frozenset[str]] = {}

    def hear(self, source: str, reading: MeshReading | ConsolesReading, fresh_until: float, at: float | None) -> None:
        """Take what a URL's consoles said.

        What one said that did not answer, or whose address the URL has no more, stays while it is fresh: a name server
        that gives one address after another hides nobody.
        """
        if isinstance(reading, MeshReading):
            self._polled[source] = frozenset({source})
            self._step_aside(source, reading)
            self.told.pop(f"{source} {reading.address}", None)
            self.told[source] = Told(reading, fresh_until, at, source)
            return
        names = {address: f"{source} {address}" for address in reading.addresses}
        self._polled[source] = frozenset(names.values())
        self._step_aside(source, None)
        for address, each in reading.readings.items():
            self.told[names[address]] = Told(each, fresh_until, at, names[address])

    def keep(self, urls: Collection[str]) -> None:
        """Forget the consoles of all other URLs, and who was listed by none but those."""
        self.told = {name: each for name, each in self.told.items() if url_of(name) in urls}
        self._polled = {source: names for source, names in self._polled.items() if source in urls}
        listed = {
            node: frozenset(name for name in names if url_of(name) in urls) for node, names in self._listed.items()
        }
        self._listed = {node: names for node, names in listed.items() if names}

    def _step_aside(self, source: str, new: MeshReading | None) -> None:
        """Keep what another address of a URL said last under that address."""
        old = self.told.get(source)
        if old is None:
            return
        address = old.reading.address
        if new is None or (None not in (address, new.address) and address != new.address):
            del self.told[source]
            self.told[f"{source} {address}"] = old

    def heard(self, now: float) -> Heard:
        """Tell what counts at `now`, on the clock of the answers."""
        polled = frozenset[str]().union(*self._polled.values())
        self.told = {name: each for name, each in self.told.items() if now <= each.fresh_until or name in polled}
        fresh = {name: each for name, each in self.told.items() if now <= each.fresh_until}
        answering = {fresh[name].reading.observer: fresh[name].console for name in sorted(fresh, reverse=True)}
        readings = {name: fresh[name].reading for name in _newest(fresh)}
        unsure = self._unsure(readings)
        return Heard(readings, answering, polled, polled - {each.console for each in fresh.values()}, unsure)

    def _unsure(self, fresh: Mapping[str, MeshReading]) -> set[str]:
        """Who was listed last by consoles that are silent now; a node's own report of itself is none of that."""
        listed: dict[str, set[str]] = {}
        there: set[str] = set()
        for source, reading in fresh.items():
            for sighting in reading.sightings:
                there.add(sighting.view.node)
                if not sighting.view.own:
                    listed.setdefault(sighting.view.node, set()).add(source)
        silent = self.told.keys() - fresh.keys()
        unsure = {
            node: sources
            for node, sources in self._listed.items()
            if node not in there and sources and sources <= silent
        }
        self._listed = {**unsure, **{node: frozenset(sources) for node, sources in listed.items()}}
        return set(unsure)


def url_of(source: str) -> str:
    """The name of the URL that a source belongs to."""
    return source.partition(" ")[0]


def _newest(fresh: Mapping[str, Told]) -> list[str]:
    """The sources whose answer is the newest of its process: one console can be read at several URLs."""
    newest: dict[tuple[str, str | None, str | None], str] = {}
    for name in sorted(fresh):
        reading = fresh[name].reading
        own = [(each.view.hostname, each.view.process) for each in reading.sightings if each.view.own]
        key = reading.observer, *(own[0] if own else (None, None))
        if key not in newest or _when(fresh[newest[key]]) < _when(fresh[name]):
            newest[key] = name
    return sorted(newest.values())


def _when(told: Told) -> float:
    return told.fresh_until if told.at is None else told.at
