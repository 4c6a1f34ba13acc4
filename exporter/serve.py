"""Puts the exporter together from a configuration, and runs it."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable

from exporter.collection import Collection
from exporter.config import Config, LimitsConfig
from exporter.exposition import Exposition
from exporter.families import LIVE, POLLED, Family
from exporter.pages.landing import landing
from exporter.poller import Poller
from exporter.scrape import Scrape
from exporter.server import application, listen, run
from exporter.sources.agent_lightning import LightningStore
from exporter.sources.collector import Collector
from exporter.sources.fetch import Resolver
from exporter.sources.gpu import GpuCollector, load_nvml
from exporter.sources.host import HostCollector
from exporter.sources.mesh_llm import MeshConsole
from exporter.sources.source import Source
from exporter.state.fleet import Fleet, Limits, WorkerRules

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
    poller = make_poller(config)
    collection = Collection(collectors(config), COLLECTOR_TIMEOUT, _collector_changed)
    scrape = Scrape(lambda: poller.snapshot, collection, wanted(LIVE, config))
    app = application(scrape, poller.turning, lambda: landing(poller.health))
    poller.start()
    host, port = listener.getsockname()[:2]
    log.info("listening on http://%s:%d/metrics", f"[{host}]" if ":" in host else host, port)
    run(app, listener)
    poller.stop(0.2)
    return 0


def make_poller(config: Config) -> Poller:
    """A poller of all configured sources."""
    return Poller(sources(config), fleets(config), Exposition(wanted(POLLED, config), config.limits.series))


def sources(config: Config) -> list[Source]:
    """A source per console and per store."""
    resolve = Resolver()
    consoles: list[Source] = [
        MeshConsole(
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
    return consoles + [
        LightningStore(
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


def fleets(config: Config) -> dict[str, Fleet]:
    """A fleet per name, with the rules of its store where it has one."""
    rules = {store.fleet: WorkerRules(store.heartbeat_timeout, store.forget_after) for store in config.stores}
    names = [mesh.fleet for mesh in config.meshes] + [store.fleet for store in config.stores]
    return {name: Fleet(name, rules.get(name, WorkerRules()), _limits(config.limits)) for name in names}


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
