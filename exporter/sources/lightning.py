"""A store or server of Agent Lightning, 0.3 or 1.x, which it is found out by asking."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from exporter.endpoint import Endpoint
from exporter.records.reading import StoreReading
from exporter.sources.agent_lightning import API, Asked, LightningStore
from exporter.sources.fetch import Door, Resolver
from exporter.sources.lightning_1 import LightningServer
from exporter.sources.lightning_1_payload import parse_health
from exporter.sources.source import Deadline, Pace, SourceError

HEALTH = {"0.3": f"{API}/health", "1.x": "/healthz"}
"""Where each version answers for its health; the first that does not say 404 is it. A 0.3 store answers with its
dashboard for any path that it does not know outside of /v1."""

STRANGE = ("http", "malformed")
"""Results of a read that another version than the known one gives."""


class _Version(Protocol):
    def read(self, deadline: Deadline) -> StoreReading: ...


class AgentLightning:
    """The source of one store, whatever its version; the rest is as for a `LightningStore`.

    What was recognised is kept while it answers as such. When it does not, it is asked again, in the same read: a store
    can be replaced by one of another version, either way.
    """

    kind = "agent-lightning"

    def __init__(
        self,
        fleet: str,
        endpoint: Endpoint,
        resolve: Resolver,
        pace: Pace,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        connect: Callable[[Deadline], AbstractContextManager[Asked]] | None = None,
    ) -> None:
        self.fleet = fleet
        self.name = endpoint.name
        self.pace = pace
        self._endpoint = endpoint
        self._resolve = resolve
        self._connect = connect or Door(endpoint, resolve)
        self._clock = clock
        self._monotonic = monotonic
        self._known: tuple[str, _Version] | None = None

    def read(self, deadline: Deadline) -> StoreReading:
        """Read the store as its version wants it; raises SourceError."""
        try:
            return self._read(deadline)
        except SourceError as error:
            failed = error
        if failed.status in (401, 403):
            failed = SourceError(failed.result, f"{failed}; {self._advice()}", failed.status)
        raise failed

    def _read(self, deadline: Deadline) -> StoreReading:
        if self._known is None:
            self._known = self._make(self._recognise(deadline))
            return self._known[1].read(deadline)
        known, source = self._known
        try:
            return source.read(deadline)
        except SourceError as error:
            if error.result not in STRANGE or error.status in (401, 403):
                raise
            failed = error
        try:
            version = self._recognise(deadline)
        except SourceError:
            version = known
        if version == known:
            raise failed
        self._known = self._make(version)
        return self._known[1].read(deadline)

    def _recognise(self, deadline: Deadline) -> str:
        """Ask which version it is; raises SourceError where it is none."""
        with self._connect(deadline) as session:
            for version, path in HEALTH.items():
                try:
                    fetched = session.get(path)
                except SourceError as error:
                    if error.status != 404:
                        raise
                    continue
                parse_health(fetched.body)
                return version
        paths = " and ".join(HEALTH.values())
        raise SourceError("http", f"expected an Agent Lightning store of 0.3 or 1.x, got 404 for {paths}", 404)

    def _make(self, version: str) -> tuple[str, _Version]:
        if version == "1.x":
            return version, LightningServer(self.fleet, timeout=self.pace.timeout, connect=self._connect)
        store = LightningStore(
            self.fleet,
            self._endpoint,
            self._resolve,
            self.pace,
            clock=self._clock,
            monotonic=self._monotonic,
            connect=self._connect,
        )
        return version, store

    def _advice(self) -> str:
        if self._endpoint.key is not None:
            return "the store refuses the key: check key_file"
        if self._endpoint.username is not None:
            return "the store refuses the username and password: check them, or set key_file instead"
        return "the store wants a key: set key_file"
