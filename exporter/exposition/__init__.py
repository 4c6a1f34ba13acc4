"""Families × tables → cached blocks → text and gzip."""

from exporter.exposition.exposition import Exposition
from exporter.exposition.formats import Format, accepts_gzip, negotiate
from exporter.exposition.live import render_client, render_tables
from exporter.exposition.snapshot import Snapshot, gzip_member

__all__ = [
    "Exposition",
    "Format",
    "Snapshot",
    "accepts_gzip",
    "gzip_member",
    "negotiate",
    "render_client",
    "render_tables",
]
