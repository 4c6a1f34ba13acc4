"""Tables of Rollcall itself: how the reading of each source goes."""

from __future__ import annotations

from exporter.records.table import Record

READ_RESULTS = ("ok", "timeout", "refused", "tls", "http", "redirect", "too_large", "malformed")


class SourceReading(Record, frozen=True, gc=False, kw_only=True):
    """The health of one source: whether its last read succeeded, and how long that took."""

    KEY = ("fleet", "source", "kind")
    fleet: str
    source: str
    kind: str
    up: int
    last_success: float | None
    read_duration_seconds: float | None


class SourceReads(Record, frozen=True, gc=False):
    """Finished reads of a source by result."""

    KEY = ("fleet", "source", "kind", "result")
    fleet: str
    source: str
    kind: str
    result: str
    reads: int


class SourceDrift(Record, frozen=True, gc=False):
    """What a source said that Rollcall does not understand, by field."""

    KEY = ("fleet", "source", "kind", "field")
    fleet: str
    source: str
    kind: str
    field: str
    count: int


class RegistryRejections(Record, frozen=True, gc=False):
    """Requests that the registry refused, by reason."""

    KEY = ("reason",)
    reason: str
    count: int


class FamilySeries(Record, frozen=True, gc=False):
    """How many series of a family are exposed, and at most how many a limit left out."""

    KEY = ("family",)
    family: str
    series: int
    dropped: int | None


class Build(Record, frozen=True, gc=False):
    """The running program."""

    KEY = ("version", "python")
    version: str
    python: str


class Shards(Record, frozen=True, gc=False):
    """Which shard the running program is, from 0, and of how many."""

    KEY = ("shard",)
    shard: str
    count: int


class ConfigLoad(Record, frozen=True, gc=False):
    """How the last load of the configuration went, and when one went well, in Unix seconds."""

    successful: int
    succeeded: float


class WebConfigLoad(Record, frozen=True, gc=False):
    """How the last reading of the web configuration went, and how many failed since the start."""

    successful: int
    failures: int


class WebRejections(Record, frozen=True, gc=False):
    """Requests that were refused before anybody looked what they ask for, since the start."""

    KEY = ("reason",)
    reason: str
    count: int


class Exposed(Record, frozen=True, gc=False):
    """The size of the exposed text that comes from sources."""

    size_bytes: int
