"""Families × tables → kept blocks of compressed text → gzip or text."""

from exporter.exposition.exposition import Exposition
from exporter.exposition.formats import Format, accepts_gzip, negotiate
from exporter.exposition.live import LiveText, render_client
from exporter.exposition.segments import gzip_member, inflated
from exporter.exposition.snapshot import Snapshot

__all__ = [
    "Exposition",
    "Format",
    "LiveText",
    "Snapshot",
    "accepts_gzip",
    "gzip_member",
    "inflated",
    "negotiate",
    "render_client",
]
