"""Puts the exporter together from a configuration, and runs it."""

from __future__ import annotations

import gc
import logging
import os
import ssl
import sys
import time
from collections.abc import Callable
from functools import partial

from exporter.asgi import ASGIApp
from exporter.caps import claim_files
from exporter.collection import Collection
from exporter.config import Config, ConfigError
from exporter.config.directory import exposed, state_directory
from exporter.enlist import EnlistError, enlist
from exporter.explain.lookup import Lookup
from exporter.explain.worker_lookup import WorkerLookup
from exporter.families import LIVE
from exporter.http_protocol import Protocol
from exporter.loopback import is_loopback
from exporter.overview import Overviews
from exporter.overview.holdings import Holdings
from exporter.pages.site import Site
from exporter.plan import Plan, Sources, exposition, planned, wanted
from exporter.poller import Poller
from exporter.privacy.concealed import Concealed
from exporter.privacy.names import PrivacyError, of_mode, open_names
from exporter.records import Shards
from exporter.records.table import Tables
from exporter.registry.admission import PREFIX
from exporter.reload import Asked, Load, Reloader
from exporter.scrape import Scrape
from exporter.server import Explain, application, listen, run
from exporter.sources.collector import Collector
from exporter.sources.gpu import GpuCollector, load_nvml
from exporter.sources.host import HostCollector
from exporter.state.database import LedgerError
from exporter.state.fleet import Fleet
from exporter.state.ledger import Ledger
from exporter.web.door import Door

log = logging.getLogger("rollcall")

COLLECTOR_TIMEOUT = 2.0
"""Seconds that a scrape waits for the collectors of this host."""


SWITCH = 0.001
"""Seconds that a thread which reads or judges keeps the interpreter while one that answers waits for it."""

GARBAGE = 20_000
"""Containers that came to be, less those that went, before Python looks for cycles among them.

It looks at every row of the tables that are new then, which are as large as a fleet and have no cycles.
"""


def serve(config: Config, load: Load | None = None, hangups: Asked | None = None) -> int:
    """Run until SIGTERM or SIGINT; returns the exit status.

    `load` reads the configuration again, None where there is no file; a signal that asks for it puts None into
    `hangups`.
    """
    try:
        listener = listen(config.listen.host, config.listen.port)
    except OSError as error:
        # `socket.create_server` appends "(while attempting to bind on address …)" to the reason.
        reason = (error.strerror or str(error)).partition(" (while")[0]
        sys.stderr.write(f"rollcall: cannot listen on {config.listen}: {reason}\n")
        return 1
    host, port = listener.getsockname()[:2]
    try:
        exporter = Exporter(config, host, load, hangups)
    except (ConfigError, EnlistError, LedgerError, PrivacyError) as error:
        listener.close()
        sys.stderr.writelines(f"rollcall: {line}\n" for line in str(error).splitlines())
        return 2
    sys.setswitchinterval(SWITCH)
    gc.set_threshold(GARBAGE)
    claim_files()
    exporter.start()
    if config.shard.count > 1:
        log.info("this is shard %s: it reads every source and shows its part", config.shard)
    scheme = "http" if exporter.context is None else "https"
    log.info("listening on %s://%s:%d/metrics", scheme, f"[{host}]" if ":" in host else host, port)
    run(exporter.application, listener, exporter.protocol, exporter.context)
    exporter.stop()
    return 0


