"""A URL of a mesh whose host name may have several addresses, each of which is a console."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from threading import Thread

from exporter.endpoint import Endpoint
from exporter.records.reading import ConsolesReading, MeshReading
from exporter.sources.connect import Resolve
from exporter.sources.mesh_llm import MeshConsole
from exporter.sources.resolve import Address
from exporter.sources.source import Deadline, SourceError

AT_ONCE = 256
"""Consoles of one name that are read at the same time; more of them are read in turns that share the time."""


class MeshName:
    """The source of one URL: of the consoles at all addresses of its host name. Times are in seconds.

    Two addresses of one family or more are that many consoles, read side by side, so that those that hang hide no
    other. One address, or one of each family, is one console, of which the first address that answers is taken.
    """

    kind = "mesh-llm"

    def __init__(
        self,
        fleet: str,
        endpoint: Endpoint,
        resolve: Resolve,
        *,
        interval: float,
        timeout: float,
        stale_after: float,
        optional: bool = False,
    ) -> None:
        self.fleet = fleet
        self.name = endpoint.name
        self.interval = interval
        self.timeout = timeout
        self.stale_after = stale_after
        self.optional = optional
        self._endpoint = endpoint
        self._resolve = resolve
        self._addresses: list[Address] = []
        self._one = self._console(lambda *_: self._addresses)
        self._each: dict[Address, MeshConsole] = {}

    def read(self, deadline: Deadline) -> MeshReading | ConsolesReading:
        """Ask every console for its status; raises SourceError if none has one.

        A console that does not answer is counted as drift of `addresses`.
        """
        self._addresses = self._resolve(self._endpoint.host, self._endpoint.port, deadline)
        addresses = several(self._addresses)
        self._each = {address: self._each.get(address) or self._at(address) for address in addresses}
        if not addresses:
            return self._one.read(deadline)
        answers: dict[Address, MeshReading | SourceError] = {}
        for start in range(0, len(addresses), AT_ONCE):
            turns = -((start - len(addresses)) // AT_ONCE)
            share = deadline.within(deadline.remaining() / turns)
            self._side_by_side(addresses[start : start + AT_ONCE], share, answers)
        said = {address: answers[address] for address in addresses if address in answers}
        readings = {_text(each): answer for each, answer in said.items() if isinstance(answer, MeshReading)}
        failures = [answer for answer in said.values() if isinstance(answer, SourceError)]
        if not readings:
            raise failures[-1] if failures else SourceError("malformed", "no console gave an answer")
        drift = +Counter(addresses=len(addresses) - len(readings))
        return ConsolesReading(readings, tuple(map(_text, addresses)), dict(drift))

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
        return MeshConsole(
            self.fleet,
            self._endpoint,
            resolve,
            interval=self.interval,
            timeout=self.timeout,
            stale_after=self.stale_after,
            optional=self.optional,
        )


def several(addresses: Sequence[Address]) -> list[Address]:
    """The addresses of the first family that has more than one; none where each family has one at most."""
    counts = Counter(family for family, _ in addresses)
    first = next((family for family, _ in addresses if counts[family] > 1), None)
    return [address for address in addresses if address[0] == first]


def _text(address: Address) -> str:
    host, port = address[1][:2]
    return f"{host}:{port}"
