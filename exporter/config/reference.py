"""Writes docs/CONFIGURATION.md, every key with its default: `python -m exporter.config.reference [--check]`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from exporter.config import (
    Config,
    FamiliesConfig,
    GpuConfig,
    HostConfig,
    InventoryConfig,
    LimitsConfig,
    MeshConfig,
    RegistryConfig,
    StoreConfig,
)
from exporter.config.duration import format_duration

PATH = Path("docs/CONFIGURATION.md")

FIELDS = {"web.listen_address": "listen", "web.config_file": "web_config_file"}
"""Fields of `Config` that are called otherwise in a file."""


class Key(NamedTuple):
    """A key: its name, what it takes, what it means; `default` is text for want of a field with its name."""

    name: str
    takes: str
    meaning: str
    default: str | None = None


class Part(NamedTuple):
    """Keys that stand together: a heading, what is said above them, what their names begin with, and their struct.

    Where they may begin with several things, the document has an ellipsis for these.
    """

    title: str
    text: str
    prefixes: tuple[str, ...]
    struct: type[msgspec.Struct]
    keys: tuple[Key, ...]


TIMES = (
    Key("interval", "duration", "how often to read, from start to start; at least `100ms`"),
    Key(
        "timeout",
        "duration",
        "for a whole read, from the name's look-up to the last byte; where unsaid, at most `interval`",
    ),
    Key("stale_after", "duration", "how long an answer counts; at least `interval`", "3 × interval"),
)
CREDENTIALS = (
    Key("key", "string", "a bearer token", ""),
    Key("key_file", "path", "a file that holds it; a newline at its end is not part of it", ""),
    Key("key_env", "variable", "a variable of the environment that holds it", ""),
    Key("username", "string", "for basic authentication; what a URL says of its own user stands for that URL", ""),
    Key("password", "string", "with `username`", ""),
    Key("password_file", "path", "a file that holds it", ""),
    Key("password_env", "variable", "a variable of the environment that holds it", ""),
    Key("ca_file", "path", "PEM certificates to trust for https", "the system's"),
    Key("tls_config.ca_file", "path", "the same, as Prometheus spells it", "the system's"),
    Key("tls_config.cert_file", "path", "a PEM certificate of our own, shown to the upstream", ""),
    Key("tls_config.key_file", "path", "its key", ""),
    Key("tls_config.server_name", "name", "what the upstream's certificate must bear", "the URL's host"),
    Key(
        "tls_config.insecure_skip_verify",
        "boolean",
        "known so that it can be refused: only `false` is taken",
        "`false`",
    ),
)
PARTS = (
    Part(
        "The exporter",
        "`web.listen_address`, `web.config_file` and `state_dir` are overridden by `--web.listen-address`, "
        "`--web.config.file` and `--state.dir`. A reload follows all that changed, but for these three, `privacy`, "
        "`registry`, `host` and `gpu`, which take a restart.",
        ("",),
        Config,
        (
            Key("web.listen_address", "HOST:PORT", "where to serve; no host is every address"),
            Key("web.config_file", "path", "TLS and users ([docs/WEB_CONFIG.md](WEB_CONFIG.md))"),
            Key(
                "state_dir",
                "path",
                "for `rollcall.db`, `registry.db` and what privacy needs",
                "`$STATE_DIRECTORY`, `/var/lib/rollcall` or `~/.local/state/rollcall`",
            ),
            Key("tombstone", "duration", "how long what left is shown as `_present 0`, so that an alert can fire"),
            Key("privacy", "`raw`, `hash` or `alias`", "how names of nodes, hosts and consoles are shown"),
        ),
    ),
    Part(
        "Meshes",
        "A list; one entry for each mesh-llm mesh.",
        ("meshes[].",),
        MeshConfig,
        (
            Key("fleet", "name", "the label `fleet`; a mesh and a store may share one", "required"),
            Key("urls", "list of URLs", "consoles, port 3131 where none is given; one is enough", "required"),
            *TIMES,
        ),
    ),
    Part(
        "Stores",
        "A list; one entry for each LightningStore 0.3 or Agent Lightning 1.x server.",
        ("stores[].",),
        StoreConfig,
        (
            Key("fleet", "name", "the label `fleet`", "required"),
            Key("url", "URL", "port 4747 where none is given", "required"),
            *TIMES,
            Key("heartbeat_timeout", "duration", "how long a worker may show no sign of life before it is unknown"),
            Key("forget_after", "duration", "how long a silent worker is shown: a store never deletes one"),
        ),
    ),
    Part(
        "Inventories",
        "A list; each names what could be woken, beside what a mesh lists itself.",
        ("inventories[].",),
        InventoryConfig,
        (
            Key("fleet", "name", "the label `fleet`: that of the mesh that the capacity belongs to", "required"),
            Key("file", "path", "a YAML list; this or `url`"),
            Key("url", "URL", "the same list as JSON", ""),
            *TIMES,
        ),
    ),
    Part(
        "Credentials of upstreams",
        "Of an entry of `meshes` or `stores`, or of an inventory with a `url`; for each URL of it. One key, or a "
        "username with a password.",
        ("meshes[].", "stores[].", "inventories[]."),
        MeshConfig,
        CREDENTIALS,
    ),
    Part(
        "Registry",
        "Workers of your own ([docs/REGISTRY.md](REGISTRY.md)).",
        ("registry.",),
        RegistryConfig,
        (
            Key("enabled", "`auto` or boolean", "`auto` is on loopback, and elsewhere with a token", "`auto`"),
            Key("fleet", "name", "their label `fleet`; `registry` where a store is called `local`"),
            Key("heartbeat_timeout", "duration", "as that of a store"),
            Key("retention", "duration", "how long a silent worker is kept"),
            Key("token_file", "path", "holds the bearer token that every request to it must have", ""),
            Key("rate", "number", "requests a second of one client's address"),
            Key("workers", "number", "workers of one client's address"),
        ),
    ),
    Part(
        "This host",
        "",
        ("host.",),
        HostConfig,
        (
            Key("enabled", "boolean", "CPU, memory, disks and network of this machine"),
            Key("procfs", "path", "where `/proc` is mounted, seen from a container"),
            Key("rootfs", "path", "where `/` is mounted, seen from a container"),
        ),
    ),
    Part(
        "GPUs",
        "",
        ("gpu.",),
        GpuConfig,
        (
            Key(
                "enabled",
                "`auto` or boolean",
                "this machine's NVIDIA GPUs; `auto` takes no driver for normal",
                "`auto`",
            ),
        ),
    ),
    Part(
        "Limits",
        "What is over a limit is dropped, the healthy first, and counted in `rollcall_series_dropped`.",
        ("limits.",),
        LimitsConfig,
        (
            Key("series", "number", "of the whole exposition"),
            Key("objects", "number", "nodes, workers and wakeable nodes of a fleet, each"),
            Key("assignments", "number", "of a fleet"),
        ),
    ),
    Part(
        "Families",
        "One of the two; regular expressions for whole names of metrics.",
        ("families.",),
        FamiliesConfig,
        (
            Key("allow", "list of expressions", "metrics to expose", "all"),
            Key("deny", "list of expressions", "metrics to leave out", "none"),
        ),
    ),
)

HEAD = """<!-- Generated by `make generate` from exporter/config. Do not edit. -->
# Configuration

