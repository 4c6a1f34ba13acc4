"""Puts the exporter together from a configuration, and runs it."""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from starlette.types import ASGIApp

from exporter.collection import Collection
from exporter.config import Config, InventoryConfig, LimitsConfig
from exporter.config.directory import state_directory
from exporter.enlist import EnlistError, Registry, enlist
from exporter.explain.lookup import Lookup
from exporter.explain.worker_lookup import WorkerLookup
from exporter.exposition import Exposition
from exporter.families import LIVE, POLLED, Family
from exporter.http_protocol import Protocol
from exporter.loopback import is_loopback
from exporter.pages.landing import landing
from exporter.poller import Poller
from exporter.scrape import Scrape
from exporter.server import Explain, application, listen, run
from exporter.sources.collector import Collector
from exporter.sources.fetch import Resolver
from exporter.sources.gpu import GpuCollector, load_nvml
from exporter.sources.host import HostCollector
from exporter.sources.inventory import InventoryFile, InventoryServer
from exporter.sources.lightning import AgentLightning
from exporter.sources.mesh_name import MeshName
from exporter.sources.source import Source
from exporter.state.database import LedgerError
from exporter.state.fleet import Fleet, Limits, WorkerRules
from exporter.state.ledger import Ledger, Scope
from exporter.state.listing import kinds_of
from exporter.state.memory import Retention

log = logging.getLogger("rollcall")

COLLECTOR_TIMEOUT = 2.0
"""Seconds that a scrape waits for the collectors of this host."""


def serve(config: Config) -> int:
    """Run until SIGTERM or SIGINT; returns the exit status."""
    try:
        listener = listen(config.listen.host, config.listen.port)
    except OSError as error:
        # `socket.create_server` appends "(while attempting to bind on address …)" to the reason.
        reason = (error.strerror or str(error)).partition(" (while")[0]
        sys.stderr.write(f"rollcall: cannot listen on {config.listen}: {reason}\n")
        return 1
    try:
        registry, poller = _open(config, listener.getsockname()[0])
    except (EnlistError, LedgerError) as error:
        listener.close()
        sys.stderr.write(f"rollcall: {error}\n")
        return 2
    app = _application(config, listener.getsockname()[0], registry, poller)
    if registry:
        registry.start()
    poller.start()
    host, port = listener.getsockname()[:2]
    log.info("listening on http://%s:%d/metrics", f"[{host}]" if ":" in host else host, port)
    run(app, listener, registry.protocol if registry else Protocol)
    poller.stop(0.2)
    if registry:
        registry.stop()
    return 0


def _open(config: Config, bound: str) -> tuple[Registry | None, Poller]:
    """Open what is kept in the state directory; raises EnlistError and LedgerError."""
    folder = state_directory(config.state_dir, os.environ)
    registry = enlist(config, folder, bound)
    polled = sources(config) + ([registry.source] if registry else [])
    try:
        ledger = open_ledger(config, polled)
    except LedgerError:
        if registry:
            registry.stop()
        raise
    return registry, make_poller(config, polled, ledger, registry)


def _application(config: Config, bound: str, registry: Registry | None, poller: Poller) -> ASGIApp:
    collection = Collection(collectors(config), COLLECTOR_TIMEOUT, _collector_changed)
    own = registry.tables if registry else dict
    scrape = Scrape(lambda: poller.snapshot, collection, wanted(LIVE, config), own)
    explain: dict[str, Explain] = {
        "nodes": Lookup(lambda: poller.evidence, time.monotonic, time.time),
        "workers": WorkerLookup(lambda: poller.evidence, time.monotonic, time.time),
    }
    mounts = registry.mounts if registry else {}
    return application(
        scrape,
        poller.turning,
        lambda: landing(poller.health),
        explain,
        mounts=mounts,
        local=is_loopback(bound),
    )


