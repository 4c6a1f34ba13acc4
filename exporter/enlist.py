"""Puts the registry together from a configuration: its file, its writer, its place on the server, its source."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

from exporter.asgi import ASGIApp
from exporter.config import Config, lacks_token
from exporter.http_protocol import Answer, Protocol
from exporter.loopback import is_loopback
from exporter.records.table import Tables
from exporter.registry.admission import PREFIX, Admission, Allowance, room
from exporter.registry.api import Api, Token
from exporter.registry.rejections import Rejections
from exporter.registry.schema import RegistryError, UnsoundRegistryError
from exporter.registry.search import Search
from exporter.registry.store import RegistryStore
from exporter.registry.writer import Writer
from exporter.sources.registry import RegistrySource
from exporter.state.fleet import WorkerRules

log = logging.getLogger("rollcall")


class EnlistError(Exception):
    """There is to be a registry, and there cannot be one; the text says why, and the remedy."""


class Registry:
    """A registry at work, between `start` and `stop`; `bound` is the address that the server listens on."""

    def __init__(self, config: Config, store: RegistryStore, bound: str) -> None:
        said = config.registry
        self._store = store
        self._rejections = Rejections()
        writer: Writer[Token] = Writer(store, retention=said.retention)
        allowance = Allowance(said.rate, time.monotonic)
        admission = Admission(said.token, is_loopback(bound), allowance, self._rejections)
        started = time.monotonic()
        self._api = Api(writer, Search(store.path), admission, lambda: time.monotonic() - started)
        self.source = RegistrySource(said.fleet, store.reader(), store.heard, lambda: writer.trouble)
        self.rules = WorkerRules(said.heartbeat_timeout, float("inf"))

    @property
    def protocol(self) -> type[Protocol]:
        """What the server's connections speak, now that clients write to it."""
        api = self._api

        class Writable(Protocol):
            """Connections that take what the registry takes."""

            def room(self, path: str) -> int | None:
                return room(path)

            def is_short(self, scope: Any) -> bool:
                return api.is_short(scope)

            def shorten(self, scope: Any, body: bytes, answer: Answer) -> bool:
                return api.shorten(scope, body, answer, self.loop)

        return Writable

    @property
    def mounts(self) -> dict[str, ASGIApp]:
        """What the server serves of it, by the start of the paths."""
        return {PREFIX: self._api}

    def tables(self) -> Tables:
        """What it counts of itself."""
        return self._rejections.tables()

    def start(self) -> None:
        """Begin to write."""
        self._api.start()

    def stop(self) -> None:
        """Write what waits, and close the file; nobody may ask it any more."""
        self._api.stop()
        self._store.close()


def enlist(config: Config, folder: Path | None, bound: str) -> Registry | None:
    """Open the registry of a state directory; None where there is to be none, which a line in the log explains.

    `bound` is the address that the server listens on. Raises EnlistError where there must be one and cannot, and for a
    file that must not be used as it is.
    """
    said = config.registry
    if said.enabled is False:
        return None
    if not is_loopback(bound) and (lack := lacks_token(said, config.listen)):
        if said.enabled:
            raise EnlistError(lack)
        log.info("the registry is off: %s is a public address, and there is no registry.token_file", config.listen)
        return None
    if folder is None:
        if said.enabled:
            raise EnlistError("registry.enabled: expected a state directory, got none; set --state.dir")
        log.warning("the registry is off: there is no state directory; set --state.dir")
        return None
    try:
        store = RegistryStore.open(folder, most=config.limits.objects, per_client=said.workers)
    except RegistryError as error:
        if said.enabled or isinstance(error, UnsoundRegistryError):
            raise EnlistError(str(error)) from None
        log.warning("the registry is off: %s, and restart", error)
        return None
    return Registry(config, store, bound)
