"""An inventory of wakeable capacity: a YAML file, or the same list as JSON over HTTP.

Its form is `inventory.schema.json`, with mesh-llm's own field names. Fields of other names are passed over.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from exporter.config.file import MOST_CHARACTERS, ConfigError, read_list
from exporter.endpoint import Endpoint
from exporter.records import Becomes, WakeableModel, WakeableNode
from exporter.records.reading import InventoryReading
from exporter.sources.decode import Name, envelope, in_time, items, sound
from exporter.sources.fetch import Door, Resolver
from exporter.sources.gigabytes import in_bytes
from exporter.sources.model_names import model_names
from exporter.sources.source import Deadline, Pace, SourceError

SCHEMA = Path(__file__).with_name("inventory.schema.json")
"""The JSON Schema of an inventory."""

MOST_BYTES = 4 * MOST_CHARACTERS
UNSAID_STATE = "sleeping"


class _Becomes(msgspec.Struct):
    hostname: Name | None = None
    node: Name | None = None

    def __post_init__(self) -> None:
        if (self.hostname is None) == (self.node is None):
            raise ValueError("expected hostname or node")


class _Entry(msgspec.Struct):
    logical_id: Name
    provider: str | None = None
    models: list[str] | None = None
    vram_gb: float | None = None
    state: str | None = None
    wake_eta_secs: float | None = None
    becomes: _Becomes | None = None


_LIST: msgspec.json.Decoder[Sequence[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_ENTRY = msgspec.json.Decoder(_Entry)

Version = tuple[int, ...]
"""What tells one version of a file from another: device, inode, size, and when it changed."""


class InventoryFile:
    """The source of one inventory file, which is read again when it changes."""

    kind = "inventory"

    def __init__(self, fleet: str, path: Path, pace: Pace) -> None:
        self.fleet = fleet
        self.name = path.name
        self.pace = pace
        self._path = path
        self._last: tuple[Version, InventoryReading | SourceError] | None = None

    def read(self, deadline: Deadline) -> InventoryReading:
        """Give what the file lists; raises SourceError."""
        deadline.remaining()
        try:
            return self._read()
        except OSError as error:
            reason = error.strerror or type(error).__name__
        raise SourceError("refused", f"{self.name}: expected a readable file, got: {reason}")

    def _read(self) -> InventoryReading:
        # Opening a FIFO would wait for a writer.
        if not stat.S_ISREG(self._path.stat().st_mode):
            raise SourceError("refused", f"{self.name}: expected a regular file, got something else")
        with self._path.open("rb") as file:
            version = _version(os.fstat(file.fileno()))
            if self._last is None or self._last[0] != version:
                self._last = (version, self._parsed(file.read(MOST_BYTES + 1)))
        outcome = self._last[1]
        if isinstance(outcome, SourceError):
            raise SourceError(outcome.result, str(outcome))
        return outcome

    def _parsed(self, data: bytes) -> InventoryReading | SourceError:
        if len(data) > MOST_BYTES:
            return SourceError("too_large", f"{self.name}: expected at most {MOST_BYTES} bytes, got more")
        try:
            return parse_yaml(data.decode(), self.fleet, self.name)
        except UnicodeDecodeError:
            return SourceError("malformed", f"{self.name}: expected UTF-8 text, got other bytes")
        except SourceError as error:
            return error


class InventoryServer:
    """The source of one inventory that a server gives as JSON."""

    kind = "inventory"

    def __init__(self, fleet: str, endpoint: Endpoint, resolve: Resolver, pace: Pace) -> None:
        self.fleet = fleet
        self.name = endpoint.name
        self.pace = pace
        self._target = endpoint.path or "/"
        self._connect = Door(msgspec.structs.replace(endpoint, path=""), resolve)

    def read(self, deadline: Deadline) -> InventoryReading:
        """Ask for the list; raises SourceError."""
        with self._connect(deadline) as session:
            return parse_json(session.get(self._target).body, self.fleet, self.name, deadline)


def parse_json(body: bytes, fleet: str, name: str, deadline: Deadline | None = None) -> InventoryReading:
    """Turn a JSON list into records; `name` is who lists them.

    Units: `vram_gb` is 10^9 bytes, `wake_eta_secs` seconds. Raises SourceError("malformed") where it is no list, as
    `envelope` does, and "timeout" where the `deadline` ends meanwhile; a malformed entry is left out and counted as
    drift.
    """
    drift: Counter[str] = Counter()
    entries = items(envelope(body, _LIST, "a list", drift), _ENTRY, "entries", drift, deadline)
    return _reading(in_time(entries, deadline), fleet, name, drift)


def parse_yaml(text: str, fleet: str, name: str) -> InventoryReading:
    """Turn a YAML list into records, as `parse_json` does."""
    try:
        said = read_list(text, name)
    except ConfigError as error:
        raise SourceError("malformed", error.lines[0]) from None
    drift: Counter[str] = Counter()
    entries = []
    for each in said:
        try:
            entries.append(msgspec.convert(each, _Entry))
        except msgspec.ValidationError:
            drift["entries"] += 1
    return _reading(entries, fleet, name, drift)


def _reading(entries: Iterable[_Entry], fleet: str, name: str, drift: Counter[str]) -> InventoryReading:
    nodes: dict[str, WakeableNode] = {}
    models: list[WakeableModel] = []
    becomes: dict[str, Becomes] = {}
    for said in entries:
        logical_id = said.logical_id
        if logical_id in nodes:
            drift["entries"] += 1
            continue
        vram = in_bytes(said.vram_gb, "vram_gb", drift)
        eta = sound(said.wake_eta_secs, "wake_eta_secs", drift)
        state = said.state if said.state is not None else UNSAID_STATE
        nodes[logical_id] = WakeableNode(fleet, logical_id, said.provider, name, state, vram, eta)
        models += [WakeableModel(fleet, logical_id, model) for model in model_names(said.models)]
        if said.becomes is not None:
            becomes[logical_id] = Becomes(said.becomes.hostname, said.becomes.node)
    return InventoryReading(
        wakeables=tuple(nodes.values()), wakeable_models=tuple(models), becomes=becomes, drift=dict(drift)
    )


def _version(status: os.stat_result) -> Version:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
