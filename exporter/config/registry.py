"""Whether Rollcall keeps a registry of workers, and who may write to it."""

from __future__ import annotations

import re
from collections.abc import Collection

import msgspec

from exporter.config import check
from exporter.config.check import Address, Section
from exporter.config.file import Listing, Mapping, Node, Scalar, shown
from exporter.config.outside import Outside
from exporter.endpoint import Secret
from exporter.loopback import is_loopback

NAMES = ("local", "registry", *(f"registry-{number}" for number in range(2, 10)))
"""What the registry's fleet is called where nobody says so: the first that is no store's."""


class RegistryConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Rollcall's own workers: `enabled` None is where it is safe: on loopback, or with a token.

    Times are in seconds, `rate` is requests a second and client, `workers` is the most of one client. `place` is where
    the file says whether it is enabled.
    """

    enabled: bool | None = None
    fleet: str = NAMES[0]
    heartbeat_timeout: float = 45.0
    retention: float = 86400.0
    token: Secret | None = None
    rate: int = 5000
    workers: int = 50_000
    place: str = ""


def read_registry(root: Section, outside: Outside, name: str) -> RegistryConfig:
    """Read the section `registry` of the file called `name`; a store's fleet cannot be the registry's too."""
    section = root.section("registry")
    unset = RegistryConfig()
    enabled = section.get("enabled", check.boolean_or_auto, None)
    node = section.node("enabled")
    fleet = _fleet(section, root.node("stores"), enabled)
    heartbeat_timeout = section.get("heartbeat_timeout", check.duration(), unset.heartbeat_timeout)
    least = heartbeat_timeout if section.sound("heartbeat_timeout") else 0.0
    registry = RegistryConfig(
        enabled=enabled,
        fleet=fleet,
        heartbeat_timeout=heartbeat_timeout,
        retention=section.get("retention", check.duration(least, " (the heartbeat_timeout)"), unset.retention),
        token=_token(section, outside),
        rate=section.get("rate", check.count, unset.rate),
        workers=section.get("workers", check.count, unset.workers),
        place=f"{name}:{node.place.line}" if node else "",
    )
    section.close()
    return registry


def beside(fleets: Collection[str]) -> str:
    """Name the registry's fleet where nobody does, beside those of the stores."""
    return next((name for name in NAMES if name not in fleets), NAMES[0])


def unsafe(registry: RegistryConfig, listen: Address) -> str | None:
    """Say what is wrong with a registry that must be on where anybody could write to it; None for any other.

    A host that is a name is nobody's until it is bound to.
    """
    return lacks_token(registry, listen) if registry.enabled and is_public(listen.host) else None


def lacks_token(registry: RegistryConfig, listen: Address) -> str | None:
    """Say that a registry on a public address has no token; None for one that has."""
    if registry.token is not None:
        return None
    place = f" ({registry.place})" if registry.place else ""
    return f"registry.token_file: expected a token for a registry on the public address {listen}, got none{place}"


def is_public(host: str) -> bool:
    """Tell whether an address, empty for all, can be reached from another machine; a name counts as not."""
    return not host or (bool(re.fullmatch(r"[0-9.]+|.*:.*", host)) and not is_loopback(host))


def _fleet(section: Section, stores: Node | None, enabled: bool | None) -> str:
    lines = _fleets_of(stores)
    fleet = section.get("fleet", check.fleet_name, None) or beside(lines)
    if fleet in lines and enabled is not False:
        section.complain("fleet", f"expected a name of its own, got {shown(fleet)!r}, taken on line {lines[fleet]}")
    return fleet


def _fleets_of(stores: Node | None) -> dict[str, int]:
    """The names of the stores' fleets, and the lines that they are on."""
    entries = [item for item in stores.items if isinstance(item, Mapping)] if isinstance(stores, Listing) else []
    named = (entry.entries.get("fleet") for entry in reversed(entries))
    return {node.text: node.place.line for node in named if isinstance(node, Scalar)}


def _token(section: Section, outside: Outside) -> Secret | None:
    token = section.get("token_file", outside.file, None)
    if token is not None and not re.fullmatch("[!-~]+", token.reveal()):
        section.complain("token_file", "expected printable ASCII without spaces, got other characters")
    return token