class Exporter:
    """Everything but the server, which listens on `bound`; raises what `serve` reports where it cannot be."""

    def __init__(self, config: Config, bound: str, load: Load | None = None, hangups: Asked | None = None) -> None:
        self._door = None if config.web_config_file is None else Door(config.web_config_file, _keyed(config))
        self._folder = folder = state_directory(config.state_dir, os.environ)
        names = open_names(config.privacy, folder, config.shard.count)
        self._registry = enlist(config, folder, bound)
        self._config = config
        self._sources = Sources(partial(Concealed, names=names) if names else None)
        plan = self._plan(config)
        try:
            ledger = Ledger.open(of_mode(folder, config.privacy), plan.scopes, plan.retention)
        except LedgerError:
            if self._registry:
                self._registry.stop()
            raise
        fleets = {name: Fleet.under(name, terms, ledger.recall(name)) for name, terms in plan.terms.items()}
        self._poller = Poller(plan.sources, fleets, exposition(config, self._registry), ledger=ledger)
        taken = [self._registry.source.fleet] if self._registry else []
        self._reloader = Reloader(config, load, self.follow, taken=taken, asked=hangups)
        collection = Collection(collectors(config), COLLECTOR_TIMEOUT, _collector_changed)
        self._scrape = Scrape(lambda: self._poller.snapshot, collection, wanted(LIVE, config), self._own)
        shard = config.shard
        self._shards = (Shards(str(shard.index), shard.count),) if shard.count > 1 else ()
        self._local = is_loopback(bound)

    @property
    def protocol(self) -> type[Protocol]:
        """What the server's connections speak."""
        protocol = self._registry.protocol if self._registry else Protocol
        return protocol if self._door is None else self._door.guard.behind(protocol)

    @property
    def context(self) -> ssl.SSLContext | None:
        """What the server's connections are secured with; None for no TLS."""
        return None if self._door is None else self._door.current.context

    @property
    def application(self) -> ASGIApp:
        """What the server serves."""
        explain: dict[str, Explain] = {
            "nodes": Lookup(lambda: self._poller.evidence, time.monotonic, time.time),
            "workers": WorkerLookup(lambda: self._poller.evidence, time.monotonic, time.time),
        }
        overview = Overviews(lambda: self._poller.shown, lambda: self._poller.health, time.time)
        served = application(
            self._scrape,
            self._poller.turning,
            Site(overview, explain, Holdings(lambda: self._poller.shown)),
            explain,
            mounts=self._registry.mounts if self._registry else {},
            local=self._local,
            reload=self._reloader.ask,
        )
        return served if self._door is None else self._door.guard.before(served)

    def start(self) -> None:
        """Begin to read, to write and to reload; a state directory that is open to others is told in the log."""
        if problem := exposed(self._folder):
            log.warning("%s", problem)
        if self._registry:
            self._registry.start()
        self._poller.start()
        self._reloader.start()
        if self._door:
            self._door.current.start()

    def stop(self) -> None:
        """Leave what is under way behind, and close what is kept."""
        if self._door:
            self._door.current.stop()
        self._poller.stop(0.2)
        if self._registry:
            self._registry.stop()

    def follow(self, config: Config) -> bool:
        """Go on by another configuration of the same state directory, registry and host; false if that failed."""
        said, before = (config.families, config.limits.series), (self._config.families, self._config.limits.series)
        plan = self._plan(config)._replace(exposition=None if said == before else exposition(config, self._registry))
        if not self._poller.follow(plan).result():
            return False
        self._config = config
        self._scrape.follow(wanted(LIVE, config))
        return True

    def _plan(self, config: Config) -> Plan:
        return planned(config, self._sources.of(config), self._registry)

    def _own(self) -> Tables:
        parts = (self._registry, self._reloader, self._door)
        own = {kind: rows for part in parts if part for kind, rows in part.tables().items()}
        return {**own, Shards: self._shards}


def collectors(config: Config) -> list[Collector]:
    """The collectors of this host that are enabled."""
    found: list[Collector] = []
    if config.host.enabled:
        found.append(HostCollector(config.host.procfs, config.host.rootfs))
    if config.gpu.enabled is not False:
        found.append(GpuCollector(load_nvml(), config.gpu.enabled))
    return found


def _keyed(config: Config) -> Callable[[str], bool]:
    """Tell the registry's paths, where a token is asked for, from those that a user and password open."""
    return lambda path: config.registry.token is not None and path.startswith(PREFIX)


def _collector_changed(name: str, message: str) -> None:
    if message:
        log.warning("a collector fails", extra={"said": {"collector": name, "error": message}})
    else:
        log.info("a collector is well again", extra={"said": {"collector": name}})