def open_ledger(config: Config, polled: Sequence[Source]) -> Ledger:
    """The ledger in the state directory; raises LedgerError for one that must not be used as it is."""
    scopes: dict[str, Scope] = {}
    for source in polled:
        kinds, names = scopes.get(source.fleet, Scope(frozenset(), frozenset()))
        scopes[source.fleet] = Scope(kinds | kinds_of([source.kind]), names | {source.name})
    retention = Retention(config.tombstone, config.limits.objects)
    return Ledger.open(state_directory(config.state_dir, os.environ), scopes, retention)


def make_poller(config: Config, polled: Sequence[Source], ledger: Ledger, registry: Registry | None = None) -> Poller:
    """A poller of the sources, that goes on from what the ledger holds."""
    exposition = Exposition(wanted(POLLED, config), config.limits.series)
    return Poller(polled, fleets(config, ledger, polled, registry), exposition, ledger=ledger)


def sources(config: Config) -> list[Source]:
    """A source per console, per store and per inventory."""
    resolve = Resolver()
    consoles: list[Source] = [
        MeshName(
            mesh.fleet,
            endpoint,
            resolve,
            interval=mesh.interval,
            timeout=mesh.timeout,
            stale_after=mesh.stale_after,
            optional=mesh.optional,
        )
        for mesh in config.meshes
        for endpoint in mesh.endpoints
    ]
    stores: list[Source] = [
        AgentLightning(
            store.fleet,
            store.endpoint,
            resolve,
            interval=store.interval,
            timeout=store.timeout,
            stale_after=store.stale_after,
            optional=store.optional,
        )
        for store in config.stores
    ]
    return consoles + stores + [_inventory(inventory, resolve) for inventory in config.inventories]


def _inventory(said: InventoryConfig, resolve: Resolver) -> Source:
    fleet, interval, timeout, stale_after = said.fleet, said.interval, said.timeout, said.stale_after
    if said.endpoint is not None:
        return InventoryServer(
            fleet, said.endpoint, resolve, interval=interval, timeout=timeout, stale_after=stale_after
        )
    return InventoryFile(fleet, said.file or Path(), interval=interval, timeout=timeout, stale_after=stale_after)


def fleets(
    config: Config, ledger: Ledger, polled: Iterable[Source] = (), registry: Registry | None = None
) -> dict[str, Fleet]:
    """A fleet per name, with the rules of its store where it has one, and what the ledger holds of it."""
    listing: dict[str, set[str]] = {}
    for source in polled:
        if not source.optional and "wakeable" in kinds_of([source.kind]):
            listing.setdefault(source.fleet, set()).add(source.name)
    rules = {store.fleet: WorkerRules(store.heartbeat_timeout, store.forget_after) for store in config.stores}
    names = [mesh.fleet for mesh in config.meshes] + [store.fleet for store in config.stores]
    names += [inventory.fleet for inventory in config.inventories]
    if registry:
        rules[registry.source.fleet] = registry.rules
        names.append(registry.source.fleet)
    limits = _limits(config.limits)
    return {
        name: Fleet(name, rules.get(name, WorkerRules()), limits, ledger.recall(name), listing.get(name, ()))
        for name in names
    }


def collectors(config: Config) -> list[Collector]:
    """The collectors of this host that are enabled."""
    found: list[Collector] = []
    if config.host.enabled:
        found.append(HostCollector(config.host.procfs, config.host.rootfs))
    if config.gpu.enabled is not False:
        found.append(GpuCollector(load_nvml(), config.gpu.enabled))
    return found


def wanted(families: Iterable[Family], config: Config) -> list[Family]:
    """The families that `families.allow` names, or all but those that `families.deny` names."""
    allow, deny = config.families.allow, config.families.deny
    return [
        family
        for family in families
        if not any(re.fullmatch(pattern, family.name) for pattern in deny)
        and (not allow or any(re.fullmatch(pattern, family.name) for pattern in allow))
    ]


def _limits(limits: LimitsConfig) -> Limits:
    return Limits(limits.objects, limits.assignments)


def _collector_changed(name: str, message: str) -> None:
    if message:
        log.warning("a collector fails", extra={"said": {"collector": name, "error": message}})
    else:
        log.info("a collector is well again", extra={"said": {"collector": name}})
