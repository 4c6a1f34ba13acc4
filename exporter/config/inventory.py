"""Where inventories of wakeable capacity are: files, or servers with their credentials."""

from __future__ import annotations

from pathlib import Path

import msgspec

from exporter.config import check
from exporter.config.check import Section
from exporter.config.credentials import with_credentials
from exporter.config.file import shown
from exporter.config.outside import Outside
from exporter.config.timing import timing
from exporter.endpoint import Endpoint

HTTP_PORT = 80

_OF_A_SERVER = (
    *(f"{name}{form}" for name in ("key", "password") for form in ("", "_file", "_env")),
    "username",
    "ca_file",
    "tls_config",
)


class InventoryConfig(msgspec.Struct, frozen=True, kw_only=True):
    """An inventory of one fleet: a file or an endpoint, the other one is None. Times are in seconds."""

    fleet: str
    file: Path | None = None
    endpoint: Endpoint | None = None
    interval: float = 10.0
    timeout: float = 5.0
    stale_after: float = 30.0

    @property
    def name(self) -> str:
        """The `source` label: the file's name, or the server's with its path."""
        if self.endpoint is not None:
            return self.endpoint.name
        return "" if self.file is None else self.file.name


def read_inventories(root: Section, outside: Outside) -> tuple[InventoryConfig, ...]:
    """Read the list `inventories`; a fleet may have several, of different names."""
    lines: dict[tuple[str, str], int] = {}
    built: list[InventoryConfig] = []
    for node, entry in root.each("inventories", check.mapping):
        section = root.below(entry)
        inventory = _inventory(section, outside)
        named = (inventory.fleet, inventory.name)
        if inventory.name and named in lines:
            got = f"{shown(inventory.name)!r}, first given on line {lines[named]}"
            section.complain(node, f"expected inventories of different names in a fleet, got {got}")
        lines.setdefault(named, node.place.line)
        built.append(inventory)
        section.close()
    return tuple(built)


def _inventory(section: Section, outside: Outside) -> InventoryConfig:
    fleet = section.require("fleet", check.fleet_name, "")
    file = section.get("file", check.path, None)
    url = section.get("url", check.url(HTTP_PORT), None)
    node = section.node("url")
    given = section.given("file", "url")
    if len(given) != 1:
        where = "url" if given else "file"
        section.complain(where, f"expected file or url, got {'both' if given else 'neither'}")
    urls = [] if url is None or node is None else [(node, url)]
    endpoints = with_credentials(section, urls, outside)
    if given == ["file"]:
        for key in section.given(*_OF_A_SERVER):
            section.complain(key, "expected a url beside it, got a file")
    interval, timeout, stale_after = timing(section, 10.0, 5.0)
    return InventoryConfig(
        fleet=fleet,
        file=None if file is None else outside.folder / file,
        endpoint=endpoints[0] if endpoints else None,
        interval=interval,
        timeout=timeout,
        stale_after=stale_after,
    )
