"""Configuration: a YAML file becomes frozen structs, durations as seconds, or a ConfigError that says where and why."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from exporter.config import check
from exporter.config.check import Address, Section, parse_address
from exporter.config.credentials import with_credentials
from exporter.config.duration import format_duration, parse_duration
from exporter.config.file import MOST_CHARACTERS, ConfigError, Node, read_tree, shown
from exporter.config.inventory import InventoryConfig, read_inventories
from exporter.config.outside import Outside
from exporter.config.privacy import privacy
from exporter.config.registry import RegistryConfig, beside, lacks_token, read_registry, unsafe
from exporter.config.shard import Shard, parse_shard
from exporter.config.timing import timing
from exporter.endpoint import Endpoint, parse_url

__all__ = [
    "Address",
    "Config",
    "ConfigError",
    "FamiliesConfig",
    "GpuConfig",
    "HostConfig",
    "InventoryConfig",
    "LimitsConfig",
    "MeshConfig",
    "RegistryConfig",
    "Shard",
    "StoreConfig",
    "default_config",
    "for_shard",
    "format_duration",
    "lacks_token",
    "load",
    "parse",
    "parse_address",
    "parse_duration",
    "parse_shard",
    "read_text",
    "text_of",
    "unsafe",
]

MESH_PORT = 3131
STORE_PORT = 4747
MOST_BYTES = 4 * MOST_CHARACTERS

F = TypeVar("F", "MeshConfig", "StoreConfig")


class MeshConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Consoles of one mesh-llm fleet; an `optional` one was named by nobody and may never answer."""

    fleet: str
    endpoints: tuple[Endpoint, ...]
    interval: float = 5.0
    timeout: float = 3.0
    stale_after: float = 15.0
    optional: bool = False


class StoreConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The store of one Agent Lightning fleet; an `optional` one was named by nobody and may never answer."""

    fleet: str
    endpoint: Endpoint
    interval: float = 10.0
    timeout: float = 5.0
    stale_after: float = 30.0
    heartbeat_timeout: float = 45.0
    forget_after: float = 86400.0
    optional: bool = False


class HostConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Whether this host is measured, and where its /proc and its root are mounted."""

    enabled: bool = True
    procfs: str = "/proc"
    rootfs: str = "/"


class GpuConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Whether this host's GPUs are measured; None is: if there are any."""

    enabled: bool | None = None


class LimitsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The most series of a whole exposition, and the most objects and assignments of one fleet."""

    series: int = 5_000_000
    objects: int = 200_000
    assignments: int = 1000


class FamiliesConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Anchored regular expressions for names of families: only those to expose, or those to leave out."""

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be configured; `state_dir` and `web_config_file` are None where the file names none.

    `tombstone` is for how many seconds what left is shown as not present. `shard` is the command line's, no key.
    """

    listen: Address = Address("127.0.0.1", 10470)
    web_config_file: str | None = None
    state_dir: str | None = None
    meshes: tuple[MeshConfig, ...] = ()
    stores: tuple[StoreConfig, ...] = ()
    inventories: tuple[InventoryConfig, ...] = ()
    registry: RegistryConfig = RegistryConfig()
    host: HostConfig = HostConfig()
    gpu: GpuConfig = GpuConfig()
    limits: LimitsConfig = LimitsConfig()
    families: FamiliesConfig = FamiliesConfig()
    tombstone: float = 3600.0
    privacy: str = "raw"
    shard: Shard = Shard()


def default_config() -> Config:
    """Give the configuration for want of a file: this host, and whatever answers on loopback, as fleet `local`."""
    mesh, store = parse_url("http://127.0.0.1", MESH_PORT), parse_url("http://127.0.0.1", STORE_PORT)
    return Config(
        meshes=(MeshConfig(fleet="local", endpoints=(mesh,), optional=True),),
        stores=(StoreConfig(fleet="local", endpoint=store, optional=True),),
        registry=RegistryConfig(fleet=beside({"local"})),
    )


def for_shard(config: Config, shard: Shard) -> Config:
    """What of a configuration one shard follows: this host, its GPUs and the registry are the first one's alone."""
    mine = msgspec.structs.replace(config, shard=shard)
    if shard.index == 0:
        return mine
    registry = msgspec.structs.replace(config.registry, enabled=False)
    host, gpu = msgspec.structs.replace(config.host, enabled=False), GpuConfig(enabled=False)
    return msgspec.structs.replace(mine, registry=registry, host=host, gpu=gpu)


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """Read a configuration file and the files it names; raises ConfigError with every problem it has."""
    return parse(text_of(path), str(path), environ, read_text)


