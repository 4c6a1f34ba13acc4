"""Sources whose records bear no name of a node, a host or a console, but what stands for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from exporter.privacy.names import Names
from exporter.records import Becomes, NodeGpu, NodeModel, NodeSlots, NodeStage, WakeableModel
from exporter.records.reading import ConsolesReading, InventoryReading, MeshReading, Sighting
from exporter.sources.source import Deadline, Reading, Source, SourceError

OfNode = TypeVar("OfNode", NodeGpu, NodeModel, NodeSlots, NodeStage)

replace = msgspec.structs.replace


class Concealed:
    """A console or an inventory, read as `source` reads it; a console's own name is replaced too.

    What an error says may quote anything, so that only its kind is passed on.
    """

    def __init__(self, source: Source, names: Names) -> None:
        self.fleet = source.fleet
        self.kind = source.kind
        self.pace = source.pace
        self.name = names.name("console", source.name) if source.kind == "mesh-llm" else source.name
        names.keep()
        self._source = source
        self._names = names
        self._last: tuple[Reading, Reading] | None = None

    def read(self, deadline: Deadline) -> Reading:
        """Ask, and replace every name; raises SourceError."""
        try:
            reading = self._source.read(deadline)
        except SourceError as error:
            result, status = error.result, error.status
        else:
            if self._last is None or self._last[0] is not reading:
                self._last = reading, self._renamed(reading)
                self._names.keep()
            return self._last[1]
        answered = "" if status is None else f", HTTP status {status}"
        raise SourceError(result, f"{result}{answered}; privacy withholds what was said", status)

    def _renamed(self, reading: Reading) -> Reading:
        if isinstance(reading, MeshReading):
            return self._mesh(reading)
        if isinstance(reading, ConsolesReading):
            readings = {self._console(address): self._mesh(each) for address, each in reading.readings.items()}
            return replace(reading, readings=readings, addresses=tuple(map(self._console, reading.addresses)))
        assert isinstance(reading, InventoryReading), "stores and the registry know nothing of nodes"
        return self._inventory(reading)

    def _mesh(self, reading: MeshReading) -> MeshReading:
        return replace(
            reading,
            observer=self._node(reading.observer),
            sightings=tuple(map(self._sighting, reading.sightings)),
            links=tuple(
                replace(each, node=self._node(each.node), peer=self._node(each.peer)) for each in reading.links
            ),
            wakeables=tuple(replace(each, logical_id=self._host(each.logical_id)) for each in reading.wakeables),
            wakeable_models=self._wakeable_models(reading.wakeable_models),
            slots=self._of_nodes(reading.slots),
            stages=self._of_nodes(reading.stages),
            address=None if reading.address is None else self._console(reading.address),
        )

    def _sighting(self, said: Sighting) -> Sighting:
        view = said.view
        renamed = replace(
            view,
            observer=self._node(view.observer),
            node=self._node(view.node),
            hostname=self._host(view.hostname) if view.hostname else view.hostname,
        )
        return Sighting(renamed, self._of_nodes(said.models), self._of_nodes(said.gpus))

    def _inventory(self, reading: InventoryReading) -> InventoryReading:
        becomes = {
            self._host(logical_id): Becomes(
                None if said.hostname is None else self._host(said.hostname),
                None if said.node is None else self._node(said.node),
            )
            for logical_id, said in reading.becomes.items()
        }
        return replace(
            reading,
            wakeables=tuple(replace(each, logical_id=self._host(each.logical_id)) for each in reading.wakeables),
            wakeable_models=self._wakeable_models(reading.wakeable_models),
            becomes=becomes,
        )

    def _of_nodes(self, records: Iterable[OfNode]) -> tuple[OfNode, ...]:
        return tuple(replace(each, node=self._node(each.node)) for each in records)

    def _wakeable_models(self, models: Iterable[WakeableModel]) -> tuple[WakeableModel, ...]:
        return tuple(replace(each, logical_id=self._host(each.logical_id)) for each in models)

    def _node(self, said: str) -> str:
        return self._names.name("node", said)

    def _host(self, said: str) -> str:
        return self._names.name("host", said)

    def _console(self, said: str) -> str:
        return self._names.name("console", said)
