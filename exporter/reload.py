"""Reads the configuration again when somebody asks, and has it followed; a bad one leaves the old one serving."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, NamedTuple

import msgspec

from exporter.config import Config, ConfigError
from exporter.isolate import isolated
from exporter.records import ConfigLoad
from exporter.records.table import Tables

log = logging.getLogger("rollcall")

Load = Callable[[], Config]
"""Reads the configuration; raises ConfigError."""

FIXED = {
    "listen": "web.listen_address",
    "web_config_file": "web.config_file",
    "state_dir": "state_dir",
    "registry": "registry",
    "host": "host",
    "gpu": "gpu",
    "privacy": "privacy",
}
"""What a running exporter cannot change, and how the file calls it."""

NOTHING = "There is no configuration to load again: the exporter was started without --config.file.\n"
FAILED = "The old configuration stays, for the new one cannot be followed:\n"


class Outcome(NamedTuple):
    """How a reload went: an HTTP status, and a text of whole lines."""

    status: int
    text: str


Asked = SimpleQueue[Future[Outcome] | None]
"""Who asked for a reload: a future to be told how it went, None for a signal, which a handler may put at any time."""


class Reloader:
    """Reloads the configuration, one after the other in a thread of its own; who asks while one waits shares it.

    `config` is the one that is followed, `load` reads it anew, None: there is no file. `follow` tells whether it could
    go on by another one. `taken` are the fleets of worker sources that no configuration has. `wall` gives Unix time.
    """

    def __init__(
        self,
        config: Config,
        load: Load | None,
        follow: Callable[[Config], bool],
        *,
        taken: Collection[str] = (),
        asked: Asked | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._load = load
        self._follow = follow
        self._taken = taken
        self._asked = asked or SimpleQueue()
        self._wall = wall
        self._last = ConfigLoad(1, wall())

    def start(self) -> None:
        """Begin to take what is asked."""
        Thread(target=self._serve_for_ever, name="reload", daemon=True).start()

    async def ask(self) -> Outcome:
        """Have the configuration loaded again, and wait for how that goes."""
        future: Future[Outcome] = Future()
        self._asked.put(future)
        return await asyncio.wrap_future(future)

    def tables(self) -> Tables:
        """How the last load went, and when one went well."""
        return {ConfigLoad: (self._last,)}

    def reload(self) -> Outcome:
        """Load the configuration again.

        200: it is followed from now on, with a line for each part that takes a restart; 409: there is no file; 500: why
        it cannot be followed, a line for each problem.
        """
        if self._load is None:
            log.info("there is no configuration to load again")
            return Outcome(409, NOTHING)
        loaded = isolated("configuration", self._loaded)
        found = loaded.value or [loaded.message]
        if not isinstance(found, Config):
            return self._failed(found)
        config, fixed = as_fixed(found, self._config)
        for fleet in {store.fleet for store in config.stores}.intersection(self._taken):
            return self._failed([f"stores: expected a fleet of its own, got {fleet!r}, the registry's until a restart"])
        if not isolated("configuration", lambda: self._follow(config)).value:
            return self._failed(["an unforeseen error, which is in the log"])
        notes = [f"{name}: changed, but that takes a restart" for name in fixed]
        if self._taken and config.limits.objects != self._config.limits.objects:
            notes.append("limits.objects: changed, but for the registry that takes a restart")
        self._config, self._last = config, ConfigLoad(1, self._wall())
        log.info("the configuration is loaded again")
        for note in notes:
            log.warning("%s", note)
        return Outcome(200, _lines("The configuration is loaded again.", *notes))

    def _loaded(self) -> Config | list[str]:
        assert self._load is not None
        try:
            return self._load()
        except ConfigError as error:
            return list(error.lines)

    def _failed(self, problems: Collection[str]) -> Outcome:
        self._last = msgspec.structs.replace(self._last, successful=0)
        for problem in problems:
            log.error("the new configuration cannot be followed", extra={"said": {"error": problem}})
        return Outcome(500, FAILED + _lines(*problems))

    def _serve_for_ever(self) -> None:
        while True:
            waiting = [self._asked.get()]
            while True:
                try:
                    waiting.append(self._asked.get_nowait())
                except Empty:
                    break
            told = [each for each in waiting if each is not None and each.set_running_or_notify_cancel()]
            outcome = self.reload()
            for each in told:
                each.set_result(outcome)


def as_fixed(new: Config, old: Config) -> tuple[Config, list[str]]:
    """The new configuration with what cannot be changed from the old one, and the names of what differs there."""
    kept = {field: getattr(old, field) for field in FIXED}
    differing = [name for field, name in FIXED.items() if _plain(getattr(new, field)) != _plain(kept[field])]
    return msgspec.structs.replace(new, **kept), differing


def _plain(part: Any) -> Any:
    """A part of a configuration without the line that it is on."""
    return msgspec.structs.replace(part, place="") if hasattr(part, "place") else part


def _lines(*lines: str) -> str:
    # The name of a file may hold bytes that are no UTF-8, which Python has as lone surrogates.
    return "".join(f"{line}\n" for line in lines).encode(errors="replace").decode()
