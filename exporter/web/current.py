"""The web configuration that holds now: looked at again every second, so that users and certificates can change."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

from exporter.config import ConfigError, read_text, text_of
from exporter.isolate import isolated
from exporter.records import WebConfigLoad
from exporter.records.table import Tables
from exporter.web.file import Web, parse

if TYPE_CHECKING:
    from ssl import MemoryBIO, SSLObject, SSLSession

log = logging.getLogger("rollcall")

PERIOD = 1.0
"""Seconds after which the files are looked at again."""


class Current:
    """Follows a web configuration and the files that it names; raises ConfigError for one that cannot be used.

    `web` is what holds now, for any thread. A change that cannot be followed leaves it as it is, is logged once, and
    counted.
    """

    def __init__(self, path: Path, read_file: Callable[[Path], str] = read_text) -> None:
        self._path = path
        self._read_file = read_file
        self._seen: dict[Path, str | None] = {}
        self._ended = Event()
        self._load = WebConfigLoad(1, 0)
        self.web = self._parsed()
        if self.web.http2:
            log.info("http_server_config.http2: clients are served HTTP/1.1, for there is no HTTP/2 here")

    @property
    def context(self) -> ssl.SSLContext | None:
        """What a server listens with: every handshake goes by what holds when it begins; None for no TLS."""
        return None if self.web.context is None else LiveContext(lambda: self.web.context)

    def tables(self) -> Tables:
        """How the last reading went, and how many failed."""
        return {WebConfigLoad: (self._load,)}

    def start(self) -> None:
        """Begin to look at the files in a thread: a file system that hangs holds up nobody else."""
        Thread(target=self._watch, name="web-config", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._ended.set()

    def look(self) -> None:
        """Follow the files if one of them is other than it was."""
        if all(self._text(path) == text for path, text in self._seen.items()):
            return
        try:
            web = self._parsed()
            if (web.context is None) != (self.web.context is None):
                one, other = ("TLS", "none") if web.context is None else ("no TLS", "some")
                raise ConfigError(f"tls_server_config: expected {one}, as at the start, got {other} ({self._path})")
        except ConfigError as error:
            wrong = error.lines
        else:
            self.web, self._load = web, WebConfigLoad(1, self._load.failures)
            log.info("the web configuration is loaded again")
            return
        self._load = WebConfigLoad(0, self._load.failures + 1)
        for line in wrong:
            log.error("the new web configuration cannot be followed", extra={"said": {"error": line}})

    def _watch(self) -> None:
        while not self._ended.wait(PERIOD):
            isolated("web configuration", self.look)

    def _parsed(self) -> Web:
        self._seen = {}
        return parse(text_of(self._path, self._read), str(self._path), self._read)

    def _read(self, path: Path) -> str:
        self._seen[path] = None
        self._seen[path] = self._read_file(path)
        return self._seen[path] or ""

    def _text(self, path: Path) -> str | None:
        try:
            return self._read_file(path)
        except (OSError, UnicodeDecodeError):
            return None


class LiveContext(ssl.SSLContext):
    """Stands for a context that can be replaced: servers of asyncio and uvloop ask it for each handshake's object."""

    def __new__(cls, _current: Callable[[], ssl.SSLContext | None]) -> LiveContext:
        """A context as Python's ssl wants one; it is never used itself."""
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self, current: Callable[[], ssl.SSLContext | None]) -> None:
        self._current = current

    def wrap_bio(
        self,
        incoming: MemoryBIO,
        outgoing: MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: SSLSession | None = None,
    ) -> SSLObject:
        """A connection of the context that holds now."""
        context = self._current()
        assert context is not None
        return context.wrap_bio(incoming, outgoing, server_side, server_hostname, session)
