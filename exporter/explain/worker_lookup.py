"""Finds the worker that somebody means, and answers as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from exporter.explain.lookup import Answer, answered, of_fleet, wrong_fleet
from exporter.explain.near import LONGEST, alike
from exporter.exposition.labels import guard
from exporter.records.worker_evidence import UnknownWorker, WorkerName
from exporter.state.evidence import FleetEvidence


class WorkerLookup:
    """Explains workers from the evidence of all fleets; safe for threads. `clock` is monotonic, `wall` Unix time."""

    def __init__(
        self,
        evidence: Callable[[], Mapping[str, FleetEvidence]],
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._evidence = evidence
        self._clock = clock
        self._wall = wall

    def __call__(self, name: str, fleet: str | None) -> Answer:
        """Explain the worker with an id, in one fleet or in all.

        200: a `WorkerEvidence`; 404: none has the id; 409: several have it. The latter two are an `UnknownWorker`.
        """
        everywhere = self._evidence()
        if (wrong := wrong_fleet(everywhere, fleet)) is not None:
            return answered(404, UnknownWorker(error=wrong))
        evidence = {each: everywhere[each] for each in sorted(everywhere) if fleet in (None, each)}
        expected = f"expected the id of a worker{of_fleet(fleet)}, got {name[:LONGEST]!r}"
        known = {each: told.workers.hosts() for each, told in evidence.items()}
        found = meant(name, known)
        if len(found) > 1:
            return answered(409, UnknownWorker(error=f"{expected}, which {len(found)} workers have", candidates=found))
        if found:
            explained = evidence[found[0].fleet].workers.of(found[0].worker, self._clock(), self._wall())
            if explained is not None:
                return answered(200, explained)
        called = ((worker, (each, worker)) for each, hosts in known.items() for worker in hosts)
        near = tuple(WorkerName(each, worker, known[each][worker]) for each, worker in alike(name, called))
        return answered(404, UnknownWorker(error=f"{expected}, which none has", near=near))


def meant(name: str, known: Mapping[str, Mapping[str, str | None]]) -> tuple[WorkerName, ...]:
    """The workers with an id, else those with a label like this, in which an id is printable and short.

    `known` has by fleet and id the host of each.
    """
    found = [WorkerName(fleet, name, hosts[name]) for fleet, hosts in known.items() if name in hosts]
    if not found:
        alike = ((fleet, worker) for fleet, hosts in known.items() for worker in hosts if guard(worker) == name)
        found = [WorkerName(fleet, worker, known[fleet][worker]) for fleet, worker in alike]
    return tuple(found)
