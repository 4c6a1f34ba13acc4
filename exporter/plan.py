"""What a configuration makes of polling: the sources, what holds for their fleets, and what is kept of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from exporter.config import Config
from exporter.endpoint import Endpoint
from exporter.exposition import Exposition
from exporter.families import POLLED, Family
from exporter.shard import ShardExposition
from exporter.sources.fetch import Resolver
from exporter.sources.inventory import InventoryFile, InventoryServer
from exporter.sources.lightning import AgentLightning
from exporter.sources.mesh_name import MeshName
from exporter.sources.source import Pace, Source
from exporter.state.fleet import Limits, Terms, WorkerRules
from exporter.state.ledger import Scope
from exporter.state.listing import kinds_of
from exporter.state.memory import Retention

SERVERS: Mapping[str, Callable[[str, Endpoint, Resolver, Pace], Source]] = {
    "mesh-llm": MeshName,
    "agent-lightning": AgentLightning,
    "inventory": InventoryServer,
}
"""The source of a server of each kind."""

CONCEALED = ("mesh-llm", "inventory")
"""The kinds of sources that name nodes and hosts."""


class Plan(NamedTuple):
    """What a poller reads and shows; `terms` and `scopes` are by fleet, no `exposition` leaves it as it is."""

    sources: Sequence[Source]
    terms: Mapping[str, Terms]
    scopes: Mapping[str, Scope]
    retention: Retention
    exposition: Exposition | None = None


class Enlisted(Protocol):
    """The registry: a source beside those of the configuration, with rules of its own."""

    @property
    def source(self) -> Source:
        """What reads it."""
        ...

    @property
    def rules(self) -> WorkerRules:
        """The limits of silence of its workers."""
        ...


class Said(NamedTuple):
    """All that a configuration says of one source; `trusted` is the text of its `ca_file`."""

    kind: str
    fleet: str
    place: Endpoint | Path
    pace: Pace
    trusted: str | None = None


class Sources:
    """Makes the sources of one configuration after another; one that is said as before is the same object.

    `conceal` puts what hides names before a console or an inventory.
    """

    def __init__(self, conceal: Callable[[Source], Source] | None = None) -> None:
        self._conceal = conceal
        self._resolve = Resolver()
        self._made: dict[Said, Source] = {}

    def of(self, config: Config) -> list[Source]:
        """A source per URL, per store and per inventory."""
        self._made = {said: self._made.get(said) or self._hidden(self._make(said)) for said in said_in(config)}
        return list(self._made.values())

    def _hidden(self, source: Source) -> Source:
        return self._conceal(source) if self._conceal and source.kind in CONCEALED else source

    def _make(self, said: Said) -> Source:
        if isinstance(said.place, Path):
            return InventoryFile(said.fleet, said.place, said.pace)
        return SERVERS[said.kind](said.fleet, said.place, self._resolve, said.pace)


def said_in(config: Config) -> list[Said]:
    """What a configuration says of each of its sources."""
    found: list[tuple[str, str, Endpoint | Path, Pace]] = []
    for mesh in config.meshes:
        pace = Pace(mesh.interval, mesh.timeout, mesh.stale_after, mesh.optional)
        found += [("mesh-llm", mesh.fleet, endpoint, pace) for endpoint in mesh.endpoints]
    for store in config.stores:
        pace = Pace(store.interval, store.timeout, store.stale_after, store.optional)
        found.append(("agent-lightning", store.fleet, store.endpoint, pace))
    for each in config.inventories:
        place = each.endpoint or each.file or Path()
        found.append(("inventory", each.fleet, place, Pace(each.interval, each.timeout, each.stale_after)))
    return [Said(kind, fleet, place, pace, _trusted(place)) for kind, fleet, place, pace in found]


def _trusted(place: Endpoint | Path) -> str | None:
    if isinstance(place, Path) or place.ca_file is None:
        return None
    try:
        return Path(place.ca_file).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def terms(config: Config, polled: Iterable[Source], registry: Enlisted | None = None) -> dict[str, Terms]:
    """What holds for each fleet, with the rules of its store where it has one."""
    rules = {store.fleet: WorkerRules(store.heartbeat_timeout, store.forget_after) for store in config.stores}
    if registry:
        rules[registry.source.fleet] = registry.rules
    limits = Limits(config.limits.objects, config.limits.assignments)
    names: dict[str, set[str]] = {}
    listing: dict[str, set[str]] = {}
    for source in polled:
        names.setdefault(source.fleet, set()).add(source.name)
        if not source.pace.optional and "wakeable" in kinds_of([source.kind]):
            listing.setdefault(source.fleet, set()).add(source.name)
    return {
        fleet: Terms(rules.get(fleet, WorkerRules()), limits, frozenset(each), frozenset(listing.get(fleet, ())))
        for fleet, each in names.items()
    }


def scopes(polled: Iterable[Source]) -> dict[str, Scope]:
    """What each fleet has, for the ledger."""
    found: dict[str, Scope] = {}
    for source in polled:
        kinds, names = found.get(source.fleet, Scope(frozenset(), frozenset()))
        found[source.fleet] = Scope(kinds | kinds_of([source.kind]), names | {source.name})
    return found


def planned(config: Config, made: Sequence[Source], registry: Enlisted | None = None) -> Plan:
    """The plan of a configuration, of which sources were `made`; it leaves the exposition as it is."""
    polled = [*made, *([registry.source] if registry else [])]
    retention = Retention(config.tombstone, config.limits.objects)
    return Plan(polled, terms(config, polled, registry), scopes(polled), retention)


def exposition(config: Config, registry: Enlisted | None = None) -> Exposition:
    """What keeps the text of what is polled, or of a shard's part of it; limits of a fleet hold before it is split."""
    families, limit = wanted(POLLED, config), config.limits.series
    if config.shard.count == 1:
        return Exposition(families, limit)
    return ShardExposition(families, limit, config.shard, {registry.source.fleet} if registry else ())


def wanted(families: Iterable[Family], config: Config) -> list[Family]:
    """The families that `families.allow` names, or all but those that `families.deny` names."""
    allow, deny = config.families.allow, config.families.deny
    return [
        family
        for family in families
        if not any(re.fullmatch(pattern, family.name) for pattern in deny)
        and (not allow or any(re.fullmatch(pattern, family.name) for pattern in allow))
    ]
