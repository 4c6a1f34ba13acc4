"""The fleets as they are now, for people to read: rows of what is published, filtered and sorted; no I/O."""

from exporter.overview.choice import Choice, chosen
from exporter.overview.make import Overviews
from exporter.overview.rows import FleetRow, NodeRow, Overview, SourceRow, WakeableRow, WorkerRow

__all__ = [
    "Choice",
    "FleetRow",
    "NodeRow",
    "Overview",
    "Overviews",
    "SourceRow",
    "WakeableRow",
    "WorkerRow",
    "chosen",
]
