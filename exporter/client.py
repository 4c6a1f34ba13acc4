"""For programs that report what they do: `from exporter.client import Worker`.

with Worker("trainer-7") as worker:
    for task in tasks:
        worker.busy(task.name)
        work_on(task)
        worker.idle()
"""

from __future__ import annotations

from exporter.agent.worker import Worker

__all__ = ["Worker"]