def text_of(path: Path, read_file: Callable[[Path], str] | None = None) -> str:
    """Read a file of YAML; raises ConfigError where it cannot be read, or is not UTF-8."""
    try:
        return (read_file or read_text)(path)
    except OSError as error:
        raise ConfigError(f"{path}: expected a readable file, got: {error.strerror or 'an error'}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"expected UTF-8, got the byte 0x{error.object[error.start]:02X} ({path}:{line})") from None


def parse(text: str, name: str, environ: Mapping[str, str], read_file: Callable[[Path], str]) -> Config:
    """Read a configuration from text; `name` is its file, for messages and as the start of relative paths.

    `read_file` gives the text of a file that holds a secret or certificates, or raises OSError or UnicodeDecodeError.
    Raises ConfigError with every problem there is. What names no mesh and no store has none.
    """
    tree, problems = read_tree(text, name)
    root = Section(tree, problems)
    outside = Outside(environ, read_file, Path(name).parent)
    web = root.section("web")
    listen = web.get("listen_address", check.address, Config().listen)
    web_config_file = web.get("config_file", lambda node: str(outside.folder / check.path(node)), None)
    web.close()
    config = Config(
        listen=listen,
        web_config_file=web_config_file,
        state_dir=root.get("state_dir", check.path, None),
        meshes=_fleets(root, "meshes", outside, _mesh),
        stores=_fleets(root, "stores", outside, _store),
        inventories=read_inventories(root, outside),
        registry=read_registry(root, outside, name),
        host=_host(root.section("host")),
        gpu=_gpu(root.section("gpu")),
        limits=_limits(root.section("limits")),
        families=_families(root.section("families")),
        tombstone=root.get("tombstone", check.duration(), Config().tombstone),
        privacy=root.get("privacy", privacy, Config().privacy),
    )
    root.close()
    problems.check()
    return config


def read_text(path: Path) -> str:
    """Read a file of text; raises OSError, also for one over 4 MiB, and UnicodeDecodeError."""
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return data.decode().replace("\r\n", "\n")


def _fleets(root: Section, key: str, outside: Outside, build: Callable[[Section, str, Outside], F]) -> tuple[F, ...]:
    lines: dict[str, int] = {}
    built: list[F] = []
    for node, entry in root.each(key, check.mapping):
        section = root.below(entry)
        fleet = section.require("fleet", check.fleet_name, "")
        if fleet in lines:
            section.complain("fleet", f"expected a name of its own, got {shown(fleet)!r}, taken on line {lines[fleet]}")
        elif fleet:
            lines[fleet] = (section.node("fleet") or node).place.line
        built.append(build(section, fleet, outside))
        section.close()
    return tuple(built)


def _mesh(section: Section, fleet: str, outside: Outside) -> MeshConfig:
    urls = section.each("urls", check.url(MESH_PORT), least=1)
    first: dict[str, Node] = {}
    for node, endpoint in urls:
        other = first.setdefault(endpoint.name, node)
        if other is not node:
            got = f"{shown(endpoint.name)!r}, first given on line {other.place.line}"
            section.complain(node, f"expected each server once, got {got}")
    interval, timeout, stale_after = timing(section, 5.0, 3.0)
    return MeshConfig(
        fleet=fleet,
        endpoints=with_credentials(section, urls, outside),
        interval=interval,
        timeout=timeout,
        stale_after=stale_after,
    )


def _store(section: Section, fleet: str, outside: Outside) -> StoreConfig:
    endpoint = section.require("url", check.url(STORE_PORT), None)
    node = section.node("url")
    urls = [] if endpoint is None or node is None else [(node, endpoint)]
    interval, timeout, stale_after = timing(section, 10.0, 5.0)
    heartbeat_timeout = section.get("heartbeat_timeout", check.duration(), 45.0)
    least = heartbeat_timeout if section.sound("heartbeat_timeout") else 0.0
    forget_after = section.get("forget_after", check.duration(least, " (the heartbeat_timeout)"), 86400.0)
    endpoints = with_credentials(section, urls, outside)
    return StoreConfig(
        fleet=fleet,
        endpoint=endpoints[0] if endpoints else parse_url("http://127.0.0.1", STORE_PORT),
        interval=interval,
        timeout=timeout,
        stale_after=stale_after,
        heartbeat_timeout=heartbeat_timeout,
        forget_after=forget_after,
    )


def _host(section: Section) -> HostConfig:
    unset = HostConfig()
    host = HostConfig(
        enabled=section.get("enabled", check.boolean, unset.enabled),
        procfs=section.get("procfs", check.path, unset.procfs),
        rootfs=section.get("rootfs", check.path, unset.rootfs),
    )
    section.close()
    return host


def _gpu(section: Section) -> GpuConfig:
    gpu = GpuConfig(enabled=section.get("enabled", check.boolean_or_auto, None))
    section.close()
    return gpu


def _limits(section: Section) -> LimitsConfig:
    unset = LimitsConfig()
    limits = LimitsConfig(
        series=section.get("series", check.count, unset.series),
        objects=section.get("objects", check.count, unset.objects),
        assignments=section.get("assignments", check.count, unset.assignments),
    )
    section.close()
    return limits


def _families(section: Section) -> FamiliesConfig:
    allow = section.each("allow", check.pattern, least=1 if section.given("allow") else 0)
    deny = section.each("deny", check.pattern)
    if len(section.given("allow", "deny")) > 1:
        section.complain("deny", "expected allow or deny, got both")
    section.close()
    return FamiliesConfig(allow=tuple(text for _, text in allow), deny=tuple(text for _, text in deny))
