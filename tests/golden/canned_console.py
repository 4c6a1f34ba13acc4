"""A console that answers what files hold, and 404 to the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import cast

from exporter.records.reading import MeshReading
from exporter.sources.fetch import Fetched, Session
from exporter.sources.mesh_optional import OptionalAnswers
from exporter.sources.source import Deadline, SourceError

Answer = Callable[[], bytes]


class CannedConsole:
    """Stands for a console's door: `answers` has a body per path, or a function that gives one or raises.

    `asked` holds the paths that were asked for, in order.
    """

    def __init__(self, answers: Mapping[str, bytes | Answer]) -> None:
        self.answers = dict(answers)
        self.asked: list[str] = []

    def __call__(self, deadline: Deadline) -> Session:
        return cast(Session, self)

    def __enter__(self) -> CannedConsole:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def get(self, path: str) -> Fetched:
        """The body of `path`; 404 where there is none."""
        self.asked.append(path)
        answer = self.answers.get(path)
        if answer is None:
            raise SourceError("http", f"GET {path}: expected status 200, got 404", 404)
        return Fetched(answer if isinstance(answer, bytes) else answer(), None)

    def added_to(self, reading: MeshReading, fleet: str = "eu") -> MeshReading:
        """`reading` with what this console answers."""
        return asks_at_once(self, fleet).added_to(reading)


def asks_at_once(
    console: CannedConsole, fleet: str = "eu", clock: Callable[[], float] = time.monotonic
) -> OptionalAnswers:
    """Asks a console within the call, with 3 s for each answer, which counts for 15 s."""
    return OptionalAnswers(
        console, fleet, "a console", timeout=3, stale_after=15, start=lambda _, work: work(), clock=clock
    )
