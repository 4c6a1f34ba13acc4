"""Families of Rollcall itself: how the reading of sources and collectors goes, and what is exposed."""

from __future__ import annotations

from exporter.families.family import info, value
from exporter.records import (
    Build,
    CollectorReading,
    CollectorUnread,
    ConfigLoad,
    Exposed,
    FamilySeries,
    RegistryRejections,
    Shards,
    SourceDrift,
    SourceReading,
    SourceReads,
    WebConfigLoad,
    WebRejections,
)

SOURCES = (
    value("rollcall_source_up", SourceReading, "up", "1 if the last read of a source succeeded, else 0."),
    value(
        "rollcall_source_last_success_timestamp_seconds",
        SourceReading,
        "last_success",
        "When a source was last read with success.",
    ),
    value(
        "rollcall_source_read_duration_seconds",
        SourceReading,
        "read_duration_seconds",
        "How long the last read of a source took.",
    ),
    value("rollcall_source_reads_total", SourceReads, "reads", "Reads of a source by result."),
    value(
        "rollcall_source_drift_total",
        SourceDrift,
        "count",
        "What a source said that was not understood and left out, by field.",
    ),
)

ITSELF = (
    info("rollcall_build_info", Build, (), "The running Rollcall."),
    value(
        "rollcall_shards",
        Shards,
        "count",
        "How many shards there are to be, by the number of this one, from 0; absent where there is but one.",
    ),
    value(
        "rollcall_collector_success", CollectorReading, "success", "1 if a collector of this host succeeded, else 0."
    ),
    value(
        "rollcall_collector_duration_seconds",
        CollectorReading,
        "duration_seconds",
        "How long a collector of this host took.",
    ),
    value(
        "rollcall_collector_unread",
        CollectorUnread,
        "unread",
        "File systems or GPUs of this host that did not answer at the last reading, and so have no samples.",
    ),
    value(
        "rollcall_config_last_reload_successful",
        ConfigLoad,
        "successful",
        "1 if the last load of the configuration, at the start or later, succeeded, else 0: an older one is followed.",
    ),
    value(
        "rollcall_config_last_reload_success_timestamp_seconds",
        ConfigLoad,
        "succeeded",
        "When the configuration that is followed was loaded.",
    ),
    value("rollcall_series", FamilySeries, "series", "Series of a family that come from sources, as exposed."),
    value(
        "rollcall_series_dropped",
        FamilySeries,
        "dropped",
        "Series of a family dropped now: over a limit (at most so many), a duplicate, or a value that is no number.",
    ),
    value(
        "rollcall_exposition_bytes",
        Exposed,
        "size_bytes",
        "Size of the exposed text that comes from sources, before compression.",
    ),
    value(
        "rollcall_registry_rejected_total",
        RegistryRejections,
        "count",
        "Requests that the registry refused, by reason. All rows are always there while there is a registry.",
    ),
    value(
        "rollcall_web_config_last_reload_successful",
        WebConfigLoad,
        "successful",
        "1 if the web configuration was read well when it last changed, else 0: an older one is followed.",
    ),
    value(
        "rollcall_web_config_failed_reloads_total",
        WebConfigLoad,
        "failures",
        "Changes of the web configuration, or of a file that it names, that could not be followed.",
    ),
    value(
        "rollcall_web_rejected_total",
        WebRejections,
        "count",
        "Requests refused by the web configuration. All rows are always there while there is one.",
    ),
)