A YAML file, given by `--config.file`; without one Rollcall watches this machine, and what answers on its loopback.
`rollcall check-config FILE` says every mistake with its line. Durations are written as Prometheus writes them: `500ms`,
`10s`, `1h30m`. Paths are relative to the file. Secrets are never logged and never exposed.
"""


def markdown() -> str:
    """The whole document."""
    return HEAD + "".join(map(_section, PARTS))


def names() -> list[str]:
    """Every key, with those it is below."""
    return [start + key.name for part in PARTS for start in part.prefixes for key in part.keys]


def _section(part: Part) -> str:
    start = part.prefixes[0] if len(part.prefixes) == 1 else "…"
    rows = [f"| `{start}{key.name}` | {key.takes} | {_default(part, key)} | {key.meaning} |\n" for key in part.keys]
    text = f"{part.text}\n\n" if part.text else ""
    return f"\n## {part.title}\n\n{text}| key | takes | default | meaning |\n|---|---|---|---|\n{''.join(rows)}"


def _default(part: Part, key: Key) -> str:
    if key.default is not None:
        return key.default
    fields = {field.name: field.default for field in msgspec.structs.fields(part.struct)}
    return _written(fields[FIELDS.get(key.name, key.name)], key.takes)


def _written(value: Any, takes: str) -> str:
    """A value as a file would have it."""
    if value is None:
        return ""
    if takes == "duration":
        return f"`{format_duration(value)}`"
    return f"`{str(value).lower()}`" if isinstance(value, bool) else f"`{value}`"


def main(arguments: Sequence[str]) -> int:
    """Write the document, or with --check tell whether it is stale; returns the exit status."""
    if "--check" in arguments:
        if PATH.exists() and PATH.read_text("utf-8") == markdown():
            return 0
        sys.stderr.write(f"{PATH} is stale: run `make generate`\n")
        return 1
    PATH.write_text(markdown(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
