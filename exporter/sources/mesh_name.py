"""A URL of a mesh whose host name may have several addresses, each of which is a console."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from threading import Thread

import msgspec

from exporter.endpoint import Endpoint
from exporter.records.reading import ConsolesReading, MeshReading
from exporter.sources.connect import Resolve
from exporter.sources.mesh_llm import MeshConsole
from exporter.sources.resolve import Address, is_literal
from exporter.sources.source import Deadline, Pace, SourceError

AT_ONCE = 256
"""Consoles of one name that are read at the same time; more of them are read in turns that share the time."""


class MeshName:
    """The source of one URL: of the consoles at all addresses of its host name.

    Two addresses of one family or more are that many consoles, read side by side, so that those that hang hide no
    other; those of another family are tried where none of the first answers. One address, or one of each family, is one
    console, of which the first address that answers is taken.
    """

    kind = "mesh-llm"

    def __init__(self, fleet: str, endpoint: Endpoint, resolve: Resolve, pace: Pace) -> None:
        self.fleet = fleet
        self.name = endpoint.name
        self.pace = pace
        self._endpoint = endpoint
        self._resolve = resolve
        self._addresses: list[Address] = []
        self._one = self._console(lambda *_: self._addresses)
        self._each: dict[Address, MeshConsole] = {}
        self._answering: int | None = None

    def read(self, deadline: Deadline) -> MeshReading | ConsolesReading:
        """Ask every console for its status; raises SourceError if none has one.

        A console that does not answer is counted as drift of `addresses`.
        """
        self._addresses = self._resolve(self._endpoint.host, self._endpoint.port, deadline)
        families = several(self._addresses, self._answering)
        known = [address for family in families for address in family]
        self._each = {address: self._each.get(address) or self._at(address) for address in known}
        if not families:
            return self._of_one(deadline)
        answers: dict[Address, MeshReading | SourceError] = {}
        asked = self._until_one_answers(families, deadline, answers)
        readings = {_text(each): said for each in asked if isinstance(said := answers.get(each), MeshReading)}
        failures = [said for each in asked if isinstance(said := answers.get(each), SourceError)]
        if not readings:
            raise failures[-1] if failures else SourceError("malformed", "no console gave an answer")
        drift = +Counter(addresses=len(asked) - len(readings))
        return ConsolesReading(readings, tuple(map(_text, asked)), dict(drift))

    def _of_one(self, deadline: Deadline) -> MeshReading:
        reading = self._one.read(deadline)
        if len(self._addresses) != 1 or is_literal(self._endpoint.host):
            return reading
        return msgspec.structs.replace(reading, address=_text(self._addresses[0]))

    def _until_one_answers(
        self,
        families: Sequence[Sequence[Address]],
        deadline: Deadline,
        answers: dict[Address, MeshReading | SourceError],
    ) -> list[Address]:
        """Read one family after the other until somebody answers; gives the addresses asked.

        The family that answered at the last read may take all the time that there is, else each has its share.
        """
        asked: list[Address] = []
        answering, self._answering = self._answering, None
        for tried, addresses in enumerate(families):
            if not deadline.left():
                break
            family = addresses[0][0]
            left = 1 if family == answering else len(families) - tried
            asked += addresses
            self._read_family(addresses, deadline.within(deadline.remaining() / left), answers)
            if any(isinstance(answers.get(address), MeshReading) for address in addresses):
                self._answering = family
                break
        return asked

    def _read_family(
        self, addresses: Sequence[Address], deadline: Deadline, answers: dict[Address, MeshReading | SourceError]
    ) -> None:
        for start in range(0, len(addresses), AT_ONCE):
            turns = -((start - len(addresses)) // AT_ONCE)
            share = deadline.within(deadline.remaining() / turns)
            self._side_by_side(addresses[start : start + AT_ONCE], share, answers)

    def _side_by_side(
        self, addresses: Sequence[Address], deadline: Deadline, answers: dict[Address, MeshReading | SourceError]
    ) -> None:
        """Read some consoles, each in a thread that ends by the deadline; what they say goes into `answers`."""

        def read(address: Address) -> None:
            try:
                answers[address] = self._each[address].read(deadline)
            except SourceError as error:
                answers[address] = error

        threads = [
            Thread(target=read, args=(address,), name=f"console {_text(address)}", daemon=True) for address in addresses
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _at(self, address: Address) -> MeshConsole:
        return self._console(lambda *_: [address])

    def _console(self, resolve: Resolve) -> MeshConsole:
        return MeshConsole(self.fleet, self._endpoint, resolve, self.pace)


def several(addresses: Sequence[Address], answering: int | None = None) -> list[list[Address]]:
    """The addresses by family, where any family has more than one; none where each has one at most.

    First the family that is `answering`, then those of several addresses, then the resolver's order.
    """
    families: dict[int, list[Address]] = {}
    for address in addresses:
        families.setdefault(address[0], []).append(address)
    if all(len(family) <= 1 for family in families.values()):
        return []
    return sorted(families.values(), key=lambda family: (family[0][0] != answering, len(family) == 1))


def _text(address: Address) -> str:
    host, port = address[1][:2]
    return f"{host}:{port}"
