"""Every metric, declared once: the exposition, docs/METRICS.md and the check of every query derive from FAMILIES."""

from exporter.families import capacity, machine, memory, mesh, source, wakeable, worker
from exporter.families.family import Family, OneOf, Projection, Split, Value, Word

POLLED: tuple[Family, ...] = (
    *mesh.COUNTS,
    *wakeable.COUNTS,
    *worker.COUNTS,
    *source.SOURCES,
    *memory.LEDGER,
    *mesh.NODES,
    *memory.NODES,
    *capacity.NODES,
    *capacity.MODELS,
    *wakeable.WAKEABLES,
    *memory.WAKEABLES,
    *worker.WORKERS,
    *memory.WORKERS,
)
"""Families of what is polled, in the order of the exposition."""

LIVE: tuple[Family, ...] = (*source.ITSELF, *machine.HOST, *machine.GPUS)
"""Families of what is read when Prometheus asks, after those that are polled."""

FAMILIES: tuple[Family, ...] = POLLED + LIVE

__all__ = ["FAMILIES", "LIVE", "POLLED", "Family", "OneOf", "Projection", "Split", "Value", "Word"]
